"""What this app keeps of people: their picks, and where they were shown some."""

from django.utils.translation import gettext_lazy as _

from marketing.core.personal import Holding, Retained
from recommendations.models import PICKED_SETS

HOLDINGS = [
    Holding(
        "recommendations_picklist",
        _("Recommended products"),
        rows=f"set_id = ANY(ARRAY({PICKED_SETS})) AND customer_id = ANY(%(ids)s)",
    ),
    Holding(
        "recommendations_offerchoice",
        _("Offers chosen for them"),
        rows="customer_id = ANY(%(ids)s)",
    ),
    Holding(
        "recommendations_visitor",
        _("Places where picks were shown to them"),
        rows="customer_id = ANY(%(ids)s) OR unit = ANY(SELECT 'a:' || d FROM unnest"
        "(%(devices)s::text[]) AS d)",
    ),
]
IMPERSONAL = {
    "recommendations_placement": "places where picks are shown",
    "recommendations_offerplan": "offers, their budgets and sums over people",
    "recommendations_recommendationset": "sets of everybody's picks",
    "recommendations_linkset": "sets of links between products",
    "recommendations_visitormark": "how far events were counted",
    "recommendations_productlink": "which products go together",
}
RETAINED = [
    Retained(
        "visitors",
        _("Visitors to whom picks were shown"),
        "recommendations_visitor",
        "last_at < %(before)s",
        "t.last_at",
        days=730,
        least=90,
    ),
]
