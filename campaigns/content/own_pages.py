"""Links to this platform itself, judged by what stands behind them here instead of being called.

From inside, the platform's own address often leads nowhere or into the local network, where nothing
is called; to readers it is the address that is known to work.
"""

from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from django.urls import Resolver404, ResolverMatch, resolve

from campaigns.messaging import addresses
from marketing.core import brand, outbound
from marketing.core.errors import Refused

# Pages that readers reach from their mail, without signing in.
_PUBLIC = frozenset(
    ["campaigns:unsubscribe", "campaigns:opened", "ingestion:subscribe", "ingestion:confirm",
     "ingestion:preferences", "ingestion:copy", "core:logo", "login"]
)  # fmt: skip
_TRACKED = "campaigns:clicked"
_DOORS = "doors"
FINE, SIGN_IN, NOTHING, UNSIGNED, CALL = "fine", "sign_in", "nothing", "unsigned", "call"


def _is_of(url: str, site: str) -> bool:
    try:
        return outbound.origin(url) == outbound.origin(site)
    except Refused:
        return False


def is_ours(url: str) -> bool:
    """Whether this address is of the platform itself."""
    return _is_of(url, settings.PUBLIC_URL)


def is_shop(url: str) -> bool:
    """Whether this address is of the shop, as the settings name it."""
    return _is_of(url, brand.now().site_url)


def judge(url: str) -> tuple[str, str]:
    """What a reader finds there: FINE, SIGN_IN, NOTHING, UNSIGNED, or CALL with where it leads."""
    parts = urlsplit(url)
    path = unquote(parts.path) or "/"
    if path.startswith(settings.STATIC_URL):
        there = finders.find(path.removeprefix(settings.STATIC_URL)) is not None
        return (FINE if there else NOTHING), ""
    found = _match(path)
    if found is None:
        return NOTHING, ""
    if found.view_name == _TRACKED:
        return _tracked(found.kwargs["mac"], (parse_qs(parts.query).get("u") or [""])[0])
    is_open = found.view_name in _PUBLIC or _DOORS in found.namespaces
    return (FINE if is_open else SIGN_IN), ""


def _match(path: str) -> ResolverMatch | None:
    for tried in (path, f"{path}/"):
        try:
            return resolve(tried)
        except Resolver404:
            continue
    return None


def _tracked(mac: str, target: str) -> tuple[str, str]:
    """A tracked link that somebody copied from a mail: where it leads is what counts."""
    to = addresses.signer().target(mac, target)
    return (CALL, to) if to else (UNSIGNED, "")
