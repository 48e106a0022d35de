"""Likeness by what is said of products: title, category and price. It needs no purchase of them.

Words and parts of words are weighed by how rare they are (tf-idf), prices by where they stand among
all prices, and the whole is brought down to short vectors by singular values. Where a folder with a
sentence model is given (`transformers` reads it, nothing is fetched), titles go through that.
A person's score for a product is the mean likeness to what they bought, so each purchase's part in
it is known exactly, and a product nobody bought yet is scored like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix, diags, hstack
from scipy.sparse.linalg import svds

from models_ml.algorithms import artifacts
from models_ml.algorithms.data import Array, IdMap, Interactions
from models_ml.algorithms.recommenders.factors import unit
from models_ml.algorithms.recommenders.linear import Linear
from models_ml.algorithms.recommenders.tables import share_of_people

# What popularity counts beside likeness: enough to order what nothing speaks for.
LITTLE = np.float32(1e-6)
PRICES = 8
TITLES = 64


@dataclass(frozen=True)
class Goods:
    """What is said of products: aligned, by rising id. A price may be NaN, a text ""."""

    ids: Array
    title: Sequence[str]
    category: Sequence[str]
    price: Array

    def __post_init__(self) -> None:
        sizes = {len(self.ids), len(self.title), len(self.category), len(self.price)}
        if len(sizes) != 1:
            raise ValueError("ids, title, category and price must have the same length")
        if (np.diff(self.ids) <= 0).any():
            raise ValueError("products must be sorted by id, each once")


@dataclass(frozen=True)
class Params:
    """`dimension`: of the vectors; `words`: most parts of words kept; `category` and `price`: what
    they weigh beside the title's 1; `fade`: how much less each purchase further back counts;
    `sentences`: the folder of a sentence model, "" for words alone.
    """

    dimension: int = 96
    words: int = 30_000
    category: float = 0.5
    price: float = 0.25
    fade: float = 0.9
    sentences: str = ""
    popular_half_life_days: float = 30.0
    seed: int = 20111209


class Content(Linear):
    """`table` is empty: the weight between two products is the product of their vectors."""

    params: Params
    defaults = Params

    def __init__(self, params: Params | None = None) -> None:
        super().__init__(params)
        self.table_of = np.empty((0, 0), dtype=np.float32)

    def fit(self, data: Interactions, goods: Goods | None = None) -> Self:
        """Learn from `goods`; without them nothing is known of any product but its popularity."""
        if not len(data):
            raise ValueError("no interactions to learn from")
        told = goods or Goods(np.empty(0, dtype=np.int64), [], [], np.empty(0))
        self.users, self.items = data.users, IdMap.of(np.concatenate([data.items.ids, told.ids]))
        described = describe(told, self.params)
        self.table_of = np.zeros((len(self.items), described.shape[1]), dtype=np.float32)
        self.table_of[self.items.encode(told.ids)] = described
        self.learn(data)
        return self.read(data)

    def learn(self, data: Interactions) -> None:
        half = self.params.popular_half_life_days
        self.prior = share_of_people(data, self.items, half_life_days=half)
        self.floor = np.full(len(self.items), LITTLE)
        self.table = self.people = csr_matrix((len(self.items), len(self.items)), dtype=np.float32)

    def personal(self, mine: csr_matrix) -> Array:
        return np.asarray((mine @ self.table_of) @ self.table_of.T)

    def weights(self, own: Array, picks: Array) -> Array:
        return np.einsum("ef,ekf->ek", self.table_of[own], self.table_of[picks])

    def near(self, own: Array, asked: Array) -> tuple[Array, Array]:
        """Of products `own` (m,), the one most like each of `asked` (k,) by id, and how like."""
        one, other = self.items.encode(own), self.items.encode(asked)
        alike = self.table_of[np.maximum(other, 0)] @ self.table_of[np.maximum(one, 0)].T
        alike[:, one < 0] = alike[other < 0] = 0
        best = alike.argmax(axis=1)
        return np.asarray(own)[best], alike[np.arange(len(asked)), best]

    def vectors(self) -> tuple[Array, Array] | None:
        return self.items.ids, self.table_of

    def save(self, folder: Path) -> None:
        super().save(folder)
        artifacts.write_arrays(folder / "vectors.npz", vectors=self.table_of)

    @classmethod
    def load(cls, folder: Path) -> Self:
        model = super().load(folder)
        model.table_of = artifacts.read_arrays(folder / "vectors.npz")["vectors"]
        return model


def describe(goods: Goods, params: Params) -> Array:
    """Unit vectors (m, d) of products; one of which nothing is said is all zeros."""
    if not len(goods.ids):
        return np.zeros((0, 1), dtype=np.float32)
    parts: list[Any] = []
    if params.sentences:
        parts.append(csr_matrix(sentences(goods.title, Path(params.sentences))))
    else:
        parts += [
            _words(goods.title, params.words, analyzer="word", token_pattern=r"(?u)\w+"),
            0.5 * _words(goods.title, params.words, analyzer="char_wb", ngram_range=(3, 4)),
        ]
    parts += [params.category * _categories(goods.category), params.price * _prices(goods.price)]
    told = [part for part in parts if part.shape[1]]
    if not told:
        return np.zeros((len(goods.ids), 1), dtype=np.float32)
    table = hstack(told, format="csr", dtype=np.float64)
    return unit(_short(table, params).astype(np.float32))


def sentences(titles: Sequence[str], folder: Path) -> Array:
    """Titles (m,) → the mean of a local model's last layer over the words of each, unit length."""
    import torch  # noqa: PLC0415 - only where such a model is given
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

    if not (folder / "config.json").is_file():
        raise ValueError(f"{folder} holds no sentence model: there is no config.json in it")
    reads = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    found = []
    with torch.inference_mode():
        for begin in range(0, len(titles), TITLES):
            part = list(titles[begin : begin + TITLES])
            told = reads(part, padding=True, truncation=True, max_length=64, return_tensors="pt")
            mask = told["attention_mask"][..., None]
            states = model(**told).last_hidden_state * mask
            found.append((states.sum(1) / mask.sum(1).clamp_min(1)).float().numpy())
    return unit(np.concatenate(found))


