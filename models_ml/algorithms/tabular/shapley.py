"""What each column adds to an answer of any function, by sampled orders of the columns.

Shapley values against one usual person (Castro, Gomez and Tejada, 2009). Each order is walked both
ways, and a row's shares always sum to its answer exactly; single shares have a sampling error,
which `errors` states.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models_ml.algorithms.tabular.frame import Floats

ORDERS, SEED, AT_ONCE = 16, 7, 65_536
Ask = Callable[[Floats], Floats]


def sample(
    ask: Ask, x: Floats, usual: Floats, owner: NDArray[np.int64], columns: int, orders: int = ORDERS
) -> tuple[float, Floats]:
    """The usual person's answer, and shares (n, columns) that lead from it to each row's."""
    base, walks = _walks(ask, x, usual, owner, columns, orders)
    return base, np.asarray(walks.mean(axis=0))


def errors(
    ask: Ask, x: Floats, usual: Floats, owner: NDArray[np.int64], columns: int, orders: int = ORDERS
) -> Floats:
    """The standard error of each share (n, columns)."""
    walks = _walks(ask, x, usual, owner, columns, orders)[1]
    pairs = walks.reshape(orders, 2, *walks.shape[1:]).mean(axis=1)
    return np.asarray(pairs.std(axis=0, ddof=1) / np.sqrt(orders))


def _walks(
    ask: Ask, x: Floats, usual: Floats, owner: NDArray[np.int64], columns: int, orders: int
) -> tuple[float, Floats]:
    rng = np.random.default_rng(SEED)
    base = float(ask(usual[None, :])[0])
    n = len(x)
    if not columns:
        return base, np.zeros((2 * orders, n, 0))
    chosen = []
    for _ in range(orders):
        order = rng.permutation(columns)
        chosen += [order, order[::-1]]
    out = np.empty((len(chosen), n, columns))
    rows = max(1, AT_ONCE // (columns * len(chosen)))
    for start in range(0, n, rows):
        part = x[start : start + rows]
        # One row for each order, each step of it and each person: columns so far are the person's.
        mixed = np.repeat(usual[None, None, None, :], len(chosen), axis=0)
        mixed = np.repeat(np.repeat(mixed, columns, axis=1), len(part), axis=2)
        for k, order in enumerate(chosen):
            place = np.empty(columns, dtype=np.int64)
            place[order] = np.arange(columns)
            taken = place[owner][None, :] <= np.arange(columns)[:, None]
            mixed[k] = np.where(taken[:, None, :], part[None], mixed[k])
        said = ask(mixed.reshape(-1, x.shape[1])).reshape(len(chosen), columns, len(part))
        steps = np.diff(said, axis=1, prepend=np.full((len(chosen), 1, len(part)), base))
        for k, order in enumerate(chosen):
            out[k, start : start + rows, order] = steps[k]
    return base, out
