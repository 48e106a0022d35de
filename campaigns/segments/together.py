"""Few people or few segments: all rules are asked about all people at once, as one transaction.

What a segment costs by itself, however few people it concerns, is paid once for all of them.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from weakref import WeakKeyDictionary

from django.db import OperationalError

from campaigns.models import SegmentMove
from campaigns.segments import levels, moves, sizes, standing
from campaigns.segments.moves import Step
from campaigns.segments.rounds import Concern, Done, Level, Round
from campaigns.segments.rulebook import Rules
from marketing.core.db import advisory_lock

# So many answers at most, of everybody by every rule; what is more is asked segment by segment.
MOST = 100_000
_kept: "WeakKeyDictionary[Rules, standing.Board]" = WeakKeyDictionary()


def bring(round_: Round, concerns: Sequence[Concern], done: Done) -> list[Concern]:
    """Bring these segments up to now; those that must be looked at by themselves come back."""
    if not concerns:
        return []
    board = _board(round_.rules)
    people: set[int] = set()
    rules: dict[Hashable, int] = {}
    taken: list[Concern] = []
    others: list[Concern] = []
    for concern in concerns:
        if concern.number in board.left_out:
            others.append(concern)
            continue
        if concern.people:
            statement, width = board.beside[concern.number]
            together, asked = people | concern.people, rules | {statement: width}
            if len(together) * sum(asked.values()) > MOST:
                others.append(concern)
                continue
            people, rules = together, asked
        taken.append(concern)
    try:
        _bring(round_, board, taken, sorted(people), done)
    except OperationalError:  # one of them takes too long: which one shows by itself
        return list(concerns)
    return others


def _board(rules: Rules) -> standing.Board:
    board = _kept.get(rules)
    if board is None or not board.fits():
        board = _kept[rules] = standing.Board(rules.nodes)
    return board


def _bring(
    round_: Round,
    board: standing.Board,
    concerns: Sequence[Concern],
    people: list[int],
    done: Done,
) -> None:
    with advisory_lock(moves.LOCK):
        there = _go_on(round_, concerns)
        # Whatever was brought on by somebody else meanwhile is left to the next round.
        concerns = [concern for concern in concerns if concern.number in there]
        asked = {concern.number for concern in concerns if concern.people}
        held = board.of(people=people, as_of=round_.as_of, only=asked) if asked else {}
        stored = standing.members(people=people) if asked else {}
        steps = list(_steps(concerns, held, stored))
        moved = moves.place(steps=steps, at=round_.now)
        if moved:
            people_in = {number: each.people for number, each in moved.items()}
            sizes.keep(people=people_in, now=round_.now)
    done.segments += len(concerns)
    done.entered += sum(each.entered for each in moved.values())
    done.left += sum(each.left for each in moved.values())


def _steps(
    concerns: Iterable[Concern],
    held: Mapping[int, set[int]],
    stored: Mapping[int, set[int]],
) -> Iterable[Step]:
    """Whoever is in and should not be, and the other way round."""
    nobody: set[int] = set()
    for number, _level, changed, timely, _clock in concerns:
        meant, known = held.get(number, nobody), stored.get(number, nobody)
        entered, left = meant - known, known - meant
        for whose, cause in (
            (changed, SegmentMove.Cause.CHANGE),
            (timely, SegmentMove.Cause.TIME),
        ):
            if came := entered & whose:
                yield Step(number, came, True, cause)
            if went := left & whose:
                yield Step(number, went, False, cause)


def _go_on(round_: Round, concerns: Iterable[Concern]) -> set[int]:
    """Move on what these segments saw; which of them were still where they were read."""
    kinds: dict[tuple[Level, bool], list[int]] = {}
    for concern in concerns:
        kinds.setdefault((concern.level, concern.clock), []).append(concern.number)
    found: set[int] = set()
    for (level, clock), numbers in kinds.items():
        news = round_.since(level.position)
        moments = (round_.as_of, round_.now) if clock else None
        found |= levels.move_on(numbers, level.moments, news.position, moments)
    return found
