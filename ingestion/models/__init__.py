"""Tables of facts: where they came from, people, goods, orders and events."""

from ingestion.models.connectors import Connector, Pull, PulledFile
from ingestion.models.consent import Consent, Suppression
from ingestion.models.events import Event, EventKey
from ingestion.models.goods import Order, OrderLine, Product
from ingestion.models.mentions import Mention
from ingestion.models.people import Customer, CustomerRollup, Identity
from ingestion.models.sources import ImportJob, ImportTouch, Reject, Source

__all__ = [
    "Connector",
    "Consent",
    "Customer",
    "CustomerRollup",
    "Event",
    "EventKey",
    "Identity",
    "ImportJob",
    "ImportTouch",
    "Mention",
    "Order",
    "OrderLine",
    "Product",
    "Pull",
    "PulledFile",
    "Reject",
    "Source",
    "Suppression",
]
