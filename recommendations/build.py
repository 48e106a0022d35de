"""Make everybody's picks anew: candidates, rules, reasons, written, switched; all or nothing.

Some thousand people at a time, engine by engine: while a part is written the next is ranked, so
what is held at once is that and not everybody's candidates. Sets are written where nobody looks
yet, in short transactions, and what was chosen before serves until all of them are whole; then one
transaction puts them in its place.
"""

import contextlib
from collections.abc import Callable, Collection, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TypeVar

import numpy as np
from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _

from marketing.core import bus
from marketing.core.db import advisory_lock
from marketing.core.errors import Conflict
from models_ml.algorithms.data import chunks
from models_ml.columns import copied
from recommendations import candidates, evaluate, novelties, placements, reasons, rules, writing
from recommendations.candidates import Engine, Question
from recommendations.models import PICKED_SETS, PickList, Placement, RecommendationSet
from recommendations.novelties import Catalogue, News
from recommendations.placements import default_placement
from recommendations.rules import Rules, costs
from recommendations.writing import Picked, Tally

State = RecommendationSet.State

Say = Callable[[str, int, int], None]
# Products and scores, (n, size) each.
Lists = tuple[np.ndarray, ...]
T = TypeVar("T")
# People picked for at a time. What new products cost is told by the first of them.
AT_ONCE = 10_000


def stored_placements() -> list[Placement]:
    """The placements whose picks are chosen beforehand for everybody, the one of mails first."""
    default = default_placement()
    kinds = [kind for kind, sort in placements.SORTS.items() if sort.personal]
    others = Placement.objects.filter(enabled=True, kind__in=kinds).exclude(pk=default.pk)
    return [default, *others.order_by("pk")]


def refresh(
    *,
    placement: Placement,
    now: datetime,
    say: Say | None = None,
    catalogue: Catalogue | None = None,
) -> list[RecommendationSet]:
    """Pick for everybody with every live engine, and let the best judged one serve.

    `say(engine, done, total)` hears of progress and may raise to stop; until the switch nothing
    that serves is changed. Refuses when no model is live. `catalogue` is what is said of goods,
    where several placements are picked for at once.
    """
    wanted = Rules.of(placement.rules, placement.size)
    live = candidates.live_entries()
    question = candidates.ask(rules=wanted, now=now)
    news = novelties.propose(question=question, catalogue=catalogue or Catalogue(now), rules=wanted)
    return make(
        placement=placement,
        engines=(candidates.read(entry, version) for entry, version in live),
        question=question,
        wanted=wanted,
        news=news,
        best=evaluate.best([version for _entry, version in live]).pk,
        now=now,
        say=say,
    )


def make(
    *,
    placement: Placement,
    engines: Iterable[Engine],
    question: Question,
    wanted: Rules,
    news: News | None = None,
    popular: Lists | None = None,
    best: int | None = None,
    now: datetime,
    say: Say | None = None,
) -> list[RecommendationSet]:
    """Pick with each of the engines and put the new sets in place of the old ones.

    Empty places are filled from `popular`, what is popular for the same people; if not given, from
    what the first engine picks. `best` is the version that serves.
    """
    tell = say or (lambda engine, done, total: None)
    total = len(question.people)
    made: list[RecommendationSet] = []
    try:
        for engine in engines:
            name = engine.entry.engine
            row = RecommendationSet.objects.create(
                placement=placement,
                engine=name,
                model_version_id=engine.version.pk,
                created_at=now,
            )
            made.append(row)
            tally, cost, first = Tally(question.shelf), 0.0, []
            work = partial(_chosen, engine, question, wanted, popular, news)
            with contextlib.closing(_ahead(work, total)) as parts:
                for rows, (plain, shown) in parts:
                    writing.write(set_id=row.pk, people=question.people[rows], picked=shown)
                    tally.add(shown)
                    if news is not None and rows.start == 0:
                        cost = 1 - costs.kept(plain.picks, shown.picks)
                    if popular is None:
                        first.append((plain.picks, plain.scores))
                    tell(name, rows.stop, total)
            if popular is None and first:
                popular = tuple(np.concatenate(column) for column in zip(*first, strict=True))
            row.metrics = tally.facts() | {
                "new_cost": round(cost, 6),
                # What people without a history get: the head of the popular list, whoever it was
                # made for.
                "newcomers": writing.head(question.shelf, popular[0]) if popular else [],
            }
        _switch(placement=placement, made=made, best=best, people=question.people)
    except BaseException:
        # Nobody sees them; where the database cannot do it now, the next switch takes them away.
        with contextlib.suppress(DatabaseError):
            _drop([row.pk for row in made])
        raise
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE recommendations_picklist")
    return made


def _chosen(
    engine: Engine,
    question: Question,
    wanted: Rules,
    popular: Lists | None,
    news: News | None,
    rows: slice,
) -> tuple[Picked, Picked]:
    """The picks of these people, without and with new products. Asks the database nothing."""
    asked = question.part(rows)
    plain = pick(engine, asked, wanted, popular and (popular[0][rows], popular[1][rows]))
    return plain, plain if news is None else with_new(plain, news.part(rows), asked, wanted)


