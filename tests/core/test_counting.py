"""Things are counted for a while, and a counter that is away stops nobody."""

from typing import Any

from django.core.cache import cache

from marketing.core import counting


def test_each_name_is_counted_by_itself() -> None:
    cache.clear()
    assert [counting.count(key="a", seconds=60) for _ in range(3)] == [1, 2, 3]
    assert counting.count(key="b", seconds=60) == 1
    cache.delete("a")
    assert counting.count(key="a", seconds=60) == 1


def test_a_counter_that_is_away_says_nothing(settings: Any) -> None:
    away = {"BACKEND": "django.core.cache.backends.redis.RedisCache"}
    settings.CACHES = {"default": away | {"LOCATION": "redis://127.0.0.1:1/0"}}
    assert counting.count(key="a", seconds=60) is None
