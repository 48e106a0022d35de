"""Which providers there are, found by their folders, and a line to one of them."""

import pkgutil
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from campaigns.messaging.providers.base import Connection, Provider
from campaigns.messaging.providers.email_smtp.session import Server, SmtpConnection
from marketing.core.errors import NotFound


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


def open(channel: Any = None) -> Connection:
    """A line to a channel; without one, to the mail server of the settings."""
    return SmtpConnection(house_server())
