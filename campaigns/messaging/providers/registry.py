"""Which providers there are, found by their folders, and a line to the channel that uses one."""

import logging
import pkgutil
import time
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.models import F
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns.messaging.providers.base import (
    Answer,
    Connection,
    Outgoing,
    Provider,
    Unreachable,
    Verdict,
)
from campaigns.messaging.providers.email_smtp.session import Server, SmtpConnection
from campaigns.messaging.talks import Talk, Talker
from campaigns.models import Channel
from marketing.core import vault
from marketing.core.errors import NotFound, Refused

logger = logging.getLogger(__name__)

# An address that answered nothing but failures for so long is turned off until somebody looks.
GIVE_UP = timedelta(days=5)
_NOTED_EVERY = 20.0


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """The folders."""
    here = str(Path(__file__).parent)
    return tuple(sorted(found.name for found in pkgutil.iter_modules([here]) if found.ispkg))


def load(name: str) -> type[Provider]:
    """What the folder of this name declares. NotFound for one there is not."""
    if name not in names():
        raise NotFound(_("There is no such provider."), code="unknown_provider", field="provider")
    found: type[Provider] = import_module(f"campaigns.messaging.providers.{name}").Provider
    return found


def everything() -> dict[str, type[Provider]]:
    """Every provider by its name."""
    return {name: load(name) for name in names()}


def row_of(channel: Channel, name: str) -> str:
    """The place to which a secret of a channel is bound."""
    return f"channel:{channel.public_id}:{name}"


def given_to(channel: Channel) -> dict[str, str]:
    """Settings with the secrets opened. For the one call that needs them; never for a page."""
    opened = {
        name: vault.unseal(sealed=sealed, row=row_of(channel, name))
        for name, sealed in channel.secrets.items()
    }
    own = {"from_address": channel.from_address, "hook_url": hook_url(channel)}
    return {**channel.settings, **opened, **own}


def hook_url(channel: Channel) -> str:
    """Where the provider reports what became of messages; empty for one that reports nothing."""
    if not load(channel.provider).hooks:
        return ""
    path = reverse("campaigns:channel-reports", args=[channel.public_id])
    return f"{settings.PUBLIC_URL.rstrip('/')}{path}"


def house_server() -> Server:
    """The mail server of the settings, which serves while there is no channel for mail."""
    return Server(
        host=settings.EMAIL_HOST,
        port=settings.EMAIL_PORT,
        username=settings.EMAIL_HOST_USER,
        password=settings.EMAIL_HOST_PASSWORD,
        security="starttls" if settings.EMAIL_USE_TLS else "none",
        timeout=settings.EMAIL_TIMEOUT,
    )


def find(*, kind: str, channel_id: int | None = None) -> Channel | None:
    """The channel meant: the one named, else the default of its kind. None when there is none."""
    if channel_id is not None:
        return Channel.objects.filter(pk=channel_id, kind=kind).first()
    return Channel.objects.filter(kind=kind, is_default=True).first()


def open(channel: Channel | None = None, *, kind: str = "email") -> Connection:
    """A line to a channel; for mail without one, to the mail server of the settings.

    It calls nobody yet. A channel that cannot be used gives a line whose `send` says why.
    """
    if channel is None:
        if kind == "email":
            return SmtpConnection(house_server())
        return Closed(
            _("No channel of this kind is set up. Nothing was sent; add one in Settings.")
        )
    if not channel.enabled:
        return Closed(
            _("The channel %(name)s is turned off. %(why)s")
            % {"name": channel.name, "why": channel.off_reason}
        )
    try:
        line = load(channel.provider).connect(given_to(channel))
        if isinstance(line, Talker):
            return WatchedTalker(channel.pk, line)
        return Watched(channel.pk, line)
    except (Refused, KeyError, ValueError) as error:
        return Closed(
            _("The channel %(name)s cannot be used: %(why)s") % {"name": channel.name, "why": error}
        )


class Closed:
    """A line that leads nowhere, and says why."""

    def __init__(self, why: str) -> None:
        self._why = why.strip()

    def send(self, outgoing: Outgoing) -> Answer:
        raise Unreachable(self._why)

    def close(self) -> None:
        """There is nothing to close."""


class Watched:
    """A line whose channel learns, every now and then, how it fares."""

    def __init__(self, channel_id: int, line: Connection) -> None:
        self._channel_id, self._line = channel_id, line
        self._noted, self._fine = 0.0, True

    def send(self, outgoing: Outgoing) -> Answer:
        try:
            answer = self._line.send(outgoing)
        except Unreachable as error:
            self._note(fine=False, why=str(error))
            raise
        self._learn(answer)
        return answer

    def _learn(self, answer: Answer) -> None:
        if answer.verdict is Verdict.SENT:
            self._note(fine=True)
        elif answer.verdict is not Verdict.FAILED:
            self._note(fine=False, why=answer.text)

    def _note(self, *, fine: bool, why: str = "") -> None:
        now = time.monotonic()
        if self._noted and fine is self._fine and now - self._noted < _NOTED_EVERY:
            return
        self._noted, self._fine = now, fine
        said = "" if fine else why or "?"
        try:
            note(channel_id=self._channel_id, error=said, now=timezone.now())
        except DatabaseError:  # the provider has answered, and that is worth more
            logger.exception("how channel %s fares could not be noted", self._channel_id)
            connection.close_if_unusable_or_obsolete()

    def close(self) -> None:
        self._line.close()


class WatchedTalker(Watched):
    """The same for a line that talks in steps."""

    def __init__(self, channel_id: int, line: Talker) -> None:
        super().__init__(channel_id, line)
        self._talker = line

    @property
    def is_ready(self) -> bool:
        return self._talker.is_ready

    def make_ready(self) -> None:
        self._talker.make_ready()

    def talk(self, outgoing: Outgoing) -> Talk:
        try:
            answer = yield from self._talker.talk(outgoing)
        except Unreachable as error:
            self._note(fine=False, why=str(error))
            raise
        self._learn(answer)
        return answer


def note(*, channel_id: int, error: str, now: datetime) -> None:
    """Keep how a channel fared; one that did nothing but fail for days is turned off."""
    row = Channel.objects.filter(pk=channel_id)
    if not error:
        row.update(last_ok_at=now, failing_since=None)
        return
    row.update(
        last_error=error[:500], last_error_at=now, failing_since=Coalesce(F("failing_since"), now)
    )
    row.filter(enabled=True, failing_since__lt=now - GIVE_UP).update(
        enabled=False,
        off_reason=_("Nothing but failures for %(n)d days, so it was turned off.")
        % {"n": GIVE_UP.days},
    )
