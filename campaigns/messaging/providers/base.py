"""What a provider is: a kept connection that takes a mail and says what became of it."""

from enum import StrEnum
from typing import NamedTuple, Protocol


class Verdict(StrEnum):
    """What is known after an attempt."""

    SENT = "sent"  # accepted for delivery
    RETRY = "retry"  # certainly not accepted; worth another try later
    FAILED = "failed"  # certainly not accepted, and never will be
    UNKNOWN = "unknown"  # the line broke after the whole mail was handed over


class Answer(NamedTuple):
    """A provider's answer for one recipient. `bounced` says the address itself does not exist."""

    verdict: Verdict
    text: str = ""
    bounced: bool = False


class Unreachable(Exception):
    """No connection could be made: nothing was tried, nothing was sent."""


class Connection(Protocol):
    """One line to a provider. `send` never raises for what a provider may do to it."""

    def send(self, *, sender: str, recipient: str, mail: bytes) -> Answer: ...

    def close(self) -> None: ...
