"""Signing in, and how often it may be tried with a wrong password."""

import hashlib
from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.core.cache import cache
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from marketing.core import audit, counting, refusals
from marketing.core.passing import network_of

TRIES = 5  # of one account from one address
TRIES_OF_ADDRESS = 50  # of any accounts
MINUTES = 15


class _Counted(AuthenticationForm):
    """Each try is counted before its password is looked at, so that many at once pass no further.

    An account is held back for the address that tries it alone: nobody can lock somebody else out.
    """

    door = "pages"

    def has_too_many_tries(self) -> bool:
        """Whether that is what is wrong, for the page."""
        return self.has_error(NON_FIELD_ERRORS, code="too_many")

    def clean(self) -> dict[str, Any]:
        address = network_of(self.request.META) if self.request else ""
        name = str(self.cleaned_data.get("username", "")).strip().casefold()
        ours = f"sign-in:{hashlib.sha256((address + '/' + name).encode()).hexdigest()}"
        if is_over(ours, TRIES) or is_over(f"sign-in-from:{address}", TRIES_OF_ADDRESS):
            self._refused(address, refusals.HELD)
            raise ValidationError(
                _("Too many tries with a wrong password. Wait %(n)d minutes and try again.")
                % {"n": MINUTES},
                code="too_many",
            )
        try:
            found: dict[str, Any] = super().clean()
        except ValidationError:
            right = self.get_user() is not None  # and yet not let in by this door
            self._refused(address, refusals.NO_RIGHT if right else refusals.PASSWORD)
            raise
        counting.count(key=f"sign-in-from:{address}", seconds=MINUTES * 60, times=-1)
        cache.delete(ours)
        audit.record(actor=self.get_user(), action="user.signed_in", detail={"door": self.door})
        return found

    def _refused(self, address: str, why: str) -> None:
        account = refusals.account_of(str(self.cleaned_data.get("username", "")))
        refusals.note(account=account, address=address, why=why, now=timezone.now())


def is_over(key: str, most: int) -> bool:
    """Whether this was tried more often than that in a quarter of an hour; counts this try."""
    times = counting.count(key=key, seconds=MINUTES * 60)
    return times is not None and times > most


class SignIn(_Counted):
    """At the door of everybody."""


class AdminSignIn(_Counted, AdminAuthenticationForm):
    """At the door of the admin, which is the same one."""

    door = "admin"
