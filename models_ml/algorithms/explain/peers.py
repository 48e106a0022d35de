"""Who is most alike, in the columns that matter to the answer, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PEERS = 100


@dataclass(frozen=True)
class Compared:
    """One column: the person's value beside the middle of the peers (their commonest category),
    and the part of peers who have less.
    """

    column: str
    mine: float | str | None
    theirs: float | str | None
    below: float | None


def nearest(
    *, row: pd.DataFrame, people: pd.DataFrame, weights: dict[str, float], most: int = PEERS
) -> Ints:
    """Places in `people` of those most alike, nearest first; `weights` say how much columns matter.

    Numbers are compared by rank, so that one rich customer does not make all others alike; a
    different category, or known against unknown, is as far as can be.
    """
    far = np.zeros(len(people))
    for name, weight in weights.items():
        if weight <= 0 or name not in people.columns or name not in row.columns:
            continue
        theirs, mine = people[name], row[name].iloc[0]
        if pd.api.types.is_numeric_dtype(theirs):
            values = theirs.to_numpy(dtype=np.float64, na_value=np.nan)
            known = np.sort(values[np.isfinite(values)])
            unknown = np.isnan(values)
            if pd.isna(mine):
                far += weight * np.where(unknown, 0.0, 1.0)
                continue
            gap = np.abs(_rank(known, values) - _rank(known, np.array([float(mine)])))
            far += weight * np.where(unknown, 1.0, gap) ** 2
        else:
            texts = theirs.astype("object")
            same = texts.isna() if pd.isna(mine) else texts == mine
            far += weight * (~same.to_numpy(dtype=bool))
    most = min(most, len(people))
    some = np.argpartition(far, most - 1)[:most] if 0 < most < len(people) else np.arange(most)
    return some[np.lexsort((some, far[some]))].astype(np.int64)


def _rank(known: Floats, values: Floats) -> Floats:
    """The middle of the ranks of equal values, from 0 to 1."""
    if not known.size:
        return np.full(len(values), 0.5)
    low = np.searchsorted(known, values, side="left")
    high = np.searchsorted(known, values, side="right")
    return np.asarray((low + high) / (2 * known.size))


def compare(*, row: pd.DataFrame, peers: pd.DataFrame, columns: Sequence[str]) -> list[Compared]:
    """The person beside the peers, column by column."""
    found = []
    for name in columns:
        mine, theirs = row[name].iloc[0], peers[name].dropna()
        own = None if pd.isna(mine) else mine
        if pd.api.types.is_numeric_dtype(peers[name]):
            values = theirs.to_numpy(dtype=np.float64)
            middle = float(np.median(values)) if len(values) else None
            below = float(np.mean(values < own)) if len(values) and own is not None else None
            found.append(Compared(name, None if own is None else float(own), middle, below))
        else:
            common = theirs.astype("object").value_counts()
            usual = str(common.index[0]) if len(common) else None
            found.append(Compared(name, None if own is None else str(own), usual, None))
    return found
