"""Facts and live models → candidates: who, which products are on the shelf, who owns what."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from ingestion.models import Consent, Customer
from marketing.core.errors import Conflict
from models_ml import catalog, interactions, queries, registry
from models_ml.algorithms import artifacts
from models_ml.models import ModelVersion
from recommendations import groups, knowledge
from recommendations.rules import Limits, Owned, Rules, Shelf

CHUNK = 20_000
FEW = 5  # buyers from whom on the engines that learn from purchases know a product
MOST_NEW = 500  # new products that compete, the newest ones
DAY = 86_400


@dataclass(frozen=True)
class Question:
    """Everybody to pick for: ids (n,), sorted; what they own by row; who gets no personal picks;
    what is new on the shelf as of a moment, sorted."""

    people: np.ndarray
    owned: Owned
    unprofiled: np.ndarray
    shelf: Shelf
    limits: Limits | None = None
    new: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    as_of: datetime | None = None


@dataclass(frozen=True)
class Engine:
    """A live version, with what its model proposes for everybody: (n, k) ids and scores."""

    entry: catalog.Entry
    version: ModelVersion
    picks: np.ndarray
    scores: np.ndarray
    vectors: tuple[np.ndarray, np.ndarray] | None
    # (people, picks) -> what each pick rests on, where the model can take its scores apart.
    explain: Callable[[np.ndarray, np.ndarray], Any] | None = None


def ask(*, rules: Rules, now: datetime) -> Question:
    """Read people, shelf and purchases as they stand."""
    people = np.sort(_ids(Customer.objects.all()))
    as_of = queries.data_now(now=now)
    history = interactions.read(as_of=as_of)
    row = np.searchsorted(people, history.user)
    row[row == len(people)] = 0
    known = people[row] == history.user if len(people) else np.zeros(0, dtype=bool)
    pairs = np.unique(np.stack([row[known], history.item[known]], axis=1), axis=0)
    declined = _ids(
        Customer.objects.filter(
            id__in=Consent.objects.filter(purpose="profiling", granted=False, current=True).values(
                "customer_id"
            )
        )
    )
    stands = shelf(rules=rules, now=now)
    return Question(
        people=people,
        owned=Owned(row=pairs[:, 0], item=pairs[:, 1]),
        unprofiled=np.isin(people, declined),
        shelf=stands,
        limits=limits(people=people, rules=rules),
        new=newest(
            stands, history.user, history.item, history.at.astype(np.int64),
            until=int(as_of.timestamp()), days=rules.fresh_days,
        ),
        as_of=as_of,
    )  # fmt: skip


_SHELF = f"""
SELECT {knowledge.COLUMNS} FROM ingestion_product p
WHERE p.active AND p.is_goods AND (p.stock IS NULL OR p.stock >= %s) ORDER BY p.id
"""


def shelf(*, rules: Rules, now: datetime) -> Shelf:
    """Active goods with enough in stock that the rules leave for everybody; a product without a
    count of stock is taken as there."""
    with connection.cursor() as cursor:
        cursor.execute(_SHELF, [rules.min_stock])
        return knowledge.shelf(cursor.fetchall(), now=now).under(rules)


def newest(
    shelf: Shelf, buyer: np.ndarray, item: np.ndarray, at: np.ndarray, *, until: int, days: int
) -> np.ndarray:
    """Ids of what is new on the shelf, sorted: in it for at most so many days, bought by fewer
    than FEW, and first bought no longer ago. Purchases are aligned, `at` in seconds."""
    if shelf.age is None or not days:
        return np.zeros(0, dtype=np.int64)
    pairs = np.unique(np.stack([item, buyer]), axis=1)
    known, buyers = np.unique(pairs[0], return_counts=True)
    settled = np.union1d(known[buyers >= FEW], item[at < until - days * DAY])
    found = np.flatnonzero((shelf.age <= days) & ~np.isin(shelf.ids, settled))
    kept = found[np.argsort(shelf.age[found], kind="stable")][:MOST_NEW]
    return np.sort(shelf.ids[kept])


# The middle price of what each person bought.
_USUAL = """
SELECT customer_id, percentile_cont(0.5) WITHIN GROUP (ORDER BY unit_price)::float8
FROM ingestion_orderline WHERE customer_id IS NOT NULL AND kind = 'product' AND quantity > 0
GROUP BY customer_id
"""


def limits(*, people: np.ndarray, rules: Rules) -> Limits | None:
    """What the rules hold against each of the people: their usual price, their groups."""
    price = None
    if rules.price_from is not None or rules.price_to is not None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(_USUAL)
            known = dict(cursor.fetchall())
        price = np.array([known.get(key, np.nan) for key in people.tolist()], dtype=float)
    found = groups.of_people(keys=[one.group for one in rules.allow])
    members = tuple(np.isin(people, found[one.group]) for one in rules.allow)
    return Limits(price, members) if price is not None or members else None


def live_entries() -> list[tuple[catalog.Entry, ModelVersion]]:
    """Engines with a live version, popularity first. Refuses when nothing was trained yet."""
    found = [(entry, registry.live(entry.name)) for entry in catalog.CATALOG]
    live = [(entry, version) for entry, version in found if version is not None]
    if not any(entry.name == catalog.BASELINE for entry, _version in live):
        raise Conflict(
            _("No recommender is live yet, so no products were chosen."),
            code="no_recommender",
            remedy=_("Train the recommenders first."),
        )
    return live


def propose(
    *,
    entry: catalog.Entry,
    version: ModelVersion,
    question: Question,
    rules: Rules,
    report: Callable[[int, int], None],
) -> Engine:
    """Let one live model rank the shelf for everybody. `report(done, total)` may raise to stop.

    Conflict for a model whose files are damaged: whatever was chosen by it before is better than
    choosing without it.
    """
    try:
        model = registry.load(version, entry.read())
    except (artifacts.Damaged, OSError) as fault:
        raise Conflict(
            _("The stored model of %(engine)s cannot be read: %(fault)s.")
            % {"engine": entry.title, "fault": fault},
            code="model_damaged",
            remedy=_("Train the recommenders again. What was chosen before still serves."),
        ) from fault
    total = len(question.people)
    picks = np.full((total, rules.wanted), -1, dtype=np.int64)
    scores = np.full((total, rules.wanted), -np.inf, dtype=np.float32)
    for begin in range(0, total, CHUNK):
        part = slice(begin, min(begin + CHUNK, total))
        picks[part], scores[part] = model.recommend(
            question.people[part], rules.wanted, question.shelf.ids, skip_seen=rules.drop_owned
        )
        report(part.stop, total)
    if entry.gate:
        picks[question.unprofiled] = -1
    return Engine(entry, version, picks, scores, model.vectors(), getattr(model, "explain", None))


def _ids(people: QuerySet[Customer]) -> np.ndarray:
    return np.fromiter(people.values_list("id", flat=True).iterator(chunk_size=50_000), np.int64)
