"""JSON objects from a caller → typed items, or what is wrong with them. Touches no database.

    fields       one field, typed
    facts        people, products, orders
    calls        events

Each reader raises Invalid with the field's name; a batch collects those by item.
"""

from ingestion.intake.calls import event
from ingestion.intake.facts import CHANNELS, CustomerItem, customer, order, product

__all__ = ["CHANNELS", "CustomerItem", "customer", "event", "order", "product"]
