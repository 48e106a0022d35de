"""What a node may be. A builder draws its forms from this; nothing here knows a table."""

from dataclasses import dataclass
from typing import Any

from campaigns.messaging import tags
from campaigns.ways import WAYS

TRIGGER, WAIT, SPLIT, ACTION, END = "trigger", "wait", "split", "action", "end"

# What may follow a node: one node, branches with these keys, branches of one's own, or nothing.
ONE, OWN, NOTHING, MAYBE = "one", "own", "nothing", "maybe"


@dataclass(frozen=True, slots=True)
class Field:
    """A setting. `type` says how it is read (see `reading.READERS`).

    `one_of` names settings of which exactly one must be there; `choices` are for type "choice".
    """

    key: str
    type: str
    required: bool = True
    default: Any = None
    one_of: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of node. `branches` are the keys that a split of fixed ways has."""

    key: str
    group: str
    fields: tuple[Field, ...] = ()
    leads: str = ONE
    branches: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    branch_fields: tuple[Field, ...] = ()


def _maybe(key: str, type: str, default: Any = None, **more: Any) -> Field:
    return Field(key, type, required=False, default=default, **more)


_PERCENT = (Field("percent", "percent"),)
_DATED = (
    _maybe("attribute", "name", one_of="date"),
    _maybe("prediction", "name", one_of="date"),
)
CHANNELS = tuple(way.key for way in WAYS.values() if way.in_journeys)

_ALL = (
    # How people come in: the node that the definition starts with, and no other.
    Kind("event", TRIGGER, (Field("event", "name"), _maybe("where", "tests", ()))),
    Kind("segment_enter", TRIGGER, (Field("segment", "id"), _maybe("already", "flag", False))),
    Kind("segment_leave", TRIGGER, (Field("segment", "id"),)),
    Kind(
        "date",
        TRIGGER,
        (
            *_DATED,
            Field("at", "time"),
            _maybe("days", "offset", 0),
            _maybe("every", "choice", "year", choices=("year", "once")),
        ),
    ),
    Kind(
        "schedule",
        TRIGGER,
        (
            Field("segment", "id"),
            Field("at", "time"),
            Field("every", "choice", choices=("once", "day", "week", "month")),
            _maybe("on", "date"),
            _maybe("weekdays", "weekdays", ()),
            _maybe("month_day", "month_day"),
        ),
    ),
    Kind("api", TRIGGER),
    # Waits.
    Kind("wait_for", WAIT, (Field("for", "span"),)),
    Kind(
        "wait_until",
        WAIT,
        (
            _maybe("date", "date", one_of="date"),
            *_DATED,
            _maybe("days", "offset", 0),
            Field("at", "time"),
            _maybe("every", "choice", "once", choices=("year", "once")),
        ),
    ),
    Kind("wait_local", WAIT, (Field("at", "time"), _maybe("weekdays", "weekdays", ()))),
    Kind(
        "wait_event",
        WAIT,
        (Field("event", "name"), _maybe("where", "tests", ()), Field("for", "span")),
        branches=("happened", "timeout"),
    ),
    # Splits.
    Kind(
        "split_rule",
        SPLIT,
        (_maybe("rule", "rule"), _maybe("where", "tests", ())),
        branches=("yes", "no"),
    ),
    Kind(
        "split_many",
        SPLIT,
        leads=OWN,
        branch_fields=(_maybe("rule", "rule"), _maybe("where", "tests", ())),
    ),
    Kind("split_percent", SPLIT, leads=OWN, branch_fields=_PERCENT),
    Kind("split_experiment", SPLIT, leads=OWN, branch_fields=_PERCENT),
    Kind("split_bandit", SPLIT, (_maybe("floor", "percent", 5),), leads=OWN),
    Kind(
        "split_score",
        SPLIT,
        (Field("prediction", "name"), Field("at_least", "number")),
        branches=("above", "below"),
        optional=("unknown",),
    ),
    # What is done.
    Kind(
        "send",
        ACTION,
        (
            Field("channel", "choice", choices=CHANNELS),
            Field("template", "id"),
            _maybe("channel_id", "id"),
            _maybe("from_name", "text", ""),
            _maybe("from_email", "text", ""),
            _maybe("reply_to", "text", ""),
            _maybe("plain_links", "flag", False),
            *(_maybe(f"utm_{name}", "text", "") for name in tags.NAMES),
        ),
    ),
    Kind("attribute", ACTION, (Field("name", "name"), _maybe("value", "value"))),
    Kind("list_add", ACTION, (Field("list", "id"),)),
    Kind("list_remove", ACTION, (Field("list", "id"),)),
    Kind(
        "webhook",
        ACTION,
        (Field("url", "url"), _maybe("body", "text", ""), _maybe("channel_id", "id")),
    ),
    Kind(
        "notify",
        ACTION,
        (Field("to", "email"), Field("subject", "text"), _maybe("text", "text", "")),
    ),
    Kind("start_journey", ACTION, (Field("journey", "id"),)),
    # Ends. A goal may lead on; an exit does not.
    Kind("goal", END, leads=MAYBE),
    Kind("exit", END, leads=NOTHING),
)
KINDS: dict[str, Kind] = {kind.key: kind for kind in _ALL}
