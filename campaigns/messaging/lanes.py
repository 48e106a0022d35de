"""The ways a run's messages leave by: one per channel, each with its policy and its open lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from campaigns.messaging import providers
from campaigns.messaging.providers import registry
from campaigns.messaging.providers.base import POLICY, Connection, Policy
from campaigns.models import Channel


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

    @property
    def sender(self) -> str:
        """Whom messages come from that do not say it themselves."""
        return self.channel.from_address if self.channel is not None else ""

    def open(self) -> Connection:
        """A line of one's own; where the channel cannot be used, it says so when it is asked."""
        return providers.open(self.channel, kind=self.kind)


def lane_of(content: Mapping[str, Any]) -> Lane:
    """The lane a content goes by: its own channel, or the default of its kind."""
    kind = content["channel"]
    channel = registry.find(kind=kind, channel_id=content.get("channel_id"))
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
