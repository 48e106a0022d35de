"""Who is asking, when a person's own browser or app asks: a word that the shop's server signed.

A JSON Web Token with HS256 and the inbox channel's secret: `sub` is the shop's own number of the
person, `exp` when it ends. Nothing else is taken: no other algorithm, and no token without an end.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime
from typing import Any

import orjson
from django.utils.translation import gettext as _

from campaigns.messaging import providers
from campaigns.messaging.providers import registry
from ingestion.models import Customer
from marketing.core import vault
from marketing.core.errors import Refused

LONGEST_DAYS = 31
_LIMIT = 4_000


class NotKnown(Refused):
    """No valid token."""

    status = 401


def _refuse(why: str) -> NotKnown:
    return NotKnown(
        why, code="bad_token", remedy=_("Let the shop's server sign a new one for this person.")
    )


def _part(text: str) -> Any:
    return orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def person(*, token: str, now: datetime) -> Customer:
    """The person a token names. NotKnown for one that is forged, over or for nobody known."""
    channel = providers.find(kind="inbox")
    sealed = channel.secrets.get("secret", "") if channel else ""
    if channel is None or not channel.enabled or not sealed:
        raise _refuse(_("No inbox is set up here, so no token can be checked."))
    secret = vault.unseal(sealed=sealed, row=registry.row_of(channel, "secret"))
    try:
        signed, _dot, mac = token[:_LIMIT].rpartition(".")
        head, _dot, said = signed.partition(".")
        wanted = hmac.new(secret.encode(), signed.encode("ascii"), hashlib.sha256).digest()
        given = base64.urlsafe_b64decode(mac + "=" * (-len(mac) % 4))
        is_right = hmac.compare_digest(wanted, given) and _part(head).get("alg") == "HS256"
        claims = _part(said) if is_right else None
    except (ValueError, AttributeError, binascii.Error):
        claims = None
    if not isinstance(claims, dict):
        raise _refuse(_("This token was not signed with the inbox's secret."))
    ends = claims.get("exp")
    begins = claims.get("nbf", 0)
    moment = now.timestamp()
    if not isinstance(ends, int | float) or not isinstance(begins, int | float):
        raise _refuse(_("This token does not say when it ends (exp)."))
    if ends <= moment or begins > moment + 60 or ends > moment + LONGEST_DAYS * 86_400:
        raise _refuse(
            _("This token is over, not valid yet, or good for more than %(n)d days.")
            % {"n": LONGEST_DAYS}
        )
    number = claims.get("sub")
    found = (
        Customer.objects.filter(external_id=number).first()
        if isinstance(number, str) and number and "\0" not in number
        else None
    )
    if found is None:
        raise _refuse(_("Nobody is known by the number in this token (sub)."))
    return found
