"""The sample-ratio alarm: sides that did not come out as large as they were drawn.

When it rings, somebody was lost on one side more than on the other, and no comparison between the
sides can be trusted until the cause is found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from campaigns.experiments.distributions import binomial_p, chi_square_above

ALARM = 0.001


@dataclass(frozen=True)
class Balance:
    """How likely sides at least as uneven as these are by chance alone."""

    p: float
    expected: tuple[float, ...]

    @property
    def alarm(self) -> bool:
        return self.p < ALARM


def check(*, counts: Sequence[int], shares: Sequence[float]) -> Balance:
    """Compare counts with the shares they were drawn by: exact for two sides, else chi-square."""
    if len(counts) != len(shares) or not counts or min(shares) <= 0:
        raise ValueError("each side needs a count and a share above zero")
    total, whole = sum(counts), sum(shares)
    expected = tuple(total * share / whole for share in shares)
    if total == 0 or len(counts) == 1:
        return Balance(1.0, expected)
    if len(counts) == 2:
        return Balance(binomial_p(successes=counts[0], n=total, share=shares[0] / whole), expected)
    x = sum((n - wanted) ** 2 / wanted for n, wanted in zip(counts, expected, strict=True))
    return Balance(chi_square_above(x, len(counts) - 1), expected)
