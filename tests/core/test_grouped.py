"""Items that arrive together are written together, each once, and each learns its own fate."""

import threading
import time
from collections.abc import Sequence

import pytest

from marketing.core.grouped import Grouped


def submit_all(group: Grouped[int], items: Sequence[int]) -> dict[int, str]:
    """What became of each item when threads submit all of them at once."""
    fate: dict[int, str] = {}

    def one(item: int) -> None:
        try:
            group.submit(item)
            fate[item] = "written"
        except ValueError as error:
            fate[item] = str(error)

    threads = [threading.Thread(target=one, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    return fate


@pytest.mark.parametrize("writers", [1, 2])
def test_each_item_is_written_once_and_groups_are_shared(writers: int) -> None:
    groups: list[list[int]] = []

    def write(items: Sequence[int]) -> None:
        time.sleep(0.02)
        groups.append(list(items))

    fate = submit_all(Grouped(write, limit=10, writers=writers), range(60))
    assert fate == dict.fromkeys(range(60), "written")
    assert sorted(item for group in groups for item in group) == list(range(60))
    assert max(map(len, groups)) <= 10
    assert len(groups) < 60


def test_nobody_is_told_that_an_item_was_written_when_its_group_was_not() -> None:
    def write(items: Sequence[int]) -> None:
        time.sleep(0.005)
        if 7 in items:
            raise ValueError("refused")

    group = Grouped(write, writers=1)
    fate = submit_all(group, range(30))
    assert set(fate) == set(range(30))
    assert fate[7] == "refused"
    assert "written" in fate.values()
    group.submit(99)  # and the next one finds a writer
