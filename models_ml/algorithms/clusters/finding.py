"""k-means and Gaussian mixtures over facts on one scale."""

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from models_ml.algorithms.clusters.fitted import KMEANS, MIXTURE, Groups

# No component may be thinner than this: counts make spikes on which likelihood has no bound.
THINNEST = 0.02

Floats = NDArray[np.float64]


def kmeans(z: Floats, count: int, *, seed: int, starts: int = 4) -> Groups:
    """Lloyd's algorithm from several starts (k-means++), the tightest kept."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(count, n_init=starts, random_state=seed, max_iter=200).fit(z)
    weights = np.bincount(found.labels_, minlength=count) / len(z)
    return Groups(KMEANS, found.cluster_centers_.astype(np.float64), weights, np.empty((0, 0, 0)))


def mixture(z: Floats, count: int, *, seed: int, starts: int = 1) -> Groups:
    """Gaussian components of any direction by expectation and maximisation."""
    return _as_groups(_mixture(z, count, seed, starts))


def mixture_with_bic(z: Floats, count: int, *, seed: int, starts: int = 2) -> tuple[Groups, float]:
    """The same with its Bayesian information criterion (Schwarz 1978); lower is better."""
    found = _mixture(z, count, seed, starts)
    return _as_groups(found), float(found.bic(z))


def _mixture(z: Floats, count: int, seed: int, starts: int) -> GaussianMixture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return GaussianMixture(
            count, covariance_type="full", reg_covar=THINNEST, n_init=starts, random_state=seed
        ).fit(z)


def _as_groups(found: GaussianMixture) -> Groups:
    return Groups(MIXTURE, found.means_, found.weights_, found.precisions_cholesky_)


FINDERS: dict[str, Callable[..., Groups]] = {KMEANS: kmeans, MIXTURE: mixture}