def _words(titles: Sequence[str], most: int, **how: Any) -> csr_matrix:
    # Every worker loads this module, and few of them ever weigh words.
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415

    try:
        found = TfidfVectorizer(max_features=most, sublinear_tf=True, lowercase=True, **how)
        return csr_matrix(found.fit_transform(list(titles)))
    except ValueError:  # no title holds a word
        return csr_matrix((len(titles), 0))


def _categories(names: Sequence[str]) -> csr_matrix:
    known = {name: number for number, name in enumerate(sorted({name for name in names if name}))}
    row = [place for place, name in enumerate(names) if name]
    column = [known[names[place]] for place in row]
    return csr_matrix((np.ones(len(row)), (row, column)), shape=(len(names), len(known)))


def _prices(price: Array) -> csr_matrix:
    """Where each price stands among all: shared between the two nearest of PRICES marks."""
    price = np.asarray(price, dtype=np.float64)
    known = np.flatnonzero(np.isfinite(price))
    if not len(known):
        return csr_matrix((len(price), 0))
    ranked = np.sort(price[known])
    low, high = (np.searchsorted(ranked, price[known], side=side) for side in ("left", "right"))
    stand = (low + high) / 2 / len(ranked) * (PRICES - 1)
    left = np.minimum(np.floor(stand).astype(np.int64), PRICES - 2)
    share = stand - left
    row = np.concatenate([known, known])
    column = np.concatenate([left, left + 1])
    return csr_matrix(
        (np.concatenate([1 - share, share]), (row, column)), shape=(len(price), PRICES)
    )


def _short(table: csr_matrix, params: Params) -> Array:
    """The leading singular directions of the rows, each row scaled to length one first."""
    size = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    table = diags(np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)) @ table
    width = min(params.dimension, min(table.shape) - 1)
    if width < params.dimension and table.shape[1] * table.shape[0] <= 4_000_000:
        left, values, _right = np.linalg.svd(table.toarray(), full_matrices=False)
        return np.asarray(left * values)
    left, values, _right = svds(table, k=width, random_state=params.seed)
    return np.asarray(left[:, ::-1] * values[::-1])
