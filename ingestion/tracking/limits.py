"""How many requests a source may send: a bucket in each web process, so a limit costs no trip.

The limit is there to keep one shop's loop from starving the others, not to count to the unit; it
holds for each process by itself and needs nothing that may be down.
"""

import math
import time

from django.conf import settings

_buckets: dict[int, tuple[float, float]] = {}


def wait(source_id: int) -> int:
    """0 and one token fewer, or in how many seconds to come again."""
    rate = float(settings.TRACKING_RATE)
    now = time.monotonic()
    tokens, at = _buckets.get(source_id, (rate, now))
    tokens = min(rate, tokens + (now - at) * rate)
    if tokens < 1:
        _buckets[source_id] = (tokens, now)
        return max(1, math.ceil((1 - tokens) / rate)) if rate else 60
    _buckets[source_id] = (tokens - 1, now)
    return 0
