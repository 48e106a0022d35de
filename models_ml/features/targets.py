"""What happened after a moment: the only part of the features that looks forward.

A target is JSON: {"type": …} and what the type asks for.

order        an order within the horizon
no_order     none: they stopped buying
spend_over   {"amount": 100}: more money spent within the horizon
spend        how much money (an amount)
order_value  how much an order is worth, of those who order (an amount)
event        {"event": "Trial started", "times": 1, "where": [{"property", "op", "value"}]}
no_event     the same, that it does not happen
answer       {"by": "click" | "open", "campaign": id or null}: to a mail, from its sending on
moved        {"by": "order" | "event", "event": …, "campaign": id or null}: how much likelier a mail
             makes it, told from who was held out of one by chance (an effect)
attribute    {"attribute": "churn", "op": "=", "value": "Yes"}: a property that is as it is now
next_order   when the next order comes (a date)
send_hour    at which hour of their day they answer mails (an hour)
unusual      how unlike everybody else they are (a degree)

Everything lies in [moment, moment + horizon). `attribute` knows no moments: see `at_once`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from marketing.core.errors import Invalid

CHANCE, AMOUNT, DATE, EFFECT = "chance", "amount", "date", "effect"
HOUR, DEGREE = "hour", "degree"
TYPES = {
    "order": CHANCE,
    "no_order": CHANCE,
    "spend_over": CHANCE,
    "spend": AMOUNT,
    "order_value": AMOUNT,
    "event": CHANCE,
    "no_event": CHANCE,
    "answer": CHANCE,
    "attribute": CHANCE,
    "next_order": DATE,
    "moved": EFFECT,
    "send_hour": HOUR,
    "unusual": DEGREE,
}
OPS = {"=": "=", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<="}
# Whether the target is about one kind of event, so that earlier ones of it are features.
_NUMBER = r"^\s*-?[0-9]{1,15}(\.[0-9]{1,15})?\s*$"
MOST_CONDITIONS = 5


@dataclass(frozen=True, slots=True)
class Condition:
    """A property of an event, compared with a text or a number."""

    property: str
    op: str
    value: str | float


@dataclass(frozen=True, slots=True)
class Target:
    """A question as read from JSON."""

    type: str
    amount: float = 0.0
    event: str = ""
    times: int = 1
    where: tuple[Condition, ...] = ()
    by: str = "click"
    campaign: int | None = None
    attribute: str = ""
    op: str = "="
    value: str | float = ""

    @property
    def kind(self) -> str:
        return TYPES[self.type]

    @property
    def own_moments(self) -> bool:
        """Whether each person is asked about at a moment of their own."""
        return self.type == "answer"

    @property
    def outcome(self) -> "Target":
        """What a mail is to bring about: the question of `moved` without the mail."""
        if self.by == "event":
            return Target("event", event=self.event, times=self.times, where=self.where)
        return Target("order")

    @property
    def timeless(self) -> bool:
        """Whether the answer is a property without a history."""
        return self.type == "attribute"


def read(raw: Any) -> Target:
    """A target from JSON; Invalid, with the field at fault, when it is none."""
    kind = raw.get("type") if isinstance(raw, dict) else None
    if not isinstance(kind, str) or kind not in TYPES:
        raise _invalid("type", _("Choose what is to be predicted."))
    if kind == "spend_over":
        return Target(kind, amount=_amount(raw.get("amount")))
    if kind in ("event", "no_event"):
        times = raw.get("times", 1)
        if not isinstance(times, int) or isinstance(times, bool) or not 1 <= times <= 1_000:
            raise _invalid("times", _("How often must be a whole number from 1 to 1,000."))
        return Target(
            kind, event=_text(raw, "event", 100), times=times, where=_conditions(raw.get("where"))
        )
    if kind == "answer":
        if raw.get("by", "click") not in ("click", "open"):
            raise _invalid("by", _("An answer is a click or an opening."))
        return Target(kind, by=raw.get("by", "click"), campaign=_campaign(raw))
    if kind == "moved":
        if raw.get("by", "order") not in ("order", "event"):
            raise _invalid("by", _("A mail is to bring about an order or an event."))
        if raw.get("by", "order") == "order":
            return Target(kind, by="order", campaign=_campaign(raw))
        return Target(
            kind,
            by="event",
            campaign=_campaign(raw),
            event=_text(raw, "event", 100),
            where=_conditions(raw.get("where")),
        )
    if kind == "attribute":
        op, value = _comparison(raw)
        return Target(kind, attribute=_text(raw, "attribute", 220), op=op, value=value)
    return Target(kind)


def _campaign(raw: dict[str, Any]) -> int | None:
    number = raw.get("campaign")
    if number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**63:
        raise _invalid("campaign", _("Choose a campaign, or all of them."))
    return number


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(
        message,
        code="target_invalid",
        field=f"target.{field}",
        remedy=_("Nothing was changed. Correct the target and try again."),
    )


def _amount(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e12:
        raise _invalid("amount", _("The amount must be a number of at least 0."))
    return float(value)


def _text(raw: dict[str, Any], name: str, longest: int) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or not 0 < len(value.strip()) <= longest or "\x00" in value:
        raise _invalid(name, _("The name is missing or too long."))
    return value


def _comparison(raw: dict[str, Any]) -> tuple[str, str | float]:
    op, value = raw.get("op", "="), raw.get("value")
    if not isinstance(op, str) or op not in OPS:
        raise _invalid("op", _("This comparison is not known."))
    if isinstance(value, bool):
        return op, "true" if value else "false"
    if isinstance(value, int | float) and np.isfinite(value):
        return op, float(value)
    if isinstance(value, str) and len(value) <= 300 and "\x00" not in value:
        if op in ("=", "!="):
            return op, value
        raise _invalid("value", _("Only numbers can be compared by size."))
    raise _invalid("value", _("Say what to compare with: a text or a number."))


def _conditions(raw: Any) -> tuple[Condition, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list) or len(raw) > MOST_CONDITIONS:
        raise _invalid("where", _("There may be up to five conditions on an event."))
    found = []
    for one in raw:
        if not isinstance(one, dict):
            raise _invalid("where", _("A condition names a property, a comparison and a value."))
        op, value = _comparison(one)
        found.append(Condition(_text(one, "property", 220), op, value))
    return tuple(found)


def compared(*, text: str, op: str, value: str | float, key: str) -> tuple[str, dict[str, Any]]:
    """SQL comparing a text with a value; numbers by size, and false where the text is none."""
    if isinstance(value, str):
        return f"{text} {OPS[op]} %({key})s", {key: value}
    sql = f"CASE WHEN {text} ~ '{_NUMBER}' THEN {text}::double precision {OPS[op]} %({key})s END"
    return f"coalesce({sql}, false)", {key: value}


@dataclass(frozen=True, slots=True)
class Question:
    """SQL of rows (customer_id, cut, value) for whoever did something after a moment of `m`."""

    sql: str
    params: dict[str, Any]


_LINES = (
    " FROM ingestion_orderline AS l JOIN m ON {own}l.placed_at >= m.cut"
    " AND l.placed_at < m.cut + %(horizon)s"
    " WHERE l.customer_id IS NOT NULL AND l.placed_at >= %(first)s AND l.placed_at < %(until)s"
    " AND l.kind IN ({kinds}){also} GROUP BY l.customer_id, m.cut"
)


def question(
    *, target: Target, first: datetime, last: datetime, horizon: timedelta, grid: bool
) -> Question:
    """What is asked of the facts after moments between `first` and `last`, all of them known."""
    params: dict[str, Any] = {"first": first, "until": last + horizon, "horizon": horizon}
    makers: dict[str, Callable[[], str]] = {
        "order": lambda: _orders("1", "'product'", grid),
        "no_order": lambda: _orders("1", "'product'", grid),
        "spend_over": lambda: _orders(
            "sum(l.total)::double precision", "'product', 'return'", grid
        ),
        "spend": lambda: _orders("sum(l.total)::double precision", "'product', 'return'", grid),
        "order_value": lambda: _orders(
            "sum(l.total)::double precision / count(DISTINCT l.order_id)",
            "'product'",
            grid,
            # One mistyped quantity would be worth more than all others together.
            " AND NOT l.outlier",
        ),
        "next_order": lambda: _orders(
            "date_part('epoch', min(l.placed_at) - m.cut) / 86400", "'product'", grid
        ),
        "event": lambda: _events(target, grid, params),
        "no_event": lambda: _events(target, grid, params),
    }
    return Question(makers[target.type](), params)


def _orders(value: str, kinds: str, grid: bool, also: str = "") -> str:
    own = "" if grid else "l.customer_id = m.customer_id AND "
    found = _LINES.format(own=own, kinds=kinds, also=also)
    return f"SELECT l.customer_id::int8, extract(epoch FROM m.cut)::int8, {value}{found}"


def _events(target: Target, grid: bool, params: dict[str, Any]) -> str:
    own = "" if grid else "e.customer_id = m.customer_id AND "
    params |= {"event": target.event, "times": target.times}
    where = ""
    for number, one in enumerate(target.where):
        key = f"where_{number}"
        sql, more = compared(
            text=f"(e.properties ->> %({key}_name)s)", op=one.op, value=one.value, key=key
        )
        params |= {**more, f"{key}_name": one.property}
        where += f" AND {sql}"
    return (
        "SELECT e.customer_id::int8, extract(epoch FROM m.cut)::int8, 1"
        f" FROM ingestion_event AS e JOIN m ON {own}e.at >= m.cut AND e.at < m.cut + %(horizon)s"
        " WHERE e.customer_id IS NOT NULL AND e.at >= %(first)s AND e.at < %(until)s"
        f" AND e.type = %(event)s{where}"
        " GROUP BY e.customer_id, m.cut HAVING count(*) >= %(times)s"
    )


def at_once(*, target: Target) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Everyone of whom the property is known, and whether it is as asked."""
    sql, params = compared(
        text="(c.attributes ->> %(attribute)s)", op=target.op, value=target.value, key="value"
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            f"SELECT c.id, ({sql})::int FROM ingestion_customer AS c"
            " WHERE c.merged_into_id IS NULL"
            " AND nullif(c.attributes ->> %(attribute)s, '') IS NOT NULL ORDER BY c.id",
            {**params, "attribute": target.attribute},
        )
        rows = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1].astype(bool)


def whose(*, attribute: str) -> NDArray[np.int64]:
    """The ids of everyone of whom a property is known."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "SELECT id FROM ingestion_customer WHERE merged_into_id IS NULL"
            " AND nullif(attributes ->> %s, '') IS NOT NULL",
            [attribute],
        )
        return np.array(cursor.fetchall(), dtype=np.int64).reshape(-1)
