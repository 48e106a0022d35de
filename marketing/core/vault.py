"""Secrets at rest: sealed with a key derived from SECRET_KEY, bound to the row that holds them.

A sealed text is `v1.<key id>.<nonce and ciphertext>`. The row's name is authenticated with it, so
that a sealed text copied to another row does not open there. After SECRET_KEY was changed, the old
one in SECRET_KEY_FALLBACKS opens what it had sealed, and `renew` seals it under the new one.
Secrets go in and are used; no page, answer, log or audit entry ever shows more than their ending.
"""

import base64
import binascii
import os
from collections.abc import Iterable
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.translation import gettext as _

from marketing.core.errors import Unavailable

VERSION = "v1"
_NONCE = 12
_SHOWN = 4
_SHOWN_FROM = 12  # of a shorter secret four characters would give too much away
MASK = "••••"


class Unreadable(Unavailable):
    """A sealed text that no key of this installation opens."""


@lru_cache(maxsize=8)
def _derive(secret_key: str) -> tuple[str, AESGCM]:
    material = HKDF(
        algorithm=SHA256(), length=40, salt=None, info=b"perennial vault " + VERSION.encode()
    ).derive(secret_key.encode())
    return material[32:].hex()[:8], AESGCM(material[:32])


def _keys() -> dict[str, AESGCM]:
    """Every key that may open something, the present one first."""
    return dict(_derive(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


def _bound(row: str) -> bytes:
    return f"{VERSION}:{row}".encode()


def seal(*, text: str, row: str) -> str:
    """`text` as it may be stored; `row` names the one place where it can be opened again."""
    key_id, key = _derive(settings.SECRET_KEY)
    nonce = os.urandom(_NONCE)
    packed = nonce + key.encrypt(nonce, text.encode(), _bound(row))
    return f"{VERSION}.{key_id}.{base64.urlsafe_b64encode(packed).decode()}"


def unseal(*, sealed: str, row: str) -> str:
    """The text that was sealed for this row. Unreadable when no key of ours opens it."""
    try:
        version, key_id, encoded = sealed.split(".")
        packed = base64.urlsafe_b64decode(encoded)
        key = _keys()[key_id]
        if version != VERSION:
            raise KeyError(version)
        return key.decrypt(packed[:_NONCE], packed[_NONCE:], _bound(row)).decode()
    except (ValueError, KeyError, InvalidTag, binascii.Error):
        raise Unreadable(
            _("A stored secret cannot be opened; nothing was sent."),
            code="secret_unreadable",
            remedy=_(
                "SECRET_KEY was probably changed. Put the old key into SECRET_KEY_FALLBACKS, or "
                "enter the secret again."
            ),
        ) from None


def is_current(sealed: str) -> bool:
    """Whether this was sealed with the present key, so that the fallbacks are not needed for it."""
    return sealed.startswith(f"{VERSION}.{_derive(settings.SECRET_KEY)[0]}.")


def renew(*, sealed: str, row: str) -> str:
    """The same secret under the present key."""
    return sealed if is_current(sealed) else seal(text=unseal(sealed=sealed, row=row), row=row)


def ending(*, sealed: str, row: str) -> str:
    """The last four characters of a long secret, to tell two apart; empty for a short one."""
    try:
        text = unseal(sealed=sealed, row=row)
    except Unreadable:
        return ""
    return text[-_SHOWN:] if len(text) >= _SHOWN_FROM else ""


def redact(text: str, secrets: Iterable[str]) -> str:
    """`text` without these secrets, for messages that a library made of what it was given."""
    for secret in sorted({s for s in secrets if s}, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text
