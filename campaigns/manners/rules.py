"""The shop's own rules of sending: read, checked and changed in one place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import SendingRules
from campaigns.ways import WAYS
from marketing.core import audit
from marketing.core.errors import Invalid
from marketing.core.models import ApiKey, User

ALL = ""
CHANNELS: dict[str, Any] = {
    "email": gettext_lazy("E-mail"),
    "sms": gettext_lazy("SMS"),
    "push": gettext_lazy("Push"),
    "inbox": gettext_lazy("In-app inbox"),
    "webhook": gettext_lazy("Webhook"),
}
# Nobody is woken by these: a row in the shop's app, a call to the shop's own system.
SILENT = frozenset(way.key for way in WAYS.values() if not way.wakes)
# A call to a system and word to colleagues are no messages to the person.
UNCOUNTED = frozenset({"webhook", "staff"})
DAYS_MOST, NUMBER_MOST, CAPS_MOST = 90, 1_000, 20
USUAL_CAPS = (
    {"channel": ALL, "days": 1, "most": 2},
    {"channel": "email", "days": 7, "most": 3},
    {"channel": "sms", "days": 7, "most": 2},
    {"channel": "push", "days": 1, "most": 2},
)
USUAL_QUIET = {"sms": ["20:00", "09:00"], "push": ["21:00", "08:00"]}


@dataclass(frozen=True, slots=True)
class Cap:
    """At most so many in the days that end now; of one channel, or of all of them together."""

    channel: str
    days: int
    most: int

    @property
    def window(self) -> timedelta:
        return timedelta(days=self.days)

    def counts(self, channel: str) -> bool:
        """Whether a message of this channel counts. Calls to the shop's own system never do."""
        return channel not in UNCOUNTED and self.channel in (ALL, channel)


@dataclass(frozen=True, slots=True)
class Rules:
    """Caps, and the quiet hours of each channel that has some."""

    caps: tuple[Cap, ...] = ()
    quiet: Mapping[str, tuple[time, time]] = field(default_factory=dict)

    @property
    def none(self) -> bool:
        return not self.caps and not self.quiet

    @property
    def window(self) -> timedelta:
        """How far back has to be counted."""
        return max((cap.window for cap in self.caps), default=timedelta())


def read(caps: Sequence[Mapping[str, Any]], quiet: Mapping[str, Sequence[str]]) -> Rules:
    """Rules as they are kept."""
    return Rules(
        tuple(Cap(cap["channel"], cap["days"], cap["most"]) for cap in caps),
        {
            channel: (time.fromisoformat(begins), time.fromisoformat(ends))
            for channel, (begins, ends) in quiet.items()
        },
    )


def current() -> Rules:
    """The rules that hold now; none until somebody sets them."""
    row = SendingRules.objects.filter(pk=1).values_list("caps", "quiet").first()
    return read(*row) if row else Rules()


def save(
    *,
    caps: Sequence[Mapping[str, Any]],
    quiet: Mapping[str, Sequence[str]],
    actor: User | ApiKey | None,
    now: datetime,
) -> Rules:
    """Replace the rules. They hold for whatever is claimed from now on."""
    wanted = {"caps": _caps(caps), "quiet": _quiet(quiet)}
    with transaction.atomic():
        row, _made = SendingRules.objects.update_or_create(
            pk=1,
            defaults={
                **wanted,
                "updated_at": now,
                "updated_by": actor if isinstance(actor, User) else None,
            },
        )
        audit.record(actor=actor, action="sending_rules.saved", obj=row, detail=wanted)
    return read(row.caps, row.quiet)


def _caps(given: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    if len(given) > CAPS_MOST:
        raise Invalid(
            _("At most %(n)d limits. Nothing was changed.") % {"n": CAPS_MOST},
            code="too_many",
            field="caps",
        )
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for cap in given:
        channel = cap.get("channel", ALL)
        days, most = _number(cap.get("days")), _number(cap.get("most"))
        if not isinstance(channel, str) or channel not in (ALL, *CHANNELS) or channel == "webhook":
            raise Invalid(
                _("There is no such channel to limit. Nothing was changed."),
                code="bad_channel",
                field="caps",
            )
        if not 1 <= days <= DAYS_MOST or not 1 <= most <= NUMBER_MOST:
            raise Invalid(
                _("A limit is 1 to %(most)d messages in 1 to %(days)d days. Nothing was changed.")
                % {"most": NUMBER_MOST, "days": DAYS_MOST},
                code="bad_cap",
                field="caps",
            )
        if (channel, days) in found:
            raise Invalid(
                _("Two limits name the same channel and days. Nothing was changed."),
                code="twice",
                field="caps",
                remedy=_("Keep the one you mean."),
            )
        found[channel, days] = {"channel": channel, "days": days, "most": most}
    return [found[key] for key in sorted(found)]


def _quiet(given: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    found = {}
    for channel, hours in given.items():
        if channel not in CHANNELS or channel in SILENT:
            raise Invalid(
                _("There is no such channel with quiet hours. Nothing was changed."),
                code="bad_channel",
                field="quiet",
            )
        try:
            begins, ends = (time.fromisoformat(str(hour)) for hour in hours)
        except ValueError:
            raise _bad_hours() from None
        if begins == ends or begins.tzinfo or ends.tzinfo:
            raise _bad_hours()
        found[channel] = [f"{begins:%H:%M}", f"{ends:%H:%M}"]
    return found


def _bad_hours() -> Invalid:
    return Invalid(
        _("Quiet hours are two different times of the day, such as 21:00 and 08:00."),
        code="bad_hours",
        field="quiet",
        remedy=_("Nothing was changed."),
    )


def _number(value: Any) -> int:
    text = "" if isinstance(value, bool) else str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
