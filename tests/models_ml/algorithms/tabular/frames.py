"""Frames with a truth that is known."""

import numpy as np
import pandas as pd

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
