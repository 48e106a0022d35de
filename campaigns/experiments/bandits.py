"""Shares that follow the answers: more people get what works, everybody still gets a chance.

Thompson, "On the likelihood that one unknown probability exceeds another in view of the evidence of
two samples", Biometrika 25 (1933): each arm gets people in proportion to its chance of being the
best. The chance is an exact integral here and not a draw, so the share is the propensity that is
written down, and whoever looks back divides by the very number that was used.
"""

from collections.abc import Mapping, Sequence

from campaigns.experiments import winners
from campaigns.experiments.winners import Arm


def thompson(arms: Mapping[str, Arm], *, floor: float = 0.05) -> dict[str, float]:
    """The share of each arm in the next round, none below the floor."""
    chances = winners.by_share(list(arms.values()))
    return explore(dict(zip(arms, chances, strict=True)), floor=floor)


def explore(shares: Mapping[str, float], *, floor: float) -> dict[str, float]:
    """Mix with equal shares so that nobody falls below the floor; 1/n is the highest floor."""
    if not shares:
        return {}
    floor = min(max(floor, 0.0), 1 / len(shares))
    rest = 1 - floor * len(shares)
    total = sum(shares.values()) or 1.0
    return {name: floor + rest * share / total for name, share in shares.items()}


def capped(
    shares: Mapping[str, float], *, people: int, price: Mapping[str, float],
    left: Mapping[str, float],
) -> dict[str, float]:  # fmt: skip
    """The same shares where an arm may cost no more than is left for it.

    What an arm cannot pay for goes to the others by their shares. An arm without a limit has no
    entry in `left`. Shares that sum to less than one mean that nothing pays for everybody.
    """
    most = {
        name: left[name] / (people * price[name])
        for name in shares
        if name in left and people > 0 and price.get(name, 0) > 0
    }
    found = dict(shares)
    fixed: set[str] = set()
    while True:
        over = [name for name in most if name not in fixed and found[name] > most[name] + 1e-12]
        if not over:
            return found
        spare = 0.0
        for name in over:
            limit = max(most[name], 0.0)
            spare += found[name] - limit
            found[name] = limit
            fixed.add(name)
        free = {name: shares[name] for name in found if name not in fixed}
        total = sum(free.values())
        if total <= 0:
            return found
        for name, share in free.items():
            found[name] += spare * share / total


def regret(shares: Sequence[float], truths: Sequence[float]) -> float:
    """What these shares lose against the best arm, a head."""
    best = max(truths)
    return best - sum(share * truth for share, truth in zip(shares, truths, strict=True))
