"""The network of BERT4Rec: its shape, and the weights it starts from."""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import diags
from scipy.sparse.linalg import svds
from transformers import BertConfig, BertForMaskedLM

from models_ml.algorithms.data import IdMap, Interactions
from models_ml.algorithms.recommenders.als import confidence
from models_ml.algorithms.recommenders.popular import Params as PopularParams
from models_ml.algorithms.recommenders.popular import Popular


def build(
    items: int,
    *,
    dimension: int,
    layers: int,
    heads: int,
    length: int,
    dropout: float,
    spread: float,
) -> BertForMaskedLM:
    """The network with fresh weights; input and output share one table of `items` + 2 rows."""
    config = BertConfig(
        vocab_size=items + 2,
        hidden_size=dimension,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=dimension * 4,
        max_position_embeddings=length + 1,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=0.0,
        type_vocab_size=1,
        pad_token_id=items,
        tie_word_embeddings=True,
        initializer_range=spread,
    )
    return BertForMaskedLM(config)


def start_from_popularity(
    net: BertForMaskedLM, data: Interactions, items: IdMap, days: int
) -> None:
    """Set the output bias to the log share of people, so that training begins at the baseline."""
    people = Popular(PopularParams(days=days)).fit(data).people.astype(np.float64) + 0.1
    share = np.log(people / people.sum())
    with torch.no_grad():
        bias = net.cls.predictions.decoder.bias
        bias[: len(items)] = torch.from_numpy(share - share.mean()).to(bias)


def start_from_factors(
    net: BertForMaskedLM,
    data: Interactions,
    users: IdMap,
    items: IdMap,
    *,
    half_life_days: float,
    spread: float,
    seed: int,
) -> None:
    """Set the item table to leading singular vectors of who bought what, at the usual scale.

    A table that starts out knowing which products go together needs a tenth of the steps.
    """
    weight = net.bert.embeddings.word_embeddings.weight
    width = min(weight.shape[1], len(users) - 1, len(items) - 1)
    if width < 1:
        return
    bought = confidence(data, users, items, half_life_days)
    reach = np.sqrt(np.maximum(np.bincount(bought.indices, minlength=len(items)), 1.0))
    scaled = bought @ diags(1.0 / reach)
    _, values, right = svds(scaled, k=width, random_state=seed)
    table = (right * np.sqrt(values)[:, None]).T * np.sqrt(reach)[:, None]
    table *= spread / max(table.std(), 1e-12)
    with torch.no_grad():
        weight[: len(items), :width] = torch.from_numpy(np.ascontiguousarray(table)).to(weight)
