"""The ways a run's messages leave by: one per channel, each with its policy and its open lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from campaigns.messaging import providers
from campaigns.messaging.providers.base import POLICY, Connection, Policy, Unreachable
from campaigns.models import Channel
from marketing.core.errors import Refused


@dataclass(frozen=True)
class Lane:
    """A channel as a run uses it. Mail without any channel goes by the server of the settings."""

    key: str
    kind: str
    channel: Channel | None
    policy: Policy

    @property
    def once_at_most(self) -> bool:
        """Whether a message must be noted as handed over before it is."""
        return self.policy is Policy.AT_MOST_ONCE

    def open(self) -> Connection:
        """A line of one's own. Unreachable, with the reason, when the channel cannot be used."""
        if self.channel is None and self.kind != "email":
            raise Unreachable(
                _("There is no channel for messages of the kind %(kind)s.") % {"kind": self.kind}
            )
        if self.channel is not None and not self.channel.enabled:
            raise Unreachable(
                _("The channel %(name)s is switched off.") % {"name": self.channel.name}
            )
        try:
            return providers.open(self.channel)
        except Refused as refusal:
            raise Unreachable(str(refusal)) from None


def lane_of(content: Mapping[str, Any]) -> Lane:
    """The lane a content goes by: its own channel, or the default of its kind."""
    kind, wanted = content["channel"], content.get("channel_id")
    rows = Channel.objects.filter(kind=kind)
    channel = (rows.filter(pk=wanted) if wanted else rows.filter(is_default=True)).first()
    policy = POLICY[kind]
    if channel is not None:
        policy = providers.load(channel.provider).policy(channel.settings)
    key = f"{kind}:{channel.pk}" if channel is not None else kind
    return Lane(key, kind, channel, policy)


class Lines:
    """The connections of one thread, opened as they are needed."""

    def __init__(self) -> None:
        self._open: dict[str, Connection] = {}

    def to(self, lane: Lane) -> Connection:
        line = self._open.get(lane.key)
        if line is None:
            line = self._open[lane.key] = lane.open()
        return line

    def close(self) -> None:
        for line in self._open.values():
            line.close()
        self._open.clear()
