"""Taking many people out: the password again, so many a day, and an entry in the audit trail.

A colleague's session that was left open, or a colleague about to leave, is how lists of people are
lost. Pages refuse what is large until the password was given again; the API counts pages of people.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.cache import cache
from django.db import transaction
from django.db.models import BigIntegerField, Model, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.utils.translation import gettext as _

from marketing.core import audit, counting, refusals, signing_in
from marketing.core.auth import page, person
from marketing.core.errors import Forbidden, Refused
from marketing.core.models import ApiKey, AuditEntry, User
from marketing.core.passing import network_of
from marketing.core.wording import comma

TAKEN = "people.taken"
FRESH = timedelta(minutes=10)
DAY = timedelta(days=1)
_CONFIRMED = "password_at"


class TooMany(Refused):
    status = 429
    wait = 3_600


# --- the password again ------------------------------------------------------------------------


def is_confirmed(request: Any, now: datetime) -> bool:
    """Whether this session gave the password within the last ten minutes."""
    at = request.session.get(_CONFIRMED, 0.0)
    return 0 <= now.timestamp() - at <= FRESH.total_seconds()


@page("view")
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the password of whoever is signed in, and go back to where it was needed."""
    user, wanted = person(request), request.GET.get("next", "")
    back = (
        wanted if url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else reverse("home")
    )
    error = ""
    if request.method == "POST":
        tries = f"confirm:{user.pk}"
        if signing_in.is_over(tries, signing_in.TRIES):
            error = _("Too many tries with a wrong password. Wait %(n)d minutes and try again.") % {
                "n": signing_in.MINUTES
            }
        elif user.check_password(request.POST.get("password", "")):
            cache.delete(tries)
            request.session[_CONFIRMED] = timezone.now().timestamp()
            messages.success(request, _("You can go on now, for ten minutes."))
            return redirect(back)
        else:
            error = _("This is not your password.")
            if request.POST.get("password"):
                address = network_of(request.META)
                now = timezone.now()
                refusals.note(account=user, address=address, why=refusals.AGAIN, now=now)
    context = {"error": error, "back": back, "most": settings.DOWNLOAD_LARGE}
    return render(request, "core/confirm.html", context, status=422 if error else 200)


# --- pages -------------------------------------------------------------------------------------


def guard(
    request: HttpRequest, *, people: int, what: str, back: str, obj: Model | None = None
) -> HttpResponse | None:
    """Where to go instead of the download; None when it may begin, which is then written down."""
    now = timezone.now()
    if people > settings.DOWNLOAD_LARGE and not is_confirmed(request, now):
        return redirect(f"{reverse('core:confirm')}?{urlencode({'next': back})}")
    try:
        take(actor=person(request), people=people, what=what, obj=obj, now=now)
    except TooMany as refusal:
        messages.error(request, str(refusal))
        return redirect(back)
    return None


def take(
    *, actor: User | ApiKey, people: int, what: str, obj: Model | None = None, now: datetime
) -> None:
    """Write down that so many people leave. TooMany when the day's number would be passed."""
    with transaction.atomic():
        if isinstance(actor, User):  # two downloads at once are counted one after the other
            User.objects.select_for_update().only("pk").get(pk=actor.pk)
        if _taken(actor, now) + people > settings.DOWNLOAD_DAILY:
            raise _too_many()
        audit.record(actor=actor, action=TAKEN, obj=obj, detail={"people": people, "what": what})


def _taken(actor: User | ApiKey, now: datetime) -> int:
    rows = AuditEntry.objects.filter(action=TAKEN, at__gt=now - DAY).exclude(detail__what="api")
    rows = rows.filter(actor=actor if isinstance(actor, User) else actor.created_by)
    people = Cast(KT("detail__people"), BigIntegerField())
    return rows.aggregate(n=Sum(people))["n"] or 0


def _too_many() -> TooMany:
    return TooMany(
        _("Only %(n)s people may be taken out in a day.") % {"n": comma(settings.DOWNLOAD_DAILY)},
        code="too_many_people",
        remedy=_("Go on tomorrow, or ask whoever runs this installation for a higher number."),
    )


# --- the API -----------------------------------------------------------------------------------


def meter(request: Any, people: int) -> None:
    """Count a page of people that the API gives. Whenever another DOWNLOAD_LARGE are full, and
    before more than DOWNLOAD_DAILY, it is written down; a session gives its password first.
    """
    actor = request.auth if isinstance(request.auth, ApiKey) else request.user
    kind = "key" if isinstance(actor, ApiKey) else "user"
    total = counting.count(
        key=f"taken:{kind}:{actor.pk}", seconds=int(DAY.total_seconds()), times=people
    )
    if total is None or not people:
        return
    large, before = settings.DOWNLOAD_LARGE, total - people
    if kind == "user" and total > large and not is_confirmed(request, timezone.now()):
        counting.count(key=f"taken:{kind}:{actor.pk}", seconds=1, times=-people)
        raise Forbidden(
            _("So many people are given only to whoever gave their password again."),
            code="password_needed",
            remedy=_("Confirm it under /settings/confirm/, or use an API key."),
        )
    if total > settings.DOWNLOAD_DAILY:
        if before <= settings.DOWNLOAD_DAILY:
            _note(actor, before, refused=True)
        raise _too_many()
    if total // large > before // large:
        _note(actor, total)


def _note(actor: User | ApiKey, people: int, **more: Any) -> None:
    detail = {"people": people, "what": "api", **more}
    audit.record(actor=actor, action=TAKEN, detail=detail)
