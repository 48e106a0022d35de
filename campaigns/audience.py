"""Who a campaign would write to, and for everyone else the reason why not.

Segments say who is meant, `ingestion.consent` alone says who may be written to, the hold-out hash
says who is kept back. One SQL expression joins the three, for the count before and the rows after.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns import experiments
from campaigns.models import Campaign
from campaigns.segments import compile as compiler
from campaigns.segments import definitions, membership
from campaigns.segments.rules import RuleFault
from campaigns.segments.terms import NotRead
from ingestion import consent
from ingestion.models import Customer
from marketing.core.errors import Invalid

HOLDOUT = "holdout"
REASONS: dict[str, Any] = {
    "no_address": _("No e-mail address"),
    "no_consent": _("Has not agreed to marketing mail"),
    "suppressed": _("Unsubscribed or bounced before"),
    HOLDOUT: _("Held out to measure the effect"),
    "duplicate_address": _("Same address as somebody else in this send"),
    "address_changed": _("Changed their address after the send began"),
    "cancelled": _("The send was cancelled first"),
    "render": _("The template has no value for them"),
    "address": _("The address cannot be written in a mail"),
    "refused": _("Refused by their mail server"),
    "bounced": _("Their mailbox does not exist"),
    "gave_up": _("Tried for three days without success"),
    "line_broke": _("The line broke after the mail was handed over"),
    "gone": _("Deleted after the send began"),
}


@dataclass(frozen=True)
class Reach:
    """How many a segment means, how many of them get the mail, and why the rest do not."""

    total: int
    reachable: int
    skipped: Mapping[str, int]


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
    *, rule: Mapping[str, Any] | None, holdout: float, key: str
) -> tuple[str, list[Any]]:
    """SQL of one row a member: customer_id, address, reason ('' for those who get the mail)."""
    people: Any = consent.mailable(members(rule=rule), channel="email", purpose="marketing")
    inner, params = people.order_by().values("id", "email", "reason").query.sql_with_params()
    bucket = "substr(md5(%s || ':' || who.id), 1, 8) COLLATE \"C\""
    sql = f"""
        SELECT who.id AS customer_id, coalesce(who.email, '') AS address,
               CASE WHEN who.reason <> '' THEN who.reason
                    WHEN {bucket} < %s THEN '{HOLDOUT}' ELSE '' END AS reason
        FROM ({inner}) AS who"""
    return sql, [key, experiments.holdout_ceiling(holdout), *params]


def some(*, rule: Mapping[str, Any] | None, number: int = 100) -> list[Customer]:
    """A few of those who may be written to."""
    people: Any = consent.mailable(members(rule=rule), channel="email", purpose="marketing")
    return list(people.filter(reason="").order_by("pk")[:number])


def holdout_key(campaign: Campaign) -> str:
    """What the hash of this campaign is salted with, so that each campaign holds out others."""
    return f"campaign:{campaign.pk}"


def reach(*, rule: Mapping[str, Any] | None, holdout: float, key: str) -> Reach:
    """Count the audience by reason, in one query."""
    sql, params = judged_sql(rule=rule, holdout=holdout, key=key)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT reason, count(*) FROM ({sql}) AS judged GROUP BY reason", params)
        counts: dict[str, int] = dict(cursor.fetchall())
    reachable = counts.pop("", 0)
    order = list(REASONS)
    skipped = dict(
        sorted(counts.items(), key=lambda item: order.index(item[0]) if item[0] in order else 99)
    )
    return Reach(reachable + sum(skipped.values()), reachable, skipped)
