"""Pages of the second factor: its code at the door, setting it up, and taking somebody's away."""

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from marketing.core import downloads, factors, refusals
from marketing.core.auth import page, person
from marketing.core.errors import Refused
from marketing.core.models import User
from marketing.core.passing import network_of


@login_not_required
@never_cache
@sensitive_post_parameters("code")
def code(request: HttpRequest) -> HttpResponse:
    """At the door, after the password: the code of the app, or a spare one."""
    user: User | None = getattr(request, "half", None)
    if user is None or not factors.is_on(user):
        return redirect("home")
    error = ""
    wanted = request.POST.get("next", request.GET.get("next", ""))
    if request.method == "POST":
        try:
            factors.check(user=user, code=request.POST.get("code", ""), now=timezone.now())
        except Refused as refusal:
            error = str(refusal)
            why = refusals.HELD if refusal.code == "too_many" else refusals.CODE
            address = network_of(request.META)
            refusals.note(account=user, address=address, why=why, now=timezone.now())
        else:
            factors.pass_gate(request, user)
            ours = url_has_allowed_host_and_scheme(
                wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
            )
            return redirect(wanted if ours else resolve_url(settings.LOGIN_REDIRECT_URL))
    context = {"error": error, "next": wanted}
    return render(request, "registration/code.html", context, status=422 if error else 200)


@never_cache
@page("view")
@sensitive_post_parameters("code")
def factor(request: HttpRequest) -> HttpResponse:
    """One's own second factor: set it up, renew the spare codes, turn it off."""
    user = person(request)
    if request.method == "POST":
        if not downloads.is_confirmed(request, timezone.now()):
            here = urlencode({"next": reverse("core:factor")})
            return redirect(f"{reverse('core:confirm')}?{here}")
        return _changed(request, user)
    return _shown(request, user)


def _changed(request: HttpRequest, user: User) -> HttpResponse:
    deed, code_, now = request.POST.get("do"), request.POST.get("code", ""), timezone.now()
    try:
        if deed == "begin":
            factors.begin(user=user, now=now)
        elif deed == "confirm" and factors.of(user) and not factors.is_on(user):
            spare = factors.confirm(user=user, code=code_, now=now)
            user.refresh_from_db()
            factors.pass_gate(request, user)
            return _shown(request, user, spare=spare)
        elif deed == "spare" and factors.is_on(user):
            return _shown(request, user, spare=factors.renew_spare(user=user))
        elif deed == "off" and factors.is_on(user):
            factors.turn_off(user=user, code=code_, now=now)
            messages.success(request, _("Your second factor is off."))
    except Refused as refusal:
        return _shown(request, user, error=str(refusal))
    return redirect("core:factor")


def _shown(
    request: HttpRequest, user: User, spare: list[str] | None = None, error: str = ""
) -> HttpResponse:
    found = factors.of(user)
    context: dict[str, Any] = {
        "factor": found,
        "on": factors.is_on(user),
        "needed": factors.must_have(user),
        "spare": spare,
        "error": error,
    }
    if found is not None and not context["on"]:
        secret = factors.secret_of(found)
        context |= {
            "secret": " ".join(secret[n : n + 4] for n in range(0, len(secret), 4)),
            "address": factors.address(found),
            "picture": factors.picture(found),
        }
    return render(request, "core/factor.html", context, status=422 if error else 200)


@page("team")
@require_POST
def reset(request: HttpRequest, user_id: int) -> HttpResponse:
    """Take away the factor of somebody who lost it."""
    if not downloads.is_confirmed(request, timezone.now()):
        here = urlencode({"next": reverse("core:team")})
        return redirect(f"{reverse('core:confirm')}?{here}")
    found = get_object_or_404(User, pk=user_id)
    try:
        factors.reset(user=found, actor=person(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        told = _("%(name)s signs in with the password alone now, and can set up another factor.")
        messages.success(request, told % {"name": found.display_name})
    return redirect("core:team")
