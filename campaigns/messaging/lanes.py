"""The ways a run's messages leave by: one per channel, each with its policy and its open lines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from campaigns.messaging import pacing, providers
from campaigns.messaging.contents import Ready
from campaigns.messaging.pacing import Allowance
from campaigns.messaging.providers import registry
from campaigns.messaging.providers.base import POLICY, Connection, Policy
from campaigns.messaging.talks import Fleet, Talker
from campaigns.models import Channel


@dataclass
class Lane:
    """A channel as a run uses it. Mail without any channel goes by the server of the settings.

    `allowance` None means that it may be used as fast as it goes.
    """

    key: str
    kind: str
    channel: Channel | None
    policy: Policy
    allowance: Allowance | None = None
    _domains: dict[str, Allowance | None] = field(default_factory=dict)

    def domain(self, address: str) -> Allowance | None:
        """The allowance for recipients of this address's domain; None where there is no limit."""
        rates = self.channel.domain_rates if self.channel is not None else {}
        if not rates:
            return None
        name = pacing.domain_of(address)
        if name not in self._domains:
            rate = rates.get(name) or rates.get("*")
            found = Allowance(f"{self.key}|{name}", float(rate)) if rate else None
            self._domains[name] = found
        return self._domains[name]

    @property
    def once_at_most(self) -> bool:
        """Whether a message must be noted as handed over before it is."""
        return self.policy is Policy.AT_MOST_ONCE

    @property
    def limited(self) -> bool:
        """Whether it has to be asked before each message."""
        return self.allowance is not None or bool(self.channel and self.channel.domain_rates)

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
    return Lane(key, kind, channel, policy, _allowance(key, channel))


def _allowance(key: str, channel: Channel | None) -> Allowance | None:
    if channel is None:
        return None
    most = pacing.warm_limit(channel, timezone.localdate())
    if channel.rate_per_second is None and most is None:
        return None
    return Allowance(key, channel.rate_per_second, most)


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


class Fleets:
    """The lines of lanes on which one thread can talk by all of them at once, kept open."""

    def __init__(self, lines: int) -> None:
        self._number = lines
        self._open: dict[str, Fleet[Ready] | None] = {}

    def to(self, lane: Lane) -> Fleet[Ready] | None:
        """The lines of a lane; None where each message has to be asked for, or waited for."""
        if lane.key not in self._open:
            self._open[lane.key] = self._made(lane)
        return self._open[lane.key]

    def _made(self, lane: Lane) -> Fleet[Ready] | None:
        if lane.limited or lane.once_at_most:
            return None
        first = lane.open()
        if not isinstance(first, Talker):
            return None
        others = [line for _n in range(1, self._number) if isinstance(line := lane.open(), Talker)]
        return Fleet([first, *others], lambda ready: ready.outgoing)

    def close(self) -> None:
        for fleet in self._open.values():
            if fleet is not None:
                fleet.close()
        self._open.clear()
