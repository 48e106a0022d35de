"""What this app keeps of people: their picks."""

from django.utils.translation import gettext_lazy as _

from marketing.core.personal import Holding

HOLDINGS = [
    Holding(
        "recommendations_recommendation",
        _("Recommended products"),
        rows="customer_id = ANY(%(ids)s)",
    )
]
IMPERSONAL = {
    "recommendations_placement": "places where picks are shown",
    "recommendations_recommendationset": "sets of everybody's picks",
}
