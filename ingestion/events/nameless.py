"""Events whose only names are nobody's: refused at the door, since nobody did them."""

from collections.abc import Mapping
from datetime import datetime
from itertools import chain

from django.utils.translation import gettext as _

from ingestion.events.incoming import Incoming
from ingestion.identity import guard
from ingestion.identity.names import ANONYMOUS, DEVICE, EMAIL, EXTERNAL, PHONE, Name
from marketing.core.errors import Invalid

CODE = "placeholder_name"
FIELDS = {
    EXTERNAL: "external_id",
    EMAIL: "email",
    PHONE: "phone",
    DEVICE: "device_id",
    ANONYMOUS: "anonymous_id",
}


def faults(
    *,
    good: Mapping[int, Incoming],
    source: str,
    now: datetime,
    fields: Mapping[str, str] = FIELDS,
) -> dict[int, Invalid]:
    """Which of these events nobody is named by, and why, by their places.

    The names are put on the list of those that join nobody, where somebody may allow them. `fields`
    is what the sender calls each kind of name.
    """
    found: dict[int, Invalid] = {}
    suspects: dict[int, list[Name]] = {}
    doubtful = guard.doubtful(event.external_id for event in good.values())
    if not doubtful:
        return found
    for place, event in good.items():
        first = event.external_id
        if first and (first not in doubtful or not guard.is_placeholder((EXTERNAL, first))):
            continue
        told = _names(event)
        if not told:
            found[place] = Invalid(countryless(), code="no_country_code", field=fields[PHONE])
        elif all(map(guard.is_placeholder, told)):
            suspects[place] = told
    if not suspects:
        return found
    barred = guard.barred(chain.from_iterable(suspects.values()), source=source, now=now)
    for place, told in suspects.items():
        if barred.issuperset(told):
            found[place] = Invalid(message(), code=CODE, field=fields[told[0][0]])
    return found


def message() -> str:
    """Why such a name is not taken."""
    return _("This name stands for nobody, as “null” does. Send a name that is one person's.")


def countryless() -> str:
    """Why a phone number without its country is nobody's name: local digits are shared."""
    return _("Write the number with its country, such as +44 113 496 0000, or give another name.")


def _names(event: Incoming) -> list[Name]:
    told = (
        (EXTERNAL, event.external_id),
        (EMAIL, event.email),
        (PHONE, event.phone if event.phone[:1] == "+" else ""),
        (DEVICE, event.device_id),
        (ANONYMOUS, event.anonymous_id),
    )
    return [name for name in told if name[1]]
