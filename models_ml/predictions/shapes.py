"""What JSON may be stored: no text, number or nesting that the database would refuse."""

import math
from typing import Any

from django.utils.translation import gettext as _

from marketing.core.errors import Invalid

DEEPEST, MOST_PARTS = 12, 2_000
LARGEST = 2**53


def is_text(value: str) -> bool:
    """Whether a text can be stored: the database keeps no zero byte and no lone surrogate."""
    return "\x00" not in value and not any("\ud800" <= ch <= "\udfff" for ch in value)


def check(*, value: Any, field: str) -> None:
    """Invalid, naming the field, when the value cannot be kept as it is."""
    waiting: list[tuple[Any, int]] = [(value, 0)]
    seen = 0
    while waiting:
        one, depth = waiting.pop()
        seen += 1
        if depth > DEEPEST or seen > MOST_PARTS or not _plain(one):
            raise Invalid(
                _("This holds something that cannot be stored."),
                code=f"{field}_invalid",
                field=field,
                remedy=_(
                    "Nothing was changed. Send texts without zero bytes, numbers of usual size,"
                    " and at most %(most)d values."
                )
                % {"most": MOST_PARTS},
            )
        if isinstance(one, dict):
            waiting += [(part, depth + 1) for pair in one.items() for part in pair]
        elif isinstance(one, list | tuple):
            waiting += [(part, depth + 1) for part in one]


def _plain(value: Any) -> bool:
    if isinstance(value, str):
        return is_text(value)
    if isinstance(value, bool) or value is None or isinstance(value, dict | list | tuple):
        return True
    if isinstance(value, int):
        return abs(value) <= LARGEST
    return isinstance(value, float) and math.isfinite(value)
