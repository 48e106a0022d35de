"""Products that may be shown at all, and what is known of each: aligned arrays."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from recommendations.rules.terms import Allow, Rules

Array = np.ndarray[Any, np.dtype[Any]]

# Where ids lie this close together, many products are found by a table instead of by searching.
DENSE = 16


@dataclass(frozen=True)
class Shelf:
    """Sorted ids (m,) and what is known of each.

    `category` and `brand`: a number each (-1: none), which `categories` and `brands` name; `price`
    (NaN: none); `margin` as a part of the price (NaN: unknown); `age` in days; `picture`: has one.
    What is None is not known of any product.
    """

    ids: Array
    category: Array
    brand: Array | None = None
    price: Array | None = None
    margin: Array | None = None
    age: Array | None = None
    picture: Array | None = None
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()

    def place(self, items: Array) -> Array:
        """Positions of `items` on the shelf, -1 for what is not on it."""
        if not len(self.ids):
            return np.full(items.shape, -1, dtype=np.int64)
        low, high = int(self.ids[0]), int(self.ids[-1])
        if items.size > len(self.ids) and high - low <= DENSE * len(self.ids):
            table = np.full(high - low + 3, -1, dtype=np.int64)
            table[self.ids - low + 1] = np.arange(len(self.ids))
            return table[np.clip(items - low + 1, 0, high - low + 2)]
        at = np.searchsorted(self.ids, items)
        at[at == len(self.ids)] = 0
        return np.where(self.ids[at] == items, at, -1)

    def only(self, keep: Array) -> Shelf:
        """The shelf with the products at which `keep` (m,) is true."""
        taken: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            taken[field.name] = value[keep] if isinstance(value, np.ndarray) else value
        return Shelf(**taken)

    def under(self, rules: Rules) -> Shelf:
        """What the rules leave of it for everybody."""
        keep = np.ones(len(self.ids), dtype=bool)
        if rules.without_categories:
            keep &= ~self._named(self.category, self.categories, rules.without_categories)
        if rules.without_brands:
            keep &= ~self._named(self.brand, self.brands, rules.without_brands)
        if rules.price_min is not None and self.price is not None:
            keep &= self.price >= rules.price_min
        if rules.price_max is not None and self.price is not None:
            keep &= self.price <= rules.price_max
        if rules.max_age_days and self.age is not None:
            keep &= self.age <= rules.max_age_days
        if rules.with_picture and self.picture is not None:
            keep &= self.picture
        return self if keep.all() else self.only(keep)

    def allowed(self, allow: Allow) -> Array:
        """(m,) of bool: what people of this group may see."""
        keep = np.ones(len(self.ids), dtype=bool)
        if allow.categories:
            keep &= self._named(self.category, self.categories, allow.categories)
        if allow.brands:
            keep &= self._named(self.brand, self.brands, allow.brands)
        return keep

    def boost(self, rules: Rules) -> Array | None:
        """(m,) by how much each product counts for more; None where all count the same."""
        factor = np.ones(len(self.ids))
        if rules.margin_boost and self.margin is not None:
            factor += rules.margin_boost * np.clip(np.nan_to_num(self.margin), 0.0, 1.0)
        if rules.fresh_boost and rules.fresh_days and self.age is not None:
            factor += rules.fresh_boost * np.clip(1 - self.age / rules.fresh_days, 0.0, 1.0)
        return None if (factor == 1.0).all() else factor

    def _named(self, codes: Array | None, names: tuple[str, ...], wanted: tuple[str, ...]) -> Array:
        if codes is None:
            return np.zeros(len(self.ids), dtype=bool)
        return np.isin(codes, [code for code, name in enumerate(names) if name in wanted])
