"""Facts and live models → candidates: who, which products are on the shelf, who owns what."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from ingestion.models import Consent, Customer, Product
from marketing.core.errors import Conflict
from models_ml import catalog, interactions, queries, registry
from models_ml.models import ModelVersion
from recommendations.rules import Owned, Rules, Shelf

CHUNK = 20_000


@dataclass(frozen=True)
class Question:
    """Everybody to pick for: ids (n,), sorted; what they own by row; who gets no personal picks."""

    people: np.ndarray
    owned: Owned
    unprofiled: np.ndarray
    shelf: Shelf


@dataclass(frozen=True)
class Engine:
    """A live version, with what its model proposes for everybody: (n, k) ids and scores."""

    entry: catalog.Entry
    version: ModelVersion
    picks: np.ndarray
    scores: np.ndarray
    vectors: tuple[np.ndarray, np.ndarray] | None


def ask(*, rules: Rules, now: datetime) -> Question:
    """Read people, shelf and purchases as they stand."""
    people = np.sort(_ids(Customer.objects.all()))
    history = interactions.read(as_of=queries.data_now(now=now))
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
    return Question(
        people=people,
        owned=Owned(row=pairs[:, 0], item=pairs[:, 1]),
        unprofiled=np.isin(people, declined),
        shelf=shelf(rules=rules),
    )


def shelf(*, rules: Rules) -> Shelf:
    """Active goods with enough in stock; a product without a count of stock is taken as there."""
    rows = list(
        Product.objects.filter(active=True, is_goods=True)
        .filter(Q(stock__isnull=True) | Q(stock__gte=rules.min_stock))
        .order_by("id")
        .values_list("id", "category")
    )
    names = {name: code for code, name in enumerate(sorted({c for _id, c in rows if c}))}
    return Shelf(
        ids=np.array([key for key, _category in rows], dtype=np.int64),
        category=np.array([names.get(c, -1) for _id, c in rows], dtype=np.int64),
    )


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
    """Let one live model rank the shelf for everybody. `report(done, total)` may raise to stop."""
    model = registry.load(version, entry.read())
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
    return Engine(entry, version, picks, scores, model.vectors())


def _ids(people: QuerySet[Customer]) -> np.ndarray:
    return np.fromiter(people.values_list("id", flat=True).iterator(chunk_size=50_000), np.int64)
