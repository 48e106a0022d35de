"""How wrong the network was, computed in pieces that stay in the processor's cache.

Full softmax: every product competes. Sampled softmax: some do, drawn for the whole batch, and each
is corrected by the logarithm of how often it is drawn (Bengio and Senecal, 2008). gBCE: binary
cross-entropy against drawn products with a positive weakened to undo the overconfidence that
drawing brings (Petrov and Macdonald, "gSASRec", RecSys 2023).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

# Logits worked on at once, in numbers: a few MB, so that no pass over them leaves the cache.
PIECE, LEAST_ROWS = 1 << 22, 256


class Drawn(NamedTuple):
    """Products that compete (k,), what each one's logit is lowered by (k,), and where each product
    of the catalogue stands among them (items,), -1 for nowhere."""

    item: torch.Tensor
    lowered: torch.Tensor
    where: torch.Tensor


class _Softmax(torch.autograd.Function):
    """Mean cross-entropy of linear scores; the gradient is made on the way, piece by piece."""

    @staticmethod
    def forward(
        ctx: Any,
        states: torch.Tensor,
        table: torch.Tensor,
        bias: torch.Tensor | None,
        target: torch.Tensor,
        weight: torch.Tensor,
        own: torch.Tensor | None,
        clash: torch.Tensor | None,
    ) -> torch.Tensor:
        """`target` (n,) is a row of `table`; with `own` (n,) scores it is not in the table, and
        `clash` (n,) is the row to leave out of it, -1 for none."""
        n, d, dtype = len(states), states.shape[1], states.dtype
        d_states = torch.empty_like(states)
        d_own = None if own is None else torch.empty_like(own, dtype=torch.float32)
        # A last column of weights makes the gradient of the bias in the same product.
        weighed = torch.cat([states * weight[:, None], weight[:, None]], dim=1).to(dtype)
        d_table = torch.zeros((len(table), d + 1), dtype=torch.float32, device=table.device)
        loss = torch.zeros((), dtype=torch.float32, device=states.device)
        step = max(LEAST_ROWS, PIECE // max(1, len(table)))
        for begin in range(0, n, step):
            part = slice(begin, min(n, begin + step))
            h, w = states[part], weight[part]
            scores = h @ table.T if bias is None else torch.addmm(bias, h, table.T)
            if own is None or clash is None or d_own is None:
                share = scores.softmax(-1)
                at = torch.arange(len(h), device=h.device), target[part]
                hit = share[at].float()
                share[at] = (hit - 1.0).to(dtype)
            else:
                out = (clash[part] >= 0).nonzero()[:, 0]
                scores[out, clash[part][out]] = -torch.inf
                whole = torch.cat([own[part, None].to(dtype), scores], dim=1).softmax(-1)
                hit, share = whole[:, 0].float(), whole[:, 1:]
                d_own[part] = (hit - 1.0) * w
            loss -= (hit.clamp_min(1e-30).log() * w).sum()
            torch.mm(share, table, out=d_states[part])
            d_table += share.T @ weighed[part]
        d_states *= weight[:, None].to(dtype)
        ctx.save_for_backward(d_states, d_table[:, :d], d_table[:, d], d_own)
        ctx.dtypes = (table.dtype, None if bias is None else bias.dtype, own)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: torch.Tensor) -> Any:
        d_states, d_table, d_bias, d_own = ctx.saved_tensors
        table, bias, own = ctx.dtypes
        return (
            d_states * grad.to(d_states.dtype),
            (d_table * grad).to(table),
            None if bias is None else (d_bias * grad).to(bias),
            None,
            None,
            None if own is None else (d_own * grad).to(own.dtype),
            None,
        )


def softmax(
    states: torch.Tensor,
    table: torch.Tensor,
    bias: torch.Tensor | None,
    target: torch.Tensor,
    weight: torch.Tensor,
) -> torch.Tensor:
    """Cross-entropy over the whole table, summed with `weight`."""
    dtype = states.dtype
    low = None if bias is None else bias.to(dtype)
    out: torch.Tensor = _Softmax.apply(states, table.to(dtype), low, target, weight, None, None)
    return out


def sampled_softmax(
    states: torch.Tensor,
    table: torch.Tensor,
    bias: torch.Tensor | None,
    target: torch.Tensor,
    weight: torch.Tensor,
    drawn: Drawn,
) -> torch.Tensor:
    """Cross-entropy of the answer against the drawn products, each corrected."""
    low = -drawn.lowered if bias is None else bias[drawn.item] - drawn.lowered
    out: torch.Tensor = _Softmax.apply(
        states,
        functional.embedding(drawn.item, table).to(states.dtype),
        low.to(states.dtype),
        target,
        weight,
        _own(states, table, bias, target),
        drawn.where[target],
    )
    return out


def gbce(
    states: torch.Tensor,
    table: torch.Tensor,
    bias: torch.Tensor | None,
    target: torch.Tensor,
    weight: torch.Tensor,
    drawn: Drawn,
    calibration: float,
) -> torch.Tensor:
    """Binary cross-entropy with the positive raised to beta; calibration 0 is plain, 1 is full."""
    items, k = len(drawn.where), len(drawn.item)
    alpha = k / max(1, items - 1)
    beta = alpha * ((1.0 - 1.0 / alpha) * calibration + 1.0 / alpha)
    scores = states @ functional.embedding(drawn.item, table).to(states.dtype).T
    scores = scores.float()
    if bias is not None:
        scores = scores + bias[drawn.item]
    clash = drawn.where[target]
    rows = (clash >= 0).nonzero()[:, 0]
    against = functional.softplus(scores)
    against = against.index_put((rows, clash[rows]), against.new_zeros(()))
    own = _own(states, table, bias, target).float()
    each = (against.sum(1) - beta * functional.logsigmoid(own)) / (k + 1)
    return (each * weight).sum()


def _own(
    states: torch.Tensor, table: torch.Tensor, bias: torch.Tensor | None, target: torch.Tensor
) -> torch.Tensor:
    own = (states.float() * functional.embedding(target, table)).sum(1)
    return own if bias is None else own + bias.index_select(0, target)


def draw(chance: torch.Tensor, count: int, generator: torch.Generator | None = None) -> Drawn:
    """`count` products drawn with repetition by `chance` (items,), each kept once.

    A product's correction is the logarithm of how often it is expected among the draws; one that
    came up twice counts as drawn twice.
    """
    picked = torch.multinomial(chance, count, replacement=True, generator=generator)
    item, times = torch.unique(picked, return_counts=True)
    lowered = torch.log(chance[item] / chance.sum() * count) - torch.log(times.float())
    where = torch.full((len(chance),), -1, dtype=torch.int64, device=chance.device)
    where[item] = torch.arange(len(item), device=chance.device)
    return Drawn(item, lowered, where)
