"""Facts and live models → candidates: who, which products are on the shelf, who owns what, and what
a model ranks for them and why."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from ingestion.models import Consent, Customer
from marketing.core.errors import Conflict
from models_ml import catalog, interactions, queries, registry
from models_ml.algorithms import artifacts
from models_ml.algorithms.data import IdMap
from models_ml.models import ModelVersion
from recommendations import groups, knowledge, likeness
from recommendations.rules import Limits, Owned, Rules, Shelf

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

    def part(self, rows: slice) -> "Question":
        """The same for these of the people."""
        return replace(
            self,
            people=self.people[rows],
            owned=self.owned.part(rows),
            unprofiled=self.unprofiled[rows],
            limits=None if self.limits is None else self.limits.part(rows),
        )


@dataclass(frozen=True)
class Engine:
    """A live version and its model."""

    entry: catalog.Entry
    version: ModelVersion
    model: Any

    def rank(self, question: Question, rules: Rules) -> tuple[np.ndarray, np.ndarray]:
        """What the model proposes for each of the people: (n, k) ids and scores, best first."""
        picks, scores = self.model.recommend(
            question.people, rules.wanted, question.shelf.ids, skip_seen=rules.drop_owned
        )
        if self.entry.gate:
            picks[question.unprofiled] = -1
        return picks, scores

    def anchors(self, question: Question, picks: np.ndarray) -> np.ndarray:
        """The purchase that each of the picks (n, k) rests on, -1 for none: as the model itself
        tells, or the one most like it where the model cannot take its scores apart."""
        if hasattr(self.model, "explain"):
            found: np.ndarray = self.model.explain(question.people, picks).anchor
            return found
        return likeness.anchors(picks, self._vectors, question.owned.row, question.owned.item)

    @cached_property
    def _vectors(self) -> tuple[np.ndarray, np.ndarray] | None:
        found: tuple[np.ndarray, np.ndarray] | None = self.model.vectors()
        return found


def ask(*, rules: Rules, now: datetime) -> Question:
    """Read people, shelf and purchases as they stand."""
    people = np.sort(_ids(Customer.objects.all()))
    as_of = queries.data_now(now=now)
    history = interactions.read(as_of=as_of)
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
        owned=pairs(people, history.user, history.item),
        unprofiled=np.isin(people, declined),
        shelf=stands,
        limits=limits(people=people, rules=rules),
        new=newest(
            stands, history.user, history.item, history.at.astype(np.int64),
            until=int(as_of.timestamp()), days=rules.fresh_days,
        ),
        as_of=as_of,
    )  # fmt: skip


def pairs(people: np.ndarray, user: np.ndarray, item: np.ndarray) -> Owned:
    """What each of the people (sorted ids) had to do with, once; `user` and `item` are aligned."""
    row, items = IdMap(people).encode(user), IdMap.of(item)
    known = row >= 0
    keys = np.unique(row[known] * len(items) + items.encode(item[known]))
    place = np.floor_divide(keys, max(1, len(items)))
    return Owned(row=place.astype(np.int32), item=items.ids[keys - place * len(items)])


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
    items, people = IdMap.of(item), IdMap.of(buyer)
    bought = np.unique(items.encode(item) * len(people) + people.encode(buyer))
    buyers = np.bincount(bought // max(1, len(people)), minlength=len(items))
    settled = np.union1d(items.ids[buyers >= FEW], item[at < until - days * DAY])
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


def read(entry: catalog.Entry, version: ModelVersion) -> Engine:
    """The model of a live version. Conflict when its files are damaged: whatever was chosen by it
    before is better than choosing without it.
    """
    try:
        return Engine(entry, version, registry.load(version, entry.read()))
    except (artifacts.Damaged, OSError) as fault:
        raise Conflict(
            _("The stored model of %(engine)s cannot be read: %(fault)s.")
            % {"engine": entry.title, "fault": fault},
            code="model_damaged",
            remedy=_("Train the recommenders again. What was chosen before still serves."),
        ) from fault


def _ids(people: QuerySet[Customer]) -> np.ndarray:
    return np.fromiter(people.values_list("id", flat=True).iterator(chunk_size=50_000), np.int64)
