"""Did it work? Pure arithmetic about chance, that pages and workers share.

`assignment` who is on which side · `effects` differences with their intervals, from sums ·
`cuped` the same with less noise · `sequential` intervals that may be looked at every day ·
`power` the smallest effect an audience can show · `balance` whether the sides came out as drawn ·
`comparisons` many answers at once · `winners` the chance that a variant is the best ·
`bandits` shares that follow the answers · `linear`, `offpolicy` (arrays, for workers) the same over
profiles, and what a policy would have earned · `attribution` credit along the way to an order.
"""

from campaigns.experiments.assignment import bucket, edges, held_out, holdout_ceiling, side
from campaigns.experiments.effects import Lift, Sums, difference, means

__all__ = [
    "Lift",
    "Sums",
    "bucket",
    "difference",
    "edges",
    "held_out",
    "holdout_ceiling",
    "means",
    "side",
]
