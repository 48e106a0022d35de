"""The rules of a placement as they are stored: names, types and limits, read and refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

TEXTS_LIMIT, TEXT_LIMIT, ALLOWS_LIMIT = 200, 100, 20


class BadRule(ValueError):
    """A rule that makes no sense: which, and a `code` of what is wrong with `params` for whoever
    words it."""

    def __init__(self, rule: str, code: str, said: str, **params: Any) -> None:
        super().__init__(f"{rule}: {said}")
        self.rule, self.code, self.params = rule, code, params


@dataclass(frozen=True)
class Allow:
    """People of a group (a key of whoever knows groups) see only these categories and brands."""

    group: str
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """What may be shown in a placement.

    `size`: products shown; `drop_owned`: leave out what the person bought; `per_category` and
    `per_brand`: at most so many of one (0: any number); `min_stock`: units that must be in stock;
    `price_min` and `price_max` in the product's money; `price_from` and `price_to` as parts of the
    price of the product looked at, or of what the person usually pays; `max_age_days`: only
    products that are no older; `with_picture`: only products with one. A boost of b counts a
    product with the full margin (or made today) as 1 + b times as fitting. `diversity` from 0 (the
    engine's order) to 1 (as unlike as can be). `new_share` is the part of the places that products
    of at most `fresh_days` get which hardly anybody bought yet.
    """

    size: int = 10
    drop_owned: bool = True
    per_category: int = 0
    per_brand: int = 0
    min_stock: int = 1
    price_min: float | None = None
    price_max: float | None = None
    price_from: float | None = None
    price_to: float | None = None
    max_age_days: int = 0
    with_picture: bool = False
    margin_boost: float = 0.0
    fresh_boost: float = 0.0
    fresh_days: int = 30
    diversity: float = 0.0
    new_share: float = 0.1
    without_brands: tuple[str, ...] = ()
    without_categories: tuple[str, ...] = ()
    allow: tuple[Allow, ...] = ()

    @classmethod
    def of(cls, stored: Mapping[str, Any], size: int) -> Rules:
        """Rules as a placement stores them. BadRule for what is none."""
        unknown = set(stored) - {field.name for field in fields(cls)} | {"size"} & set(stored)
        if unknown:
            raise BadRule(min(unknown), "unknown", "there is no such rule")
        made = cls(size=size, **{name: _read(name, value) for name, value in stored.items()})
        for low, high in (("price_min", "price_max"), ("price_from", "price_to")):
            least, most = getattr(made, low), getattr(made, high)
            if least is not None and most is not None and least > most:
                raise BadRule(high, "below", f"must not be below {low}", other=low)
        return made

    def stored(self) -> dict[str, Any]:
        """What differs from the defaults, as JSON."""
        found: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "size" or value == field.default:
                continue
            if field.name == "allow":
                value = [
                    {"group": one.group, "categories": [*one.categories], "brands": [*one.brands]}
                    for one in value
                ]
            found[field.name] = [*value] if isinstance(value, tuple) else value
        return found

    @property
    def wanted(self) -> int:
        """Candidates to ask for, so that enough are left after the rules."""
        narrow = self.price_from is not None or self.price_to is not None or bool(self.allow)
        reorders = self.margin_boost or self.fresh_boost or self.diversity
        if narrow:
            return self.size * 8
        return self.size * (4 if self.per_category or self.per_brand or reorders else 2)


# How each rule is read, with the most it may be: its form is drawn and read by the same lists.
WHOLE = {
    "per_category": 100, "per_brand": 100, "min_stock": 1_000_000, "max_age_days": 36_500,
    "fresh_days": 3_650,
}  # fmt: skip
NUMBER = {
    "price_min": 1e9, "price_max": 1e9, "price_from": 1_000.0, "price_to": 1_000.0,
    "margin_boost": 5.0, "fresh_boost": 5.0, "diversity": 1.0,
    "new_share": 0.5,
}  # fmt: skip
_ALLOW = "each names a group, and categories or brands"
MAYBE = ("price_min", "price_max", "price_from", "price_to")
YES_NO = ("drop_owned", "with_picture")
TEXTS = ("without_brands", "without_categories")


def _read(name: str, value: Any) -> Any:
    if name in YES_NO:
        if not isinstance(value, bool):
            raise BadRule(name, "yes_no", "must be true or false")
        return value
    if name == "allow":
        return _allow(value)
    if name in TEXTS:
        return _texts(name, value)
    if value is None and name in MAYBE:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRule(name, "number", "must be a number")
    most = WHOLE.get(name) or NUMBER[name]
    if not 0 <= value <= most:
        raise BadRule(name, "between", f"must lie between 0 and {most:g}", most=most)
    if name in WHOLE:
        if value != int(value):
            raise BadRule(name, "whole", "must be a whole number")
        return int(value)
    return float(value)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    good = isinstance(value, list | tuple) and len(value) <= TEXTS_LIMIT
    if not good or not all(isinstance(t, str) and 0 < len(t) <= TEXT_LIMIT for t in value):
        raise BadRule(
            name, "names", f"must be a list of at most {TEXTS_LIMIT} names", most=TEXTS_LIMIT
        )
    return tuple(dict.fromkeys(value))


def _allow(value: Any) -> tuple[Allow, ...]:
    if not isinstance(value, list | tuple) or len(value) > ALLOWS_LIMIT:
        raise BadRule(
            "allow", "names", f"must be a list of at most {ALLOWS_LIMIT}", most=ALLOWS_LIMIT
        )
    found = []
    for one in value:
        if isinstance(one, Allow):
            found.append(one)
            continue
        if not isinstance(one, dict) or set(one) - {"group", "categories", "brands"}:
            raise BadRule("allow", "allow", _ALLOW)
        group = one.get("group")
        categories = _texts("allow", one.get("categories", []))
        brands = _texts("allow", one.get("brands", []))
        if not isinstance(group, str) or not 0 < len(group) <= TEXT_LIMIT:
            raise BadRule("allow", "allow", _ALLOW)
        if not categories and not brands:
            raise BadRule("allow", "allow", _ALLOW)
        found.append(Allow(group, categories, brands))
    return tuple(found)
