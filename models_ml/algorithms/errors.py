"""What algorithms refuse."""

from __future__ import annotations

from typing import Any


class Unfit(ValueError):
    """Nothing can be learned from this, for the reason named by `code`; `facts` are the numbers.

    Codes of contests: no_rows, too_few_people, one_class, too_few_each, no_columns, leak,
    constant_target, too_few_later, unknown_candidate, no_candidate; of lifetimes: too_few_people,
    too_few_repeaters, no_spread, not_converged; of uplift: too_few_treated, too_few_untreated,
    constant_outcome.
    """

    def __init__(self, code: str, facts: dict[str, Any]) -> None:
        super().__init__(f"{code}: {facts}")
        self.code, self.facts = code, facts
