"""Stored membership follows the facts: from whoever changed, and from the time that went by.

Each segment remembers the last change it saw and the moment its days counted back from, and both
move on in the transaction that writes its members and moves: a refresher that dies loses nothing
and doubles nothing, and two that meet do the work once. A segment is made anew when its rule, or
that of a segment it names, is another one, or when nearly everybody would be looked at anyway.
"""

import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import OperationalError, connection, transaction
from django.utils import timezone

from campaigns.models import Segment, SegmentMove, SegmentSize, SegmentUpkeep
from campaigns.segments import asking, clock, moves
from campaigns.segments.needs import Edge, Needs
from campaigns.segments.rulebook import Rules, load
from campaigns.segments.terms import RuleFault
from ingestion import changes
from ingestion.models import ChangeReader, Customer
from marketing.core.db import advisory_lock

READER = "campaigns.segments"
SECONDS = 8.0
# How long time may go by before somebody is looked for whose answer it made another one.
PACE = timedelta(seconds=20)
# A segment that could not be followed is tried again after this, or when its rule is changed.
REST = timedelta(minutes=10)
_TOO_LONG = "57014"
# Above this share of everybody it costs less to look at everybody.
SHARE = 0.3
FEW = 1_000
KEPT = timedelta(days=90)
# A point of the line of sizes when it changed, but not more often than this, and one a day.
POINT, DAILY = timedelta(minutes=10), timedelta(hours=20)
# Changes older than this may be gone.
_FORGOTTEN = changes.KEPT - timedelta(hours=1)
# Refreshers that began at other moments differ by this much and no more.
_SLACK = timedelta(minutes=5)


@dataclass
class Done:
    """What a refresh did: segments looked at and made anew, people who entered and left; `more`
    when its time was over before it was through.
    """

    segments: int = 0
    rebuilt: int = 0
    entered: int = 0
    left: int = 0
    more: bool = False


@dataclass
class _Round:
    """What one refresh has found out, so that many segments ask once."""

    now: datetime
    as_of: datetime
    everyone: int
    rules: Rules
    lost: bool = False
    news: dict[str, changes.News] = field(default_factory=dict)
    times: dict[tuple[Edge, datetime], set[int]] = field(default_factory=dict)
    ends: dict[datetime, set[int]] = field(default_factory=dict)

    def since(self, position: str) -> changes.News:
        if position not in self.news:
            self.news[position] = changes.since(position)
        return self.news[position]

    def timely(self, needs: Needs, state: SegmentUpkeep) -> set[int] | None:
        """Of whom the time that went by may have made the answer another one; None: of anybody."""
        if clock.everybody(needs, state.as_of, self.as_of) or (
            needs.hourly and clock.everybody(needs, state.looked_at, self.now)
        ):
            return None
        found: set[int] = set()
        for edge in needs.edges:
            key = (edge, state.as_of)
            if key not in self.times:
                self.times[key] = clock.concerned(edge, state.as_of, self.as_of)
            found |= self.times[key]
        if needs.endings:
            if state.looked_at not in self.ends:
                self.ends[state.looked_at] = clock.ended(state.looked_at, self.now)
            found |= self.ends[state.looked_at]
        return found


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
    states = SegmentUpkeep.objects.in_bulk()
    round_ = _Round(now, clock.moment(now=now), _people(), rules, _lost_touch(now))
    wanted = None if segment_ids is None else set(segment_ids)
    _settle_closed(states, rules, now, done)
    idle: dict[tuple[str, str], list[int]] = {}
    for number in sorted(rules.order, key=lambda number: _turn(states.get(number))):
        if wanted is not None and number not in wanted:
            continue
        if time.monotonic() - began > seconds:
            done.more = True
            break
        state = states.get(number)
        if state is not None and _rests(round_, state):
            continue
        if state is not None and _nothing(round_, number, state):
            after = round_.since(state.position).position
            idle.setdefault((state.position, after), []).append(number)
            continue
        try:
            _bring(round_, number, done)
        except RuleFault as fault:
            _set_aside(round_, number, str(fault))
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", None) != _TOO_LONG:
                raise
            _set_aside(round_, number, "Looking for its people took too long.")
    for (before, after), numbers in idle.items():
        if round_.news[before].people:
            SegmentUpkeep.objects.filter(pk__in=numbers, position=before).update(position=after)
    if wanted is None:
        _confirm(round_)
    return done


def _turn(state: SegmentUpkeep | None) -> tuple[bool, int]:
    """New segments first, then whoever has waited longest; the rest as they name each other.

    Those that could not be followed come last, so that they keep nobody else waiting.
    """
    if state is None:
        return False, 0
    return bool(state.fault), int(state.position.split(":", 1)[0])


def _rests(round_: _Round, state: SegmentUpkeep) -> bool:
    """Whether a segment that could not be followed is left alone for now: its rule is the same."""
    return (
        bool(state.fault)
        and round_.now - state.looked_at < REST
        and not Segment.objects.filter(pk=state.segment_id, updated_at__gt=state.looked_at).exists()
    )


def _set_aside(round_: _Round, number: int, fault: str) -> None:
    """Say why a segment cannot be followed; what was stored of it stays until it can be again."""
    state = SegmentUpkeep.objects.filter(pk=number).first() or SegmentUpkeep(
        segment_id=number, as_of=round_.as_of, built_at=round_.now
    )
    state.signature = ""  # made anew when it is tried again
    state.position, state.looked_at = changes.position(), round_.now
    state.fault = fault[:300]
    state.save()


