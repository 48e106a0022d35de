"""The lists and charts of the stream and schema pages."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, QuerySet, Sum
from django.utils.translation import gettext as _

from ingestion.models import (
    Drift,
    EventPlan,
    EventProperty,
    EventType,
    EventVolume,
    PlanBreach,
)
from ingestion.registry import shapes
from marketing.core import wording

SHOWN_SERIES = 5
RARE = 0.0005
_BUCKETS = """
SELECT {group}, {at}, sum(v.count)::bigint
FROM ingestion_eventvolume v JOIN ingestion_eventtype t ON t.id = v.type_id
WHERE v.at >= %(since)s AND v.at < %(until)s AND (%(type)s = '' OR t.name = %(type)s)
AND (%(source)s = '' OR v.source = %(source)s) GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Property:
    """A property as pages show it."""

    row: EventProperty
    kinds: str
    mixed: bool
    filled: float
    rule: dict[str, Any] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        return self.filled == 0


def kinds_in_words(kinds: dict[str, Any]) -> tuple[str, bool]:
    """What kinds of value a property has: "number", or "mostly number, text in 0.4%"."""
    found = [(kind, share) for kind, share in shapes.shares(kinds) if share >= RARE or share == 1]
    words = kind_words()
    if not found:
        return words[shapes.NULL], False
    first = words[found[0][0]]
    if len(found) == 1:
        return first, False
    rest = ", ".join(
        _("%(kind)s in %(share)s") % {"kind": words[kind], "share": wording.pct(share, 1)}
        for kind, share in found[1:3]
    )
    return _("mostly %(kind)s, %(rest)s") % {"kind": first, "rest": rest}, True


def kind_words() -> dict[str, str]:
    """Each kind of value in words."""
    return {
        shapes.STRING: _("text"),
        shapes.NUMBER: _("number"),
        shapes.INTEGER: _("whole number"),
        shapes.BOOLEAN: _("yes or no"),
        shapes.DATE_TIME: _("date"),
        shapes.OBJECT: _("object"),
        shapes.ARRAY: _("list"),
        shapes.NULL: _("empty"),
    }


def properties(*, kind: EventType, plan: EventPlan | None) -> list[Property]:
    """The properties of an event, the planned ones that never came among them."""
    rules = dict(plan.properties) if plan else {}
    out = []
    for row in kind.properties.all():
        said, mixed = kinds_in_words(row.kinds)
        filled = row.count - int(row.kinds.get(shapes.NULL, 0))
        share = filled / kind.count if kind.count else 0.0
        out.append(Property(row, said, mixed, min(share, 1.0), rules.pop(row.name, {})))
    for name, rule in rules.items():
        row = EventProperty(type=kind, name=name, count=0)
        out.append(Property(row, _("never seen"), False, 0.0, rule))
    return out


def types(*, text: str = "") -> QuerySet[EventType]:
    """Event types, the most frequent first."""
    rows = EventType.objects.annotate(properties_n=Count("properties"))
    if text:
        rows = rows.filter(name__icontains=text)
    return rows.order_by("-count", "name")


def sparks(*, ids: Iterable[int], now: datetime, days: int = 14) -> dict[int, list[int]]:
    """Events a day of the last days, today last, by type."""
    until = _next_midnight(now)
    since = until - timedelta(days=days)
    out: dict[int, list[int]] = {pk: [0] * days for pk in ids}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT type_id, (at AT TIME ZONE 'UTC')::date, sum(count)::bigint"
            " FROM ingestion_eventvolume WHERE at >= %s AND at < %s AND type_id = ANY(%s)"
            " GROUP BY 1, 2",
            [since, until, list(out)],
        )
        for type_id, day, count in cursor.fetchall():
            out[type_id][(day - since.date()).days] = count
    return out


def _next_midnight(now: datetime) -> datetime:
    today = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), UTC)
    return today + timedelta(days=1)


