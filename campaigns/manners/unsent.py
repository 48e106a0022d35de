"""Why somebody got nothing: each reason in plain words, with what can be done, and in total."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.manners.rules import CHANNELS
from campaigns.models import Message
from campaigns.recipients import audience, routes
from marketing.core import wording

State = Message.State
ENDED = (State.SKIPPED, State.FAILED, State.UNKNOWN)
# Chosen so by the shop itself: shown apart from what went wrong.
MEANT = frozenset({audience.HOLDOUT, audience.GLOBAL_HOLDOUT, audience.EXCLUDED})
WAITING: dict[str, Any] = {
    "capped": gettext_lazy("Waits: had as many messages as the rules allow"),
    "quiet": gettext_lazy("Waits: it is a quiet hour where they are"),
}
REMEDIES: dict[str, Any] = {
    "no_address": gettext_lazy("Ask for it at the next order, or import it."),
    routes.UNREACHABLE: gettext_lazy("Look at each channel: ask for consent, or for an address."),
    "no_consent": gettext_lazy("Ask them by a sign-up form or their preference page."),
    "suppressed": gettext_lazy(
        "Leave them alone. If they ask to hear from you again, lift it on the suppression list."
    ),
    audience.EXCLUDED: gettext_lazy("Nothing to do: the campaign leaves them out."),
    audience.GLOBAL_HOLDOUT: gettext_lazy("Nothing to do: this is how the effect is measured."),
    audience.HOLDOUT: gettext_lazy("Nothing to do: this is how the effect is measured."),
    "duplicate_address": gettext_lazy("Merge the people who share an address, if they are one."),
    "address_changed": gettext_lazy("The next send goes to the new address."),
    "cancelled": gettext_lazy("Copy the campaign to send it after all."),
    "render": gettext_lazy("Give the field a default in the template, or fill it in the data."),
    "address": gettext_lazy("Correct the address in the data."),
    "refused": gettext_lazy("Read the server's answer on the message; check domain and content."),
    "bounced": gettext_lazy("Nothing more is sent there. Ask for a new address."),
    "gave_up": gettext_lazy("Their server took nothing for three days; look at the domain."),
    "line_broke": gettext_lazy("It may have arrived, so it is not sent twice. Ask the provider."),
    "sender_died": gettext_lazy("It may have arrived, so it is not sent twice. Ask the provider."),
    "deadly": gettext_lazy("Look at what is particular about this person's data; tell the admin."),
    "taken_out": gettext_lazy("Nothing to do: somebody of the team decided it."),
    "restored": gettext_lazy("It may have arrived, so it is not sent twice. Ask the provider."),
    "no_content": gettext_lazy("Give the step or variant a message."),
    "gone": gettext_lazy("Nothing to do."),
    "budget": gettext_lazy("Raise the budget of the campaign, and copy it for those who are left."),
    "capped": gettext_lazy("Send less often, raise the limit, or mark what cannot wait as urgent."),
    "too_late": gettext_lazy(
        "Send earlier in the day, pause for less, or let it be useful for longer."
    ),
}


@dataclass
class Line:
    """One reason over a period: how many by channel and by how it ended."""

    reason: str
    label: str
    remedy: str
    total: int = 0
    channels: dict[str, int] = field(default_factory=dict)
    states: dict[str, int] = field(default_factory=dict)

    @property
    def meant(self) -> bool:
        return self.reason in MEANT


def label_of(reason: str, state: str = "") -> str:
    """A reason in plain words; of a message that still waits, what it waits for."""
    if state == State.QUEUED and reason in WAITING:
        return str(WAITING[reason])
    return str(audience.REASONS.get(reason, reason))


def told(message: Message) -> str:
    """Why this message was not sent, or why it waits and until when; empty when it went out."""
    if message.state == State.QUEUED and message.next_try_at is not None:
        why = label_of(message.reason, State.QUEUED) if message.reason in WAITING else _("Waits")
        until = {"why": why, "when": wording.moment(message.next_try_at)}
        return _("%(why)s, until %(when)s") % until
    if ways := by_channel(message):
        return ways
    return label_of(message.reason) if message.reason else ""


def by_channel(message: Message) -> str:
    """Why none of several channels reached them, channel by channel; empty of any other message."""
    if message.reach != routes.NONE:
        return ""
    return "; ".join(
        _("%(channel)s: %(why)s") % {"channel": CHANNELS[channel], "why": label_of(reason)}
        for channel, reason in routes.read_why(message.error)
    )


def totals(*, since: datetime, until: datetime) -> list[Line]:
    """Of what was to be sent in this time and did not go out, how many by reason. Most first."""
    found = Message.objects.filter(queued_at__gte=since, queued_at__lt=until, state__in=ENDED)
    lines: dict[str, Line] = {}
    rows = found.values_list("reason", "channel", "state").annotate(n=Count("id")).order_by()
    for reason, channel, state, n in rows:
        line = lines.get(reason)
        if line is None:
            line = lines[reason] = Line(reason, label_of(reason), str(REMEDIES.get(reason, "")))
        line.total += n
        line.channels[channel] = line.channels.get(channel, 0) + n
        line.states[state] = line.states.get(state, 0) + n
    return sorted(lines.values(), key=lambda line: (line.meant, -line.total, line.reason))


def waiting() -> dict[str, int]:
    """How many wait this moment because of the rules, by reason."""
    rows = Message.objects.filter(state=State.QUEUED, reason__in=WAITING)
    return dict(rows.values_list("reason").annotate(n=Count("id")).order_by())


def waiting_messages(*, reason: str) -> QuerySet[Message]:
    """Those that wait this moment for this reason, newest first."""
    found = Message.objects.filter(state=State.QUEUED, reason=reason)
    return found.select_related("customer", "run__campaign").order_by("-queued_at", "-id")


def messages(
    *,
    since: datetime,
    until: datetime,
    reason: str = "",
    channel: str = "",
    customer_id: int | None = None,
) -> QuerySet[Message]:
    """The messages themselves, newest first."""
    found = Message.objects.filter(queued_at__gte=since, queued_at__lt=until, state__in=ENDED)
    if reason:
        found = found.filter(reason=reason)
    if channel:
        found = found.filter(channel=channel)
    if customer_id is not None:
        found = found.filter(customer_id=customer_id)
    return found.select_related("customer", "run__campaign").order_by("-queued_at", "-id")
