"""Stored membership follows the facts: from whoever changed, and from the time that went by.

Each segment remembers the last change it saw and the moment its days counted back from, and both
move on in the transaction that writes its members and moves: a refresher that dies loses nothing
and doubles nothing, and two that meet do the work once. A segment is made anew when its rule, or
that of a segment it names, is another one, or when nearly everybody would be looked at anyway.
"""

import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from campaigns.models import Segment, SegmentMove, SegmentUpkeep
from campaigns.segments import asking, clock, levels, moves, sizes, together
from campaigns.segments.rounds import Concern, Done, Level, Round, State, level_of, states
from campaigns.segments.rulebook import load
from campaigns.segments.terms import NotRead, RuleFault, gettext_noop
from ingestion import changes
from marketing.core.db import advisory_lock

READER = "campaigns.segments"
SECONDS = 8.0
# A segment that could not be followed is tried again after this, or when its rule is changed.
REST = timedelta(minutes=10)
_CANCELLED = "57014"
TOO_LONG = gettext_noop("Looking for its people took too long.")
# Above this share of everybody it costs less to look at everybody.
SHARE = 0.3
FEW = 1_000
KEPT = timedelta(days=90)
_FIRST = (False, 0)
# A segment that nothing concerns is made sure of this often.
_SURE = timedelta(hours=1)


@contextmanager
def _alone() -> Iterator[bool]:
    """Only one refresher is at it: others would look at the same people for nothing."""
    key = zlib.crc32(READER.encode())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        mine = bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine and not connection.needs_rollback and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def refresh(
    *,
    now: datetime | None = None,
    segment_ids: Iterable[int] | None = None,
    seconds: float = SECONDS,
) -> Done:
    """Bring stored membership up to now: all segments, or these. What was begun is finished.

    Answers at once while another refresher is at it.
    """
    with _alone() as mine:
        return _refresh(now, segment_ids, seconds) if mine else Done()


def _refresh(now: datetime | None, segment_ids: Iterable[int] | None, seconds: float) -> Done:
    began = time.monotonic()
    now = now or timezone.now()
    rules = load()
    done = Done()
    found = states()
    round_ = Round(now, clock.moment(now=now), rules)
    wanted = None if segment_ids is None else set(segment_ids)
    _settle_closed(round_, found, done)
    idle: dict[Level, list[int]] = {}
    few: list[Concern] = []
    turns = {level: _turn(level) for level, _signature in found.values()}
    turn = {number: turns[state.level] for number, state in found.items()}
    for number in sorted(rules.order, key=lambda number: turn.get(number, _FIRST)):
        if wanted is not None and number not in wanted:
            continue
        if time.monotonic() - began > seconds:
            done.more = True
            break
        state = found.get(number)
        if state is not None:
            level = state.level
            if level.fault and _rests(round_, number, level):
                continue
            view = round_.view(level)
            if round_.nothing(number, state, view):
                idle.setdefault(level, []).append(number)
                continue
            if concern := round_.concern(number, state, view):
                few.append(concern)
                continue
        _try(round_, number, done)
    for concern in together.bring(round_, few, done):
        _try(round_, concern.number, done)
    _pass_by(round_, idle)
    if wanted is None:
        _confirm(round_)
    return done


def _pass_by(round_: Round, idle: Mapping[Level, Sequence[int]]) -> None:
    """Segments that nothing concerned saw what there was, too."""
    for level, numbers in idle.items():
        news, sure = round_.news[level.position], round_.now - level.looked_at > _SURE
        if not news.people and not sure:
            continue
        position = news.position if news.people else level.position
        moments = (level.as_of, round_.now) if sure else None
        with advisory_lock(moves.LOCK):
            levels.move_on(numbers, level.moments, position, moments)


def _turn(level: Level) -> tuple[bool, int]:
    """New segments first, then whoever has waited longest; the rest as they name each other.

    Those that could not be followed come last, so that they keep nobody else waiting.
    """
    return bool(level.fault), int(level.position.split(":", 1)[0])


def _rests(round_: Round, number: int, level: Level) -> bool:
    """Whether a segment that could not be followed is left alone for now: its rule is the same."""
    return (
        round_.now - level.looked_at < REST
        and not Segment.objects.filter(pk=number, updated_at__gt=level.looked_at).exists()
    )


def _set_aside(round_: Round, number: int, fault: str, looked_at: datetime) -> None:
    """Say why a segment cannot be followed; what was stored of it stays until it can be again.

    It is tried again a while after `looked_at`.
    """
    with advisory_lock(moves.LOCK):
        state = levels.of(number)
        if state is None:
            state = SegmentUpkeep(segment_id=number, built_at=round_.now)
            position, as_of = changes.position(), round_.as_of
        else:
            position, as_of = state.level.position, state.level.as_of
        state.signature = ""  # made anew when it is tried again
        state.fault = fault[:300]
        levels.put(state, position=position, as_of=as_of, looked_at=looked_at)


def _try(round_: Round, number: int, done: Done) -> None:
    """Bring one segment by itself, or say why it cannot be followed."""
    try:
        _bring(round_, number, done)
    except NotRead as waiting:  # nothing was asked of the database yet, so it costs nothing
        _set_aside(round_, number, str(waiting), round_.now - REST)
    except RuleFault as fault:
        _set_aside(round_, number, str(fault), round_.now)
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", None) != _CANCELLED:
            raise
        _set_aside(round_, number, TOO_LONG, round_.now)


