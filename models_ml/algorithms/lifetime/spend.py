"""Gamma-Gamma: what an order of each person is worth, however few there were.

Fader & Hardie (2013). Orders of one person scatter around a mean of their own, and the means differ
between people; how much somebody spends must not hang together with how often (`together`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import gammaln

from models_ml.algorithms import artifacts
from models_ml.algorithms.lifetime import likelihood
from models_ml.algorithms.lifetime.summary import Floats, Summary

FILE = "spend.json"
STARTS = ((5.0, 2.5, 15.0), (1.0, 1.0, 1.0), (10.0, 6.0, 50.0))


@dataclass(frozen=True)
class GammaGamma:
    """`p` shape of one person's orders; `q` and `gamma` shape and scale of people's rates."""

    p: float
    q: float
    gamma: float

    @classmethod
    def fit(cls, data: Summary) -> GammaGamma:
        """On people with a repeat purchase worth something; Unfit when they are too few."""
        x, z = _usable(data)
        facts = {"people": len(data), "repeaters": len(x)}
        if len(x) < likelihood.LEAST_REPEATERS:
            raise likelihood.Unfit(
                "too_few_repeaters", {**facts, "needed": likelihood.LEAST_REPEATERS}
            )
        if np.ptp(z) == 0:
            raise likelihood.Unfit("no_spread", facts)
        middle = float(np.median(z))
        # q stays above 1, as the mean of everybody would be infinite otherwise.
        found, _ = likelihood.maximise(
            lambda v: float(cls(v[0], 1 + v[1], v[2])._of(x, z).sum()),
            [(p, q, scale * middle / 30) for p, q, scale in STARTS],
        )
        return cls(float(found[0]), 1 + float(found[1]), float(found[2]))

    def log_likelihood(self, data: Summary) -> Floats:
        return self._of(*_usable(data))

    def _of(self, x: Floats, z: Floats) -> Floats:
        p, q, g = self.p, self.q, self.gamma
        return np.asarray(
            gammaln(p * x + q)
            - gammaln(p * x)
            - gammaln(q)
            + q * np.log(g)
            + (p * x - 1) * np.log(z)
            + p * x * np.log(x)
            - (p * x + q) * np.log(g + x * z)
        )

    def mean(self, data: Summary) -> Floats:
        """What the next order of each person is expected to be worth (n,)."""
        usable = (data.repeats > 0) & (data.spend > 0)
        x = np.where(usable, data.repeats, 0.0)
        z = np.where(usable, data.spend, 0.0)
        return self.p * (self.gamma + x * z) / (self.p * x + self.q - 1)

    def save(self, folder: Path) -> None:
        artifacts.write_json(folder / FILE, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> GammaGamma:
        stored: dict[str, Any] = artifacts.read_json(folder / FILE)
        return cls(**{name: float(value) for name, value in stored.items()})


def _usable(data: Summary) -> tuple[Floats, Floats]:
    rows = (data.repeats > 0) & (data.spend > 0)
    return data.repeats[rows], data.spend[rows]


def together(data: Summary) -> float:
    """The correlation of how often and for how much people buy; the model takes it to be small."""
    x, z = _usable(data)
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(z) == 0:
        return 0.0
    return float(np.corrcoef(x, z)[0, 1])
