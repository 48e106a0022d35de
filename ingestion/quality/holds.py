"""Which open problems keep something from being sent, because somebody chose that they should."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from django.utils.translation import gettext as _

from ingestion.models import Expectation, Problem
from ingestion.quality.uses import Place


class Holding(NamedTuple):
    """An open problem whose expectation pauses something."""

    problem_id: int
    name: str
    place: Place
    hold: str
    held: frozenset[str]


def holding() -> list[Holding]:
    """Open problems that hold something back. Muting one silences it and lifts nothing."""
    rows = Problem.objects.filter(ended_at=None, expectation__enabled=True).exclude(
        expectation__hold=Expectation.Hold.NOTHING
    )
    return [
        Holding(
            row.pk,
            row.expectation.name,
            (row.subject, row.field),
            row.expectation.hold,
            frozenset(row.expectation.held),
        )
        for row in rows.select_related("expectation")
        if row.expectation is not None
    ]


def reasons(
    *, places: Collection[Place], keys: Collection[str], among: Iterable[Holding] | None = None
) -> list[Holding]:
    """What holds back something that uses these places and goes by these keys ("campaign:7")."""
    found = []
    for item in holding() if among is None else among:
        if item.hold == Expectation.Hold.NAMED:
            touched = bool(item.held & set(keys))
        else:
            subject, field = item.place
            touched = item.place in places if field else any(used == subject for used, _f in places)
        if touched:
            found.append(item)
    return found


def sentence(found: Iterable[Holding]) -> str:
    """Why something is held back, in words."""
    names = "; ".join(item.name for item in found)
    return _("Held back until the data is as expected again: %(names)s") % {"names": names}
