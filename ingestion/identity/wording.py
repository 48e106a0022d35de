"""Names, evidence and merges in words that a marketer reads."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.models import Merge, RefusedName

KINDS: dict[str, Any] = {
    "external": gettext_lazy("Customer number"),
    "email": gettext_lazy("E-mail"),
    "phone": gettext_lazy("Phone"),
    "device": gettext_lazy("Device"),
    "anonymous": gettext_lazy("Browser"),
    "person": gettext_lazy("Row"),
}
KIND_ICONS = {
    "external": "hash",
    "email": "mail",
    "phone": "phone",
    "device": "device-mobile",
    "anonymous": "world",
    "person": "user",
}
COLUMNS: dict[str, Any] = {
    "external_id": gettext_lazy("Customer number"),
    "email": gettext_lazy("E-mail"),
    "phone": gettext_lazy("Phone"),
    "first_name": gettext_lazy("First name"),
    "last_name": gettext_lazy("Last name"),
    "country": gettext_lazy("Country"),
    "language": gettext_lazy("Language"),
    "timezone": gettext_lazy("Time zone"),
}
EVIDENCE: dict[str, Any] = {
    "shared_email": gettext_lazy("Both were given this e-mail"),
    "shared_phone": gettext_lazy("Both were given this phone"),
    "shared_device": gettext_lazy("Both were seen on one device"),
    "shared_anonymous": gettext_lazy("Both were seen in one browser"),
    "phone": gettext_lazy("Same phone"),
    "mailbox": gettext_lazy("Same mailbox"),
    "local_part": gettext_lazy("Same mail name, other provider"),
    "name": gettext_lazy("Same name"),
    "name_turned": gettext_lazy("Same name, turned round"),
    "name_alike": gettext_lazy("Similar name"),
    "initial": gettext_lazy("Same surname and initial"),
    "name_differs": gettext_lazy("Different names"),
    "postcode": gettext_lazy("Same postcode"),
    "birthday": gettext_lazy("Same birthday"),
    "country": gettext_lazy("Same country"),
}
AGAINST: dict[str, Any] = {
    "postcode": gettext_lazy("Different postcodes"),
    "birthday": gettext_lazy("Different birthdays"),
    "country": gettext_lazy("Different countries"),
}


def evidence(pieces: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """What speaks for and against a pair, the weightiest first."""
    found = []
    for what, points, left, right in sorted(pieces, key=lambda piece: -abs(piece[1])):
        text = AGAINST.get(what, what) if points < 0 else EVIDENCE.get(what, what)
        text = EVIDENCE["name_differs"] if what == "name_differs" else text
        shown = left if left == right else f"{left} · {right}"
        found.append({"text": text, "points": points, "shown": shown, "for": points > 0})
    return found


def name(pair: Sequence[str]) -> str:
    """A name with its kind, in the middle of a sentence."""
    kind, value = pair
    texts = {
        "external": _("customer number %(value)s"),
        "email": _("the address %(value)s"),
        "phone": _("the phone %(value)s"),
        "device": _("the device %(value)s"),
        "anonymous": _("the browser %(value)s"),
    }
    return texts.get(kind, "%(value)s") % {"value": value}


def because(merge: Merge) -> str:
    """Why two people became one, as a sentence."""
    stronger, weaker = merge.evidence.get("stronger"), merge.evidence.get("weaker")
    if merge.kind == Merge.Kind.PERSON:
        return _("%(who)s decided that they are the same.") % {
            "who": merge.actor_label or _("Somebody")
        }
    if merge.kind == Merge.Kind.SUGGESTED:
        return _("%(who)s accepted the suggestion, %(score)s points sure.") % {
            "who": merge.actor_label or _("Somebody"),
            "score": merge.evidence.get("score", 0),
        }
    source = merge.source or _("a source")
    if merge.kind == Merge.Kind.ALIAS and stronger and weaker:
        return _("%(source)s said that %(weaker)s is now %(stronger)s.") % {
            "source": source,
            "weaker": name(weaker),
            "stronger": name(stronger),
        }
    if stronger and weaker:
        return _("%(source)s gave %(stronger)s together with %(weaker)s.") % {
            "source": source,
            "stronger": name(stronger),
            "weaker": name(weaker),
        }
    return _("Their names were found to belong together.")


def remedy(row: RefusedName) -> str:
    """What to do about a name that joins nobody."""
    if row.reason == RefusedName.Reason.PLACEHOLDER:
        return _("Send no name at all where nobody is known, instead of this one.")
    if row.reason == RefusedName.Reason.MANY_OWNERS:
        return _(
            "Probably a shared mailbox, switchboard or till. Leave it out where the source sends "
            "it, or allow it if it is really one person's."
        )
    return _(
        "Probably an account that many people use. Give each its own number; new browsers are no "
        "longer added to this one."
    )