def _lost_touch(now: datetime) -> bool:
    """Whether so much time went by without a look that changes may have been removed unseen."""
    last = ChangeReader.objects.filter(name=READER).values_list("at", flat=True).first()
    return last is not None and now - last > _FORGOTTEN


def _people() -> int:
    """About how many people there are."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT reltuples::bigint FROM pg_class WHERE oid = 'ingestion_customer'::regclass"
        )
        known = int(cursor.fetchone()[0])
    return known if known > 0 else Customer.objects.count()


def _nothing(round_: _Round, number: int, state: SegmentUpkeep) -> bool:
    """Whether nothing concerns a segment for now."""
    needs = asking.needs(round_.rules.nodes[number])
    if state.signature != round_.rules.signature(number) or state.fault:
        return False
    news = round_.since(state.position)
    if _stale(round_, state, news) or news.of(needs.changes) != set():
        return False
    return needs.timeless or not _due(round_, state)


def _stale(round_: _Round, state: SegmentUpkeep, news: changes.News) -> bool:
    """Whether what happened since can no longer be told."""
    return news.lost or round_.as_of < state.as_of or round_.now - state.looked_at > _FORGOTTEN


def _due(round_: _Round, state: SegmentUpkeep) -> bool:
    return round_.now - state.looked_at >= PACE or round_.as_of - state.as_of >= PACE


def _bring(round_: _Round, number: int, done: Done) -> None:
    """One segment, in one transaction, alone."""
    node = round_.rules.nodes[number]
    with advisory_lock(moves.LOCK):
        if not Segment.objects.filter(pk=number, state=Segment.State.LIVE).exists():
            return
        state = SegmentUpkeep.objects.filter(pk=number).first()
        done.segments += 1
        if state is None or state.signature != round_.rules.signature(number):
            _rebuild(round_, number, state, SegmentMove.Cause.RULE, done)
            return
        news = round_.since(state.position)
        if _stale(round_, state, news):
            _rebuild(round_, number, state, SegmentMove.Cause.CHANGE, done)
            return
        needs = asking.needs(node)
        changed = news.of(needs.changes)
        due = not needs.timeless and _due(round_, state)
        timely = round_.timely(needs, state) if due else set()
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
                asked=asking.some(node, people=everybody, as_of=max(round_.as_of, state.as_of)),
                people=everybody,
                timely=timely - changed,
                at=round_.now,
            )
        state.position, state.fault = news.position, ""
        if due:
            state.as_of = max(round_.as_of, state.as_of)
            state.looked_at = max(round_.now, state.looked_at)
        _keep(round_, state, moved, done)


def _rebuild(
    round_: _Round, number: int, state: SegmentUpkeep | None, cause: str, done: Done
) -> None:
    position = changes.position()  # before the look: what changes meanwhile is looked at again
    asked = asking.everyone(round_.rules.nodes[number], as_of=round_.as_of)
    moved = moves.rebuild(segment_id=number, asked=asked, cause=cause, at=round_.now)
    people = moves.members(segment_id=number).count()
    state = state or SegmentUpkeep(segment_id=number)
    state.signature, state.position = round_.rules.signature(number), position
    state.as_of, state.looked_at, state.built_at = round_.as_of, round_.now, round_.now
    state.people, state.fault = people - moved.entered + moved.left, ""
    done.rebuilt += 1
    _keep(round_, state, moved, done)


def _keep(round_: _Round, state: SegmentUpkeep, moved: moves.Moved, done: Done) -> None:
    state.people += moved.entered - moved.left
    state.save()
    done.entered += moved.entered
    done.left += moved.left
    _show(state.segment_id, state.people, round_.now)


def _show(number: int, people: int, now: datetime) -> None:
    """The size that lists show, and its line over time."""
    Segment.objects.filter(pk=number).update(size=people, counted_at=now)
    last = SegmentSize.objects.filter(segment_id=number).order_by("-at").first()
    if last is None or (last.size != people and now - last.at > POINT) or now - last.at > DAILY:
        SegmentSize.objects.create(segment_id=number, at=now, size=people)


def _settle_closed(
    states: Mapping[int, SegmentUpkeep], rules: Rules, now: datetime, done: Done
) -> None:
    """Segments out of use lose their members; those whose rule no longer reads stay as they are."""
    for number, state in states.items():
        if number in rules.faults:
            if state.fault != rules.faults[number][:300]:
                state.fault = rules.faults[number][:300]
                state.save(update_fields=["fault"])
        elif number not in rules.nodes:
            with advisory_lock(moves.LOCK):
                done.left += moves.close(segment_id=number, at=now).left
                SegmentUpkeep.objects.filter(pk=number).delete()


def _confirm(round_: _Round) -> None:
    """Changes that every segment has seen are needed no more."""
    positions = set(SegmentUpkeep.objects.values_list("position", flat=True).distinct())
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
        state = SegmentUpkeep.objects.filter(pk=oldest.pk).first()
        if state is not None and state.signature == rules.signature(oldest.pk):
            round_ = _Round(now, max(clock.moment(now=now), state.as_of), _people(), rules)
            _rebuild(round_, oldest.pk, state, SegmentMove.Cause.CHANGE, done)
    return done


def tidy(*, now: datetime | None = None) -> None:
    """Remove changes that were seen and moves nobody needs any more."""
    now = now or timezone.now()
    with transaction.atomic():
        changes.tidy(now=now)
        moves.tidy(before=now - KEPT)
