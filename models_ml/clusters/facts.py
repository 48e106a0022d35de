"""What of people clusters may look at: numbers of the feature registry, as they are now."""

from collections.abc import Sequence
from typing import Any

from django.utils.translation import gettext as _

from marketing.core.errors import Invalid
from models_ml.features import registry
from models_ml.features.registry import NUMBER, Feature

# Amounts: of money and of things. Twice as much is as far for the small as for the large.
AMOUNTS = ("money", "count")
FEWEST, MOST = 2, 12
USUAL = ("recency_days", "orders", "avg_order_value", "tenure_days", "products")
USUAL_EVERYONE = ("visits_90d", "views_90d", "carts_90d", "orders", "revenue")
# What every group is worth, whatever it was found by.
WORTH = ("orders", "revenue")
OFFERED = {f.name: f for f in registry.FEATURES if f.kind == NUMBER}


def usual(*, who: str) -> tuple[str, ...]:
    """The facts that are taken if nobody chooses."""
    return USUAL if who == "buyers" else USUAL_EVERYONE


def check(chosen: Any) -> list[str]:
    """The chosen names in the order of the registry; Invalid for too few, too many or unknown."""
    if not isinstance(chosen, Sequence) or isinstance(chosen, str):
        raise _invalid(_("Choose the facts that people are compared by."))
    wanted = set(chosen)
    if unknown := sorted(str(name) for name in wanted if name not in OFFERED):
        raise _invalid(_("There is no fact called “%(name)s”.") % {"name": unknown[0][:80]})
    if not FEWEST <= len(wanted) <= MOST:
        raise _invalid(_("Choose %(least)d to %(most)d facts.") % {"least": FEWEST, "most": MOST})
    return [name for name in OFFERED if name in wanted]


def features(names: Sequence[str]) -> list[Feature]:
    """The chosen facts, then those that say what a group is worth, each once."""
    return [OFFERED[name] for name in dict.fromkeys((*names, *WORTH))]


def logs(names: Sequence[str]) -> list[bool]:
    """Of which facts the logarithm is taken."""
    return [OFFERED[name].unit in AMOUNTS for name in names]


def _invalid(message: str) -> Invalid:
    return Invalid(message, code="facts_invalid", field="facts", remedy=_("Nothing was changed."))
