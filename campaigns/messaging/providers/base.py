"""What a provider is: it takes one message at a time and says honestly what became of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, Protocol

from campaigns.ways import WAYS

KINDS = tuple(WAYS)


class Policy(StrEnum):
    """What is done with a message whose sender died while it was on its way."""

    AT_LEAST_ONCE = "at_least_once"  # sent again: a second copy is better than none
    AT_MOST_ONCE = "at_most_once"  # ends as unknown: a second copy costs money or trust
    EXACTLY_ONCE = "exactly_once"  # sent again, and the other side keeps one


POLICY: Mapping[str, Policy] = {
    "email": Policy.AT_LEAST_ONCE,
    "sms": Policy.AT_MOST_ONCE,
    "push": Policy.AT_MOST_ONCE,
    "webhook": Policy.AT_MOST_ONCE,
    "inbox": Policy.EXACTLY_ONCE,
}


class Verdict(StrEnum):
    """What is known after an attempt."""

    SENT = "sent"  # accepted for delivery
    RETRY = "retry"  # certainly not accepted; worth another try later
    FAILED = "failed"  # certainly not accepted, and never will be
    UNKNOWN = "unknown"  # the line broke after the whole message was handed over


class Outgoing(NamedTuple):
    """One message ready to go. `key` is its own id, the same on every attempt.

    `body` is a mail in MIME, and for every other kind the rendered parts as JSON.
    """

    key: str
    sender: str
    recipient: str
    body: bytes
    subject: str = ""


class Answer(NamedTuple):
    """A provider's answer for one recipient. `bounced` says the address itself does not exist.

    `ref` is the provider's own name of the message, for its later reports; `wait_seconds` how long
    it asks us to wait before the next try (0: our own schedule).
    """

    verdict: Verdict
    text: str = ""
    bounced: bool = False
    ref: str = ""
    wait_seconds: float = 0.0


class Unreachable(Exception):
    """No connection could be made: nothing was tried, nothing was sent."""


class Connection(Protocol):
    """One line to a provider, used by one thread at a time.

    `send` raises Unreachable and nothing else, whatever a provider may do to it.
    """

    def send(self, outgoing: Outgoing) -> Answer: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Field:
    """One setting. A secret goes in and is never shown; `check` returns what is wrong, or ""."""

    name: str
    label: Any
    kind: str = "text"  # text, long, number, select, yes
    required: bool = False
    secret: bool = False
    hint: Any = ""
    default: str = ""
    choices: tuple[tuple[str, Any], ...] = ()
    placeholder: str = ""
    limit: int = 500
    check: Callable[[str], Any] | None = None
    only: tuple[str, ...] = ()  # the variants that need it; empty for all
    made: bool = False  # we make it (see Provider.make); nobody types it


class Report(NamedTuple):
    """What a provider tells later: `what` became of the message it calls `ref`, or of our `key`.

    `what` is delivered, bounced, complained, deferred or failed; `lasting` says of a bounce that
    the address will never take anything.
    """

    what: str
    ref: str
    at: datetime
    key: str = ""
    address: str = ""
    text: str = ""
    lasting: bool = False
    event_id: str = ""


class Reply(NamedTuple):
    """A text that somebody sent to one of our numbers. `ref` is the provider's own name of it.

    `answered` says that the provider tells the person by itself what became of their word.
    """

    address: str
    text: str
    ref: str
    at: datetime
    answered: bool = False


class Provider:
    """What a folder declares of itself. Settings arrive checked, secrets opened, all as text.

    `hooks` names a module with `read(*, method, headers, query, body, url, given) ->
    Sequence[Report | Reply]`, which raises Refused for a report that the provider did not sign.
    """

    kind: ClassVar[str]
    label: ClassVar[Any]
    about: ClassVar[Any] = ""
    fields: ClassVar[tuple[Field, ...]] = ()
    # Settings that say to whom secrets are sent: a kept secret never goes to another place.
    goes_to: ClassVar[tuple[str, ...]] = ()
    hooks: ClassVar[str] = ""
    # Services that one folder speaks to; the first one is taken unless another is chosen.
    variants: ClassVar[tuple[tuple[str, Any], ...]] = ()
    # Whether it signs mails by itself, so that we do not.
    signs: ClassVar[bool] = False
    # What kind of sender address its channel needs: mail, phone, or none.
    sender: ClassVar[str] = ""

    @classmethod
    def fields_of(cls, variant: str) -> list[Field]:
        """The fields that a variant needs."""
        return [f for f in cls.fields if not f.only or variant in f.only]

    @classmethod
    def includes(cls, given: Mapping[str, str]) -> str:
        """What a domain's SPF record has to name so that this provider may send for it."""
        return ""

    @classmethod
    def policy(cls, given: Mapping[str, str]) -> Policy:
        """What a dead sender leaves open; a provider that drops repeats itself may say so."""
        return POLICY[cls.kind]

    @classmethod
    def make(cls) -> dict[str, str]:
        """Settings that nobody types, such as a pair of keys, made anew."""
        return {}

    @classmethod
    def refuse_nonsense(cls, given: Mapping[str, str]) -> None:
        """Refuse settings that cannot be right together, before anything is called."""

    @classmethod
    def connect(cls, given: Mapping[str, str]) -> Connection:
        """A line to the provider; nothing is called before its first `send`."""
        raise NotImplementedError