def _bring(round_: Round, number: int, done: Done) -> None:
    """One segment, in one transaction, alone."""
    node = round_.rules.nodes[number]
    with advisory_lock(moves.LOCK):
        if not Segment.objects.filter(pk=number, state=Segment.State.LIVE).exists():
            return
        state = levels.of(number)
        done.segments += 1
        if state is not None:
            _tell_erased(round_, state, done)
        if state is None or state.signature != round_.rules.signatures[number]:
            _rebuild(round_, number, state, SegmentMove.Cause.RULE, done)
            return
        level = level_of(state)
        news = round_.since(level.position)
        if round_.stale(level, news):
            _rebuild(round_, number, state, SegmentMove.Cause.CHANGE, done)
            return
        needs = round_.rules.needs[number]
        changed = news.of(needs.changes)
        due = not needs.timeless and round_.due(level)
        timely = round_.timely(needs, level) if due else set()
        if changed is None or timely is None:
            cause = SegmentMove.Cause.CHANGE if changed is None else SegmentMove.Cause.TIME
            _rebuild(round_, number, state, cause, done)
            return
        everybody = changed | timely
        if len(everybody) > max(FEW, SHARE * round_.everyone):
            cause = SegmentMove.Cause.CHANGE if changed else SegmentMove.Cause.TIME
            _rebuild(round_, number, state, cause, done)
            return
        moved = moves.Moved()
        if everybody:
            moved = moves.bring(
                segment_id=number,
                asked=asking.some(node, people=everybody, as_of=max(round_.as_of, level.as_of)),
                people=everybody,
                timely=timely - changed,
                at=round_.now,
            )
        state.fault = ""
        if due or needs.timeless:
            as_of, looked_at = max(round_.as_of, level.as_of), max(round_.now, level.looked_at)
            level = level._replace(as_of=as_of, looked_at=looked_at)
        _keep(round_, state, level._replace(position=news.position), moved, done)


def _rebuild(
    round_: Round, number: int, state: SegmentUpkeep | None, cause: str, done: Done
) -> None:
    # From before the look: what changes meanwhile is looked at again.
    position = changes.position() if state is None else round_.since(state.level.position).position
    asked = asking.everyone(round_.rules.nodes[number], as_of=round_.as_of)
    moved = moves.rebuild(segment_id=number, asked=asked, cause=cause, at=round_.now)
    people = moves.members(segment_id=number).count()
    state = state or SegmentUpkeep(segment_id=number)
    state.signature, state.built_at = round_.rules.signatures[number], round_.now
    state.people, state.fault = people - moved.entered + moved.left, ""
    done.rebuilt += 1
    _keep(round_, state, Level(position, round_.as_of, round_.now), moved, done)


def _tell_erased(round_: Round, state: SegmentUpkeep, done: Done) -> None:
    """Tell who was erased since; within the turn of whoever writes moves."""
    gone = round_.erased(state)
    if gone:
        left = moves.tell_erased(segment_id=state.segment_id, people=gone, at=round_.now)
        state.people -= left
        done.left += left


def _keep(
    round_: Round, state: SegmentUpkeep, level: Level, moved: moves.Moved, done: Done
) -> None:
    state.people += moved.entered - moved.left
    levels.put(state, position=level.position, as_of=level.as_of, looked_at=level.looked_at)
    done.entered += moved.entered
    done.left += moved.left
    sizes.keep(people={state.segment_id: state.people}, now=round_.now)


def _settle_closed(round_: Round, found: Mapping[int, State], done: Done) -> None:
    """Segments out of use lose their members; those whose rule no longer reads stay as they are."""
    rules = round_.rules
    for number in found.keys() - rules.nodes.keys():
        if number in rules.faults:
            fault = rules.faults[number][:300]
            if found[number].level.fault != fault:
                SegmentUpkeep.objects.filter(pk=number).update(fault=fault)
        else:
            with advisory_lock(moves.LOCK):
                state = levels.of(number)
                if state is not None:
                    _tell_erased(round_, state, done)
                done.left += moves.close(segment_id=number, at=round_.now).left
                SegmentUpkeep.objects.filter(pk=number).delete()


def _confirm(round_: Round) -> None:
    """Changes that every segment has seen are needed no more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT l.position FROM campaigns_segmentlevel l"
            " JOIN campaigns_segmentupkeep u ON u.level_id = l.id"
        )
        positions = [position for (position,) in cursor.fetchall()]
    oldest = _oldest(positions) if positions else changes.position()
    changes.confirm(reader=READER, position=oldest, now=round_.now)


def _oldest(positions: Iterable[str]) -> str:
    return min(positions, key=lambda text: int(text.split(":", 1)[0]))


def check(*, now: datetime | None = None) -> Done:
    """Make the segment anew that was not made for longest; what it finds should be nothing."""
    now = now or timezone.now()
    rules = load()
    done = Done()
    oldest = (
        SegmentUpkeep.objects.filter(pk__in=rules.order, built_at__lt=now - timedelta(days=1))
        .order_by("built_at")
        .first()
    )
    if oldest is None:
        return done
    refresh(now=now, segment_ids=[oldest.pk])
    with advisory_lock(moves.LOCK):
        state = levels.of(oldest.pk)
        if state is not None and state.signature == rules.signatures.get(oldest.pk):
            round_ = Round(now, max(clock.moment(now=now), state.level.as_of), rules)
            _rebuild(round_, oldest.pk, state, SegmentMove.Cause.CHANGE, done)
    return done


def tidy(*, now: datetime | None = None) -> None:
    """Remove changes that were seen and moves nobody needs any more."""
    now = now or timezone.now()
    with transaction.atomic():
        changes.tidy(now=now)
    levels.tidy()
    began = time.monotonic()
    while moves.tidy(before=now - KEPT) == moves.PIECE and time.monotonic() - began < SECONDS:
        pass
