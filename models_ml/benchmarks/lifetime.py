"""CDNOW: a tenth of the customers of spring 1997, 39 weeks to learn from and 39 to be judged by.

The parameters stand beside the published maximum likelihood estimates. The forecast of the product
reads more than the peer: beside how often, how lately and since when, what the first purchase was
worth (`reads` in each line says so). So Pareto/NBD of our own on the peer's three numbers has its
lines too, and `lifetimes` itself where it is installed.
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models_ml.algorithms.lifetime import forecast
from models_ml.algorithms.lifetime.bgnbd import BGNBD, MBGNBD
from models_ml.algorithms.lifetime.forecast import judge
from models_ml.algorithms.lifetime.pareto import ParetoNBD
from models_ml.algorithms.lifetime.spend import GammaGamma
from models_ml.algorithms.lifetime.summary import (
    Purchases,
    Summary,
    bought_within,
    by_day,
    summarise,
)
from models_ml.benchmarks.data import Line, find, line, skipped

CDNOW = "cdnow/CDNOW_sample.txt.gz"
UNTIL, END = np.datetime64("1997-09-30"), np.datetime64("1998-06-30")
WEEKS = 39.0
# Fader, Hardie & Lee 2005; MBG/NBD as `lifetimes` finds it; Fader & Hardie 2013.
PUBLISHED: dict[str, tuple[Any, tuple[float, ...]]] = {
    "BG/NBD": (BGNBD, (0.243, 4.414, 0.793, 2.426)),
    "MBG/NBD": (MBGNBD, (0.525, 6.183, 0.891, 1.614)),
    "Pareto/NBD": (ParetoNBD, (0.553, 10.578, 0.606, 11.669)),
    "Gamma-Gamma": (GammaGamma, (6.25, 3.74, 15.44)),
}
NEAR = 0.01
PUBLISHED_IN = {
    "BG/NBD": "Fader, Hardie and Lee 2005",
    "MBG/NBD": "as `lifetimes` finds it",
    "Pareto/NBD": "Fader and Hardie 2013",
    "Gamma-Gamma": "Fader and Hardie 2013",
}
COUNTS = ("how often", "how lately", "since when")
OURS = (*COUNTS, "what the first purchase was worth")
MEASURED = "measured once on the same split; it reads " + ", ".join(COUNTS)
MOST_ERROR, LEAST_CORRELATION, TOTAL_OFF = 1.603, 0.630, 0.10


def purchases(path: Path) -> Purchases:
    table = pd.read_csv(path, sep=r"\s+", header=None, usecols=[1, 2, 4])
    days = pd.to_datetime(table[2].astype(str)).to_numpy().astype("datetime64[s]")
    return by_day(table[1].to_numpy(), days, table[4].to_numpy(dtype=np.float64))


def cdnow(size: str = "small") -> list[Line]:
    """Parameters, then the forecast of 39 weeks against what came."""
    path = find(CDNOW)
    if path is None:
        return [skipped("lifetime.cdnow", CDNOW)]
    orders = purchases(path)
    data = summarise(orders, until=UNTIL)
    came, _money = bought_within(orders, data.person, after=UNTIL, until=END)
    lines = []
    for name, (kind, published) in PUBLISHED.items():
        found = kind.fit(data)
        numbers = list(map(float, vars(found).values()))[: len(published)]
        off = max(abs(ours / theirs - 1) for ours, theirs in zip(numbers, published, strict=True))
        lines.append(
            line(
                "lifetime.cdnow.parameters",
                "largest difference from the published estimates",
                len(data),
                [off],
                most=("1 %", NEAR),
                origin=PUBLISHED_IN[name],
                model=name,
                parameters=[round(v, 4) for v in numbers],
            )
        )
    said = forecast.learn(orders, until=UNTIL).expected(data, WEEKS)
    plain = ParetoNBD.fit(data).expected(data, WEEKS)
    peer = _peer(data)
    theirs = None if peer is None else _figures(peer, came)
    goals: dict[str, tuple[str, dict[str, Any]]] = {
        "rmse": ("purchases", {"most": ("Pareto/NBD of lifetimes", MOST_ERROR)}),
        "correlation": ("r", {"least": ("Pareto/NBD of lifetimes", LEAST_CORRELATION)}),
        "total": ("off by, of the sum that came", {"most": ("10 %", TOTAL_OFF)}),
    }
    # The limits are the product's; Pareto/NBD alone stands beside it for reading.
    for name, answers, reads in (("product", said, OURS), ("Pareto/NBD alone", plain, COUNTS)):
        found = _figures(answers, came)
        for what, (unit, limit) in goals.items():
            lines.append(
                line(
                    f"lifetime.cdnow.{what}",
                    unit,
                    len(data),
                    [found[what]],
                    peer=None if theirs is None else ("lifetimes, here", theirs[what]),
                    origin="the project's goal" if what == "total" else MEASURED,
                    model=name,
                    reads=reads,
                    **(limit if name == "product" else {}),
                )
            )
    return lines


def _figures(said: NDArray[np.float64], came: NDArray[np.float64]) -> dict[str, float]:
    error, correlation, total = judge(said, came)
    return {"rmse": error, "correlation": correlation, "total": abs(total - 1)}


def _peer(data: Summary) -> NDArray[np.float64] | None:
    """Pareto/NBD of `lifetimes`, when somebody has installed it."""
    if find_spec("lifetimes") is None:
        return None
    fitter = import_module("lifetimes").ParetoNBDFitter(penalizer_coef=0.0)
    x, recency, age = (pd.Series(v) for v in (data.repeats, data.recency, data.age))
    fitter.fit(x, recency, age)
    found = fitter.conditional_expected_number_of_purchases_up_to_time(WEEKS, x, recency, age)
    return np.asarray(found, dtype=np.float64)


WORKLOADS: dict[str, Callable[[str], list[Line]]] = {"lifetime.cdnow": cdnow}
