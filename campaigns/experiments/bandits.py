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
    shares: Mapping[str, float], *, people: float, most: Mapping[str, float],
    otherwise: Mapping[str, float] | None = None,
) -> dict[str, float]:  # fmt: skip
    """The same shares where an arm may get no more than `most` of so many people.

    What is beyond goes to the others by their shares, or by the shares `otherwise` where they have
    none. An arm without a limit has no entry in `most`. Shares that sum to less than one mean that
    nothing is left for everybody.
    """
    roof = {name: max(most[name], 0.0) / people for name in shares if name in most and people > 0}
    found = dict(shares)
    full: set[str] = set()
    while over := [n for n in roof if n not in full and found[n] > roof[n] + 1e-12]:
        spare = sum(found[name] - roof[name] for name in over)
        found |= {name: roof[name] for name in over}
        full.update(over)
        free = {name: shares[name] for name in found if name not in full}
        if sum(free.values()) <= 0:
            free = {name: (otherwise or {}).get(name, 0.0) for name in free}
        total = sum(free.values())
        for name, share in free.items():
            found[name] += spare * share / total if total > 0 else 0.0
    return found


def dealt(
    shares: Mapping[str, float], *, people: int, most: Mapping[str, float],
    otherwise: Mapping[str, float] | None = None,
) -> dict[str, int]:  # fmt: skip
    """How many of so many people each arm gets: whole numbers, none above what it may get.

    They come to fewer than all people only where no arm may get more.
    """
    wanted = capped(shares, people=people, most=most, otherwise=otherwise)
    found = {name: int(share * people + 1e-9) for name, share in wanted.items()}
    rest = people - sum(found.values())
    parts = sorted(wanted, key=lambda name: found[name] - wanted[name] * people)
    while rest > 0:
        room = [
            name for name in parts if wanted[name] > 0 and found[name] + 1 <= most.get(name, people)
        ]
        if not room:
            return found
        for name in room[:rest]:
            found[name] += 1
        rest -= len(room[:rest])
    return found


def regret(shares: Sequence[float], truths: Sequence[float]) -> float:
    """What these shares lose against the best arm, a head."""
    best = max(truths)
    return best - sum(share * truth for share, truth in zip(shares, truths, strict=True))
