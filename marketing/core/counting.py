"""How often something happened lately, for whoever refuses what comes too often."""

import redis
from django.core.cache import cache


def count(*, key: str, seconds: int) -> int | None:
    """Count once more what began at most `seconds` ago; None when the counter cannot be asked.

    A counter that is away is no reason to turn anybody away.
    """
    try:
        cache.add(key, 0, seconds)
        return int(cache.incr(key))
    except (ValueError, redis.RedisError, OSError):  # a ValueError: it ran out in between
        return None
