"""Frames with a truth that is known."""

import numpy as np
import pandas as pd

from models_ml.algorithms.tabular.events import Events
from models_ml.algorithms.tabular.frame import Frame

MOMENT = np.datetime64("2026-01-01", "s")


def people(n: int = 600, seed: int = 0) -> Frame:
    """Who is recent and lives in the north orders again more often; the rest is noise."""
    rng = np.random.default_rng(seed)
    recency = rng.exponential(60, n)
    orders = rng.poisson(3, n).astype(float)
    orders[rng.random(n) < 0.1] = np.nan
    place = rng.choice(["north", "south", "east"], n)
    odds = 0.5 - recency / 40 + 2.5 * (place == "north") + 0.2 * np.nan_to_num(orders)
    y = rng.random(n) < 1 / (1 + np.exp(-odds))
    x = pd.DataFrame({"recency": recency, "orders": orders, "place": pd.Categorical(place)})
    return Frame(x, y, np.arange(n, dtype=np.int64), np.full(n, MOMENT))


def amounts(n: int = 600, seed: int = 0) -> Frame:
    """What people spend grows with what they spent and is noisy."""
    rng = np.random.default_rng(seed)
    spent = rng.gamma(2, 50, n)
    place = rng.choice(["north", "south"], n)
    y = 0.5 * spent + 30.0 * (place == "north") + rng.normal(0, 10, n)
    x = pd.DataFrame({"spent": spent, "noise": rng.normal(size=n), "place": place})
    return Frame(x, y, np.arange(n, dtype=np.int64), np.full(n, MOMENT))


def shoppers(n: int = 800, seed: int = 0) -> Frame:
    """Whoever looked and then paid orders again; the order of the two is all that tells."""
    rng = np.random.default_rng(seed)
    size = rng.integers(2, 8, n)
    start = np.r_[0, np.cumsum(size)].astype(np.int64)
    kind = rng.integers(0, 2, start[-1]).astype(np.int32)
    last = kind[start[1:] - 1]
    y = rng.random(n) < np.where(last == 1, 0.85, 0.15)
    days = rng.exponential(3, start[-1])
    row = np.repeat(np.arange(n), size)
    back = np.cumsum(days[::-1])[::-1]
    before = back - np.r_[back, 0.0][start[1:]][row]
    events = Events(
        ("looked", "paid"), start, kind, before.astype(np.float32), kind.astype(np.float32) * 10
    )
    share = np.bincount(row, weights=kind) / size
    x = pd.DataFrame({"paid_share": share, "noise": rng.normal(size=n)})
    return Frame(x, y, np.arange(n, dtype=np.int64), np.full(n, MOMENT), events)
