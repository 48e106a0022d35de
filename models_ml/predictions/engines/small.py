"""What few people tell without a model: rates of groups, drawn to that of everybody (`shrinkage`).

Too little data for a model is not no data. A group of eight people says something, and the interval
says how little.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.algorithms import shrinkage
from models_ml.predictions.engines.samples import Sample

# Refusals after which there is something to say, and nothing to say it better.
CODES = ("too_few_people", "too_few_each", "too_few_later", "one_class")
BANDS: dict[str, tuple[float, ...]] = {
    "recency_days": (0, 31, 91, 181, 366),
    "orders": (1, 2, 4),
}
EVERYBODY = "everybody"


def of(sample: Sample, *, chance: bool) -> list[dict[str, Any]]:
    """[{"by", "from", "until", "people", "value", "low", "high", "drawn"}], everybody first.

    Of the people at the newest moment whose outcome is known; `by` is a column and the band lies
    from a number up to another (None for no end). `drawn`, 0 to 1, says how far it is everyone's.
    """
    frames = [frame for frame in (sample.train, sample.later) if len(frame)]
    newest = max((frame.moment.max() for frame in frames), default=None)
    if newest is None:
        return []
    parts = [(frame, frame.moment == newest) for frame in frames]
    x = pd.concat([frame.x.loc[rows] for frame, rows in parts], ignore_index=True)
    y = np.concatenate([np.asarray(frame.y[rows], dtype=np.float64) for frame, rows in parts])
    found = [_row(EVERYBODY, (None, None), *_shrunk(np.zeros(len(y), dtype=int), y, 1, chance), 0)]
    for name, starts in BANDS.items():
        if name not in x.columns:
            continue
        values = x[name].to_numpy(dtype=np.float64, na_value=np.nan)
        known = np.isfinite(values) & (values >= starts[0])
        place = np.searchsorted(starts, values[known], side="right") - 1
        people, shrunk = _shrunk(place, y[known], len(starts), chance)
        ends = [*starts[1:], None]
        found += [
            _row(name, (starts[n], ends[n]), people, shrunk, n)
            for n in range(len(starts))
            if people[n]
        ]
    return found


def _shrunk(
    place: NDArray[np.int64], y: NDArray[np.float64], groups: int, chance: bool
) -> tuple[NDArray[np.int64], shrinkage.Shrunk | None]:
    people = np.bincount(place, minlength=groups)
    if not people.any():
        return people, None
    total = np.bincount(place, weights=y, minlength=groups).astype(np.float64)
    if chance:
        return people, shrinkage.rates(total, people.astype(np.float64))
    mean = total / np.maximum(people, 1)
    squares = np.bincount(place, weights=(y - mean[place]) ** 2, minlength=groups)
    spread = np.sqrt(squares / np.maximum(people - 1, 1))
    return people, shrinkage.means(mean, spread, people.astype(np.float64))


def _row(
    by: str,
    band: tuple[float | None, float | None],
    people: NDArray[np.int64],
    shrunk: shrinkage.Shrunk | None,
    n: int,
) -> dict[str, Any]:
    assert shrunk is not None
    figures = {name: round(float(getattr(shrunk, name)[n]), 6) for name in ("value", "low", "high")}
    return {
        "by": by,
        "from": band[0],
        "until": band[1],
        "people": int(people[n]),
        **figures,
        "drawn": round(float(shrunk.drawn[n]), 4),
    }
