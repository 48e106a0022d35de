"""What a batch of events looks like, in one pass.

Events are grouped by type, day and shape (the names of their properties and the types of the
values); each shape is then looked at once, and a column of values by built-in functions, so the
cost of an event is that of making its key.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from ingestion.registry import shapes

TYPES = 1_000
PROPERTIES = 500
EXAMPLES = 5
THIN = 2_000
HOURS_KEPT = timedelta(days=35)
DAYS_KEPT = timedelta(days=70)
DAY, HOUR = 86_400, 3_600
_TRAITS = ("identify", "group")
_label = lru_cache(maxsize=20_000)(shapes.label)


def payload_of(event: Any) -> Mapping[str, Any]:
    """The properties of an event, or what it says of its person."""
    if getattr(event, "call", "track") in _TRAITS:
        return event.traits or event.properties
    if event.properties:
        return event.properties
    if event.properties_json:
        found = orjson.loads(event.properties_json)
        return found if isinstance(found, dict) else {}
    return event.properties


def add_up(
    batch: Sequence[Any], *, now: datetime, verdicts: Mapping[int, Any], every: int = 1
) -> dict[str, dict[str, Any]]:
    """{type: {n, first, last, hours, days, properties, other, breaches}} of a batch.

    hours and days count events by the epoch second at which their hour or day begins. Types are
    counted exactly; with `every` > 1 properties are, in a batch of at least THIN, a sample's.
    """
    if len(batch) < THIN:
        every = 1
    moments: dict[str, list[float]] = defaultdict(list)
    for event in batch:
        moments[event.type].append(event.at.timestamp())
    out = add_up_sample(
        batch if every == 1 else batch[::every], moments=moments, now=now, every=every
    )
    for index, verdict in verdicts.items():
        entry = out.get(_label(batch[index].type)[:100])
        if entry is not None:
            key = f"{verdict.code}\0{verdict.action}\0{_label(verdict.field)}"
            entry["breaches"][key] = entry["breaches"].get(key, 0) + 1
    return out


def add_up_sample(
    sample: Iterable[Any], *, moments: Mapping[str, list[float]], now: datetime, every: int
) -> dict[str, dict[str, Any]]:
    """The same of the moments of all events by type, and of one event in `every`."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = defaultdict(list)
    old = (now - DAYS_KEPT).timestamp()
    for event in sample:
        moment = event.at.timestamp()
        payload = payload_of(event)
        day = int(moment) // DAY if moment > old else 0
        groups[
            event.type, day, tuple(payload), tuple([value.__class__ for value in payload.values()])
        ].append(payload)
    out = {_label(name)[:100]: _type(times, now) for name, times in moments.items()}
    for (name, day, names, types), payloads in groups.items():
        _describe(out[_label(name)[:100]], day, names, types, payloads, every)
    return out


def _type(times: list[float], now: datetime) -> dict[str, Any]:
    hours: Counter[int] = Counter()
    days: Counter[int] = Counter()
    fine = (now - HOURS_KEPT).timestamp()
    for moment, count in Counter([int(t) // HOUR for t in times]).items():
        start = moment * HOUR
        if start >= fine:
            hours[start] += count
        else:
            days[start // DAY * DAY] += count
    return {
        "n": len(times),
        "first": min(times),
        "last": max(times),
        "hours": hours,
        "days": days,
        "properties": {},
        "other": 0,
        "breaches": {},
    }


def _describe(
    entry: dict[str, Any],
    day: int,
    names: tuple[str, ...],
    types: tuple[type, ...],
    payloads: list[Mapping[str, Any]],
    weight: int,
) -> None:
    count = len(payloads) * weight
    found = entry["properties"]
    for raw, kind_type in zip(names, types, strict=True):
        name = _label(str(raw))
        seen = found.get(name)
        if seen is None:
            if len(found) >= PROPERTIES:
                entry["other"] += count
                continue
            seen = found[name] = {"n": 0, "kinds": {}, "examples": [], "days": {}}
        kind = shapes.BY_TYPE.get(kind_type, shapes.STRING)
        filled = count
        if kind == shapes.STRING:
            filled = _texts(seen, [str(payload[raw]) for payload in payloads], weight)
        else:
            _count(seen["kinds"], kind, count)
            if kind in (shapes.INTEGER, shapes.NUMBER):
                column = [payload[raw] for payload in payloads]
                seen["low"] = min(min(column), seen.get("low", column[0]))
                seen["high"] = max(max(column), seen.get("high", column[0]))
            elif kind == shapes.NULL:
                filled = 0
        seen["n"] += count
        if day and filled:
            seen["days"][day] = seen["days"].get(day, 0) + filled
        if len(seen["examples"]) < EXAMPLES:
            keep(seen["examples"], name, [payload[raw] for payload in payloads[:20]])


def _texts(seen: dict[str, Any], column: list[str], weight: int) -> int:
    """Count the kinds of a column of texts; how many of them say something."""
    maybe = [text for text in column if len(text) > 9 and text[4] == "-" and text[7] == "-"]
    dates = sum(map(shapes.is_date_time, maybe))
    empty = column.count("")
    _count(seen["kinds"], shapes.DATE_TIME, dates * weight)
    _count(seen["kinds"], shapes.NULL, empty * weight)
    _count(seen["kinds"], shapes.STRING, (len(column) - dates - empty) * weight)
    return (len(column) - empty) * weight


def _count(kinds: dict[str, int], kind: str, count: int) -> None:
    if count:
        kinds[kind] = kinds.get(kind, 0) + count


def keep(examples: list[str], name: str, values: Iterable[object]) -> None:
    """Add to the examples what is new among some values, up to the number that is kept."""
    for value in values:
        if len(examples) >= EXAMPLES:
            return
        shown = shapes.example(name, value)
        if shown is not None and shown not in examples:
            examples.append(shown)
