"""The RFM grid, and the people in a cell of it."""

import json
from dataclasses import dataclass
from typing import Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.models import Customer
from marketing.core import brand
from marketing.core.auth import page
from models_ml.insights import bands, rfm, yardsticks
from models_ml.insights.bands import AXES
from models_ml.views import scores
from models_ml.views.scores import NAMES

PER_PAGE = 25
# So few people that a fifth of them says little.
FEW = 25
VIEWS = {
    "rf": (gettext_lazy("Recency and frequency"), "r", "f"),
    "rm": (gettext_lazy("Recency and money"), "r", "m"),
    "fm": (gettext_lazy("Frequency and money"), "f", "m"),
}


@dataclass(frozen=True, slots=True)
class Square:
    """A cell as it is drawn; `v` is how full it is beside the fullest."""

    people: int
    share: float
    mean: float
    v: float
    hue: str
    name: Any
    query: str
    rule: str


@page("view")
def insights(request: HttpRequest) -> HttpResponse:
    """The first of the insights."""
    return redirect("models_ml:rfm")


@page("view")
def grid(request: HttpRequest) -> HttpResponse:
    """How many people have which scores, cell by cell and group by group."""
    view = request.GET.get("view", "rf")
    view = view if view in VIEWS else "rf"
    found = rfm.cells()
    total = sum(cell.people for cell in found.values())
    revenue = sum(cell.revenue for cell in found.values())
    applied = scores.applied()
    _heading, down, across = VIEWS[view]
    words = {axis.key: scores.in_words(axis.key, applied) for axis in AXES}
    context = {
        "view": view,
        "views": [(key, one[0]) for key, one in VIEWS.items()],
        "heading": VIEWS[view][0],
        "down": NAMES[down],
        "across": NAMES[across],
        "rows": _rows(found, view, total, words[down]),
        "heads": [(score, words[across].get(score, "")) for score in reversed(rfm.SCORES)],
        "groups": _groups(found, total, revenue) if total else [],
        "total": total,
        "mean": revenue / total if total else 0,
        "alike": [NAMES[key] for key in "rfm" if total and _alike(found, key)],
        "few": 0 < total < FEW,
        "as_of": rfm.as_of(),
        "own": [axis.label for axis in AXES if bands.chosen().of(axis) is not None],
        "job": yardsticks.pending(),
        "currency": brand.now().currency,
    }
    return render(request, "models_ml/insights/rfm.html", context)


def _alike(found: dict[rfm.Scores, rfm.Cell], axis: str) -> bool:
    return len({place["rfm".index(axis)] for place in found}) == 1


def _rows(
    found: dict[rfm.Scores, rfm.Cell], view: str, total: int, words: dict[int, str]
) -> list[dict[str, Any]]:
    laid = rfm.grid(found, axes=view)
    most = max((cell.people for cell in laid.values()), default=0)
    rows = []
    for down in rfm.SCORES:
        squares = []
        for across in reversed(rfm.SCORES):
            cell = laid.get((down, across), rfm.Cell())
            group = rfm.OF_CELL[down, across] if view == "rf" else None
            squares.append(
                Square(
                    cell.people,
                    cell.people / total if total else 0,
                    cell.mean,
                    round(100 * (cell.people / most) ** 0.5, 1) if most else 0,
                    group.hue if group else "k1",
                    group.name if group else "",
                    f"{view[0]}={down}&{view[1]}={across}",
                    json.dumps({"all": [{"rfm": {view[0]: [down], view[1]: [across]}}]}),
                )
            )
        rows.append({"score": down, "words": words.get(down, ""), "squares": squares})
    return rows


def _groups(found: dict[rfm.Scores, rfm.Cell], total: int, revenue: float) -> list[dict[str, Any]]:
    return [
        {
            "group": group,
            "people": cell.people,
            "share": cell.people / total,
            "mean": cell.mean,
            "worth": cell.revenue / revenue if revenue > 0 else 0,
            "rule": json.dumps(group.rule),
        }
        for group, cell in rfm.grouped(found)
    ]


@page("view")
def people(request: HttpRequest) -> HttpResponse:
    """Everyone in a cell, or in the cells of a named group, page by page."""
    group = next((g for g in rfm.GROUPS if g.key == request.GET.get("group")), None)
    asked = {axis.key: _scores(request.GET.get(axis.key, "")) for axis in AXES}
    if group is not None:
        rule = group.rule
        meant = rfm.of_group(group)
        title = str(group.name)
    elif any(asked.values()):
        rule = {"all": [{"rfm": {key: list(of) for key, of in asked.items() if of}}]}
        meant = rfm.people(scores=asked)
        title = ", ".join(
            f"{NAMES[key]} {'/'.join(map(str, of))}" for key, of in asked.items() if of
        )
    else:
        return redirect("models_ml:rfm")
    return listing(
        request, ids=yardsticks.best_first(meant), title=title, back=("models_ml:rfm", _("RFM")),
        rule=json.dumps(rule),
    )  # fmt: skip


def listing(request: HttpRequest, **context: Any) -> HttpResponse:
    """A page of the people with `ids`, in that order; with a button that makes a segment of them.

    Only those on the page are read whole: there may be very many in all.
    """
    shown = Paginator(context["ids"], PER_PAGE).get_page(request.GET.get("page"))
    people = Customer.objects.select_related("traits").in_bulk(list(shown.object_list))
    shown.object_list = [people[pk] for pk in shown.object_list if pk in people]
    more = {"page": shown, "currency": brand.now().currency}
    return render(request, "models_ml/insights/people.html", context | more)


def _scores(text: str) -> tuple[int, ...]:
    return tuple(sorted({int(sign) for sign in text if sign in "12345"}))
