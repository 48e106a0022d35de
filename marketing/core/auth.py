"""Who may do what: roles of people, scopes of keys, and how often a key may ask."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from marketing.core.errors import Invalid
from marketing.core.models import ApiKey, User

if TYPE_CHECKING:  # the REST framework loads this module while it is itself still loading
    from rest_framework.views import APIView

ADMIN, MARKETER, ANALYST, INTEGRATOR = "admin", "marketer", "analyst", "integrator"
ROLES = {
    ADMIN: gettext_lazy("Everything, including people, keys and the Django admin"),
    MARKETER: gettext_lazy("Segments, content, campaigns and imports"),
    ANALYST: gettext_lazy("Sees everything, changes nothing"),
    INTEGRATOR: gettext_lazy("Data, imports and API keys"),
}
ROLE_NAMES = {
    ADMIN: pgettext_lazy("role", "admin"),
    MARKETER: pgettext_lazy("role", "marketer"),
    ANALYST: pgettext_lazy("role", "analyst"),
    INTEGRATOR: pgettext_lazy("role", "integrator"),
}
# What each role may do on pages; `view` is everybody who signs in.
RIGHTS = {
    "view": {ADMIN, MARKETER, ANALYST, INTEGRATOR},
    "edit": {ADMIN, MARKETER},
    "data": {ADMIN, MARKETER, INTEGRATOR},
    "keys": {ADMIN, INTEGRATOR},
    "team": {ADMIN},
    # Copies of all that is known of a person, and erasing them.
    "privacy": {ADMIN},
    # Whose groups are watched, and letting a campaign start that chooses them unequally.
    "fairness": {ADMIN},
    # What the business is called and looks like in every mail.
    "brand": {ADMIN},
}
NOUNS = (
    "customers",
    "products",
    "orders",
    "events",
    "imports",
    "consents",
    "mentions",
    "sources",
    "segments",
    "recommendations",
    "models",
    "campaigns",
    "jobs",
    "privacy",
    "ads",
    "brand",
)
SCOPES = tuple(f"{noun}:{verb}" for noun in NOUNS for verb in ("read", "write"))
# What a key does only for makers who have the right themselves.
GUARDED = {"privacy:read": "privacy", "privacy:write": "privacy", "brand:write": "brand"}
USED_EVERY = timedelta(minutes=1)


def roles_of(user: User) -> set[str]:
    """The user's roles; a superuser is an admin. Kept on the instance for the request."""
    cached: set[str] | None = getattr(user, "_roles", None)
    if cached is None:
        cached = set(user.groups.values_list("name", flat=True)) & set(ROLES)
        if user.is_superuser:
            cached.add(ADMIN)
        user._roles = cached  # type: ignore[attr-defined]
    return cached


def may(user: Any, right: str) -> bool:
    """Whether a signed-in person has this right."""
    return bool(user and user.is_authenticated and roles_of(user) & RIGHTS[right])


def may_give(user: User | None, scope: str) -> bool:
    """Whether keys that somebody made may use this scope; None is the platform itself."""
    return user is None or scope not in GUARDED or may(user, GUARDED[scope])


def person(request: HttpRequest) -> User:
    """Who is signed in, on a page that `page` guards."""
    return cast(User, request.user)


def page(
    right: str = "view",
) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """Decorator of a page: sign in first, and hold this right or get a 403 that says so.

    With "edit", "data" or "keys" on a page that also shows things, guard only the changing view.
    """

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @login_required
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not may(request.user, right):
                raise PermissionDenied(
                    _("Your role may look at this but not change it. Ask an admin for more rights.")
                )
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def create_roles() -> None:
    """Make sure the four groups exist."""
    for name in ROLES:
        Group.objects.get_or_create(name=name)


def without_password(*, login: str) -> User:
    """Somebody of that name who cannot sign in, for what programs do; made where there is none."""
    found = User.objects.filter(username=login).first()
    return found or User.objects.create_user(login)


def _digest(secret: str) -> str:
    # The secret is 32 random bytes, so a plain hash cannot be guessed back and is fast to check.
    return hashlib.sha256(secret.encode()).hexdigest()


def create_key(
    *, name: str, scopes: list[str], user: User | None, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A new key and its secret text. The text is returned here and never again."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise Invalid(
            _("Choose at least one scope from the list."),
            code="unknown_scope",
            field="scopes",
            remedy=", ".join(unknown) or None,
        )
    if beyond := sorted(scope for scope in scopes if not may_give(user, scope)):
        raise Invalid(
            _("Only an admin makes a key with these scopes."),
            code="scope_beyond_role",
            field="scopes",
            remedy=", ".join(beyond),
        )
    if not name.strip():
        raise Invalid(_("Give the key a name."), code="name_missing", field="name")
    prefix = secrets.token_hex(4)
    secret = f"pk_{prefix}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        name=name.strip()[:100],
        prefix=prefix,
        digest=_digest(secret),
        scopes=sorted(set(scopes)),
        created_by=user,
        expires_at=expires_at,
    )
    return key, secret


def find_key(*, secret: str, now: datetime) -> ApiKey | None:
    """The key with this secret text, if it may be used now."""
    pieces = secret.split("_", 2)
    if len(pieces) != 3 or pieces[0] != "pk":
        return None
    key = ApiKey.objects.select_related("created_by").filter(prefix=pieces[1]).first()
    if (
        key is None
        or not hmac.compare_digest(key.digest, _digest(secret))
        or key.revoked_at is not None
        or (key.expires_at is not None and key.expires_at <= now)
        or (key.created_by is not None and not key.created_by.is_active)
    ):
        return None
    if key.last_used_at is None or now - key.last_used_at > USED_EVERY:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)
    return key


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer pk_…`. `request.auth` is the ApiKey, `request.user` its maker."""

    keyword = b"bearer"

    def authenticate(self, request: Request) -> tuple[User | None, ApiKey] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != self.keyword:
            return None
        secret = parts[1].decode("ascii", "replace") if len(parts) == 2 else ""
        key = find_key(secret=secret, now=timezone.now())
        if key is None:
            raise AuthenticationFailed(_("This API key is not valid or was revoked."))
        return key.created_by, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class HasScope(BasePermission):
    """Reading needs `<noun>:read`, anything else `<noun>:write`; a view names its `scope_noun`."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        noun: str = view.scope_noun  # type: ignore[attr-defined]
        reading = request.method in SAFE_METHODS or getattr(view, "reads_only", False)
        scope = f"{noun}:{'read' if reading else 'write'}"
        if isinstance(request.auth, ApiKey):
            return scope in request.auth.scopes and may_give(request.auth.created_by, scope)
        right = "view" if reading else ("data" if noun in NOUNS[:8] else "edit")
        return may(request.user, GUARDED.get(scope, right))


class KeyThrottle(SimpleRateThrottle):
    """So many requests a minute per key; DRF adds Retry-After to the 429."""

    scope = "key"

    def get_cache_key(self, request: Request, view: "APIView") -> str | None:
        if isinstance(request.auth, ApiKey):
            return f"throttle:{request.auth.prefix}"
        return f"throttle:user:{request.user.pk}" if request.user else None
