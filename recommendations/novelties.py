"""New products for people who are likely to want them, by what is said of products.

Who bought what says nothing of a product that hardly anybody bought yet. So new products are
compared in title, category and price with what a person bought and lately looked at; how many
places they get is a rule of the placement. Only workers import this module.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from models_ml import interactions
from models_ml.algorithms.recommenders import content, histories
from recommendations import candidates, likeness
from recommendations.candidates import Question
from recommendations.pairs import Pairs
from recommendations.rules import Rules, novelties
from recommendations.visits import LOOKED_AT

Array = np.ndarray[Any, np.dtype[Any]]

LOOKED = 2.0  # what a product that was looked at lately counts beside one that was bought
LOOKS_SINCE = timedelta(days=30)
LINKED = 5  # new products that each product is linked to
AT_ONCE = 4_096


@dataclass(frozen=True)
class Catalogue:
    """What is said of all goods as of a moment: vectors are made when first asked for."""

    now: datetime

    @cached_property
    def vectors(self) -> tuple[Array, Array]:
        """Sorted ids (m,) and unit vectors (m, d)."""
        goods = interactions.facts("goods", as_of=self.now)["goods"]
        return goods.ids, content.describe(goods, content.Params())

    def of(self, ids: Array) -> tuple[Array, Array]:
        """Which of `ids` are described, and their vectors."""
        known, table = self.vectors
        at = np.minimum(np.searchsorted(known, ids), max(0, len(known) - 1))
        there = known[at] == ids if len(known) else np.zeros(len(ids), dtype=bool)
        return ids[there], table[at[there]]


@dataclass(frozen=True)
class News:
    """New products for people, best first: (n, m) ids, likeness, and what each is like."""

    picks: Array
    scores: Array
    anchor: Array

    def part(self, rows: slice) -> "News":
        """The same for these of the people."""
        return News(self.picks[rows], self.scores[rows], self.anchor[rows])


def propose(*, question: Question, catalogue: Catalogue, rules: Rules) -> News | None:
    """The new products that are most like what each person bought and lately looked at.

    None where the rules give them no place or nothing is new. Nobody who declined profiling gets
    any, nor does anybody to whose things nothing new is like (`likeness.LIKE`).
    """
    count = 4 * len(novelties.places(rules))
    if not count or not len(question.new):
        return None
    new, table = catalogue.of(question.new)
    owner, own, weight = _interests(question, catalogue.now)
    ids, vectors = catalogue.of(np.unique(own))
    at = np.searchsorted(ids, own)
    known = np.isin(own, ids) & ~np.isin(own, new)
    owner, own, weight, at = owner[known], own[known], weight[known], at[known]
    if not len(new) or not len(own):
        return None
    total = len(question.people)
    mine = csr_matrix((weight, (owner, at)), shape=(total, len(ids)), dtype=np.float32)
    alike = (vectors @ table.T).astype(np.float32)
    size = np.maximum(np.asarray(mine.sum(axis=1)), 1e-12)
    count = min(count, len(new))
    picks = np.full((total, count), -1, dtype=np.int64)
    scores = np.full((total, count), -np.inf, dtype=np.float32)
    for begin in range(0, total, AT_ONCE):
        part = slice(begin, begin + AT_ONCE)
        found = np.asarray(mine[part] @ alike) / size[part]
        places, best = histories.top(found, count)
        picks[part, : places.shape[1]], scores[part, : places.shape[1]] = new[places], best
    picks[np.diff(mine.indptr) == 0] = -1
    anchor = likeness.anchors(picks, catalogue.vectors, owner, own)
    return News(np.where(anchor >= 0, picks, -1), scores, anchor)


def _interests(question: Question, now: datetime) -> tuple[Array, Array, Array]:
    """Rows of people, what they bought or looked at, and how much it counts; sorted by row."""
    assert question.as_of is not None
    until = question.as_of
    who, what, *_rest = interactions.looked(kinds=LOOKED_AT, since=until - LOOKS_SINCE, until=until)
    looked = candidates.pairs(question.people, who, what)
    owner = np.concatenate([question.owned.row, looked.row])
    item = np.concatenate([question.owned.item, looked.item])
    weight = np.ones(len(owner), dtype=np.float32)
    weight[len(question.owned.row) :] = LOOKED
    asked = ~question.unprofiled[owner]
    owner, item, weight = owner[asked], item[asked], weight[asked]
    order = np.argsort(owner, kind="stable")
    return owner[order], item[order], weight[order]


def link(*, new: Array, others: Array, catalogue: Catalogue) -> Pairs:
    """For each of `others` the new products that are most like it, as links are kept."""
    found: list[Sequence[Array]] = []
    if len(new):
        fresh, table = catalogue.of(new)
        others, vectors = catalogue.of(np.setdiff1d(others, new))
    else:
        others = new
    for begin in range(0, len(others), AT_ONCE):
        alike = vectors[begin : begin + AT_ONCE] @ table.T
        places, best = histories.top(alike, LINKED)
        row, rank = np.nonzero(best >= likeness.LIKE)
        found.append((others[begin + row], fresh[places[row, rank]], best[row, rank], rank + 1))
    if not found:
        none = np.zeros(0, dtype=np.int64)
        return Pairs(none, none, none, none.astype(float), none)
    item, other, score, rank = (np.concatenate(column) for column in zip(*found, strict=True))
    return Pairs(item, other, rank, score.astype(float), np.zeros(len(item), dtype=np.int32))
