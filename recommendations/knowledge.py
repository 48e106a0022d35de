"""What is known of products, as the rules ask for it: from rows to aligned arrays.

A brand is the attribute `brand`; a margin the attribute `margin` as a part of the price (or in
percent, above 1), or what `cost` leaves of the price.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np

from recommendations.rules import Shelf

# The columns of `shelf`, of a product p.
COLUMNS = """p.id, p.category, p.attributes->>'brand', p.price, p.attributes->>'margin',
    p.attributes->>'cost', p.created_at, p.image_url <> ''"""


def shelf(rows: Sequence[Sequence[Any]], *, now: datetime) -> Shelf:
    """Rows of COLUMNS (and more) in the order of their ids → a shelf."""
    category, categories = _codes([row[1] for row in rows])
    brand, brands = _codes([row[2] for row in rows])
    price = np.array([np.nan if row[3] is None else float(row[3]) for row in rows], dtype=float)
    return Shelf(
        ids=np.array([row[0] for row in rows], dtype=np.int64),
        category=category,
        brand=brand,
        price=price,
        margin=np.array([_margin(row[4], row[5], row[3]) for row in rows], dtype=float),
        age=np.array([(now - row[6]).total_seconds() / 86_400 for row in rows], dtype=float),
        picture=np.array([bool(row[7]) for row in rows], dtype=bool),
        categories=categories,
        brands=brands,
    )


def _codes(names: Sequence[str | None]) -> tuple[Any, tuple[str, ...]]:
    known = sorted({name for name in names if name})
    number = {name: code for code, name in enumerate(known)}
    return np.array([number.get(name or "", -1) for name in names], dtype=np.int64), tuple(known)


def _margin(margin: str | None, cost: str | None, price: Any) -> float:
    found = _number(margin)
    if found is not None:
        return found / 100 if found > 1 else found
    spent = _number(cost)
    return 1 - spent / float(price) if spent is not None and price else float("nan")


def _number(text: str | None) -> float | None:
    try:
        found = float(text) if text else None
    except ValueError:
        return None
    return found if found is not None and np.isfinite(found) else None
