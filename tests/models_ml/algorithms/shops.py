"""A small shop whose taste we chose: two kinds of people, each buying from its own shelf."""

import numpy as np

from models_ml.algorithms.data import Interactions

START = np.datetime64("2026-01-01", "s")
DAYS = 180


def two_tastes(
    people: int = 200, items: int = 100, orders: int = 8, basket: int = 3, seed: int = 7
) -> Interactions:
    """Even people buy even items nine times in ten, odd people odd items; ids begin at 1,000."""
    rng = np.random.default_rng(seed)
    user = np.repeat(np.arange(people), orders * basket)
    day = np.repeat(rng.integers(0, DAYS, size=people * orders), basket)
    own = rng.random(len(user)) < 0.9
    side = np.where(own, user % 2, 1 - user % 2)
    item = rng.integers(0, items // 2, size=len(user)) * 2 + side
    return Interactions.of(user + 1000, item + 5000, START + day * 86_400)
