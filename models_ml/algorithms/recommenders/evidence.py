"""What is known of a person, a product and the two together as of a moment, in numbers.

It is made of purchases before that moment and of what is said of goods, so that whoever learns from
it at one moment and answers at a later one never sees what lay between.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from models_ml.algorithms.data import DAY, Array, IdMap, Interactions
from models_ml.algorithms.recommenders.content import Goods

# Days that stand for "never".
NEVER = 3_650.0
LATELY = (7.0, 30.0, 90.0)
NAMES = (
    "buyers", "buyers_7", "buyers_30", "buyers_90", "known_days", "price",
    "orders", "products", "recency_days", "tenure_days", "order_every_days", "basket",
    "usual_price", "price_to_usual", "category_share", "category_days", "owned", "owned_days",
)  # fmt: skip


@dataclass(frozen=True)
class Evidence:
    """Purchases up to a moment (seconds since 1970) and goods; columns are those of NAMES."""

    data: Interactions
    goods: Goods
    until: float

    @classmethod
    def of(cls, data: Interactions, goods: Goods | None = None) -> Evidence:
        told = goods or Goods(np.empty(0, dtype=np.int64), [], [], np.empty(0))
        return cls(data, told, float(data.span[1].astype("datetime64[s]").astype(np.int64)) + 1)

    @cached_property
    def items(self) -> IdMap:
        return IdMap.of(np.concatenate([self.data.items.ids, self.goods.ids]))

    @property
    def users(self) -> IdMap:
        return self.data.users

    @cached_property
    def _rows(self) -> tuple[Array, Array, Array]:
        """Of each purchase: person, product, days before the moment."""
        ago = (self.until - self.data.at.astype("datetime64[s]").astype(np.int64)) / _SECONDS
        return self.users.encode(self.data.user), self.items.encode(self.data.item), ago

    @cached_property
    def _category(self) -> Array:
        """(items,) the number of each product's category, 0 where it has none."""
        names = {name: n for n, name in enumerate(sorted({*self.goods.category} - {""}), start=1)}
        found = np.zeros(len(self.items), dtype=np.int64)
        found[self.items.encode(self.goods.ids)] = [
            names.get(one, 0) for one in self.goods.category
        ]
        return found

    @cached_property
    def _price(self) -> Array:
        """(items,) logarithms of prices; NaN where none is known."""
        found = np.full(len(self.items), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            price = np.log(np.asarray(self.goods.price, dtype=float))
        found[self.items.encode(self.goods.ids)] = np.where(np.isfinite(price), price, np.nan)
        return found

    @cached_property
    def of_items(self) -> Array:
        """(items, 6): how many bought it, ever and lately, how long it is known, its price."""
        user, item, ago = self._rows
        columns = []
        for days in (np.inf, *LATELY):
            near = ago <= days
            pairs = np.unique(item[near] * max(1, len(self.users)) + user[near])
            buyers = np.bincount(pairs // max(1, len(self.users)), minlength=len(self.items))
            columns.append(np.log1p(buyers))
        known = np.zeros(len(self.items))
        np.maximum.at(known, item, ago)
        return np.stack([*columns, known, self._price], axis=1).astype(np.float32)

    @cached_property
    def of_users(self) -> Array:
        """(users, 7): how often, how much and how lately each bought, and at what price."""
        user, item, ago = self._rows
        n = len(self.users)
        moments = np.unique(np.stack([user, np.rint(ago * _SECONDS).astype(np.int64)]), axis=1)
        orders = np.bincount(moments[0], minlength=n)
        pairs = np.unique(user * max(1, len(self.items)) + item)
        products = np.bincount(pairs // max(1, len(self.items)), minlength=n)
        last, first = np.full(n, NEVER), np.zeros(n)
        np.minimum.at(last, user, ago)
        np.maximum.at(first, user, ago)
        every = np.divide(first - last, orders - 1, out=np.full(n, np.nan), where=orders > 1)
        price = self._price[item]
        priced = np.isfinite(price)
        total = np.bincount(user[priced], weights=price[priced], minlength=n)
        count = np.bincount(user[priced], minlength=n)
        usual = np.divide(total, count, out=np.full(n, np.nan), where=count > 0)
        lines = np.bincount(user, minlength=n) / np.maximum(orders, 1)
        told = [np.log1p(orders), np.log1p(products), last, first, every, lines, usual]
        return np.stack(told, axis=1).astype(np.float32)

    @cached_property
    def _owned(self) -> _Counts:
        user, item, ago = self._rows
        return _Counts.of(user, item, ago, len(self.items))

    @cached_property
    def _liked(self) -> _Counts:
        user, item, ago = self._rows
        kind = self._category[item]
        return _Counts.of(user[kind > 0], kind[kind > 0], ago[kind > 0], self._category.max() + 1)

    def columns(self, users: Array, items: Array) -> Array:
        """(n, c, columns) for ids of people (n,) and of products (n, c); NaN: not known."""
        row, place = self.users.encode(users), self.items.encode(items)
        known = np.broadcast_to((row >= 0)[:, None] & (place >= 0), items.shape)
        row, place = np.maximum(row, 0), np.maximum(place, 0)
        wide = np.broadcast_to(row[:, None], items.shape)
        mine, its = self.of_users[wide], self.of_items[place]
        times, days = self._owned.find(wide, place)
        kinds, kind_days = self._liked.find(wide, self._category[place])
        lines = np.maximum(np.expm1(mine[..., 0]) * mine[..., 5], 1.0)
        pair = np.stack(
            [its[..., 5] - mine[..., 6], kinds / lines, kind_days, times, days], axis=-1
        )
        found = np.concatenate([its, mine, pair], axis=-1, dtype=np.float32)
        found[~known] = np.nan
        return found


_SECONDS = float(DAY.astype(np.int64))


@dataclass(frozen=True)
class _Counts:
    """How often a person (first number) did something with a thing, and days since the last."""

    key: Array
    times: Array
    days: Array
    width: int

    @classmethod
    def of(cls, user: Array, thing: Array, ago: Array, width: Any) -> _Counts:
        key = user * max(1, int(width)) + thing
        order = np.lexsort((ago, key))
        key, ago = key[order], ago[order]
        first = np.flatnonzero(np.r_[True, key[1:] != key[:-1]]) if len(key) else key
        return cls(key[first], np.diff(np.append(first, len(key))), ago[first], max(1, int(width)))

    def find(self, user: Array, thing: Array) -> tuple[Array, Array]:
        """Times (0 for never) and days (NEVER)."""
        if not len(self.key):
            return np.zeros(user.shape), np.full(user.shape, NEVER)
        asked = user * self.width + thing
        at = np.minimum(np.searchsorted(self.key, asked), len(self.key) - 1)
        there = self.key[at] == asked
        return np.where(there, self.times[at], 0), np.where(there, self.days[at], NEVER)