def _ahead(work: Callable[[slice], T], total: int) -> Generator[tuple[slice, T], None, None]:
    """What `work` makes of each part of so many people; while one is used the next is made."""
    pool = ThreadPoolExecutor(1)
    waiting: list[tuple[slice, Future[T]]] = []
    try:
        for rows in chunks(total, AT_ONCE):
            waiting.append((rows, pool.submit(work, rows)))
            if len(waiting) > 1:
                before, made = waiting.pop(0)
                yield before, made.result()
        for before, made in waiting:
            yield before, made.result()
    finally:
        pool.shutdown(cancel_futures=True)


def pick(engine: Engine, question: Question, wanted: Rules, popular: Lists | None) -> Picked:
    """Rank, apply the rules, fill what stays empty from popularity, and give every pick its
    reason. Without `popular` this engine is popularity itself."""
    picks, scores = engine.rank(question, wanted)
    picks, scores = rules.apply(
        picks,
        scores,
        shelf=question.shelf,
        owned=question.owned,
        rules=wanted,
        limits=question.limits,
    )
    if popular is None:
        why = np.where(picks >= 0, reasons.POPULAR, reasons.NONE)
        return Picked(picks, scores, why, np.full(picks.shape, -1))
    picks, scores, filled = rules.fill_up(picks, scores, *popular)
    anchor = engine.anchors(question, np.where(filled, -1, picks))
    own = np.where(anchor >= 0, reasons.BECAUSE, reasons.TASTE)
    why = np.where(filled, reasons.POPULAR, own)
    return Picked(picks, scores, np.where(picks >= 0, why, reasons.NONE), anchor)


def with_new(picked: Picked, news: News, question: Question, wanted: Rules) -> Picked:
    """The same with new products in the places that the rules give them."""
    picks, scores, whence = rules.give_places(
        picked.picks,
        picked.scores,
        news.picks,
        news.scores,
        shelf=question.shelf,
        owned=question.owned,
        rules=wanted,
        limits=question.limits,
    )
    is_new = whence >= 0
    # Where each of the old picks stood, so that its reason comes along.
    came = (picks[:, :, None] == picked.picks[:, None, :]).argmax(axis=2)
    why, anchor = (np.take_along_axis(one, came, axis=1) for one in (picked.why, picked.anchor))
    like = np.take_along_axis(news.anchor, np.maximum(whence, 0), axis=1)
    return Picked(
        picks,
        scores,
        np.where(is_new, reasons.NEW, np.where(picks >= 0, why, reasons.NONE)),
        np.where(is_new, like, anchor),
    )


def _switch(
    *, placement: Placement, made: list[RecommendationSet], best: int | None, people: np.ndarray
) -> None:
    """Put sets that are written in place of the old ones."""
    keys = [row.pk for row in made]
    with advisory_lock(f"placement:{placement.pk}"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        left = RecommendationSet.objects.select_for_update().filter(pk__in=keys)
        if len(left.values_list("pk")) < len(keys):
            raise Conflict(
                _("Somebody else chose products for this placement meanwhile; theirs serve."),
                code="chosen_meanwhile",
                remedy=_("Choose products again if its rules were changed since."),
            )
        # Whoever was taken out while this was made gets no row that nothing would ever remove.
        there = copied(cursor, "SELECT id::int8 FROM ingestion_customer", {}, width=1)[0]
        gone = np.setdiff1d(people, there, assume_unique=True).tolist()
        if gone:
            PickList.objects.filter(set__in=keys, customer__in=gone)._raw_delete(using="default")
        clear(placement=placement, but=keys)
        for row in made:
            row.state = State.COMPLETE
            row.serving = best is not None and row.model_version_id == best
        RecommendationSet.objects.bulk_update(made, ["state", "serving", "metrics"])
        bus.announce("recommendations.refreshed", placement_id=placement.pk)


# Sets that picks are there of though their own row is gone: whoever wrote them was killed while the
# database had a part of them in hand.
_STRAY = f"""
SELECT n.id FROM ({PICKED_SETS}) AS n
WHERE NOT EXISTS (SELECT FROM recommendations_recommendationset s WHERE s.id = n.id)
"""


def clear(*, placement: Placement, but: Collection[int] = ()) -> None:
    """Delete the sets of a placement with their picks, except the ones named; and picks of sets
    that are gone, of whatever placement."""
    old = RecommendationSet.objects.filter(placement=placement).exclude(pk__in=but)
    keys = list(old.values_list("pk", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(_STRAY)
        _drop(keys + [key for (key,) in cursor.fetchall()])


def _drop(keys: list[int]) -> None:
    """Delete these sets with their picks, also those whose own row is gone already."""
    if not keys:
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        PickList.objects.filter(set__in=keys)._raw_delete(using="default")
        RecommendationSet.objects.filter(pk__in=keys).delete()
