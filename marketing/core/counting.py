"""How often something happened lately, for whoever refuses what comes too often."""

import redis
from django.core.cache import cache


def count(*, key: str, seconds: int, times: int = 1) -> int | None:
    """Count once more what began at most `seconds` ago; None when the counter cannot be asked.

    `times` counts several at once; less than nothing takes back what was counted.

    A counter that is away is no reason to turn anybody away.
    """
    try:
        cache.add(key, 0, seconds)
        return int(cache.incr(key, times))
    except (ValueError, redis.RedisError, OSError):  # a ValueError: it ran out in between
        return None
