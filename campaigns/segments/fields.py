"""What a rule may name: the only bridge from words to columns, and the list the builder offers.

A field's `column` is a Django look-up path from Customer. A name that is not here is refused, and
every value becomes a bound parameter.
"""

from dataclasses import dataclass
from functools import lru_cache

from django.db.models import Exists, OuterRef, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campaigns.segments.terms import CHOICE, DATE, FLAG, NUMBER, TEXT
from ingestion import consent
from ingestion.models import Identity
from models_ml.queries import TRAITS


@dataclass(frozen=True, slots=True)
class Field:
    """A thing to ask about a person: name in rules, label, kind (see `rules.OPS`), column, group
    in the menu.
    """

    name: str
    label: str | Promise
    kind: str
    column: str
    group: str
    unit: str = ""
    decimals: int = 0
    nullable: bool = True


WHO, BOUGHT, PREDICTED, CONSENT = "who", "bought", "predicted", "consent"
GROUPS = {
    WHO: _("Who they are"),
    BOUGHT: _("What they bought"),
    PREDICTED: _("What we predict"),
    CONSENT: _("What we may do"),
}

_OWN = (
    Field("can_email", _("can get marketing e-mail"), FLAG, "", CONSENT),
    Field("suppressed.email", _("are suppressed for e-mail"), FLAG, "", CONSENT),
    Field("suppressed.sms", _("are suppressed for SMS"), FLAG, "", CONSENT),
    Field("customer.country", _("country"), CHOICE, "country", WHO, nullable=False),
    Field("customer.language", _("language"), CHOICE, "language", WHO, nullable=False),
    Field("customer.email", _("e-mail address"), TEXT, "email", WHO),
    Field("customer.phone", _("phone number"), TEXT, "phone", WHO, nullable=False),
    Field("customer.first_name", _("first name"), TEXT, "first_name", WHO, nullable=False),
    Field("customer.last_name", _("last name"), TEXT, "last_name", WHO, nullable=False),
    Field("customer.external_id", _("customer number"), TEXT, "external_id", WHO),
    Field("customer.first_seen_at", _("first seen"), DATE, "first_seen_at", WHO),
    Field("rollup.first_order_at", _("first order"), DATE, "rollup__first_order_at", BOUGHT),
    Field("rollup.last_order_at", _("last order"), DATE, "rollup__last_order_at", BOUGHT),
)
_TRAITS = tuple(
    Field(
        f"traits.{t.name}",
        t.label,
        NUMBER,
        f"traits__{t.name}",
        PREDICTED if t.predicted else BOUGHT,
        t.unit,
        t.decimals,
    )
    for t in TRAITS
)
FIELDS: dict[str, Field] = {field.name: field for field in (*_OWN, *_TRAITS)}


@lru_cache(maxsize=1)
def kinds() -> dict[str, str]:
    """The kind of each field, as `rules.parse` wants it."""
    return {name: field.kind for name, field in FIELDS.items()}


def can_email() -> Q:
    """Has an address, agreed to marketing e-mail, and the address is not suppressed."""
    return reachable(channel="email", purpose="marketing")


def reachable(*, channel: str, purpose: str) -> Q:
    """Has an address on the channel, agreed to the purpose, and the address is not suppressed."""
    agreed = Q(consent.agreed(channel=channel, purpose=purpose))
    if channel == "email":
        return Q(email__isnull=False) & agreed & consent.open_to()
    if channel == "sms":
        return ~Q(phone="") & agreed & consent.open_to(channel=channel)
    device = Identity.objects.filter(customer=OuterRef("pk"), kind="device", refused=False)
    return Q(Exists(device)) & agreed
