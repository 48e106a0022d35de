"""Letting programs in where they come often: keys remembered for seconds, requests counted here.

Both are held by each web process for itself, so that a request costs no question to the database
or the cache and goes on while the cache is down. A revoked key is refused within four seconds; a
limit holds for each process.
"""

import hashlib
import ipaddress
import math
import time
from collections.abc import Mapping
from typing import Any, cast

from django.conf import settings
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled

from marketing.core import auth
from marketing.core.models import ApiKey

REMEMBERED = 4.0  # seconds
KEPT = 10_000
_keys: dict[bytes, tuple[float, ApiKey]] = {}
_buckets: dict[str, tuple[float, float]] = {}
# What is not signed by us: so many at once from one address, and so many a second after that.
FORGED = (60.0, 1.0)
_forgers: dict[str, tuple[float, float]] = {}
_rate: tuple[str, float, float] = ("", 1.0, 1.0)


def admit(header: str, *, scope: str, meta: Mapping[str, Any] | None = None) -> ApiKey:
    """The key named in an Authorization header; it must hold the scope and be within its rate.

    Raises AuthenticationFailed, PermissionDenied or Throttled. With the `meta` of the request, the
    address it came from may name few keys that are none.
    """
    word, _space, secret = header.strip().partition(" ")
    key = _known(secret.strip()) if word.lower() == "bearer" else None
    if key is None:
        if meta is not None and (seconds := forged(meta)):
            raise Throttled(wait=seconds)
        raise AuthenticationFailed(_("This API key is not valid or was revoked."))
    if scope not in key.scopes:
        raise PermissionDenied
    seconds = wait(key.prefix)
    if seconds:
        raise Throttled(wait=seconds)
    return key


def forget() -> None:
    """Know no key and no count any more."""
    _keys.clear()
    _buckets.clear()
    _forgers.clear()


def address_of(meta: Mapping[str, Any]) -> str:
    """The address a request came from; behind a proxy the one that it names last."""
    address: str = meta.get("REMOTE_ADDR") or ""
    if settings.SECURE_PROXY_SSL_HEADER:
        address = (meta.get("HTTP_X_FORWARDED_FOR") or address).rpartition(",")[2].strip()
    return address


def network_of(meta: Mapping[str, Any]) -> str:
    """The address a request came from; of IPv6 the network, since whoever has one has all of it."""
    address = address_of(meta)
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address, 64), strict=False))
    except ValueError:
        return "unknown"


def forged(meta: Mapping[str, Any]) -> float:
    """Count a request whose signature or key is not ours: 0, or in how many seconds to come again.

    Only what is wrong is counted and held back, so whoever shares an address with a forger is
    served as ever.
    """
    return _spent(_forgers, network_of(meta), *FORGED)


def held_back(meta: Mapping[str, Any]) -> HttpResponse | None:
    """What an address hears that keeps coming with what is not ours; None: answer as ever."""
    seconds = forged(meta)
    if not seconds:
        return None
    response = HttpResponse(status=429)
    response["Retry-After"] = str(math.ceil(seconds))
    response["Cache-Control"] = "no-store"
    return response


def _known(secret: str) -> ApiKey | None:
    mark = hashlib.sha256(secret.encode()).digest()
    clock = time.monotonic()
    kept = _keys.get(mark)
    if kept is not None and kept[0] > clock:
        return kept[1]
    key = auth.find_key(secret=secret, now=timezone.now())
    if key is None:
        _keys.pop(mark, None)
        return None
    if len(_keys) >= KEPT:
        _keys.clear()
    _keys[mark] = (clock + REMEMBERED, key)
    return key


def wait(name: str, *, limits: tuple[float, float] | None = None) -> float:
    """0 and one request counted, or in how many seconds to come again.

    `limits`: how many may come at once and how many a second after that; else those of API keys.
    """
    return _spent(_buckets, name, *(limits or _limits()))


def _spent(buckets: dict[str, tuple[float, float]], name: str, size: float, rate: float) -> float:
    clock = time.monotonic()
    tokens, at = buckets.get(name, (size, clock))
    tokens = min(size, tokens + (clock - at) * rate)
    if tokens < 1:
        buckets[name] = (tokens, clock)
        return (1 - tokens) / rate
    if len(buckets) >= KEPT:
        buckets.clear()
    buckets[name] = (tokens - 1, clock)
    return 0.0


def _limits() -> tuple[float, float]:
    """How many requests may come at once, and how many a second after that."""
    global _rate
    rest: dict[str, Any] = settings.REST_FRAMEWORK
    text: str = rest["DEFAULT_THROTTLE_RATES"]["key"]
    if text != _rate[0]:
        number, seconds = cast(tuple[int, int], auth.KeyThrottle().parse_rate(text))
        _rate = (text, number, number / seconds)
    return _rate[1], _rate[2]
