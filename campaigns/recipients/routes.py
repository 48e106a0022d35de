"""A send by several channels: by which of them each person can be reached, and which one they get.

Variants whose messages are of different kinds go by different channels. A person is drawn for one
of those by which they may be written to now, by the shares of these alone; whoever can be reached
by one only gets that one, which was no choice. Nobody gets two.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from django.db.models import Case, CharField, QuerySet, Value, When
from django.utils.translation import gettext as _

from campaigns import experiments
from campaigns.ways import AGREED, UNOPPOSED, WAYS, asks
from ingestion import consent
from ingestion.models import Customer
from marketing.core.errors import Invalid

# Variants with a share, each with the channel of its message; empty where there is one channel.
Routes = Sequence[tuple[str, str]]
# Shares of variants, by the channels that people can be reached by.
Sets = Mapping[str, Mapping[str, float]]
# Where rounds follow the answers, channels have a day to be answered in, after at most a day of
# quiet hours.
LEAST_HOURS = 48
# Answers that can be seen: an SMS and a call to a system tell of no click, and of what goes by
# several channels an opening is not one thing.
CLICKED_ON = frozenset(way.key for way in WAYS.values() if way.clicked)
UNREACHABLE = "unreachable"
# In a message's `reach`: none of the channels of its send.
NONE = "none"

# What of a person a channel needs besides the consent that `consent.mailable` knows of.
NEEDS = {way.key: way.needs for way in WAYS.values() if way.needs}
LACKS = {
    "sms": "left(who.phone, 1) <> '+'",
    "inbox": "who.external_id IS NULL",
    "push": """NOT EXISTS (
        SELECT FROM campaigns_pushsubscription s
        WHERE s.customer_id = who.id AND s.ended_at IS NULL
        UNION ALL SELECT FROM ingestion_identity i
        JOIN campaigns_pushsubscription s ON s.anonymous_id = i.value AND s.anonymous_id <> ''
        WHERE i.kind = 'anonymous' AND i.customer_id = who.id AND s.ended_at IS NULL
          AND s.customer_id IS NULL)""",
}
# Where it stays, the address is the one that was asked about before.
ADDRESS = (
    "CASE WHEN {channel} = m.channel THEN m.address"
    f" ELSE {consent.address_sql('{channel}', 'c')} END"
)
_PLAN = """unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
    %s::float8[]) AS plan (reach, key, low, high, variant, channel, chance)"""


def of(variants: Sequence[tuple[str, float, str]]) -> tuple[tuple[str, str], ...]:
    """The routes of (variant, share, kind of its message); none where all go by one channel."""
    found = tuple((key, kind) for key, weight, kind in variants if weight > 0)
    return found if len({kind for _key, kind in found}) > 1 else ()


def channels(routes: Routes) -> list[str]:
    """Each channel once, in the order of the variants."""
    return list(dict.fromkeys(channel for _key, channel in routes))


def refuse_unfit(*, routes: Routes, follows: bool, metric: str, hours: int) -> None:
    """Raise Invalid where channels would be chosen by what cannot be seen on all of them, or before
    it could be seen. `follows`: answers decide over those who wait."""
    if not routes or not follows:
        return
    if metric != metric_of(routes, metric):
        raise Invalid(
            _("Openings are no measure between channels, and neither are clicks where one is SMS or"
              " a webhook: nobody sees them there."),
            code="metric_unseen",
            field="metric",
            remedy=_("Let orders decide; the campaign's own event counts as one."),
        )  # fmt: skip
    if hours < LEAST_HOURS:
        raise Invalid(
            _("Where channels are tried, rounds are 48 hours apart or more: quiet hours differ, and"
              " each message has a day to be answered."),
            code="too_soon",
            field="hours",
            remedy=_("Say 48, 72 or more hours."),
        )  # fmt: skip


def metric_of(routes: Routes, metric: str) -> str:
    """What decides between these channels: clicks where all tell of them, else orders."""
    clicks = metric == "clicked" and set(channels(routes)) <= CLICKED_ON
    return metric if clicks or metric == "ordered" else "ordered"


def sets(routes: Routes) -> list[str]:
    """All channels that somebody may be reached by together, as rows keep them."""
    every = channels(routes)
    return [" ".join(some) for n in range(1, len(every) + 1) for some in combinations(every, n)]


def arms(routes: Routes, reach: str) -> list[str]:
    """The variants that somebody with these channels may get."""
    there = reach.split()
    return [key for key, channel in routes if channel in there]


def choices(routes: Routes) -> list[str]:
    """Those sets that leave a choice: what others get says nothing of what is better."""
    return [reach for reach in sets(routes) if len(arms(routes, reach)) > 1]


def fixed(routes: Routes, weights: Sequence[tuple[str, float]]) -> dict[str, dict[str, float]]:
    """The shares of each set by the weights of its variants."""
    of_variant = dict(weights)
    found = {}
    for reach in sets(routes):
        total = sum(of_variant[key] for key in arms(routes, reach))
        found[reach] = {key: of_variant[key] / total for key in arms(routes, reach)}
    return found


def plan_sql(
    routes: Routes, shares: Sets, keys: Mapping[str, str]
) -> tuple[str, list[list[str | float]]]:
    """A table of who gets what, by set and bucket. `keys` are the salts of each set's hash."""
    by = dict(routes)
    rows: list[tuple[str, str, str, str, str, str, float]] = []
    for reach, given in shares.items():
        low = ""
        edges = experiments.edges(list(given.values()))
        for (variant, share), high in zip(given.items(), edges, strict=True):
            rows.append((reach, keys[reach], low, high, variant, by[variant], share))
            low = high
    return _PLAN, [list(column) for column in zip(*rows, strict=True)]


