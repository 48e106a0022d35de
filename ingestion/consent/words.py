"""The words of consent: channels, purposes, reasons and methods."""

from typing import Any

from django.utils.translation import gettext_lazy

CHANNELS = ("email", "sms", "push")
# Where a person's address is known to us by itself; a browser that takes pushes says its own.
ADDRESSES = {"email": "email", "sms": "phone"}
# The purposes that are always there; the shop adds its own.
PURPOSES = ("marketing", "profiling")
REASONS = ("unsubscribed", "bounced", "complained", "manual", "imported", "erased")
# The channel of a suppression that stands for every one.
EVERY = "all"
# "*." stands before two to so many labels of a domain.
LABELS_MOST = 4
METHODS: dict[str, Any] = {
    "form": gettext_lazy("Form"),
    "double_opt_in": gettext_lazy("Confirmed by mail"),
    "preferences": gettext_lazy("Preference page"),
    "unsubscribe": gettext_lazy("Unsubscribe link"),
    "import": gettext_lazy("Imported file"),
    "api": gettext_lazy("API"),
    "verbal": gettext_lazy("Said in person"),
    "paper": gettext_lazy("On paper"),
    "implied": gettext_lazy("Implied by what they did"),
    "demo": gettext_lazy("Demo data"),
}
SAID, UNDATED, IMPLIED = 2, 1, 0
# Why somebody may not be written to, in the order in which the reasons are told.
NO_ADDRESS, SUPPRESSED, NO_CONSENT = "no_address", "suppressed", "no_consent"


def address_sql(channel: str, person: str) -> str:
    """SQL: where somebody (`person`: the alias of their row) is written to on a channel, given as
    SQL too; '' where a channel has no address of theirs."""
    known = " ".join(
        f"WHEN '{key}' THEN coalesce({person}.{column}, '')" for key, column in ADDRESSES.items()
    )
    return f"CASE {channel} {known} ELSE '' END"
