"""By which shares the next part of those who wait is given variants, and why."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from campaigns.experiments import bandits, winners
from campaigns.experiments.winners import Arm
from campaigns.models import Run, Trial

# Before so many people got each, chance alone makes winners.
LEAST_SENT = 100
# Why: the best was clear, or only for some sets of channels; shares follow the answers; none was
# clear in time; it was chosen for each person.
WON, PARTED, SHARED, KEPT, SUITED = "won", "parted", "shared", "kept", "suited"
FOLLOWING = (Trial.Mode.BANDIT, Trial.Mode.PERSON)
Sets = Mapping[str, Mapping[str, float]]


class Chosen(NamedTuple):
    """What a chooser did. `people` None: it had no reason to, and left everybody waiting."""

    people: int | None
    shares: dict[str, float]
    said: dict[str, Any]
    reason: str


class Held(NamedTuple):
    """A round as it is written down. `sets` are shares and answers by channels, where there are
    several; `shares` is then what came of them."""

    shares: dict[str, float]
    sets: dict[str, Any]
    seen: dict[str, list[int]]
    people: int
    reason: str
    policies: dict[str, Any]
    spent: list[str]


class Chooser(Protocol):
    """Chooses for each person. `sets` are the shares by channels where a send has several, `most`
    how many each variant with a limit may still be given to."""

    def __call__(
        self, *, run: Run, trial: Trial, number: int, shares: dict[str, float], sets: Sets | None,
        most: Mapping[str, int],
    ) -> Chosen: ...  # fmt: skip


def of(
    trial: Trial, fixed: Mapping[str, float], arms: Mapping[str, Arm]
) -> tuple[dict[str, float], str]:
    """The shares of the next round, and why. `fixed` are those that it began with."""
    tried = {key: arm for key, arm in arms.items() if fixed[key] > 0}
    if trial.mode in FOLLOWING:
        shares = bandits.thompson(tried, floor=trial.floor_percent / 100)
        return {key: shares.get(key, 0.0) for key in fixed}, SHARED
    if min((arm.n for arm in tried.values()), default=0) >= LEAST_SENT:
        chances = dict(zip(tried, winners.by_share(list(tried.values())), strict=True))
        best = max(chances, key=lambda key: chances[key])
        if chances[best] >= trial.win_percent / 100:
            return {key: float(key == best) for key in fixed}, WON
    return dict(fixed), KEPT
