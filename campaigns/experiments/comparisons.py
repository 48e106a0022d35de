"""Many answers at once: who looks at twenty finds one by luck, unless that is reckoned with."""

from collections.abc import Sequence


def holm(chances: Sequence[float]) -> list[float]:
    """p-values such that any below 0.05 is a false alarm in at most 5% of all such lists.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).
    """
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    found, so_far = [0.0] * len(chances), 0.0
    for rank, i in enumerate(order):
        so_far = max(so_far, min(1.0, (len(chances) - rank) * chances[i]))
        found[i] = so_far
    return found


def benjamini_hochberg(chances: Sequence[float]) -> list[float]:
    """q-values: of those below 0.05, at most 5% are false alarms on average.

    Benjamini and Hochberg, "Controlling the false discovery rate", Journal of the Royal Statistical
    Society B 57 (1995).
    """
    order = sorted(range(len(chances)), key=lambda i: chances[i], reverse=True)
    found, so_far = [0.0] * len(chances), 1.0
    for beaten, i in enumerate(order):
        so_far = min(so_far, chances[i] * len(chances) / (len(chances) - beaten))
        found[i] = so_far
    return found
