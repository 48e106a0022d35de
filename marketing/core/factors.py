"""A second factor beside the password: codes of an authenticator app (RFC 6238), spare codes.

Who signed in with the password alone is nobody yet, at every door alike: `Gate` hides them from
all that follows it. So no other way of signing in, and no new password, leads past the codes.
"""

import hashlib
import hmac
import secrets
from datetime import datetime, timedelta

import pyotp
import segno
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from marketing.core import audit, auth, brand, vault
from marketing.core.errors import Conflict, Invalid
from marketing.core.middleware import OfPeople
from marketing.core.models import SecondFactor, User

TRIES = 5
COOLS = timedelta(minutes=15)
STEP = 30  # seconds a code is shown; one before and one after are taken, for clocks that differ
SPARE = 10
_GIVEN = "factor"
_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"  # none that looks like another


class Backend(ModelBackend):
    """People with their second factor, in one query."""

    def get_user(self, user_id: int) -> User | None:
        user = User.objects.select_related("second_factor").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None


def of(user: User) -> SecondFactor | None:
    """The person's factor, set up or about to be."""
    return getattr(user, "second_factor", None)


def is_on(user: User) -> bool:
    factor = of(user)
    return factor is not None and factor.confirmed_at is not None


def must_have(user: User) -> bool:
    """Whether the person's role may do nothing without one."""
    wanted = settings.SECOND_FACTOR_FOR
    return bool(wanted) and bool(auth.roles_of(user) & wanted)


# --- the gate ----------------------------------------------------------------------------------


class Gate(OfPeople):
    """Hides people who owe their second factor, and leads them to where they give it."""

    def meet(self, request: HttpRequest, user: User) -> HttpResponse:
        if is_on(user):
            if request.session.get(_GIVEN) == _mark(user):
                return self.get_response(request)
            place = reverse("code")
        elif must_have(user):
            place = reverse("core:factor")
            if request.path in (place, reverse("core:confirm"), reverse("logout")):
                return self.get_response(request)
        else:
            return self.get_response(request)
        request.half = user  # type: ignore[attr-defined]
        if request.path != reverse("logout"):
            request.user = AnonymousUser()
        if request.method == "GET" and request.path in _doors():
            return _lead(place, request.GET.get("next", ""))
        answer = self.get_response(request)
        target = answer.headers.get("Location", "").partition("?")[0]
        if answer.status_code == 302 and target in _doors():
            return _lead(place, request.get_full_path() if request.method == "GET" else "")
        return answer


def _doors() -> tuple[str, str]:
    return reverse("login"), reverse("admin:login")


