"""What a tree may ask of a person: columns as JSON, each with where it comes from.

    {"name": "orders", "of": "traits"}                          a number of Traits
    {"name": "orders_90d", "of": "orders", "days": 90}          orders in the last days
    {"name": "money_90d", "of": "money", "days": 90}            money spent in the last days
    {"name": "event_2_30d", "of": "event", "event": "page", "days": 30}
    {"name": "country", "of": "person", "levels": ["GB", …]}    also language
    {"name": "attribute_1", "of": "attribute", "attribute": "plan", "kind": "category", …}

Only what a rule of segments can ask too, in the same words of SQL, is offered: so a group and the
segment made from it are the same people. A category is read as the place of its level among the
levels that enough people have; every other level is the place after the last.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from ingestion.models import EventType, OrderLine
from models_ml.algorithms import tree as trees
from models_ml.features import registry, traits
from models_ml.features.registry import MACHINES, Feature
from models_ml.predictions import planning

Spec = dict[str, Any]
WINDOWS = (30, 90, 365)
EVENT_WINDOWS = (30, 90)
MOST_EVENTS, MOST_ATTRIBUTES, MOST_LEVELS = 10, 40, 60
# A property that fewer people have is not asked about; a level of fewer people is 'other'.
LEAST_KNOWN, LEAST_AT_LEVEL = 0.02, 5
LONGEST_LEVEL = 100
LOOKED_AT = 50_000
# The same text is a number for the rules of segments.
NUMBER_TEXT = r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$"
# What a rule can name.
NAME_TEXT = r"^[A-Za-z0-9_][A-Za-z0-9_.\- ]{0,99}$"
PERSON = ("country", "language")
ALWAYS_KNOWN_OF_BUYERS = ("recency_days", "tenure_days", "avg_order_value")


def choose(
    *,
    since: datetime | None,
    without: Iterable[str] = (),
    allow: Iterable[str] = (),
    known: str = "",
) -> tuple[list[Spec], list[dict[str, str]]]:
    """The columns to offer, and those left out with why.

    Properties are offered by how many have them, of all people or of those who have `known`.

    What was learned of people after `since` may tell what they did then; `allow` says of a column
    that it never changes. `without` are columns somebody left out.
    """
    found: list[Spec] = []
    if OrderLine.objects.exists():
        found += [{"name": name, "of": "traits"} for name in traits.NAMES]
        for days in WINDOWS:
            found.append({"name": f"orders_{days}d", "of": "orders", "days": days})
            found.append({"name": f"money_{days}d", "of": "money", "days": days})
    events = EventType.objects.exclude(name__in=MACHINES).order_by("-count", "name")
    for number, event in enumerate(events.values_list("name", flat=True)[:MOST_EVENTS]):
        for days in EVENT_WINDOWS:
            name = f"event_{number}_{days}d"
            found.append({"name": name, "of": "event", "event": event, "days": days})
    left_out: list[dict[str, str]] = []
    for spec in _of_people(known):
        if since is not None and id_of(spec) not in set(allow) and _learned_later(spec, since):
            left_out.append({"column": id_of(spec), "why": "learned_later"})
        else:
            found.append(spec)
    barred = set(without)
    left_out += [{"column": id_of(s), "why": "left_out"} for s in found if id_of(s) in barred]
    return [spec for spec in found if id_of(spec) not in barred], left_out


def _learned_later(spec: Spec, since: datetime) -> bool:
    return planning.changed_since(name=_asked(spec), since=since) > planning.UNSTEADY


def id_of(spec: Spec) -> str:
    """A name that means the same column in every training."""
    match spec["of"]:
        case "event":
            return f"event:{spec['event']}:{spec['days']}"
        case "attribute":
            return f"attribute:{spec['attribute']}"
    return str(spec["name"])


def label(spec: Spec) -> str:
    """What a column is called on screen."""
    match spec["of"]:
        case "traits":
            return str(registry.BY_NAME[spec["name"]].meaning)
        case "orders":
            return _("orders in the last %(days)d days") % {"days": spec["days"]}
        case "money":
            return _("money spent in the last %(days)d days") % {"days": spec["days"]}
        case "event":
            return _("“%(event)s” in the last %(days)d days") % {
                "event": spec["event"],
                "days": spec["days"],
            }
        case "person":
            return str(registry.COLUMNS[spec["name"]])
    return str(spec["attribute"])


def label_of_id(column: str) -> str:
    """The same of a stored id."""
    kind, _colon, rest = column.partition(":")
    if kind == "attribute":
        return rest
    if kind == "event":
        event, _colon, days = rest.rpartition(":")
        return label({"of": "event", "event": event, "days": int(days)})
    for of, start in (("orders", "orders_"), ("money", "money_")):
        if column.startswith(start) and column.endswith("d"):
            return label({"of": of, "days": int(column[len(start) : -1])})
    if column in PERSON:
        return label({"of": "person", "name": column})
    return label({"of": "traits", "name": column})


def tree_feature(spec: Spec, *, buyers: bool) -> trees.Feature:
    """The column as the tree knows it. Of buyers some numbers are always known."""
    match spec["of"]:
        case "traits":
            one = registry.BY_NAME[spec["name"]]
            sure = buyers and one.name in ALWAYS_KNOWN_OF_BUYERS
            return trees.Feature(one.name, one.decimals or 0, one.nullable and not sure)
        case "money":
            return trees.Feature(spec["name"], 2)
        case "orders" | "event":
            return trees.Feature(spec["name"])
    if spec.get("kind") == registry.NUMBER:
        return trees.Feature(spec["name"], 4, nullable=True)
    return trees.Feature(
        spec["name"], nullable=True, kind=trees.CATEGORY, levels=tuple(spec["levels"])
    )


def feature(spec: Spec) -> Feature:
    """The column as the compiler of features knows it."""
    name = spec["name"]
    match spec["of"]:
        case "traits":
            return registry.BY_NAME[name]
        case "orders":
            since = f"m.cut - interval '{int(spec['days'])} days'"
            sql = f"count(DISTINCT o.order_id) FILTER (WHERE o.at >= {since})"
            return Feature(name, "", "count", "orders", sql, empty="0")
        case "money":
            since = f"m.cut - interval '{int(spec['days'])} days'"
            sql = f"sum(o.revenue) FILTER (WHERE o.moment >= {since})"
            return Feature(name, "", "money", "orders", f"coalesce({sql}, 0)", 2, empty="0")
        case "event":
            since = f"m.cut - interval '{int(spec['days'])} days'"
            return Feature(
                name, "", "count", "events",
                f"count(*) FILTER (WHERE e.type = %({name})s AND e.at >= {since})",
                empty="0", window_days=int(spec["days"]), types=(spec["event"],),
                params={name: spec["event"]},
            )  # fmt: skip
    text, params = _text(spec)
    if spec.get("kind") == registry.NUMBER:
        sql = f"CASE WHEN {text} ~ '{NUMBER_TEXT}' THEN {text}::double precision END"
        return Feature(name, "", "", "people", sql, params=params)
    known = (
        f"coalesce(array_position(%({name}_levels)s::text[], {text}) - 1, {len(spec['levels'])})"
    )
    sql = f"CASE WHEN {text} IS NOT NULL THEN {known} END"
    return Feature(
        name, "", "", "people", sql, params={**params, f"{name}_levels": list(spec["levels"])}
    )


def _asked(spec: Spec) -> str:
    return str(spec["name"] if spec["of"] == "person" else spec["attribute"])


def _text(spec: Spec) -> tuple[str, dict[str, Any]]:
    if spec["of"] == "person":
        if spec["name"] not in PERSON:
            raise KeyError(spec["name"])
        return f"nullif(c.{spec['name']}, '')", {}
    key = f"{spec['name']}_key"
    return f"nullif(c.attributes ->> %({key})s, '')", {key: spec["attribute"]}


def _of_people(known: str) -> list[Spec]:
    found: list[Spec] = []
    for name in PERSON:
        levels = _levels({"name": name, "of": "person"})
        if len(levels) > 1:
            found.append({"name": name, "of": "person", "levels": levels})
    for number, (attribute, numeric) in enumerate(_attributes(known)):
        spec: Spec = {"name": f"attribute_{number}", "of": "attribute", "attribute": attribute}
        if numeric:
            found.append({**spec, "kind": registry.NUMBER})
        elif levels := _levels(spec):
            found.append({**spec, "kind": registry.CATEGORY, "levels": levels})
    return found


def _levels(spec: Spec) -> list[str]:
    text, params = _text(spec)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {text} AS level FROM ingestion_customer AS c WHERE c.merged_into_id IS NULL"
            f" AND {text} IS NOT NULL AND length({text}) <= {LONGEST_LEVEL}"
            " GROUP BY level HAVING count(*) >= %(least)s ORDER BY count(*) DESC, level"
            " LIMIT %(most)s",
            {**params, "least": LEAST_AT_LEVEL, "most": MOST_LEVELS},
        )
        return [row[0] for row in cursor.fetchall()]


def _attributes(known: str) -> list[tuple[str, bool]]:
    """The properties most people have, and whether each is a number for nearly all of them.

    People are all, or those who have `known`: two files about different people share few columns.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH looked AS (SELECT attributes FROM ingestion_customer"
            " WHERE merged_into_id IS NULL"
            " AND (%(known)s = '' OR nullif(attributes ->> %(known)s, '') IS NOT NULL)"
            " LIMIT %(looked)s)"
            " SELECT a.key, avg((a.value ~ %(number)s)::int) > 0.95 AS is_number,"
            " count(DISTINCT a.value) > 6 AS many"
            " FROM looked, jsonb_each_text(looked.attributes) AS a WHERE a.value <> ''"
            " AND a.key ~ %(name)s"
            " GROUP BY a.key HAVING count(*) >= %(least)s * (SELECT count(*) FROM looked)"
            " AND count(DISTINCT a.value) > 1"
            " ORDER BY count(*) DESC, a.key LIMIT %(most)s",
            {
                "looked": LOOKED_AT,
                "known": known,
                "number": NUMBER_TEXT,
                "name": NAME_TEXT,
                "least": LEAST_KNOWN,
                "most": MOST_ATTRIBUTES,
            },
        )
        return [(key, numeric and many) for key, numeric, many in cursor.fetchall()]
