"""Events as they arrive become a list of types, properties, kinds of values and volumes.

Whoever stores a batch adds one row in the same transaction: no row is shared between writers, so
none waits for another. Those rows are added up by `fold`, one at a time, and removed by it.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import Any

import orjson
from django.db import connection

from ingestion.models import Drift, EventProperty, EventType, PlanRules
from ingestion.registry import shapes, tally
from marketing.core.db import advisory_lock

FOLDED = 400
SETTLED = timedelta(hours=1)
ESTABLISHED = 100  # events after which something new about a type is worth a line
_TYPES = """
INSERT INTO ingestion_eventtype (name, count, broken, other_properties, first_seen_at,
    last_seen_at, created_at)
SELECT name, n, broken, other, to_timestamp(first), to_timestamp(last), %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (name text, n bigint, broken bigint, other bigint,
    first float8, last float8)
ORDER BY name
ON CONFLICT (name) DO UPDATE SET
    count = ingestion_eventtype.count + excluded.count,
    broken = ingestion_eventtype.broken + excluded.broken,
    other_properties = ingestion_eventtype.other_properties + excluded.other_properties,
    first_seen_at = least(ingestion_eventtype.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(ingestion_eventtype.last_seen_at, excluded.last_seen_at)
RETURNING name, id
"""
_VOLUMES = """
INSERT INTO ingestion_eventvolume (at, daily, type_id, source, count)
SELECT to_timestamp(at), daily, type_id, source, n
FROM jsonb_to_recordset(%s::jsonb) AS r (at bigint, daily boolean, type_id bigint, source text,
    n bigint)
ON CONFLICT (at, daily, type_id, source) DO UPDATE
    SET count = ingestion_eventvolume.count + excluded.count
"""
_PROPERTIES = """
INSERT INTO ingestion_eventproperty (type_id, name, count, kinds, examples, low, high,
    first_seen_at, last_seen_at)
SELECT type_id, name, n, kinds, examples, low, high, to_timestamp(first), to_timestamp(last)
FROM jsonb_to_recordset(%s::jsonb) AS r (type_id bigint, name text, n bigint, kinds jsonb,
    examples jsonb, low float8, high float8, first float8, last float8)
ON CONFLICT (type_id, name) DO UPDATE SET count = excluded.count, kinds = excluded.kinds,
    examples = excluded.examples, low = excluded.low, high = excluded.high,
    first_seen_at = least(ingestion_eventproperty.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(ingestion_eventproperty.last_seen_at, excluded.last_seen_at)
RETURNING type_id, name, id
"""
_PROPERTY_DAYS = """
INSERT INTO ingestion_eventpropertyday (property_id, day, filled)
SELECT property_id, to_timestamp(at)::date, n
FROM jsonb_to_recordset(%s::jsonb) AS r (property_id bigint, at bigint, n bigint)
ON CONFLICT (property_id, day) DO UPDATE
    SET filled = ingestion_eventpropertyday.filled + excluded.filled
"""
_BREACHES = """
INSERT INTO ingestion_planbreach (day, type, property, code, action, count, last_at)
SELECT day, type, property, code, action, n, %(now)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (day date, type text, property text, code text,
    action text, n bigint)
ON CONFLICT (type, day, property, code, action) DO UPDATE
    SET count = ingestion_planbreach.count + excluded.count, last_at = excluded.last_at
"""


def observe(
    *,
    batch: Sequence[Any],
    source: str,
    now: datetime,
    verdicts: Mapping[int, Any] = MappingProxyType({}),
    every: int = 1,
) -> None:
    """Note what a batch of events looks like: one row, in the transaction that stores them.

    `verdicts` are those of `judge` by place in the batch; they are counted. Of a large batch only
    one event in `every` may be looked at for its properties; it then counts for as many.
    """
    if batch:
        seen = tally.add_up(batch, now=now, verdicts=verdicts, every=every)
        write(seen=seen, source=source, now=now)


def observe_refused(
    *, batch: Sequence[Any], source: str, now: datetime, verdicts: Mapping[int, Any]
) -> None:
    """Note which rules events broke that are not stored."""
    observe_broken(
        broken=[(batch[i].type, batch[i].at.timestamp(), v) for i, v in verdicts.items()],
        source=source,
        now=now,
    )


def observe_broken(*, broken: Sequence[tuple[str, float, Any]], source: str, now: datetime) -> None:
    """Note which rules were broken, of events that are noted elsewhere or not stored.

    Each is given by its type, its moment and the verdict.
    """
    seen: dict[str, Any] = {}
    for name, moment, verdict in broken:
        label = shapes.label(name)[:100]
        entry = seen.get(label)
        if entry is None:
            nothing: dict[str, Any] = {"hours": {}, "days": {}, "properties": {}, "other": 0}
            entry = {"n": 0, "first": moment, "last": moment, **nothing, "breaches": {}}
            seen[label] = entry
        entry["first"] = min(entry["first"], moment)
        entry["last"] = max(entry["last"], moment)
        key = f"{verdict.code}\0{verdict.action}\0{shapes.label(verdict.field)}"
        entry["breaches"][key] = entry["breaches"].get(key, 0) + 1
    if seen:
        write(seen=seen, source=source, now=now)


def write(*, seen: dict[str, dict[str, Any]], source: str, now: datetime) -> None:
    """Note what `tally` found in a batch: one row, in the transaction that stores it."""
    others = 0
    if len(seen) > tally.TYPES:
        ordered = sorted(seen, key=lambda name: -seen[name]["n"])
        others = sum(seen[name]["n"] for name in ordered[tally.TYPES :])
        seen = {name: seen[name] for name in ordered[: tally.TYPES]}
    text = orjson.dumps({"types": seen, "others": others}, option=orjson.OPT_NON_STR_KEYS)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_observation (source, at, seen) VALUES (%s, %s, %s)",
            [source[:100], now, text],
        )


def fold(*, now: datetime) -> int:
    """Add up what was noted since the last time; how many notes. One process at a time."""
    total = 0
    while True:
        with advisory_lock("registry.fold", wait=False) as mine:
            done = _fold(now) if mine else 0
        total += done
        if done < FOLDED:
            return total


def _fold(now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM ingestion_observation WHERE id IN (SELECT id FROM ingestion_observation"
            " ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED) RETURNING source, seen",
            [FOLDED],
        )
        notes = [(source, orjson.loads(bytes(seen))) for source, seen in cursor.fetchall()]
    if not notes:
        return 0
    rules, _made = PlanRules.objects.get_or_create(pk=1)
    known = {row.name: row for row in EventType.objects.all()}
    room = tally.TYPES - len(known)
    merged, others = _merge(notes, set(known), room)
    if others:
        rules.other_types += others
        rules.save(update_fields=["other_types"])
    if merged:
        _store(merged, known, now)
    return len(notes)


def _merge(
    notes: list[tuple[str, dict[str, Any]]], known: set[str], room: int
) -> tuple[dict[str, dict[str, Any]], int]:
    """One entry per type over all notes, with volumes by source; and events without room."""
    merged: dict[str, dict[str, Any]] = {}
    others = 0
    for source, note in notes:
        others += note["others"]
        for name, entry in note["types"].items():
            into = merged.get(name)
            if into is None:
                if name not in known:
                    if room <= 0:
                        others += entry["n"]
                        continue
                    room -= 1
                into = merged[name] = {
                    "n": 0,
                    "first": entry["first"],
                    "last": entry["last"],
                    "volumes": {},
                    "properties": {},
                    "other": 0,
                    "breaches": {},
                }
            _add(into, entry, source)
    return merged, others


def _add(into: dict[str, Any], entry: dict[str, Any], source: str) -> None:
    into["n"] += entry["n"]
    into["other"] += entry["other"]
    into["first"] = min(into["first"], entry["first"])
    into["last"] = max(into["last"], entry["last"])
    for daily, part in ((False, "hours"), (True, "days")):
        for at, count in entry[part].items():
            key = (int(at), daily, source)
            into["volumes"][key] = into["volumes"].get(key, 0) + count
    for key, count in entry["breaches"].items():
        into["breaches"][key] = into["breaches"].get(key, 0) + count
    for name, seen in entry["properties"].items():
        found = into["properties"].get(name)
        if found is None:
            into["properties"][name] = seen
            continue
        join(found, seen)
        for day, count in seen["days"].items():
            found["days"][day] = found["days"].get(day, 0) + count


def join(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Add what was seen of a property to what was seen of it before."""
    into["n"] += more["n"]
    for kind, count in more["kinds"].items():
        into["kinds"][kind] = into["kinds"].get(kind, 0) + count
    for text in more["examples"]:
        if len(into["examples"]) < tally.EXAMPLES and text not in into["examples"]:
            into["examples"].append(text)
    for key, pick in (("low", min), ("high", max)):
        if more.get(key) is not None:
            into[key] = more[key] if into.get(key) is None else pick(into[key], more[key])


def _store(merged: dict[str, dict[str, Any]], known: dict[str, EventType], now: datetime) -> None:
    rows = [
        {
            "name": name,
            "n": entry["n"],
            "broken": sum(entry["breaches"].values()),
            "other": entry["other"],
            "first": entry["first"],
            "last": entry["last"],
        }
        for name, entry in merged.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_TYPES, {"rows": _json(rows), "now": now})
        ids: dict[str, int] = dict(cursor.fetchall())
        volumes = [
            {"at": at, "daily": daily, "type_id": ids[name], "source": source, "n": n}
            for name, entry in merged.items()
            for (at, daily, source), n in entry["volumes"].items()
        ]
        cursor.execute(_VOLUMES, [_json(volumes)])
        today = now.astimezone(UTC).date()
        breaches = [
            dict(zip(("code", "action", "property"), key.split("\0"), strict=True))
            | {"day": today, "type": name, "n": n}
            for name, entry in merged.items()
            for key, n in entry["breaches"].items()
        ]
        if breaches:
            cursor.execute(_BREACHES, {"rows": _json(breaches), "now": now})
    _store_properties(merged, ids, known, now)


def _store_properties(
    merged: dict[str, dict[str, Any]],
    ids: dict[str, int],
    known: dict[str, EventType],
    now: datetime,
) -> None:
    before: dict[int, dict[str, EventProperty]] = {}
    for row in EventProperty.objects.filter(type_id__in=ids.values()):
        before.setdefault(row.type_id, {})[row.name] = row
    rows, drifts = [], []
    squeezed: dict[int, int] = {}
    for name, entry in merged.items():
        type_id, old = ids[name], known.get(name)
        settled = old is not None and old.count >= ESTABLISHED and old.created_at <= now - SETTLED
        if old is None:
            drifts.append(_drift(Drift.Kind.NEW_TYPE, type_id, "", now, {}))
        here = before.get(type_id, {})
        room = tally.PROPERTIES - len(here)
        for title, seen in entry["properties"].items():
            earlier = here.get(title)
            if earlier is None:
                if room <= 0:
                    squeezed[type_id] = squeezed.get(type_id, 0) + seen["n"]
                    continue
                room -= 1
                if settled:
                    kinds = sorted(seen["kinds"])
                    drifts.append(
                        _drift(Drift.Kind.NEW_PROPERTY, type_id, title, now, {"kinds": kinds})
                    )
            else:
                changed = _change(earlier, seen)
                if changed:
                    drifts.append(_drift(Drift.Kind.TYPE_CHANGED, type_id, title, now, changed))
                join(
                    seen,
                    {
                        "n": earlier.count,
                        "kinds": earlier.kinds,
                        "examples": earlier.examples,
                        "low": earlier.low,
                        "high": earlier.high,
                    },
                )
            rows.append(
                {
                    "type_id": type_id,
                    "name": title,
                    "n": seen["n"],
                    "kinds": seen["kinds"],
                    "examples": seen["examples"],
                    "low": seen.get("low"),
                    "high": seen.get("high"),
                    "first": entry["first"],
                    "last": entry["last"],
                    "days": seen["days"],
                }
            )
    _write_properties(rows, squeezed)
    Drift.objects.bulk_create(drifts, ignore_conflicts=True)


def _write_properties(rows: list[dict[str, Any]], squeezed: dict[int, int]) -> None:
    with connection.cursor() as cursor:
        if rows:
            cursor.execute(_PROPERTIES, [_json([{**row, "days": None} for row in rows])])
            found = {(type_id, name): pk for type_id, name, pk in cursor.fetchall()}
            days = [
                {"property_id": found[row["type_id"], row["name"]], "at": int(day) * tally.DAY}
                | {"n": n}
                for row in rows
                for day, n in row["days"].items()
            ]
            cursor.execute(_PROPERTY_DAYS, [_json(days)])
        for type_id, count in squeezed.items():
            cursor.execute(
                "UPDATE ingestion_eventtype SET other_properties = other_properties + %s"
                " WHERE id = %s",
                [count, type_id],
            )


def _change(earlier: EventProperty, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Which kinds of value are new for a property that was seen often enough; {} for none."""
    if earlier.count < ESTABLISHED:
        return {}
    was = {kind for kind, _share in shapes.shares(earlier.kinds)}
    new = {kind for kind, _share in shapes.shares(seen["kinds"])} - was
    if shapes.NUMBER in was:
        new.discard(shapes.INTEGER)
    if not was or not new:
        return {}
    return {"was": sorted(was), "new": sorted(new)}


def _drift(
    kind: str, type_id: int, property_name: str, now: datetime, detail: dict[str, Any]
) -> Drift:
    day: date = now.astimezone(UTC).date()
    return Drift(at=now, kind=kind, type_id=type_id, property=property_name, day=day, detail=detail)


def _json(rows: list[dict[str, Any]]) -> str:
    return orjson.dumps(rows).decode()
