"""A worker is told that something waits: soon, and once, however many tell it."""

import pytest
import redis
from django.core.cache import cache

from marketing.core import bus, nudger
from marketing.core.nudger import Nudger

TASK = "somewhere.tasks.look"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was put on queues."""
    found: list[str] = []
    monkeypatch.setattr(bus, "nudge", lambda task, **_: found.append(task))
    cache.delete(f"nudged:{TASK}")
    return found


def one_of_a_process() -> Nudger:
    return Nudger(TASK, queue="fast", pause=0.01)


def test_a_nudge_that_waits_stands_for_those_of_every_process_until_it_is_heard(
    told, wait_for
) -> None:
    here, there = one_of_a_process(), one_of_a_process()
    for one in (here, there, here):
        one.nudge()
        wait_for(lambda one=one: not one._wanted.is_set())
    wait_for(lambda: told)
    assert told == [TASK]
    there.heard()
    here.nudge()
    wait_for(lambda: len(told) == 2)


def test_what_nobody_heard_in_time_is_told_again(told, wait_for, monkeypatch) -> None:
    monkeypatch.setattr(nudger, "EXPIRES", 1)
    one = one_of_a_process()
    one.nudge()
    wait_for(lambda: told == [TASK])
    wait_for(lambda: cache.get(f"nudged:{TASK}") is None)
    one.nudge()
    wait_for(lambda: told == [TASK, TASK])


def test_a_nudge_is_told_where_nobody_can_say_whether_one_waits(
    told, wait_for, monkeypatch
) -> None:
    class Away:
        """A cache whose server is gone."""

        def add(self, *_: object) -> None:
            raise redis.ConnectionError

        delete = add

    monkeypatch.setattr(nudger, "cache", Away())
    one = one_of_a_process()
    for times in (1, 2):
        one.heard()
        one.nudge()
        wait_for(lambda times=times: len(told) == times)
