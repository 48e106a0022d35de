"""Who a campaign would write to, and for everyone else the reason why not.

Segments say who is meant, `ingestion.consent` alone says who may be written to, the hold-out hash
says who is kept back. One SQL expression joins the three, for the count before and the rows after.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from django.db import connection
from django.db.models import CharField, QuerySet, Value
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from campaigns import experiments
from campaigns.models import Campaign, GlobalHoldout, Trial
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


@dataclass(frozen=True)
class Draw:
    """How chance parts an audience: who is kept back, and who gets which variant when.

    `slot` 0 goes out at once and by the weights; the others wait for their round, with the variant
    of their own hash until then, so that nobody is lost where a round never comes.
    """

    key: str
    holdout: float = 0
    kept_key: str = ""
    kept: float = 0
    variants: Sequence[tuple[str, float]] = (("a", 1),)
    first: float = 1.0
    rounds: int = 0

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "variants": [list(pair) for pair in self.variants]}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> "Draw":
        return cls(**{**kept, "variants": tuple((k, w) for k, w in kept["variants"])})


def draw_of(campaign: Campaign | None, *, holdout: float | None = None) -> Draw:
    """The draw of a campaign as it would be made now; of None, that of a new one."""
    kept = GlobalHoldout.objects.filter(ended_at=None).first()
    held = campaign.holdout_percent if campaign and holdout is None else holdout
    draw = Draw(
        key=holdout_key(campaign) if campaign else "campaign:new",
        holdout=held or 0,
        kept_key=kept_key(kept) if kept else "",
        kept=kept.percent if kept else 0,
    )
    if campaign is None:
        return draw
    variants = tuple((row.key, row.weight) for row in campaign.variants.all())
    if len(variants) < 2:
        return draw
    draw = replace(draw, variants=variants)
    trial: Trial | None = getattr(campaign, "trial", None)
    if trial is None or trial.mode == Trial.Mode.FIXED:
        return draw
    rounds = 1 if trial.mode == Trial.Mode.WINNER else trial.rounds
    return replace(draw, first=trial.first_percent / 100, rounds=rounds)


def kept_key(holdout: GlobalHoldout) -> str:
    """What the hash of the global hold-out is salted with; the same for every campaign."""
    return f"everybody:{holdout.salt}"


def kept_out(people: Iterable[int]) -> set[int]:
    """Those of these people whom nothing is sent to that they did not ask for."""
    kept = GlobalHoldout.objects.filter(ended_at=None).first()
    if kept is None:
        return set()
    key = kept_key(kept)
    return {
        person
        for person in people
        if experiments.held_out(key=key, unit=person, percent=kept.percent)
    }


def hash_sql(person: str) -> str:
    """SQL of somebody's bucket; takes the key as its parameter."""
    return f"substr(md5(%s || ':' || {person}), 1, 8) COLLATE \"C\""


def variant_sql(
    person: str, *, key: str, shares: Sequence[tuple[str, float]]
) -> tuple[str, list[Any]]:
    """SQL of the variant that somebody's hash gives them."""
    if len(shares) == 1:
        return "%s", [shares[0][0]]
    ceilings = experiments.edges([weight for _name, weight in shares])
    parts, params = [], []
    for (name, _weight), ceiling in zip(shares, ceilings, strict=True):
        parts.append(f"WHEN {hash_sql(person)} < %s THEN %s")
        params += [key, ceiling, name]
    return f"CASE {' '.join(parts)} END", params


def slot_sql(person: str, draw: Draw) -> tuple[str, list[Any]]:
    """SQL of the round that somebody's hash puts them in; 0 goes out at once."""
    if not draw.rounds or draw.first >= 1:
        return "0", []
    each = (1 - draw.first) / draw.rounds
    ceilings = experiments.edges([draw.first, *[each] * draw.rounds])
    parts, params = [], []
    for slot, ceiling in enumerate(ceilings):
        parts.append(f"WHEN {hash_sql(person)} < %s THEN {slot}")
        params += [f"{draw.key}:slot", ceiling]
    return f"CASE {' '.join(parts)} END", params


