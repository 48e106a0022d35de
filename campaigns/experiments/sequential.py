"""Intervals that may be looked at every day.

Robbins, "Statistical methods related to the law of the iterated logarithm", Annals of Mathematical
Statistics 41 (1970), mixes over all effects at once; Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas,
"Time-uniform central limit theory and asymptotic confidence sequences", Annals of Statistics 52
(2024), show that the same boundary holds for means of anything with a variance. The chance that the
truth is ever outside, over all looks together, is at most 5%.

The clock is variance. Everybody of a campaign is drawn on the first day and what they do adds up
after it, so the difference itself runs like a Brownian motion whose time is its own variance: as
days pass both grow. For a share, somebody who has ordered cannot order for the first time again;
the difference divided by the share of those who have not is what runs freely.

Where people keep coming in, each day adds people as well as what they do. What runs like a Brownian
motion then is the sum, the difference times the number of people: it grows with both, and with
nobody new it is the clock above.
"""

import math
from dataclasses import replace

from campaigns.experiments.effects import Lift

ALPHA = 0.05
# Where the boundary is tightest, as a part of the variance it was tuned for (ibid., section 2.3).
_TUNING = -2 * math.log(ALPHA) + math.log(-2 * math.log(ALPHA) + 1)


def margin(*, variance: float, planned: float, alpha: float = ALPHA) -> float:
    """Half the width for a difference of this variance.

    `planned` is the variance that is expected at the end. It must not depend on what is being
    measured: any value keeps the promise, a good guess keeps the interval narrow.
    """
    if planned <= 0:
        raise ValueError("a variance must be planned for")
    base = planned / _TUNING
    return math.sqrt((variance + base) * math.log((variance + base) / (base * alpha * alpha)))


def always(
    *, lift: Lift, planned: float, converted: float = 0.0, people: int = 0, grows: int = 0
) -> Lift:
    """The lift with an interval that holds at every look.

    For shares `converted` is the larger of the two shares; for money leave it zero. `grows` is for
    how many people it is made where they keep coming in; there are `people` of them, for whom
    `planned` was found.
    """
    left = max(1.0 - converted, 1e-9)
    n = people if grows else 1
    # The variance of a difference falls as people come, that of the sum rises with them.
    planned *= n * grows if grows else 1
    wide = left * margin(variance=(n * lift.error / left) ** 2, planned=planned) / n
    return replace(lift, low=lift.difference - wide, high=lift.difference + wide)


def planned_share(*, treated: int, control: int, rate: float) -> float:
    """The variance to plan for, from the share that did it in as many days before."""
    rate = min(max(rate, 0.001), 0.5)
    return rate * (1 - rate) * (1 / treated + 1 / control)


def planned_money(*, treated: int, control: int, variance: float, typical: float) -> float:
    """The same for money a head; without a past, as if one in a hundred paid the typical sum."""
    spread = variance if variance > 0 else 0.01 * max(typical, 1.0) ** 2
    return spread * (1 / treated + 1 / control)