def _lead(place: str, wanted: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(f"{place}?{urlencode({'next': wanted})}" if wanted else place)


def _mark(user: User) -> str:
    """What a session says that gave this factor, and no earlier one."""
    factor = of(user)
    return f"{user.pk}:{factor.made_at.timestamp()}" if factor else ""


def pass_gate(request: HttpRequest, user: User) -> None:
    """This session gave the factor; it goes on under another key."""
    request.session.cycle_key()
    request.session[_GIVEN] = _mark(user)


# --- codes -------------------------------------------------------------------------------------


def _row(user_id: int) -> str:
    return f"core_secondfactor:{user_id}"


def secret_of(factor: SecondFactor) -> str:
    return vault.unseal(sealed=factor.secret, row=_row(factor.user_id))


def _digest(code: str) -> str:
    # Fifty random bits, tried five times a quarter of an hour: a plain hash is enough.
    return hashlib.sha256(code.encode()).hexdigest()


def _newer_step(factor: SecondFactor, code: str, now: datetime) -> int | None:
    """The step this code belongs to, if it is of about now and newer than the last one taken."""
    made = pyotp.TOTP(secret_of(factor))
    present = int(now.timestamp()) // STEP
    for step in (present, present - 1, present + 1):
        if hmac.compare_digest(made.generate_otp(step), code) and step > factor.counter:
            return step
    return None


def check(*, user: User, code: str, now: datetime) -> None:
    """Take one code, which counts never again; or Invalid. Wrong ones are counted for the account,
    whatever passwords were given in between.
    """
    text = "".join(code.split()).replace("-", "").upper()[:64]
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update().get(user=user)
        fresh = factor.tries_from is not None and now - factor.tries_from < COOLS
        tries = factor.tries if fresh else 0
        if tries >= TRIES:
            raise Invalid(
                _("Too many wrong codes. Wait %(n)d minutes and try again.")
                % {"n": COOLS.seconds // 60},
                code="too_many",
            )
        step = _newer_step(factor, text, now) if text.isascii() and text.isdigit() else None
        spare = _digest(text)
        taken = True
        if step is not None:
            factor.counter = step
        elif factor.confirmed_at is not None and spare in factor.recovery:
            factor.recovery = [kept for kept in factor.recovery if kept != spare]
            audit.record(
                actor=user, action="factor.spare_used", detail={"left": len(factor.recovery)}
            )
        else:
            taken = False
        factor.tries, factor.tries_from = (0, None) if taken else (tries + 1, now)
        factor.save(update_fields=["counter", "recovery", "tries", "tries_from"])
    if not taken:
        raise Invalid(_("This code is not right, or was used before."), code="wrong_code")


# --- setting it up -----------------------------------------------------------------------------


def begin(*, user: User, now: datetime) -> SecondFactor:
    """A new secret, which counts once a code of it was given. Conflict where one is on."""
    factor = SecondFactor.objects.filter(user=user).first()
    if factor is not None and factor.confirmed_at is not None:
        raise Conflict(_("Your second factor is on already."), code="factor_on")
    sealed = vault.seal(text=pyotp.random_base32(), row=_row(user.pk))
    made, _new = SecondFactor.objects.update_or_create(
        user=user,
        defaults={
            "secret": sealed, "made_at": now, "confirmed_at": None, "counter": 0, "recovery": [],
        },
    )  # fmt: skip
    return made


def address(factor: SecondFactor) -> str:
    """What authenticator apps read, as an otpauth address."""
    return pyotp.TOTP(secret_of(factor)).provisioning_uri(
        name=factor.user.username, issuer_name=brand.now().name
    )


def picture(factor: SecondFactor) -> str:
    """The same as a picture to point a camera at: a data address of an SVG."""
    drawn: str = segno.make(address(factor), error="m").svg_data_uri(scale=4, light="#fff")
    return drawn


def confirm(*, user: User, code: str, now: datetime) -> list[str]:
    """Turn it on with its first code; the spare codes, shown this once."""
    check(user=user, code=code, now=now)
    with transaction.atomic():
        SecondFactor.objects.filter(user=user).update(confirmed_at=now)
        audit.record(actor=user, action="factor.on")
        return _spare(user)


def renew_spare(*, user: User) -> list[str]:
    """Other spare codes; the earlier ones are void."""
    with transaction.atomic():
        audit.record(actor=user, action="factor.spare_renewed")
        return _spare(user)


def _spare(user: User) -> list[str]:
    codes = ["".join(secrets.choice(_LETTERS) for _n in range(10)) for _code in range(SPARE)]
    SecondFactor.objects.filter(user=user).update(recovery=[_digest(code) for code in codes])
    return [f"{code[:5]}-{code[5:]}" for code in codes]


def turn_off(*, user: User, code: str, now: datetime) -> None:
    """Go back to the password alone, with a code. Conflict for whose role needs the factor."""
    if must_have(user):
        raise Conflict(_("Your role needs a second factor."), code="factor_needed")
    check(user=user, code=code, now=now)
    SecondFactor.objects.filter(user=user).delete()
    audit.record(actor=user, action="factor.off")


def reset(*, user: User, actor: User) -> None:
    """Take away the factor of somebody who lost it; they sign in with the password and set up
    another. Conflict for one's own, which takes a code.
    """
    if user.pk == actor.pk:
        raise Conflict(_("Turn your own off with a code, on your own page."), code="own_factor")
    with transaction.atomic():
        gone, _details = SecondFactor.objects.filter(user=user).delete()
        if gone:
            audit.record(actor=actor, action="factor.reset", obj=user)


def renew_secrets() -> int:
    """Seal every secret under the present SECRET_KEY; how many."""
    stale = [f for f in SecondFactor.objects.all() if not vault.is_current(f.secret)]
    for factor in stale:
        factor.secret = vault.renew(sealed=factor.secret, row=_row(factor.user_id))
        factor.save(update_fields=["secret"])
    return len(stale)
