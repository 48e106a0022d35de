"""What may be shown: the shop's rules over candidates, arrays in, arrays out.

    terms      the rules as a placement stores them, read and refused
    shelf      products that may be shown at all, and what is known of them
    applying   candidates of many people → what is shown to each
    diversity  unlike products before like ones
    novelties  the share of places that new products get
    costs      what the rules change, and what that costs in the engine's own order

Nothing here knows a database.
"""

from recommendations.rules.applying import NOTHING, Limits, Owned, apply, compress, fill_up
from recommendations.rules.novelties import give_places
from recommendations.rules.shelf import Shelf
from recommendations.rules.terms import Allow, BadRule, Rules

__all__ = [
    "NOTHING",
    "Allow",
    "BadRule",
    "Limits",
    "Owned",
    "Rules",
    "Shelf",
    "apply",
    "compress",
    "fill_up",
    "give_places",
]
