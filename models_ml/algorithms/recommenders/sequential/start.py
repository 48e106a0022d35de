"""The weights a network starts from: what everybody bought, and what goes together.

A shop has a few thousand people, and a network that starts from nothing needs far more steps than
they can feed.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import diags
from scipy.sparse.linalg import svds

from models_ml.algorithms.data import Array, IdMap, Interactions
from models_ml.algorithms.recommenders.als import confidence
from models_ml.algorithms.recommenders.popular import Params as PopularParams
from models_ml.algorithms.recommenders.popular import Popular
from models_ml.algorithms.recommenders.sequential.network import Network

# A person and a product more than this have nothing to factor.
LEAST = 2


def from_popularity(
    net: Network, data: Interactions, items: IdMap, days: int, *, centred: bool
) -> None:
    """Set the output bias to the log share of people, so that training begins at the baseline.

    A softmax does not mind where the scores lie, so they are `centred`; a loss of yes and no does,
    and would first spend its steps on learning that most answers are no.
    """
    if net.bias is None:
        return
    popular = Popular(PopularParams(days=days)).fit(data)
    people = np.full(len(items), 0.1)
    people[items.encode(popular.items.ids)] += popular.people
    share = np.log(people / people.sum())
    with torch.no_grad():
        net.bias[:] = torch.from_numpy(share - centred * share.mean()).to(net.bias)


def from_factors(
    net: Network,
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
    weight = net.table.weight
    width = min(weight.shape[1], len(users) - 1, len(items) - 1)
    if width < 1 or min(len(users), len(items)) <= LEAST:
        return
    bought = confidence(data, users, items, half_life_days)
    reach = np.sqrt(np.maximum(np.bincount(bought.indices, minlength=len(items)), 1.0))
    scaled = bought @ diags(1.0 / reach)
    _, values, right = svds(scaled, k=width, random_state=seed)
    table = (right * np.sqrt(np.maximum(values, 0.0))[:, None]).T * np.sqrt(reach)[:, None]
    table *= spread / max(table.std(), 1e-12)
    with torch.no_grad():
        weight[: len(items), :width] = torch.from_numpy(np.ascontiguousarray(table)).to(weight)


def carry_over(old: Network, new: Network, came_from: Array) -> None:
    """Copy every weight; item rows to where the items now stand, others at their mean."""
    held = old.state_dict()
    rows = torch.from_numpy(came_from).to(held["table.weight"].device)
    items = new.shape.items
    with torch.no_grad():
        for name, value in new.state_dict().items():
            if name not in held:  # kinds that nobody had told of before
                continue
            was = held[name]
            if name == "table.weight":
                value[:items] = was[: len(rows)].mean(0)
                value[rows] = was[: len(rows)]
                value[items:] = was[len(rows) :]
            elif name == "bias":
                value[rows] = was
            else:
                value.copy_(was)
