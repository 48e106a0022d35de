"""What an exam tells of an engine beside two means: sureness, breadth, groups, and the others.

Everything is of the people who are judged, as they stood when the judged window began.
"""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

import numpy as np

from ingestion.models import Customer
from models_ml import features
from models_ml.algorithms import lists, metrics
from models_ml.algorithms.data import DAY, Array, IdMap, Interactions, Truth
from models_ml.algorithms.metrics import Ranking
from models_ml.insights import bands, lifecycle, rfm
from models_ml.insights.lifecycle import Bounds

SEED = 20111209
# A mean over fewer people is a matter of luck; countries beyond the largest few are one group.
LEAST, COUNTRIES = 20, 6
OTHERS = "…"
# Orders before the window: from how many on a group begins.
ORDERS = (("1", 1), ("2-3", 2), ("4-9", 4), ("10+", 10))
Groups = list[tuple[str, str, Array]]


def report(
    figures: Ranking,
    *,
    truth: Truth,
    history: Interactions,
    others: Mapping[str, Ranking],
    groups: Groups,
) -> dict[str, Any]:
    """Figures with 95% bootstrap intervals over people, for a version's details.

    `others` were judged before it on the same people; `over` is what it is ahead of each by.
    """
    shelf = lists.Shelf.of(history)
    bought = lists.popularity(shelf, truth.item[:, None])
    usual = float(bought.mean()) if len(bought) else 0.0
    shown = lists.popularity(shelf, figures.picks)
    return {
        "ndcg": _sure(figures.ndcg),
        "recall": _sure(figures.recall),
        "mrr": _sure(figures.reciprocal),
        "novelty": _sure(lists.novelty(shelf, figures.picks)),
        # 1: as popular as what people then bought.
        "popularity": _sure(shown / usual if usual else shown),
        "diversity": _sure(lists.diversity(shelf, figures.picks, seed=SEED)),
        # Of `people`, who bought what stood at each place: the chances that offers reckon with.
        "hits": lists.hits(truth, figures.picks),
        "coverage": round(figures.items_shown / max(1, len(shelf.ids)), 6),
        "groups": [
            {"by": by, "key": key, "people": int(mask.sum()), **_sure(figures.ndcg[mask])}
            for by, key, mask in groups
        ],
        "over": {
            name: metrics.paired_difference(figures.ndcg, other.ndcg, seed=SEED).as_dict()
            for name, other in others.items()
        },
    }


def _sure(values: Array) -> dict[str, float]:
    return metrics.paired_difference(values, np.zeros(len(values)), seed=SEED).as_dict()


def groups_of(people: Array, history: Interactions, since: Any) -> Groups:
    """Who is in which group when the judged window begins: (what, which, mask over `people`).

    Stages are those of the bounds in use, scores those of the bands in use, both of what was known
    then; people are counted by their country as it is known now.
    """
    orders, first, last = _orders(people, history, since)
    stages = _stages(orders, first, last, lifecycle.bounds())
    found = [("stage", stage, stages == stage) for stage in lifecycle.STAGES]
    edges = [*(least for _name, least in ORDERS[1:]), np.inf]
    found += [
        ("orders", name, (orders >= least) & (orders < most))
        for (name, least), most in zip(ORDERS, edges, strict=True)
    ]
    found += _by_scores(_scores(people, since))
    known = dict(Customer.objects.filter(pk__in=people.tolist()).values_list("pk", "country"))
    where = np.array([known.get(key, "") for key in people.tolist()], dtype=object)
    names, counts = np.unique(where[where != ""].astype(str), return_counts=True)
    largest = names[np.argsort(-counts, kind="stable")][:COUNTRIES].tolist()
    found += [("country", name, where == name) for name in largest]
    rest = ~np.isin(where.astype(str), [*largest, ""])
    found.append(("country", OTHERS, rest))
    return [(by, key, mask) for by, key, mask in found if mask.sum() >= LEAST]


def _scores(people: Array, since: Any) -> Array:
    """Scores of recency, frequency and money just before a moment, (n, 3); 0 for unknown."""
    who, scores = features.scored(as_of=np.datetime64(since, "s").item().replace(tzinfo=UTC))
    place = IdMap(who).encode(people)
    return np.vstack([scores, np.zeros((1, 3), dtype=np.int64)])[place]


def _by_scores(scores: Array) -> Groups:
    """Groups of the cells that are spoken of as one, and of each score of the three by itself."""
    cell = scores[:, 0] * 10 + scores[:, 1]
    meant = {
        group.key: [10 * r + f for r, of in group.cells.items() for f in of] for group in rfm.GROUPS
    }
    found = [("cells", key, np.isin(cell, cells)) for key, cells in meant.items()]
    return found + [
        ("bands", f"{axis.key}{score}", scores[:, n] == score)
        for n, axis in enumerate(bands.AXES)
        for score in rfm.SCORES
    ]


def _orders(people: Array, history: Interactions, since: Any) -> tuple[Array, Array, Array]:
    """Moments of buying, and days since the first and the last of them, of each person (n,)."""
    moments = np.unique(np.stack([history.user, history.at.astype(np.int64)]), axis=1)
    begin = np.searchsorted(moments[0], people)
    end = np.searchsorted(moments[0], people, side="right")
    at = (np.datetime64(since, "s").astype(np.int64) - moments[1]) / DAY.astype(np.int64)
    return end - begin, at[begin], at[end - 1]


def _stages(orders: Array, first: Array, last: Array, bounds: Bounds) -> Array:
    """The stage of each person (n,), asked in the order that `lifecycle.stage_sql` asks."""
    return np.select(
        [first <= bounds.new_days, last > bounds.lapsed_days, last > bounds.risk_days,
         orders >= bounds.loyal_orders],
        [lifecycle.NEW, lifecycle.LAPSED, lifecycle.AT_RISK, lifecycle.LOYAL],
        default=lifecycle.ACTIVE,
    )  # fmt: skip
