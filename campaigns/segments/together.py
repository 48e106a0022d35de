"""A few people and many segments: all rules are asked about them at once, as one transaction.

What a segment costs by itself, however few people it concerns, is paid once for all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from weakref import WeakKeyDictionary

from django.db import OperationalError, connection

from campaigns.models import SegmentMember, SegmentMove, SegmentUpkeep
from campaigns.segments import moves, sizes, standing
from campaigns.segments.moves import Step
from campaigns.segments.rounds import Concern, Done, Round
from campaigns.segments.rulebook import Rules
from marketing.core.db import advisory_lock

# More people than this are asked about segment by segment.
MOST = 200
_kept: "WeakKeyDictionary[Rules, standing.Board]" = WeakKeyDictionary()


def bring(
    round_: Round, concerns: Sequence[Concern], states: Mapping[int, SegmentUpkeep], done: Done
) -> list[Concern]:
    """Bring these segments up to now; those that must be looked at by themselves come back."""
    if not concerns:
        return []
    board = _board(round_.rules)
    people: set[int] = set()
    taken: list[Concern] = []
    others: list[Concern] = []
    for concern in concerns:
        together = people | concern.people
        if concern.number in board.left_out or len(together) > MOST:
            others.append(concern)
        else:
            people = together
            taken.append(concern)
    try:
        _bring(round_, board, taken, sorted(people), states, done)
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
    states: Mapping[int, SegmentUpkeep],
    done: Done,
) -> None:
    with advisory_lock(moves.LOCK):
        # Whatever was brought on by somebody else meanwhile is left to the next round.
        there = SegmentUpkeep.objects.filter(pk__in=[concern.number for concern in concerns])
        known = {pk: (at, size) for pk, at, size in there.values_list("pk", "position", "people")}
        concerns = [c for c in concerns if known.get(c.number, ("",))[0] == _at(states, c)]
        asked = {concern.number for concern in concerns if concern.people}
        held = board.of(people=people, as_of=round_.as_of, only=asked) if asked else {}
        steps = list(_steps(concerns, held, _stored(asked, people)))
        moved = moves.place(steps=steps, at=round_.now)
        if moved:
            _count(round_, {n: known[n][1] + m.entered - m.left for n, m in moved.items()})
        _go_on(round_, concerns, states)
    done.segments += len(concerns)
    done.entered += sum(each.entered for each in moved.values())
    done.left += sum(each.left for each in moved.values())


def _at(states: Mapping[int, SegmentUpkeep], concern: Concern) -> str:
    return states[concern.number].position


def _stored(segments: set[int], people: list[int]) -> set[tuple[int, int]]:
    rows = SegmentMember.objects.filter(segment__in=segments, customer__in=people)
    return set(rows.values_list("segment", "customer")) if segments else set()


def _steps(
    concerns: Iterable[Concern],
    held: Mapping[int, set[int]],
    stored: set[tuple[int, int]],
) -> Iterable[Step]:
    """Whoever is in and should not be, and the other way round."""
    for concern in concerns:
        meant = held.get(concern.number, set())
        for person in concern.people:
            if (person in meant) != ((concern.number, person) in stored):
                changed = person in concern.changed
                cause = SegmentMove.Cause.CHANGE if changed else SegmentMove.Cause.TIME
                yield Step(concern.number, person, person in meant, cause)


def _count(round_: Round, people: Mapping[int, int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_segmentupkeep u SET people = n.people"
            " FROM unnest(%s::bigint[], %s::bigint[]) AS n (id, people) WHERE u.segment_id = n.id",
            [list(people), list(people.values())],
        )
    sizes.keep(people=people, now=round_.now)


def _go_on(round_: Round, concerns: Iterable[Concern], states: Mapping[int, SegmentUpkeep]) -> None:
    """Move on what these segments saw, all of one kind at once."""
    kinds: dict[tuple[str, bool], list[int]] = {}
    for concern in concerns:
        kinds.setdefault((_at(states, concern), concern.clock), []).append(concern.number)
    for (before, clock), numbers in kinds.items():
        values: dict[str, str | datetime] = {"position": round_.since(before).position}
        if clock:
            values |= {"as_of": round_.as_of, "looked_at": round_.now}
        SegmentUpkeep.objects.filter(pk__in=numbers).update(**values)
