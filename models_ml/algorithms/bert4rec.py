"""BERT4Rec: a transformer that reads what a person bought and fills in what comes next.

Sun et al., "BERT4Rec: Sequential recommendation with bidirectional encoder representations from
transformer" (CIKM 2019). Products of a sequence are hidden at random and guessed from both sides;
in addition a mask at the end stands for the next basket, whose new products are guessed together.
Other than in the paper, examples are drawn with a preference for recent baskets, positions count
from the end, the item table starts from singular vectors of the purchase matrix and the output bias
from recent popularity: a shop has a few thousand people, and a network that starts from nothing
needs far more steps than they can feed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_model, save_model
from scipy.sparse import csr_matrix
from torch.nn import functional
from transformers import BertForMaskedLM

from models_ml.algorithms import artifacts, bert, trainer
from models_ml.algorithms.base import NO_ITEM
from models_ml.algorithms.data import Array, IdMap, Interactions, chunks, matrix
from models_ml.algorithms.recommenders.popular import rebuild_seen
from models_ml.algorithms.sequences import Sequences, first_purchases, ragged, window

BATCH = 512
# A small shop sees its few people more often, so that an epoch is always worth judging.
LEAST_STEPS = 32


@dataclass(frozen=True)
class Params:
    """Sizes and training.

    `length`: products read; `mask`: share hidden in the prefix; `half_life_days`: preference for
    recent baskets (0: none); `negatives`: shared sampled negatives (0: every product competes);
    `popular_days`: window of the popularity that the output bias starts from.
    """

    dimension: int = 64
    layers: int = 2
    heads: int = 2
    length: int = 64
    dropout: float = 0.2
    spread: float = 0.05
    warm_table: bool = True
    mask: float = 0.3
    mask_weight: float = 2.0
    half_life_days: float = 30.0
    popular_days: int = 30
    negatives: int = 0
    batch: int = 64
    epochs: int = 10
    patience: int = 3
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    threads: int = 2
    seed: int = 20111209


class Batch(NamedTuple):
    """Tokens (b, w); masked places and their answers; next-basket answers as row, item, weight."""

    tokens: torch.Tensor
    masked_at: torch.Tensor
    masked_item: torch.Tensor
    row: torch.Tensor
    item: torch.Tensor
    weight: torch.Tensor


class BERT4Rec:
    """Tokens are item positions; two more stand for padding and for the mask."""

    def __init__(self, params: Params | None = None) -> None:
        self.params = params or Params()
        self.users = IdMap(np.empty(0, dtype=np.int64))
        self.items = IdMap(np.empty(0, dtype=np.int64))
        self.seen = csr_matrix((0, 0), dtype=np.float32)
        self.history = trainer.History(device="cpu", precision="float32")
        self.device = trainer.pick_device()
        self.sequences = first_purchases(Interactions.of([], [], []), self.users, self.items)
        self.net: BertForMaskedLM | None = None

    @property
    def padding(self) -> int:
        return len(self.items)

    @property
    def hidden(self) -> int:
        return len(self.items) + 1

    def fit(
        self,
        data: Interactions,
        *,
        epochs: int | None = None,
        judge: Callable[[BERT4Rec], float] | None = None,
        on_epoch: Callable[[trainer.Epoch], None] | None = None,
    ) -> BERT4Rec:
        """Learn from scratch; with `judge` (higher is better) stop early, keep the best epoch."""
        if not len(data):
            raise ValueError("no interactions to learn from")
        params = self.params
        self.users, self.items = data.users, data.items
        self.read(data)
        with trainer.settings(params.seed, params.threads):
            self.net = self.fresh()
            bert.start_from_popularity(self.net, data, self.items, params.popular_days)
            if params.warm_table:
                bert.start_from_factors(
                    self.net,
                    data,
                    self.users,
                    self.items,
                    half_life_days=params.half_life_days,
                    spread=params.spread,
                    seed=params.seed,
                )
            self.history = self._train(epochs or params.epochs, judge, on_epoch)
        return self

    def fresh(self) -> BertForMaskedLM:
        """A network for the items at hand that has learned nothing yet, on the device."""
        params = self.params
        net = bert.build(
            len(self.items),
            dimension=params.dimension,
            layers=params.layers,
            heads=params.heads,
            length=params.length,
            dropout=params.dropout,
            spread=params.spread,
        )
        return net.to(self.device)  # type: ignore[arg-type]

    def read(self, data: Interactions) -> None:
        """Take in the histories to learn from or to answer for; weights stay as they are."""
        self.seen = matrix(data, self.users, self.items)
        self.sequences = first_purchases(data, self.users, self.items)

    def _train(
        self,
        epochs: int,
        judge: Callable[[BERT4Rec], float] | None,
        on_epoch: Callable[[trainer.Epoch], None] | None,
    ) -> trainer.History:
        assert self.net is not None
        params = self.params
        plan = trainer.Plan(
            epochs=epochs,
            learning_rate=params.learning_rate,
            weight_decay=params.weight_decay,
            patience=params.patience if judge else 0,
            threads=params.threads,
            seed=params.seed,
        )
        examples = (
            max(len(self.users), LEAST_STEPS * params.batch) if len(self.sequences.cut) else 0
        )
        return trainer.train(
            self.net,
            lambda epoch: self._batches(epoch, examples),
            self.loss_of,
            steps_per_epoch=math.ceil(examples / params.batch),
            plan=plan,
            judge=(lambda: judge(self)) if judge else None,
            on_epoch=on_epoch,
        )

    def _batches(self, epoch: int, examples: int) -> Iterator[Batch]:
        """One epoch: as many examples as people, recent ones more often, baskets in a new order."""
        rng = np.random.default_rng([self.params.seed, epoch])
        sequences, params = self.sequences, self.params
        if not examples:
            return
        item = sequences.shuffled(rng)
        chance = np.ones(len(sequences.cut))
        if params.half_life_days:
            chance = np.exp2(-sequences.age / params.half_life_days)
        chosen = rng.choice(len(chance), size=examples, replace=True, p=chance / chance.sum())
        # Neighbours in length share a batch, so that little of it is padding.
        size = np.minimum(
            sequences.cut[chosen] - sequences.start[sequences.owner[chosen]], params.length
        )
        chosen = chosen[np.argsort(size + rng.random(examples) * 8)]
        parts = list(chunks(examples, params.batch))
        for at in rng.permutation(len(parts)):
            yield self._batch(item, chosen[parts[at]], rng)

    def _batch(self, item: Array, chosen: Array, rng: np.random.Generator) -> Batch:
        sequences = self.sequences
        cut = sequences.cut[chosen]
        tokens = window(
            item, sequences.start[sequences.owner[chosen]], cut, self.params.length, self.padding
        )
        hide = (rng.random(tokens.shape) < self.params.mask) & (tokens != self.padding)
        answers = tokens[hide]
        tokens = np.where(hide, self.hidden, tokens)
        tokens = np.concatenate([tokens, np.full((len(tokens), 1), self.hidden)], axis=1)
        where = np.flatnonzero(np.concatenate([hide, np.zeros((len(hide), 1), bool)], axis=1))
        row, place = ragged(cut, sequences.stop[chosen])
        weight = 1.0 / (sequences.stop[chosen] - cut)[row]
        put = lambda array: torch.from_numpy(array).to(self.device)  # noqa: E731
        return Batch(
            put(tokens),
            put(where),
            put(answers),
            put(row),
            put(item[place]),
            put(weight.astype(np.float32)),
        )

    def encode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Hidden states (b, w, d); positions count back from the end of the row."""
        assert self.net is not None
        width = tokens.shape[1]
        positions = torch.arange(width - 1, -1, -1, device=tokens.device).expand_as(tokens)
        attention = (tokens != self.padding).long()
        return self.net.bert(tokens, attention_mask=attention, position_ids=positions)[0]

    def logits(self, states: torch.Tensor, candidates: torch.Tensor | None) -> torch.Tensor:
        """Scores (n, items) of hidden states (n, d) for all items or for `candidates`."""
        assert self.net is not None
        head = self.net.cls.predictions
        table: torch.Tensor = head.decoder.weight
        bias: torch.Tensor = head.decoder.bias
        if candidates is None:
            table, bias = table[: len(self.items)], bias[: len(self.items)]
        else:
            table, bias = table[candidates], bias[candidates]
        return functional.linear(head.transform(states), table, bias)

    def loss_of(self, batch: Batch) -> torch.Tensor:
        """Cross-entropy of the next basket plus, weighed, that of the masked products."""
        states = self.encode(batch.tokens)
        candidates, item, masked = self._candidates(batch)
        last = functional.log_softmax(self.logits(states[:, -1], candidates).float(), dim=1)
        loss = -(last[batch.row, item] * batch.weight).sum() / len(batch.tokens)
        if self.params.mask_weight and len(batch.masked_at):
            inner = states.flatten(0, 1)[batch.masked_at]
            cloze = functional.cross_entropy(self.logits(inner, candidates).float(), masked)
            loss = loss + self.params.mask_weight * cloze
        return loss

    def _candidates(self, batch: Batch) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
        """Who competes: everything, or the batch's answers and random others shared by all rows."""
        negatives = self.params.negatives
        if not negatives or negatives >= len(self.items):
            return None, batch.item, batch.masked_item
        drawn = torch.randint(len(self.items), (negatives,), device=self.device)
        candidates = torch.unique(torch.cat([batch.item, batch.masked_item, drawn]))
        return (
            candidates,
            torch.searchsorted(candidates, batch.item),
            torch.searchsorted(candidates, batch.masked_item),
        )

    @torch.inference_mode()
    def recommend(
        self,
        users: Array,
        k: int,
        allowed: Array | None = None,
        skip_seen: bool = True,
    ) -> tuple[Array, Array]:
        """See `base.Recommender`; scores are logarithms of a softmax over the catalogue."""
        assert self.net is not None
        self.net.eval()
        users = np.asarray(users, dtype=np.int64)
        ids = np.full((len(users), k), NO_ITEM, dtype=np.int64)
        scores = np.full((len(users), k), -np.inf, dtype=np.float32)
        row = self.users.encode(users)
        met = np.flatnonzero(row >= 0)
        sequences = self.sequences
        begin, end = sequences.start[row[met]], sequences.start[row[met] + 1]
        met = met[np.argsort(end - begin, kind="stable")]
        closed = None
        if allowed is not None:
            closed = torch.from_numpy(~np.isin(self.items.ids, allowed)).to(self.device)
        width = min(k, len(self.items))
        for part in chunks(len(met), BATCH):
            rows = row[met[part]]
            tokens = window(
                sequences.item,
                sequences.start[rows],
                sequences.start[rows + 1],
                self.params.length,
                self.padding,
            )
            tokens = np.concatenate([tokens, np.full((len(rows), 1), self.hidden)], axis=1)
            with trainer.autocast(self.device):
                states = self.encode(torch.from_numpy(tokens).to(self.device))[:, -1]
                found = torch.log_softmax(self.logits(states, None).float(), dim=1)
            if closed is not None:
                found[:, closed] = -torch.inf
            if skip_seen:
                owned = self.seen[rows]
                at = np.repeat(np.arange(len(rows)), np.diff(owned.indptr))
                found[
                    torch.from_numpy(at), torch.from_numpy(owned.indices.astype(np.int64))
                ] = -torch.inf
            values, places = (tensor.cpu().numpy() for tensor in found.topk(width, dim=1))
            ids[met[part], :width] = np.where(np.isfinite(values), self.items.ids[places], NO_ITEM)
            scores[met[part], :width] = values
        return ids, scores

    def vectors(self) -> tuple[Array, Array]:
        assert self.net is not None
        table = self.net.bert.embeddings.word_embeddings.weight.detach()[: len(self.items)]
        return self.items.ids, functional.normalize(table.float(), dim=1).cpu().numpy()

    def save(self, folder: Path) -> None:
        assert self.net is not None
        artifacts.write_json(folder / "params.json", asdict(self.params))
        artifacts.write_json(folder / "history.json", self.history.as_dict())
        save_model(self.net, str(folder / "weights.safetensors"))
        artifacts.write_arrays(
            folder / "sequences.npz",
            users=self.users.ids,
            items=self.items.ids,
            seen_indptr=self.seen.indptr,
            seen_indices=self.seen.indices,
            **{name: getattr(self.sequences, name) for name in Sequences.__dataclass_fields__},
        )

    @classmethod
    def load(cls, folder: Path) -> BERT4Rec:
        model = cls(Params(**artifacts.read_json(folder / "params.json")))
        stored = artifacts.read_arrays(folder / "sequences.npz")
        model.users, model.items = IdMap(stored["users"]), IdMap(stored["items"])
        model.seen = rebuild_seen(stored, len(model.users), len(model.items))
        model.sequences = Sequences(
            **{name: stored[name] for name in Sequences.__dataclass_fields__}
        )
        model.net = model.fresh()
        load_model(model.net, str(folder / "weights.safetensors"))
        model.net.eval()
        return model
