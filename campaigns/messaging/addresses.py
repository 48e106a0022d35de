"""The addresses that stand in mails, made with this installation's secret."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from minijinja import safe

from campaigns.messaging.links import Signer
from campaigns.messaging.tags import Tagger

# Where people unsubscribe, confirm and say what they want: no statistics of visits there.
_OWN_PAGES = ("/u/", "/preferences/", "/confirm/", "/copy/", "/subscribe/")


@lru_cache(maxsize=4)
def _signer(secret: str) -> Signer:
    return Signer(secret)


def signer() -> Signer:
    """The signer of this installation."""
    return _signer(settings.SECRET_KEY)


def tagger(said: Mapping[str, str] | None) -> Tagger | None:
    """What adds these words to links; None when there are none."""
    if not said:
        return None
    site = settings.PUBLIC_URL.rstrip("/")
    return Tagger(said, tuple(f"{site}{page}" for page in _OWN_PAGES))


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
