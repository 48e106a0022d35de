"""Who a campaign would write to, and for everyone else the reason why not.

Segments say who is meant, `ingestion.consent` alone says who may be written to, the hold-out hash
says who is kept back. One SQL expression joins the three, for the count before and the rows after.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns import experiments
from campaigns.recipients import routes
from campaigns.recipients.draws import Draw as Draw
from campaigns.recipients.draws import draw_of as draw_of
from campaigns.recipients.draws import hash_sql as hash_sql
from campaigns.recipients.draws import holdout_key as holdout_key
from campaigns.recipients.draws import kept_key as kept_key
from campaigns.recipients.draws import kept_out as kept_out
from campaigns.recipients.draws import routes_of as routes_of
from campaigns.recipients.draws import slot_sql as slot_sql
from campaigns.recipients.draws import variant_sql as variant_sql
from campaigns.recipients.routes import addressed
from campaigns.segments import compile as compiler
from campaigns.segments import definitions, membership
from campaigns.segments.rules import RuleFault
from campaigns.segments.terms import NotRead
from ingestion import consent
from ingestion.models import Customer
from marketing.core.errors import Invalid

HOLDOUT = "holdout"
GLOBAL_HOLDOUT = "global_holdout"
EXCLUDED = "excluded"
REASONS: dict[str, Any] = {
    "no_address": _("No address on this channel"),
    "no_consent": _("Has not agreed to marketing mail"),
    "suppressed": _("Unsubscribed or bounced before"),
    routes.UNREACHABLE: _("Reached by none of the channels"),
    EXCLUDED: _("In the segment that gets nothing this time"),
    GLOBAL_HOLDOUT: _("Kept out of every campaign to measure them all"),
    HOLDOUT: _("Held out to measure the effect"),
    "budget": _("The money for this campaign was spent"),
    "duplicate_address": _("Same address as somebody else in this send"),
    "address_changed": _("Changed their address after the send began"),
    "cancelled": _("The send was cancelled first"),
    "taken_out": _("Taken out of the journey by hand"),
    "render": _("The template has no value for them"),
    "address": _("The address cannot be written in a mail"),
    "refused": _("Refused by their mail server"),
    "bounced": _("Their mailbox does not exist"),
    "gave_up": _("Tried for three days without success"),
    "line_broke": _("The line broke after the mail was handed over"),
    "sender_died": _("The sender stopped before the answer was stored"),
    "deadly": _("Set aside: senders died each time they tried it"),
    "restored": _("Was waiting in a backup that was brought back, and may have been sent"),
    "no_content": _("There is nothing to send to them at this step"),
    "gone": _("Deleted after the send began"),
    "capped": _("Had as many messages as the rules allow"),
    "too_late": _("It would have come too late to be of use"),
}


@dataclass(frozen=True)
class Way:
    """One channel of several: how many it could reach, how many get theirs by it, and why it does
    not reach the others."""

    channel: str
    could: int = 0
    given: int = 0
    lacks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Reach:
    """How many a segment means, how many of them get the mail, and why the rest do not.

    `ways` and `chosen`, how many of them have a choice, are told of several channels.
    """

    total: int
    reachable: int
    skipped: Mapping[str, int]
    ways: Sequence[Way] = ()
    chosen: int = 0


def members(*, rule: Mapping[str, Any] | None) -> QuerySet[Customer]:
    """Everybody the rule means right now. Invalid when the rule can no longer be read."""
    if not rule:
        return Customer.objects.all()
    try:
        return membership.members(compiler.read(rule))
    except NotRead as waiting:
        raise Invalid(
            definitions.explain(waiting),
            code=waiting.code,
            field="segment",
            remedy=gettext("Wait until it is read, or upload it again; nothing was sent."),
        ) from waiting
    except RuleFault as fault:
        raise Invalid(
            gettext("The rule of this segment cannot be read: %(why)s")
            % {"why": definitions.explain(fault)},
            code="bad_rule",
            field="segment",
            remedy=gettext("Open the segment and correct it; nothing was sent."),
        ) from fault


def judged_sql(
    *,
    rule: Mapping[str, Any] | None,
    draw: Draw,
    channel: str = "email",
    exclude: Mapping[str, Any] | None = None,
) -> tuple[str, list[Any]]:
    """SQL of one row a member: customer_id, address, reason ('' for those who get the mail),
    variant ('holdout' for those held out of this campaign) and slot. Of a draw with several
    channels also channel, reach, chance and why; `channel` is not asked for then.

    Nobody whom the rule `exclude` means gets anything; a rule that means everybody is given as {}.
    """
    if draw.routes:
        return _routed_sql(rule, draw, exclude)
    people = addressed(members(rule=rule), channel=channel)
    needs = routes.NEEDS.get(channel, "id")
    inner, params = people.order_by().values("id", needs, "reason").query.sql_with_params()
    address = f"coalesce(who.{needs}, '')" if channel in consent.ADDRESSES else "''"
    has_none = routes.LACKS.get(channel)
    lacks = f"WHEN {has_none} THEN 'no_address'" if has_none else ""
    variant, of_variant = variant_sql("id", key=f"{draw.key}:variant", shares=draw.variants)
    slot, of_slot = slot_sql("id", draw)
    meant, of_meant = _kept_back(draw, exclude)
    sql = f"""
        SELECT id AS customer_id, address, reason,
               CASE WHEN reason = '{HOLDOUT}' THEN '{HOLDOUT}' ELSE {variant} END AS variant,
               {slot} AS slot
        FROM (SELECT who.id, {address} AS address,
                     CASE WHEN who.reason <> '' THEN who.reason {lacks} {meant}
                          ELSE '' END AS reason
              FROM ({inner}) AS who) AS sorted"""
    return sql, [*of_variant, *of_slot, *of_meant, *params]


def _kept_back(draw: Draw, exclude: Mapping[str, Any] | None) -> tuple[str, list[Any]]:
    """The cases of a CASE about `who`: why somebody gets nothing although they could."""
    cases: list[str] = []
    params: list[Any] = []
    if exclude is not None:
        those, asked = members(rule=exclude).order_by().values("id").query.sql_with_params()
        cases.append(f"WHEN who.id IN ({those}) THEN '{EXCLUDED}'")
        params += asked
    # A hash costs: it is asked only where somebody is kept back by it.
    for key, percent, reason in (
        (draw.kept_key, draw.kept, GLOBAL_HOLDOUT), (draw.key, draw.holdout, HOLDOUT)
    ):  # fmt: skip
        if percent:
            cases.append(f"WHEN {hash_sql('who.id')} < %s THEN '{reason}'")
            params += [key, experiments.holdout_ceiling(percent)]
    return " ".join(cases), params


def _routed_sql(
    rule: Mapping[str, Any] | None, draw: Draw, exclude: Mapping[str, Any] | None
) -> tuple[str, list[Any]]:
    cases, of_cases = _kept_back(draw, exclude)
    return routes.judged_sql(
        members(rule=rule),
        routes=draw.routes,
        weights=draw.variants,
        key=draw.key,
        bucket=hash_sql("id"),
        meant=(f"CASE {cases} ELSE '' END" if cases else "''", of_cases),
        slot=slot_sql("id", draw),
    )


def some(
    *, rule: Mapping[str, Any] | None, number: int = 100, channel: str = "email"
) -> list[Customer]:
    """A few of those who may be written to."""
    people = addressed(members(rule=rule), channel=channel)
    return list(people.filter(reason="").order_by("pk")[:number])


def reach(
    *,
    rule: Mapping[str, Any] | None,
    draw: Draw,
    channel: str = "email",
    exclude: Mapping[str, Any] | None = None,
) -> Reach:
    """Count the audience by reason, in one query."""
    sql, params = judged_sql(rule=rule, draw=draw, channel=channel, exclude=exclude)
    columns = "reason, reach, channel, why" if draw.routes else "reason"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}, count(*) FROM ({sql}) AS j GROUP BY {columns}", params)
        rows = cursor.fetchall()
    counts: Counter[str] = Counter()
    for reason, *_more, n in rows:
        counts[reason] += n
    reachable = counts.pop("", 0)
    order = list(REASONS)
    skipped = dict(
        sorted(counts.items(), key=lambda item: order.index(item[0]) if item[0] in order else 99)
    )
    total = reachable + sum(skipped.values())
    if not draw.routes:
        return Reach(total, reachable, skipped)
    free = routes.choices(draw.routes)
    chosen = sum(n for reason, reach, *_more, n in rows if not reason and reach in free)
    ways = [_way(channel, rows) for channel in routes.channels(draw.routes)]
    return Reach(total, reachable, skipped, ways, chosen)


def _way(channel: str, rows: Sequence[Sequence[Any]]) -> Way:
    """What rows of (reason, reach, channel, why, number) say of a channel."""
    could = given = 0
    lacks: Counter[str] = Counter()
    for reason, reach, by, why, n in rows:
        could += n if channel in reach.split() else 0
        given += n if not reason and by == channel else 0
        for other, cause in routes.read_why(why):
            lacks[cause] += n if other == channel else 0
    return Way(channel, could, given, {cause: n for cause, n in lacks.most_common() if n})
