"""Public purchase histories, cut as the literature cuts them: each person's last item is asked for.

The last item of everybody is the test, the last but one the validation; parameters are chosen with
neither known, and the chosen ones are fitted again with all but the last item. Every item of the
catalogue competes, less those the person already had. Ties are broken against the model: of items
with equal scores the asked one is the last.
"""

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models_ml.algorithms import metrics
from models_ml.algorithms.data import Array, IdMap, Interactions, chunks

# What is beyond this place counts nothing in the reciprocal rank either.
DEEP = 100
BATCH = 4_096
START = np.datetime64("2000-01-01", "s")
SEED = 20111209


@dataclass(frozen=True)
class Questions:
    """Whose next item is asked for, and which it was; `history` is what a model may know."""

    history: Interactions
    users: Array
    answers: Array


@dataclass(frozen=True)
class Answers:
    """Where the asked items came: ranks (n,), 0 beyond DEEP places, and how much was shown."""

    rank: Array
    shown: int
    items: int

    @property
    def ndcg(self) -> Array:
        return np.where(self._near, 1.0 / np.log2(np.maximum(self.rank, 1) + 1.0), 0.0)

    @property
    def recall(self) -> Array:
        return self._near.astype(np.float64)

    @property
    def reciprocal(self) -> Array:
        return np.where(self.rank > 0, 1.0 / np.maximum(self.rank, 1), 0.0)

    @property
    def _near(self) -> Array:
        return (self.rank >= 1) & (self.rank <= 10)

    @property
    def figures(self) -> dict[str, Any]:
        """NDCG@10 with a 95% bootstrap interval over people, and the others."""
        sure = metrics.paired_difference(self.ndcg, np.zeros(len(self.rank)), seed=SEED)
        return {
            "ndcg@10": round(sure.mean, 4),
            "low": round(sure.low, 4),
            "high": round(sure.high, 4),
            "recall@10": round(float(self.recall.mean()), 4),
            "mrr": round(float(self.reciprocal.mean()), 4),
            "coverage": round(self.shown / self.items, 4),
        }


def cut(data: Interactions) -> tuple[Questions, Questions]:
    """Validation and test questions. Rows of one person and moment keep their order in the data."""
    order = np.lexsort((np.arange(len(data)), data.at, data.user))
    data = data.where(order)
    width = int(data.item.max()) + 1
    _, first = np.unique(data.user * width + data.item, return_index=True)
    data = data.where(np.sort(first))
    people, start = np.unique(data.user, return_index=True)
    sizes = np.diff(np.append(start, len(data)))
    enough = np.repeat(sizes >= 3, sizes)
    data, people = data.where(enough), people[sizes >= 3]
    ends = np.flatnonzero(np.r_[data.user[1:] != data.user[:-1], True])
    last = np.zeros(len(data), dtype=bool)
    last[ends] = True
    before = np.zeros(len(data), dtype=bool)
    before[ends - 1] = True
    return (
        Questions(data.where(~last & ~before), people, data.item[ends - 1]),
        Questions(data.where(~last), people, data.item[ends]),
    )


def ask(model: Any, questions: Questions, *, items: int, skip_seen: bool = True) -> Answers:
    """Where the asked items stand in the answers of a fitted engine."""
    rank = np.zeros(len(questions.users), dtype=np.int64)
    shown = []
    for part in chunks(len(questions.users), BATCH):
        ids, scores = model.recommend(questions.users[part], DEEP, skip_seen=skip_seen)
        hit = ids == questions.answers[part][:, None]
        found = hit.any(axis=1)
        score = np.where(hit, scores, -np.inf).max(axis=1)
        place = (scores >= score[:, None]).sum(axis=1)
        # Where equals fill the list to its end, more of them may stand behind it.
        sure = found & ((place < ids.shape[1]) | (scores[:, -1] < score) | (ids.shape[1] >= items))
        rank[part] = np.where(sure, place, 0)
        shown.append(np.unique(ids[:, :10]))
    everything = np.unique(np.concatenate(shown))
    return Answers(rank, int((everything >= 0).sum()), items)


def sequences(path: Path) -> Interactions:
    """One person a line, `person item item …` or `person:item item …`, oldest first."""
    lines = gzip.decompress(path.read_bytes()).decode().replace(":", " ").splitlines()
    rows = [np.array(line.split(), dtype=np.int64) for line in lines if line]
    user = np.concatenate([np.full(len(row) - 1, row[0]) for row in rows])
    place = np.concatenate([np.arange(len(row) - 1) for row in rows])
    at = START + place.astype(np.int64) * 86_400
    return Interactions.of(user, np.concatenate([row[1:] for row in rows]), at)


def ratings(path: Path) -> Interactions:
    """`user item rating seconds` with tabs; every rating counts, however low."""
    body = gzip.decompress(path.read_bytes())
    table = pd.read_csv(io.BytesIO(body), sep="\t", header=None).to_numpy(dtype=np.int64)
    return Interactions.of(table[:, 0], table[:, 1], table[:, 3])


def invoices(path: Path) -> Interactions:
    """Lines of goods (a code that begins with five digits) sold to known customers."""
    columns = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "CustomerID"]
    table = pd.read_parquet(path, columns=columns)
    code = table["StockCode"].astype(str)
    good = (
        table["CustomerID"].notna()
        & (table["Quantity"] > 0)
        & ~table["InvoiceNo"].astype(str).str.startswith("C")
        & code.str.match(r"^\d{5}")
    )
    table, code = table[good], code[good]
    items = np.unique(code.to_numpy(dtype=str), return_inverse=True)[1]
    at = pd.to_datetime(table["InvoiceDate"]).to_numpy().astype("datetime64[s]")
    return Interactions.of(table["CustomerID"].to_numpy().astype(np.int64), items, at)


READERS: dict[str, Callable[[Path], Interactions]] = {
    "movielens_1m/sequences.txt.gz": sequences,
    "movielens_100k/u.data.gz": ratings,
    "amazon_seq/Beauty.txt.gz": sequences,
    "online_retail/online_retail.parquet": invoices,
}


def catalogue(data: Interactions) -> int:
    """How many items there are to choose from."""
    return len(IdMap.of(data.item))
