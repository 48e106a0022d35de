"""The messages behind a number of a send: by outcome, channel, variant, part of the audience, link.

Every number that a page shows of messages is a link with these words in its address. Words narrow
together, and a word that nobody knows narrows nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import Message, Run
from campaigns.recipients import audience, routes
from campaigns.reporting import by_channel, responses, settled, tallies
from campaigns.ways import WAYS
from ingestion.models import Event, Order

State = Message.State
# Several states that a page counts as one.
STATES: dict[str, tuple[Any, tuple[str, ...]]] = {
    "due": (
        gettext_lazy("Not left out"),
        (State.QUEUED, State.SENDING, State.SENT, State.FAILED, State.UNKNOWN),
    ),
    "open": (gettext_lazy("Waiting or being sent"), Message.OPEN),
    "gone": (gettext_lazy("Sent, or not known"), (State.SENT, State.UNKNOWN)),
    "lost": (gettext_lazy("Failed, or not known"), (State.FAILED, State.UNKNOWN)),
}
# Parts of those whom a message was given to.
PARTS: dict[str, Any] = {
    "given": gettext_lazy("Whom a message was given to"),
    "only": gettext_lazy("Whom no other channel reached"),
    "first": gettext_lazy("Drawn by the first shares"),
    "later": gettext_lazy("In later rounds"),
}
# What people did that is no matter of the message alone.
DEEDS: dict[str, Any] = {
    "ordered": gettext_lazy("Did what it is judged by since"),
    "answered": gettext_lazy("Answered within a day"),
}
_GIVEN = ~Q(state=State.SKIPPED) | Q(message_id__isnull=False)
_KEY = re.compile(r"[a-z]{1,10}")
_ANSWERED = """
    SELECT m.id FROM campaigns_message AS m
    WHERE m.run_id = %s AND m.state = 'sent' AND {answer} AND {ended}"""


@dataclass(frozen=True)
class Asked:
    """What a list was asked for; empty where it was not. `reach` are channels in the order of the
    send, `lacks` a channel and why it did not reach, as in “sms:no_consent”."""

    state: str = ""
    reason: str = ""
    outcome: str = ""
    channel: str = ""
    variant: str = ""
    reach: str = ""
    part: str = ""
    lacks: str = ""
    link: str = ""
    step: str = ""


def read(given: Mapping[str, str]) -> Asked:
    """Of the words of an address those that mean something."""

    def known(name: str, *among: Any) -> str:
        value = given.get(name, "")
        return value if any(value in some for some in among) else ""

    reach, lacks = given.get("reach", ""), given.get("lacks", "")
    variant = given.get("variant", "")
    return Asked(
        state=known("state", State.values, STATES),
        reason=known("reason", audience.REASONS),
        outcome=known("outcome", responses.OUTCOMES, DEEDS),
        channel=known("channel", WAYS),
        variant=variant if _KEY.fullmatch(variant) else "",
        reach=reach if reach == routes.NONE or set(reach.split()) <= set(WAYS) else "",
        part=known("part", PARTS),
        lacks=lacks if any(why in audience.REASONS for _c, why in routes.read_why(lacks)) else "",
        link=given.get("link", "")[:2_000],
        step=given.get("step", "")[:40],
    )


def narrowed(found: QuerySet[Message], asked: Asked) -> QuerySet[Message]:
    """Those of the messages whose own row says so."""
    if asked.state:
        states = STATES[asked.state][1] if asked.state in STATES else (asked.state,)
        found = found.filter(state__in=states)
    for name in ("reason", "channel", "variant", "reach", "step"):
        if value := getattr(asked, name):
            found = found.filter(**{name: value})
    if asked.lacks:
        found = found.filter(
            state=State.SKIPPED, reach=routes.NONE,
            error__regex=rf"(^| ){re.escape(asked.lacks)}( |$)",
        )  # fmt: skip
    return responses.of_outcome(found, asked.outcome)


def of_run(*, run: Run, asked: Asked, now: datetime) -> QuerySet[Message]:
    """The messages of a send that were asked for."""
    kept = run.snapshot.get("draw")
    draw = audience.Draw.of_json(kept) if kept else audience.Draw(key="")
    found = narrowed(Message.objects.filter(run=run), asked)
    if asked.variant:  # who was held out has a variant in name alone
        found = found.exclude(reason=audience.HOLDOUT)
    if asked.part:
        found = _part(found.filter(_GIVEN), asked.part, draw)
    if asked.outcome == "ordered":
        found = found.filter(_did(run))
    elif asked.outcome == "answered":
        metric, goal = by_channel.metric_of(run, draw), run.snapshot.get("goal") or ""
        answer, of_answer = settled.person_sql(metric=metric, goal=goal)
        ended, of_ended = settled.ended_sql(now=now)
        sql = _ANSWERED.format(answer=answer, ended=ended)
        found = found.filter(pk__in=RawSQL(sql, (run.pk, *of_answer, *of_ended)))
    if asked.link:
        found = found.filter(pk__in=RawSQL(*responses.followers_sql(run=run, url=asked.link)))
    return found


def _part(found: QuerySet[Message], part: str, draw: audience.Draw) -> QuerySet[Message]:
    if part == "only":
        return found.exclude(reach__in=routes.choices(draw.routes))
    if part == "given":
        return found
    # Whose hash it was when the send began, where two people have become one since.
    person = "coalesce(campaigns_message.first_customer_id, campaigns_message.customer_id)"
    slot, of_slot = audience.slot_sql(person, draw)
    return found.extra(where=[f"({slot}) {'= 0' if part == 'first' else '> 0'}"], params=of_slot)


def _did(run: Run) -> Exists:
    """Whether the person did what the send is judged by, in its time."""
    since, until = run.started_at, run.started_at + tallies.WINDOW
    if goal := run.snapshot.get("goal"):
        acts = Event.objects.filter(type=goal, at__gte=since, at__lt=until)
        return Exists(acts.filter(customer_id=OuterRef("customer_id")))
    orders = Order.objects.filter(placed_at__gte=since, placed_at__lt=until, total__gte=0)
    orders = orders.exclude(status=Order.Status.CANCELLED)
    return Exists(orders.filter(customer_id=OuterRef("customer_id")))


def said(asked: Asked, *, channels: Mapping[str, Any], variants: Mapping[str, str]) -> list[str]:
    """What a list was narrowed to, in words; nothing of single states, which are tabs."""
    words: list[Any] = []
    if asked.channel:
        words.append(channels.get(asked.channel, asked.channel))
    if asked.variant:
        words.append(variants.get(asked.variant) or asked.variant.upper())
    if asked.reach == routes.NONE:
        words.append(audience.REASONS[routes.UNREACHABLE])
    elif asked.reach:
        names = ", ".join(str(channels.get(one, one)) for one in asked.reach.split())
        words.append(_("Reached by %(channels)s") % {"channels": names})
    if asked.part:
        words.append(PARTS[asked.part])
    for channel, why in routes.read_why(asked.lacks) if asked.lacks else ():
        words.append(f"{channels.get(channel, channel)}: {audience.REASONS.get(why, why)}")
    if asked.state in STATES:
        words.append(STATES[asked.state][0])
    if asked.reason:
        words.append(audience.REASONS[asked.reason])
    if asked.outcome in responses.OUTCOMES:
        words.append(responses.OUTCOMES[asked.outcome][0])
    elif asked.outcome:
        words.append(DEEDS[asked.outcome])
    if asked.link:
        words.append(_("Followed %(link)s") % {"link": asked.link})
    return [str(word) for word in words]
