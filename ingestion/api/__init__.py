"""The API of the facts: customers, products, orders, events and imports.

Writes take one object or a list of up to 1,000. A list is answered item by item and never fails as
a whole: good items are stored, the others say what is wrong with them.
"""
