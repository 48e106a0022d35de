"""One HTTP call of a provider, and what its answer says of the message that went with it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import orjson

from campaigns.messaging.providers.base import Answer, Unreachable, Verdict
from marketing.core import outbound
from marketing.core.errors import Refused

# An answer says little; whatever is longer is not read further.
BODY_LIMIT = 65_536
LIMITS = outbound.Limits(connect=5.0, read=10.0, total=10.0, body=BODY_LIMIT, redirects=0)
LONGEST_WAIT = 3_600.0


class Reply(NamedTuple):
    """What a server answered; `body` as far as it was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return f"{self.status} {self.body[:300].decode('utf-8', 'replace')}".strip()

    def json(self) -> Any:
        """The body as JSON, None when it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


class Lost(Exception):
    """The request left, and no whole answer came: nobody knows what became of it."""


def call(
    *,
    url: str,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    limits: outbound.Limits = LIMITS,
    kept: outbound.Kept | None = None,
) -> Reply:
    """Call an address and read the beginning of its answer.

    Unreachable when nothing left, Lost when something did and no status came back; outbound.Blocked
    when the address may not be called, or answers with a way to another one.
    """
    pieces: list[bytes] = []
    status, found = 0, {}
    try:
        with outbound.stream(
            url=url, method=method, headers=headers, body=body, limits=limits, kept=kept
        ) as answer:
            status, found = answer.status, dict(answer.headers)
            pieces.extend(answer.pieces)
    except outbound.TooMuch:
        pass  # the status came first, and it is what counts
    except outbound.Unreachable as error:
        if status:
            pass  # likewise
        elif error.sent:
            raise Lost(str(error)) from None
        else:
            raise Unreachable(str(error)) from None
    return Reply(status, found, b"".join(pieces)[:BODY_LIMIT])


def wait_asked(headers: Mapping[str, str]) -> float:
    """Seconds that Retry-After asks for, 0 without one, at most an hour."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        seconds = float(text[:9])
    else:
        try:
            at = parsedate_to_datetime(text)
        except ValueError:
            return 0.0
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        seconds = (at - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_WAIT)


def later(reply: Reply) -> Answer:
    """It was not taken, and may be another time."""
    return Answer(Verdict.RETRY, reply.text, wait_seconds=wait_asked(reply.headers))


def blocked(error: Refused) -> Answer:
    """The address of this one message may not be called."""
    return Answer(Verdict.FAILED, str(error))


def lost(error: Lost) -> Answer:
    return Answer(Verdict.UNKNOWN, str(error))
