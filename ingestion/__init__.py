"""Facts: people, consent, products, orders and events, and every way they come in.

Owns Source, ImportJob, Reject, Customer, CustomerRollup, Identity, Consent, Suppression, Product,
Order, OrderLine, Event and EventKey. Read first: `imports.py`, `events.py`, `queries.py`. It must
not know what anybody computes from the facts.
"""