# What of a person a channel needs besides the consent that `consent.mailable` knows of.
_NEEDS = {"email": "email", "sms": "phone", "inbox": "external_id"}
_LACKS = {
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


def addressed(people: QuerySet[Customer], *, channel: str) -> Any:
    """The people with `reason`, as consent and suppression of a channel have it.

    A call to a system and a note in the shop's own app need no consent.
    """
    if channel in consent.CHANNELS:
        return consent.mailable(people, channel=channel, purpose="marketing")
    return people.annotate(reason=Value("", CharField()))


def judged_sql(
    *,
    rule: Mapping[str, Any] | None,
    draw: Draw,
    channel: str = "email",
    exclude: Mapping[str, Any] | None = None,
) -> tuple[str, list[Any]]:
    """SQL of one row a member: customer_id, address, reason ('' for those who get the mail),
    variant ('holdout' for those held out of this campaign) and slot.

    Nobody whom the rule `exclude` means gets anything; a rule that means everybody is given as {}.
    """
    people = addressed(members(rule=rule), channel=channel)
    needs = _NEEDS.get(channel, "id")
    inner, params = people.order_by().values("id", needs, "reason").query.sql_with_params()
    address = f"coalesce(who.{needs}, '')" if channel in consent.ADDRESSES else "''"
    lacks = f"WHEN {_LACKS[channel]} THEN 'no_address'" if channel in _LACKS else ""
    left = ""
    of_left: list[Any] = []
    if exclude is not None:
        those, asked = members(rule=exclude).order_by().values("id").query.sql_with_params()
        of_left = list(asked)
        left = f"WHEN who.id IN ({those}) THEN '{EXCLUDED}'"
    variant, of_variant = variant_sql("id", key=f"{draw.key}:variant", shares=draw.variants)
    slot, of_slot = slot_sql("id", draw)
    # A hash costs: it is asked only where somebody is kept back by it.
    kept = f"WHEN {hash_sql('who.id')} < %s THEN '{GLOBAL_HOLDOUT}'" if draw.kept else ""
    of_kept = [draw.kept_key, experiments.holdout_ceiling(draw.kept)] if draw.kept else []
    held = f"WHEN {hash_sql('who.id')} < %s THEN '{HOLDOUT}'" if draw.holdout else ""
    of_held = [draw.key, experiments.holdout_ceiling(draw.holdout)] if draw.holdout else []
    sql = f"""
        SELECT id AS customer_id, address, reason,
               CASE WHEN reason = '{HOLDOUT}' THEN '{HOLDOUT}' ELSE {variant} END AS variant,
               {slot} AS slot
        FROM (SELECT who.id, {address} AS address,
                     CASE WHEN who.reason <> '' THEN who.reason {lacks} {left} {kept} {held}
                          ELSE '' END AS reason
              FROM ({inner}) AS who) AS sorted"""
    return sql, [*of_variant, *of_slot, *of_left, *of_kept, *of_held, *params]


def some(
    *, rule: Mapping[str, Any] | None, number: int = 100, channel: str = "email"
) -> list[Customer]:
    """A few of those who may be written to."""
    people = addressed(members(rule=rule), channel=channel)
    return list(people.filter(reason="").order_by("pk")[:number])


def holdout_key(campaign: Campaign) -> str:
    """What the hash of this campaign is salted with, so that each campaign holds out others."""
    return f"campaign:{campaign.pk}"


def reach(
    *,
    rule: Mapping[str, Any] | None,
    draw: Draw,
    channel: str = "email",
    exclude: Mapping[str, Any] | None = None,
) -> Reach:
    """Count the audience by reason, in one query."""
    sql, params = judged_sql(rule=rule, draw=draw, channel=channel, exclude=exclude)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT reason, count(*) FROM ({sql}) AS judged GROUP BY reason", params)
        counts: dict[str, int] = dict(cursor.fetchall())
    reachable = counts.pop("", 0)
    order = list(REASONS)
    skipped = dict(
        sorted(counts.items(), key=lambda item: order.index(item[0]) if item[0] in order else 99)
    )
    return Reach(reachable + sum(skipped.values()), reachable, skipped)
