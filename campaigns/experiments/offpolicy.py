"""What a policy would have earned, from answers to another one whose chances were written down.

IPS: Horvitz and Thompson, Journal of the American Statistical Association 47 (1952). SNIPS:
Swaminathan and Joachims, "The self-normalized estimator for counterfactual learning", NIPS 2015.
DR: Dudík, Langford, Li, "Doubly robust policy evaluation and learning", ICML 2011. For workers.
"""

from dataclasses import dataclass

import numpy as np

Z95 = 1.959963984540054
# Of the rows, so many must count, or the interval is a guess.
LEAST_ROWS = 50.0


@dataclass(frozen=True)
class Value:
    """A reward a decision, with its 95% interval. `rows` is how many decisions it rests on."""

    value: float
    low: float
    high: float
    rows: float

    @property
    def trusted(self) -> bool:
        return self.rows >= LEAST_ROWS


def _of(terms: np.ndarray, weights: np.ndarray) -> Value:
    value = float(terms.mean())
    margin = np.inf
    if len(terms) > 1:
        margin = Z95 * float(terms.std(ddof=1) / np.sqrt(len(terms)))
    return Value(value, value - margin, value + margin, effective(weights))


def effective(weights: np.ndarray) -> float:
    """How many rows of equal weight these weights are worth (Kish)."""
    squares = float((weights**2).sum())
    return float(weights.sum()) ** 2 / squares if squares else 0.0


def weights(*, wanted: np.ndarray, had: np.ndarray) -> np.ndarray:
    """Chances of the chosen arms by the policy asked about, over those that chose them."""
    if (had <= 0).any():
        raise ValueError("every decision needs the chance by which it was made, above zero")
    return wanted / had


def ips(*, reward: np.ndarray, weight: np.ndarray) -> Value:
    """Without bias where the chances are right; wide where the policies differ."""
    return _of(weight * reward, weight)


def snips(*, reward: np.ndarray, weight: np.ndarray) -> Value:
    """Divided by the weights' own sum: a little bias, much less spread."""
    total = weight.sum()
    if total <= 0:
        return Value(0.0, -np.inf, np.inf, 0.0)
    value = float((weight * reward).sum() / total)
    spread = weight * (reward - value) / weight.mean()
    margin = Z95 * float(np.sqrt((spread**2).sum())) / len(weight)
    return Value(value, value - margin, value + margin, effective(weight))


def dr(
    *, reward: np.ndarray, weight: np.ndarray, said: np.ndarray, policy: np.ndarray,
    arm: np.ndarray,
) -> Value:  # fmt: skip
    """Right when the chances are right or what is `said` of each arm is; it also narrows.

    `said` and `policy`: expected reward and wanted chance per decision and arm; `arm`: the chosen.
    """
    chosen = said[np.arange(len(arm)), arm]
    terms = (policy * said).sum(axis=1) + weight * (reward - chosen)
    return _of(terms, weight)


def crossed(
    *, reward: np.ndarray, arm: np.ndarray, arms: int, group: np.ndarray | None = None,
    folds: int = 3, strength: float = 30.0, seed: int = 0,
) -> np.ndarray:  # fmt: skip
    """Expected reward of each arm, told to each decision by decisions of the other folds.

    A rate per arm and group (such as a place on a page), drawn towards the rate of all by as much
    as `strength` decisions, so that rare arms say little of their own.
    """
    cell = arm if group is None else group * arms + arm
    groups = 1 if group is None else int(group.max()) + 1
    fold = np.random.default_rng(seed).integers(0, folds, len(arm))
    found = np.empty((len(arm), arms))
    for out in range(folds):
        train, test = fold != out, fold == out
        everyone = reward[train].mean() if train.any() else 0.0
        n = np.bincount(cell[train], minlength=arms * groups).reshape(groups, arms)
        total = np.bincount(cell[train], reward[train], minlength=arms * groups)
        rates = (total.reshape(groups, arms) + strength * everyone) / (n + strength)
        found[test] = rates[0] if group is None else rates[group[test]]
    return found
