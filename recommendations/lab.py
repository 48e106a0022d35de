"""The lab: engines beside each other on one exam, by group, and what each placement should show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketing.core.errors import Conflict, NotFound
from models_ml import catalog, registry
from models_ml.insights import bands, lifecycle, rfm
from recommendations import defining, outcomes, placements
from recommendations.defining import Actor
from recommendations.evaluate import Judged
from recommendations.models import Placement
from recommendations.outcomes import Side
from recommendations.placements import BEST, HOLDOUT, LINKS, SORTS

# What `models_ml.lab` calls the countries beyond the largest; the web process does not load that.
OTHERS = "…"

# Fewer visitors a side decide nothing, however far apart the sides are.
LEAST_VISITORS = 100


@dataclass(frozen=True)
class Cell:
    """NDCG@10 of one engine for one group, with its 95% interval."""

    mean: float
    low: float
    high: float
    best: bool


@dataclass(frozen=True)
class Group:
    """People who have something in common, and how good each engine is for them."""

    title: str
    people: int
    cells: list[Cell | None]


@dataclass(frozen=True)
class Proposal:
    """One placement: what it shows now, what came of that, and what it should show.

    `engine` is what `publish` takes, None where nothing is proposed. `by`: "visitors" where clicks
    said so, "exam" where the last exam did; `sure` when the whole interval is above zero.
    """

    row: Placement
    shows: str
    sides: list[Side]
    engine: str | None
    title: str
    why: str
    sure: bool

    @property
    def automatic(self) -> bool:
        return self.row.engine == "" and SORTS[self.row.kind].personal


def of_one_exam(rows: Sequence[Judged]) -> list[Judged]:
    """Those judged on the same days as the newest, which alone may be compared."""
    told = [row for row in rows if row.lab]
    if not told:
        return []
    newest = max(told, key=lambda row: row.trained_at).exam
    return [
        row
        for row in told
        if (row.exam.get("test_from"), row.exam.get("until"))
        == (newest.get("test_from"), newest.get("until"))
    ]


def groups(rows: Sequence[Judged]) -> dict[str, list[Group]]:
    """What groups people are in → the groups, with a cell for each of `rows`."""
    found: dict[str, list[Group]] = {}
    told = [{(g["by"], g["key"]): g for g in row.lab.get("groups", ())} for row in rows]
    for by, key in dict.fromkeys(name for one in told for name in one):
        here = [one.get((by, key)) for one in told]
        most = max(one["mean"] for one in here if one)
        cells = [
            Cell(one["mean"], one["low"], one["high"], one["mean"] == most > 0) if one else None
            for one in here
        ]
        people = next(one["people"] for one in here if one)
        found.setdefault(_by(by), []).append(Group(_group(by, key), people, cells))
    return found


def _by(by: str) -> str:
    return {
        "stage": _("Stage"),
        "orders": _("Orders before"),
        "cells": _("RFM cells"),
        "bands": _("RFM bands"),
        "country": _("Country"),
    }.get(by, by)


def _group(by: str, key: str) -> str:
    if by == "stage":
        return str(lifecycle.STAGES.get(key, key))
    if by == "orders":
        last = int(key.rstrip("+").rpartition("-")[2])
        return ngettext("%(n)s order", "%(n)s orders", last) % {"n": key.replace("-", "–")}
    if by == "cells":
        return next((str(group.name) for group in rfm.GROUPS if group.key == key), key)
    if by == "bands":
        label = next((axis.label for axis in bands.AXES if axis.key == key[0]), key[0])
        return _("%(name)s: %(score)s of 5") % {"name": label, "score": key[1:]}
    return _("Other countries") if key == OTHERS else key


def proposals(rows: Sequence[Judged], *, now: datetime) -> list[Proposal]:
    """Every placement that is turned on; online results count before those of an exam."""
    places = list(Placement.objects.filter(enabled=True).order_by("pk"))
    sides = outcomes.sides_of(placements=[place.pk for place in places], now=now)
    return [_proposal(place, sides[place.pk], rows) for place in places]


def _proposal(place: Placement, sides: list[Side], rows: Sequence[Judged]) -> Proposal:
    shows = placements.engines().get(place.engine, place.engine)
    engine, why, sure = _by_visitors(place, sides)
    if engine is None:
        engine, why, sure = _by_exam(place, rows)
    title = "" if engine is None else placements.title_of(engine)
    return Proposal(place, shows, sides, engine, title, why, sure)


def _by_visitors(place: Placement, sides: list[Side]) -> tuple[str | None, str, bool]:
    """The rival, if those who got it clicked reliably more often."""
    own, rival = place.engine or BEST, place.rival or BEST
    found = {side.arm: side for side in sides if side.arm != HOLDOUT}
    if not place.rival_percent or own not in found or rival not in found:
        return None, "", False
    one, other = found[rival], found[own]
    if min(one.visitors, other.visitors) < LEAST_VISITORS:
        return None, "", False
    gap = outcomes.difference(
        round(one.clicked.value * one.visitors), one.visitors,
        round(other.clicked.value * other.visitors), other.visitors,
    )  # fmt: skip
    if gap.low <= 0:
        return None, "", False
    said = _(
        "Of its visitors %(gap).1f%% more clicked (95%% interval %(low).1f%% to %(high).1f%%)."
    ) % {"gap": 100 * gap.value, "low": 100 * gap.low, "high": 100 * gap.high}
    return place.rival, said, True


def _by_exam(place: Placement, rows: Sequence[Judged]) -> tuple[str | None, str, bool]:
    """The engine that serves by its exam, where a placement is held to another."""
    if not SORTS[place.kind].personal:
        return None, _("Answered from links between products; no engine is needed."), False
    best = next((row for row in rows if row.serves), None)
    if best is None or place.engine == best.engine:
        return None, _("This is the best judged engine.") if best else "", bool(best)
    if place.engine == "":
        said = _("%(engine)s, the best that beat popularity, by itself.") % {"engine": best.title}
        return None, said, True
    gap = _ahead(best, place.engine, rows)
    if gap is None:
        return best.engine, _("It was judged best; the two did not sit the same exam."), False
    said = _("Its NDCG@10 is %(mean)+.4f ahead (95%% interval %(low)+.4f to %(high)+.4f).") % gap
    return best.engine, said, gap["low"] > 0


def _ahead(best: Judged, engine: str, rows: Sequence[Judged]) -> dict[str, float] | None:
    """By how much `best` was ahead of another engine on the same people."""
    gap = best.lab.get("over", {}).get(engine)
    if gap:
        return dict(gap)
    other = next((row for row in rows if row.engine == engine), None)
    turned = other.lab.get("over", {}).get(best.engine) if other else None
    if not turned:
        return None
    return {"mean": -turned["mean"], "low": -turned["high"], "high": -turned["low"]}


def publish(*, slug: str, engine: str, actor: Actor, now: datetime) -> Placement:
    """Let a placement show an engine, or with "" whichever is judged best from now on.

    Conflict for an engine that has no live version. A comparison with that engine ends.
    """
    row = Placement.objects.filter(slug=slug).first()
    if row is None:
        raise NotFound(_("There is no placement with this key."), code="unknown_placement")
    entry = catalog.BY_ENGINE.get(engine)
    if engine not in ("", LINKS) and (entry is None or registry.live(entry.name) is None):
        raise Conflict(
            _("This engine is not live, so nothing was changed."),
            code="engine_not_live",
            remedy=_("Train the engines again; one that beats popularity goes live."),
        )
    values: dict[str, Any] = {"engine": engine}
    if row.rival == engine:
        values["rival_percent"] = 0
    row, _made = defining.save(slug=slug, values=values, actor=actor, now=now)
    return row
