"""Cohorts: who came together, and how many of them came back when; as a page and as a file."""

import csv
import json
from datetime import date
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import brand
from marketing.core import wording as words
from marketing.core.auth import page
from marketing.core.errors import Invalid
from models_ml import queries
from models_ml.insights import cohorts
from models_ml.insights.cohorts import (
    DID,
    FIRST_ORDER,
    FIRST_SEEN,
    MONTH,
    ORDERED,
    WEEK,
    Asked,
    Cell,
    Table,
)

SHARE, PEOPLE, SPENT, SO_FAR = "share", "people", "spent", "so_far"
FIGURES = {
    SHARE: gettext_lazy("Share who came back"),
    PEOPLE: gettext_lazy("People who came back"),
    SPENT: gettext_lazy("Money a person in the period"),
    SO_FAR: gettext_lazy("Money a person so far"),
}
BEGAN = {FIRST_ORDER: gettext_lazy("First order"), FIRST_SEEN: gettext_lazy("First seen")}
ACTS = {ORDERED: gettext_lazy("Ordered"), DID: gettext_lazy("Did anything")}
UNITS = {MONTH: gettext_lazy("Months"), WEEK: gettext_lazy("Weeks")}


@page("view")
def page_of(request: HttpRequest) -> HttpResponse:
    """The table, with the figure that was asked for in each cell."""
    asked, figure = _asked(request)
    beside = "HX-Request" in request.headers and request.GET.get("part") == "table"
    trouble, table = "", cohorts.kept(asked=asked)
    waits = table is None and not (beside or "wait" in request.GET)
    waits = waits and cohorts.takes_long(asked=asked)
    if table is None and not waits:
        try:
            table = cohorts.table(asked=asked, as_of=queries.data_now(now=timezone.now()))
            cohorts.keep(table=table)
        except OperationalError:
            trouble = _(
                "Counting took too long and was stopped. Try a country, or the cohorts later."
            )
    context: dict[str, Any] = {
        "asked": asked,
        "figure": figure,
        "figures": _figures(asked),
        "began": BEGAN.items(),
        "acts": ACTS.items(),
        "units": UNITS.items(),
        "countries": [] if beside else cohorts.countries(),
        "query": _query(asked, figure),
        "trouble": trouble,
        "waits": waits,
        "currency": brand.now().currency,
    }
    if table is not None:
        context |= _laid(table, figure)
    page = "_cohorts_table.html" if beside else "cohorts.html"
    return render(request, f"models_ml/insights/{page}", context)


@page("view")
def download(request: HttpRequest) -> HttpResponse:
    """All figures of the table as a file, a line a cell."""
    asked, _figure = _asked(request)
    table = cohorts.kept(asked=asked) or cohorts.table(
        asked=asked, as_of=queries.data_now(now=timezone.now())
    )
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="cohorts.csv"'
    lines = csv.writer(answer)
    lines.writerow(
        ["cohort", "cohort_people", asked.unit, "period_from", "came_back", "share", "money",
         "money_so_far", "complete"]
    )  # fmt: skip
    for cohort in table.cohorts:
        for cell in cohort.cells:
            lines.writerow(
                [cohort.since.isoformat(), cohort.people, cell.later, cell.since.isoformat(),
                 cell.people, f"{cell.share:.5f}", f"{cell.spent:.2f}", f"{cell.so_far:.2f}",
                 "yes" if cell.over else "no"]
            )  # fmt: skip
    return answer


def _asked(request: HttpRequest) -> tuple[Asked, str]:
    """What the address asks for; what is no choice counts as not said."""
    told = request.GET
    try:
        asked = cohorts.read(
            began=told.get("began", FIRST_ORDER),
            act=told.get("act", ORDERED),
            unit=told.get("unit", MONTH),
            country=told.get("country", ""),
        )
    except Invalid:
        asked = Asked()
    figure = told.get("figure", SHARE)
    return asked, figure if figure in _figures(asked) else SHARE


def _figures(asked: Asked) -> dict[str, Any]:
    """Money is counted where orders are."""
    if asked.act == ORDERED:
        return FIGURES
    return {key: label for key, label in FIGURES.items() if key in (SHARE, PEOPLE)}


def _query(asked: Asked, figure: str) -> str:
    return (
        f"began={asked.began}&act={asked.act}&unit={asked.unit}&country={asked.country}"
        f"&figure={figure}"
    )


def _laid(table: Table, figure: str) -> dict[str, Any]:
    values = {
        (cohort.since, cell.later): _value(cell, cohort.people, figure)
        for cohort in table.cohorts
        for cell in cohort.cells
    }
    # The first period holds everyone by its nature and would wash out all the others.
    later = [v for (_since, n), v in values.items() if n or figure in (SPENT, SO_FAR)]
    most = max(later, default=0.0) or 1.0
    rows = []
    for cohort in table.cohorts:
        cells = []
        for cell in cohort.cells:
            value = values[cohort.since, cell.later]
            rule = (
                cohorts.rule(asked=table.asked, cohort=cohort, cell=cell) if cell.people else None
            )
            cells.append({
                "text": _text(value, figure) if cohort.people else "",
                "v": round(100 * min(max(value / most, 0.0), 1.0), 1),
                "over": cell.over,
                "rule": json.dumps(rule) if rule else "",
                "name": _("Came %(cohort)s, back %(period)s") % {
                    "cohort": _period(cohort.since, table.asked.unit),
                    "period": _period(cell.since, table.asked.unit),
                },
            })  # fmt: skip
        rule = cohorts.rule(asked=table.asked, cohort=cohort)
        rows.append({
            "label": _period(cohort.since, table.asked.unit),
            "people": cohort.people,
            "open": not cohort.cells[0].over,
            "cells": cells,
            "rest": range(table.periods - len(cells)),
            "rule": json.dumps(rule),
        })  # fmt: skip
    means = [_text(_mean(one, figure), figure) for one in table.means] if figure != PEOPLE else []
    return {
        "table": table,
        "rows": rows,
        "heads": range(table.periods),
        "means": means,
        "means_rest": range(table.periods - len(means)),
        "said": _said(table),
    }


def _value(cell: Cell, people: int, figure: str) -> float:
    if figure == SHARE:
        return cell.share
    if figure == PEOPLE:
        return float(cell.people)
    return (cell.spent if figure == SPENT else cell.so_far) / people if people else 0.0


def _mean(one: cohorts.Mean, figure: str) -> float:
    return {SHARE: one.share, SPENT: one.spent, SO_FAR: one.so_far}[figure]


def _text(value: float, figure: str) -> str:
    if figure == SHARE:
        return words.pct(value, 1 if value < 0.0995 else 0)
    if figure == PEOPLE:
        return words.comma(int(value))
    return words.money0(value, brand.now().currency)


def _period(day: date, unit: str) -> str:
    # Translators: how a month and a day stand at the head of a row, in the signs of Django's date.
    return formats.date_format(day, _("M Y") if unit == MONTH else _("j M"))


def _said(table: Table) -> str:
    """The table in a sentence: how many came back after one period, all cohorts together."""
    if len(table.means) < 2:
        return ""
    one = table.means[1]
    values = {"share": words.pct(one.share, 0), "people": words.comma(one.people)}
    if table.asked.unit == WEEK:
        return _("%(share)s of %(people)s people came back in the week after their first.") % values
    return _("%(share)s of %(people)s people came back in the month after their first.") % values