def chart(
    *, now: datetime, span: str, by: str = "type", type_name: str = "", source: str = ""
) -> dict[str, Any]:
    """Events per hour of a day or per day of a month, stacked: {labels, unit, series}.

    The five largest series stand alone; the others are one.
    """
    hours = span == "day"
    if hours:
        until = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        step, steps, at = timedelta(hours=1), 24, "date_trunc('hour', v.at, 'UTC')"
    else:
        until = _next_midnight(now)
        step, steps, at = timedelta(days=1), 30, "date_trunc('day', v.at, 'UTC')"
    since = until - step * steps
    group = "t.name" if by == "type" else "v.source"
    found: dict[str, list[int]] = defaultdict(lambda: [0] * steps)
    with connection.cursor() as cursor:
        cursor.execute(
            _BUCKETS.format(group=group, at=at),
            {"since": since, "until": until, "type": type_name, "source": source},
        )
        for name, moment, count in cursor.fetchall():
            place = int((moment - since) / step)
            if 0 <= place < steps:
                found[name][place] += count
    ordered = sorted(found, key=lambda name: -sum(found[name]))
    series = [{"name": name, "data": found[name]} for name in ordered[:SHOWN_SERIES]]
    rest = ordered[SHOWN_SERIES:]
    if rest:
        columns = zip(*[found[name] for name in rest], strict=True)
        series.append({"name": _("other"), "data": [sum(column) for column in columns]})
    labels = [(since + step * i).isoformat() for i in range(steps)]
    return {"labels": labels, "unit": "hour" if hours else "day", "series": series}


def volumes(*, now: datetime) -> dict[str, int]:
    """Events of the last hour that is full, of the last 24 hours, and of the day before those."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    day = timedelta(days=1)
    rows = EventVolume.objects.filter(at__gte=hour - 2 * day)
    total: dict[str, int] = {}
    for name, since, until in (
        ("hour", hour, hour + day),
        ("today", hour - day + timedelta(hours=1), hour + day),
        ("before", hour - 2 * day + timedelta(hours=1), hour - day + timedelta(hours=1)),
    ):
        part = rows.filter(at__gte=since, at__lt=until).aggregate(n=Sum("count"))
        total[name] = int(part["n"] or 0)
    return total


def breaches(*, name: str, since: datetime) -> list[dict[str, Any]]:
    """Rules of a plan that were broken lately: {code, property, action, n, last}."""
    rows = PlanBreach.objects.filter(type=name, day__gte=since.date())
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows.order_by("day"):
        entry = found.setdefault(
            (row.code, row.property, row.action),
            {"code": row.code, "property": row.property, "action": row.action, "n": 0},
        )
        entry["n"] += row.count
        entry["last"] = row.last_at
    return sorted(found.values(), key=lambda entry: -entry["n"])


def drift_in_words(row: Drift) -> str:
    """A change of the events' shape as a sentence."""
    words = kind_words()
    detail = row.detail
    listed = {
        key: ", ".join(words.get(kind, kind) for kind in detail.get(key, []))
        for key in ("was", "new", "kinds")
    }
    values: dict[str, Any] = {"event": row.type.name, "property": row.property, **listed}
    if row.kind == Drift.Kind.NEW_TYPE:
        return _("“%(event)s” was sent for the first time.") % values
    if row.kind == Drift.Kind.NEW_PROPERTY:
        return _("“%(event)s” has a new property, “%(property)s” (%(kinds)s).") % values
    if row.kind == Drift.Kind.TYPE_CHANGED:
        return _("“%(property)s” of “%(event)s” was %(was)s and now is %(new)s, too.") % values
    if row.kind == Drift.Kind.DISAPPEARED:
        return _("“%(property)s” of “%(event)s” was not sent any more.") % values
    values |= {
        "rows": wording.comma(detail.get("rows", 0)),
        "expected": wording.comma(detail.get("expected", 0)),
    }
    return _("“%(event)s” came %(rows)s times in a day; %(expected)s are usual.") % values


def drifts(*, type_id: int | None = None, limit: int = 10) -> list[dict[str, Any]]:
    """The latest changes: {at, kind, label, text, type_id}."""
    rows = Drift.objects.select_related("type")
    if type_id is not None:
        rows = rows.filter(type_id=type_id)
    return [
        {
            "at": row.at,
            "kind": row.kind,
            "label": row.get_kind_display(),
            "text": drift_in_words(row),
            "type_id": row.type_id,
        }
        for row in rows[:limit]
    ]
