"""The addresses that stand in mails, made with this installation's secret."""

from functools import lru_cache
from typing import Any

from django.conf import settings
from minijinja import safe

from campaigns.messaging.links import Signer


@lru_cache(maxsize=4)
def _signer(secret: str) -> Signer:
    return Signer(secret)


def signer() -> Signer:
    """The signer of this installation."""
    return _signer(settings.SECRET_KEY)


def of_message(key: str) -> dict[str, Any]:
    """The values that carry a message's own addresses; `key` is its 32 hexadecimal digits."""
    opened, clicked, leave = signer().tokens(bytes.fromhex(key))
    site = settings.PUBLIC_URL.rstrip("/")
    # Safe: our own site and base64 only, so escaping would change nothing but slashes.
    return {
        "unsubscribe_url": safe(f"{site}/u/{leave}"),
        "_click": safe(f"{site}/c/{clicked}/"),
        "_open": safe(f"{site}/o/{opened}.gif"),
    }


def of_preview() -> dict[str, Any]:
    """The same values for a mail that is only looked at: nothing behind them acts."""
    site = settings.PUBLIC_URL.rstrip("/")
    return {"unsubscribe_url": safe(f"{site}/u/preview")}
