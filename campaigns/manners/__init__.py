"""Manners: how often, at which hours, and until when somebody may be written to.

`rules` the shop's caps and quiet hours; `clocks` moments by a person's own clock (pure); `judging`
may these messages go now; `timing` the moment a campaign chose for each person; `unsent` why
somebody got nothing, in plain words and in total; `pressure` how many are at their limits.
"""

from campaigns.manners.judging import TOO_LATE, Later, Refused, judge

__all__ = ["TOO_LATE", "Later", "Refused", "judge"]
