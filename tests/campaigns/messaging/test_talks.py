"""One thread talks on many lines: a slow one holds up nobody, and none carries two unsettled."""

import os
import threading
import time
from collections import Counter
from contextlib import suppress

import pytest

from campaigns.messaging import talks
from campaigns.messaging.providers.base import Answer, Outgoing, Unreachable, Verdict
from campaigns.messaging.talks import Fleet, Talk, Wish

SENT = Answer(Verdict.SENT)


def speak(pipe: int) -> None:
    with suppress(BrokenPipeError):
        os.write(pipe, b".")


class Line:
    """Answers every mail after so many seconds; never, when that is None."""

    def __init__(self, seconds: float | None = 0.0, *, is_ready: bool = True) -> None:
        self.seconds, self.is_ready = seconds, is_ready
        self.broken, self.taken = 0, []

    def make_ready(self) -> None:
        self.is_ready = True

    def close(self) -> None: ...

    def send(self, outgoing: Outgoing) -> Answer:
        return talks.alone(self.talk(outgoing))

    def talk(self, outgoing: Outgoing) -> Talk:
        assert self.is_ready
        if outgoing.key == "nowhere":
            raise Unreachable("nobody there")
        ours, theirs = os.pipe()
        try:
            if self.seconds is not None:
                threading.Timer(self.seconds, speak, (theirs,)).start()
            until = time.monotonic() + (60 if self.seconds is not None else 0.05)
            yield Wish(ours, talks.READ, until)
            os.read(ours, 1)
            self.taken.append(outgoing.key)
            return SENT
        except TimeoutError:
            return Answer(Verdict.UNKNOWN)
        except GeneratorExit:
            self.broken += 1
            raise
        finally:
            os.close(ours)
            if self.seconds is None or not self.broken:
                os.close(theirs)


def fleet(*lines: Line) -> Fleet[str]:
    return Fleet(lines, lambda key: Outgoing(key, "a@x.example", "b@x.example", b""))


def test_a_slow_line_holds_up_no_other_and_a_line_is_free_once_its_item_is_settled():
    slow, fast = Line(1.0), Line()
    items, under_way, most = [str(n) for n in range(30)], Counter(), []

    def take() -> str | None:
        if not items:
            return None
        under_way["now"] += 1
        most.append(under_way["now"])
        return items.pop(0)

    def settle(answered) -> None:
        under_way["now"] -= len(answered)
        assert all(answer is SENT for _item, answer in answered)

    fleet(slow, fast).run(take, settle)
    assert (len(slow.taken), len(fast.taken)) == (1, 29)
    assert max(most) == 2


def test_lines_that_are_closed_are_opened_before_they_are_talked_on():
    lines = [Line(is_ready=False) for _n in range(3)]
    items = ["a", "b", "c"]
    fleet(*lines).run(lambda: items.pop() if items else None, lambda answered: None)
    assert sum(len(line.taken) for line in lines) == 3


def test_a_server_that_says_nothing_is_given_up_and_one_that_is_not_there_is_told():
    items, ends = ["nowhere", "x"], {}
    fleet(Line(None)).run(lambda: items.pop() if items else None, ends.update)
    assert ends["x"].verdict is Verdict.UNKNOWN
    assert isinstance(ends["nowhere"], Unreachable)


def test_where_nothing_can_be_settled_every_talk_is_broken_off():
    quick, waiting = Line(), Line(0.5)
    items = ["a", "b"]
    made = fleet(quick, waiting)

    def settle(answered) -> None:
        raise ConnectionError("the database is gone")

    with pytest.raises(ConnectionError):
        made.run(lambda: items.pop() if items else None, settle)
    assert (quick.broken, waiting.broken) == (0, 1)
    ends: dict = {}
    items.append("c")
    made.run(lambda: items.pop() if items else None, ends.update)
    assert ends == {"c": SENT}


def test_who_is_under_way_is_settled_before_trouble_with_the_next_is_told():
    settled: dict = {}
    asked = iter(["a"])

    def take() -> str:
        for item in asked:
            return item
        raise ConnectionError("the database is gone")

    with pytest.raises(ConnectionError):
        fleet(Line(0.05), Line()).run(take, settled.update)
    assert settled == {"a": SENT}