def between(bucket: str) -> str:
    """SQL of whether a bucket lies in a row of the plan."""
    return f'{bucket} >= plan.low COLLATE "C" AND {bucket} < plan.high COLLATE "C"'


def addressed(
    people: QuerySet[Customer], *, channel: str, name: str = "reason", several: bool = False
) -> Any:
    """The people with `reason`, as consent and suppression of a channel have it.

    Which consent counts is said in `ways`. Where a call to a system is one of `several` ways to
    reach people, it leaves whoever wants nothing more at all in peace, too.
    """
    asked_for = asks(channel)
    if asked_for == AGREED:
        return consent.mailable(people, channel=channel, purpose="marketing", name=name)
    reason: Any = Value("", CharField())
    if several or asked_for == UNOPPOSED:
        barred = When(consent.barred_everywhere(), then=Value("suppressed"))
        reason = Case(barred, default=Value(""), output_field=CharField())
    return people.annotate(**{name: reason})


def named_sql(
    people: QuerySet[Customer], routes: Routes, *, meant: str = "''"
) -> tuple[str, list[Any]]:
    """SQL of one row a person: id, email, phone, `meant`, and why not by each channel (`n_…`).

    `meant` is SQL about `who`; its parameters come first.
    """
    by = channels(routes)
    for channel in by:
        people = addressed(people, channel=channel, name=f"reason_{channel}", several=True)
    columns = ("id", "email", "phone", "external_id", *(f"reason_{channel}" for channel in by))
    inner, params = people.order_by().values(*columns).query.sql_with_params()
    why = "".join(
        f""", CASE WHEN who.reason_{channel} <> '' THEN who.reason_{channel}
            {f"WHEN {LACKS[channel]} THEN 'no_address'" if channel in LACKS else ""}
            ELSE '' END AS n_{channel}"""
        for channel in by
    )
    sql = f"SELECT who.id, who.email, who.phone, {meant} AS meant{why} FROM ({inner}) AS who"
    return sql, list(params)


def why_sql(routes: Routes, column: str = "r_") -> str:
    """SQL of why not, by channel: "email:no_consent sms:no_address"."""
    parts = (f"'{c}:' || nullif({column}{c}, '')" for c in channels(routes))
    return f"concat_ws(' ', {', '.join(parts)})"


def reason_sql(routes: Routes, column: str = "r_") -> str:
    """SQL of the reason of whoever no channel reaches: that of all of them, where it is one."""
    first, *others = channels(routes)
    alike = " AND ".join(f"{column}{first} = {column}{other}" for other in others)
    return f"CASE WHEN {alike} THEN {column}{first} ELSE '{UNREACHABLE}' END"


def reach_sql(routes: Routes, column: str = "r_", within: str = "") -> str:
    """SQL of the channels that reach somebody; `within` is SQL of those they had before."""
    also = f" AND '{{}}' = ANY(string_to_array({within}, ' '))" if within else ""
    parts = (f"CASE WHEN {column}{c} = ''{also.format(c)} THEN '{c}' END" for c in channels(routes))
    return f"concat_ws(' ', {', '.join(parts)})"


def judged_sql(
    people: QuerySet[Customer],
    *,
    routes: Routes,
    weights: Sequence[tuple[str, float]],
    key: str,
    bucket: str,
    meant: tuple[str, list[Any]],
    slot: tuple[str, list[Any]],
) -> tuple[str, list[Any]]:
    """As `audience.judged_sql`, with `channel`, `reach`, `chance` and `why`.

    `bucket` is SQL of the hash of `id`, for which it takes a key; `meant` why somebody gets nothing
    although they could. Of those who share an address on a channel the first can be reached there.
    """
    held, of_held = meant
    named, params = named_sql(people, routes, meant=held)
    seen = "".join(
        f""", CASE WHEN n_{c} = '' AND {consent.ADDRESSES[c]} <> '' AND row_number() OVER (
                PARTITION BY n_{c}, meant, lower({consent.ADDRESSES[c]}) COLLATE "C" ORDER BY id
            ) > 1 THEN 'duplicate_address' ELSE n_{c} END AS r_{c}"""
        if c in consent.ADDRESSES
        else f", n_{c} AS r_{c}"
        for c in channels(routes)
    )  # fmt: skip
    sure = fixed(routes, weights)
    plan, of_plan = plan_sql(routes, sure, dict.fromkeys(sure, ""))
    first, first_channel = routes[0]
    sql = f"""
        SELECT p.id AS customer_id,
               {consent.address_sql("plan.channel", "p")} AS address,
               CASE WHEN p.reach = '' THEN p.alike ELSE p.meant END AS reason,
               CASE WHEN p.reach <> '' AND p.meant = 'holdout' THEN 'holdout'
                    ELSE coalesce(plan.variant, '{first}') END AS variant,
               {slot[0]} AS slot,
               coalesce(plan.channel, '{first_channel}') AS channel,
               p.reach, plan.chance, p.why
        FROM (SELECT id, email, phone, meant, {bucket} AS bucket,
                     {reach_sql(routes)} AS reach, {why_sql(routes)} AS why,
                     {reason_sql(routes)} AS alike
              FROM (SELECT id, email, phone, meant{seen} FROM ({named}) AS named) AS seen) AS p
        LEFT JOIN {plan} ON plan.reach = p.reach AND {between("p.bucket")}"""
    return sql, [*slot[1], f"{key}:variant", *of_held, *params, *of_plan]


def read_why(text: str) -> list[tuple[str, str]]:
    """(channel, reason) pairs as `why_sql` writes them; nothing where it is no such text."""
    pairs = [part.partition(":") for part in text.split(" ")]
    if not all(mark and channel in WAYS for channel, mark, _reason in pairs):
        return []
    return [(channel, reason) for channel, _mark, reason in pairs]
