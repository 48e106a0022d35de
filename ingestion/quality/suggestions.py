"""Expectations that would keep the data as good as it was measured, for somebody to take."""

from typing import Any

from ingestion.models import EventProperty, Expectation, Measure
from ingestion.quality import fields
from ingestion.quality.expectations import FILLED, IS_UNIQUE, MATCHES, sentence
from ingestion.registry import shapes


def suggest() -> list[dict[str, Any]]:
    """Expectations that hold now and would say when they no longer do: “keep it as it is”."""
    have = set(Expectation.objects.values_list("subject", "field", "kind"))
    out: list[dict[str, Any]] = []
    newest = Measure.objects.order_by("-day").values_list("day", flat=True).first()
    if newest is None:
        return _suggest_events(have)
    rows = Measure.objects.filter(day=newest, source="", total__gte=20).exclude(
        subject=fields.IMPORTS
    )
    for row in rows.order_by("subject", "field", "dimension"):
        share = 1 - row.bad / row.total
        if row.dimension == fields.COMPLETE and share >= 0.5:
            kind, at_least = FILLED, _floor(share)
        elif row.dimension == fields.UNIQUE and share >= 0.99:
            kind, at_least = IS_UNIQUE, _floor(share)
        elif row.dimension == fields.VALID and row.field in ("email", "phone", "country"):
            kind, at_least = MATCHES, _floor(share)
        else:
            continue
        if (row.subject, row.field, kind) in have or row.subject.startswith(fields.EVENTS):
            continue
        params = {"shape": row.field} if kind == MATCHES else {}
        out.append(_suggestion(row.subject, row.field, kind, params, at_least))
    return out + _suggest_events(have)


def _suggest_events(have: set[tuple[str, str, str]]) -> list[dict[str, Any]]:
    out = []
    rows = EventProperty.objects.select_related("type").filter(type__count__gte=100)
    for row in rows.order_by("-type__count", "-count")[:200]:
        subject = fields.EVENTS + row.type.name
        filled = (row.count - int(row.kinds.get(shapes.NULL, 0))) / row.type.count
        if filled >= 0.95 and (subject, row.name, FILLED) not in have:
            out.append(_suggestion(subject, row.name, FILLED, {}, _floor(filled)))
    return out[:20]


def _floor(share: float) -> float:
    """A little below what holds now, so that noise does not break it."""
    return max(round(share - 0.02, 2), 0.01) if share < 1 else 0.99


def _suggestion(
    subject: str, field: str, kind: str, params: dict[str, Any], threshold: float
) -> dict[str, Any]:
    return {
        "subject": subject,
        "field": field,
        "kind": kind,
        "params": params,
        "threshold": threshold,
        "percent": round(100 * threshold, 1),
        "name": sentence(subject, field, kind, params, threshold),
    }
