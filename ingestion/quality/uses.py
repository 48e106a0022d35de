"""Who uses a field: segments, models, campaigns. The apps above answer; this one only asks."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

Place = tuple[str, str]
KINDS: dict[str, Any] = {
    "segment": _("Segment"),
    "model": _("Model"),
    "campaign": _("Campaign"),
    "journey": _("Journey"),
    "template": _("Content"),
}


class Use(NamedTuple):
    """Something that reads certain fields: (subject, field), an empty field for the whole."""

    kind: str
    key: str
    label: str
    url: str
    places: frozenset[Place]
    state: str = ""


def all_uses() -> list[Use]:
    """Everything that uses some field."""
    found: list[Use] = []
    for path in settings.PIPELINE.FIELD_USERS:
        answer: Callable[[], Iterable[Use]] = import_string(path)
        found += answer()
    order = list(KINDS)
    return sorted(found, key=lambda use: (order.index(use.kind), use.label.lower()))


def touches(use: Use, place: Place) -> bool:
    """Whether a problem at this place reaches what uses these fields.

    A problem with a whole table reaches all who use any of it; one with a field those who use it.
    """
    subject, field = place
    if not field:
        return any(used == subject or used.startswith(f"{subject}:") for used, _f in use.places)
    return place in use.places


def of(*, subject: str, field: str, among: Iterable[Use] | None = None) -> list[Use]:
    """Who uses a field, or with an empty field anything of the subject."""
    return [u for u in (all_uses() if among is None else among) if touches(u, (subject, field))]
