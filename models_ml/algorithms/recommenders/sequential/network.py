"""The transformer: tied item table, places counted from the end, pre-norm blocks.

Rows are filled up on the right. Where attention looks back only (causal), nothing real ever sees
the filling, so no mask is needed; where it looks both ways the filling is masked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

BYTE = 256


@dataclass(frozen=True)
class Shape:
    """`items`: products; `length`: places; `gaps`: kinds of time gaps (0: not read); `kinds`: of
    what was done with a product, told beside the gap (0: purchases alone)."""

    items: int
    dimension: int
    layers: int
    heads: int
    length: int
    dropout: float
    causal: bool
    gaps: int = 0
    bias: bool = True
    spread: float = 0.05
    wide: int = 4
    kinds: int = 0


class Drop(nn.Module):
    """Dropout; on the CPU eight numbers are cut from each drawn word, ten times as fast."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or not self.share:
            return x
        if x.device.type != "cpu":
            return functional.dropout(x, self.share)
        cut = round(self.share * BYTE)
        words = torch.empty((x.numel() + 7) // 8, dtype=torch.int64).random_(-(2**63), None)
        kept = (words.view(torch.uint8)[: x.numel()].view(x.shape) >= cut).to(x.dtype)
        return x * kept.mul_(BYTE / (BYTE - cut))


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.causal = shape.heads, shape.causal
        self.inward = nn.Linear(shape.dimension, 3 * shape.dimension)
        self.outward = nn.Linear(shape.dimension, shape.dimension)

    def forward(self, x: torch.Tensor, barred: torch.Tensor | None) -> torch.Tensor:
        b, w, d = x.shape
        q, k, v = self.inward(x).view(b, w, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        if x.device.type == "cpu" and x.dtype is torch.bfloat16:
            # The fused kernel's backward pass on the CPU is several times slower than this.
            read = self._plainly(q, k, v, barred)
        elif self.causal:
            read = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            seen = None if barred is None else ~barred[:, None, None, :]
            read = functional.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        out: torch.Tensor = self.outward(read.transpose(1, 2).reshape(b, w, d))
        return out

    def _plainly(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, barred: torch.Tensor | None
    ) -> torch.Tensor:
        b, h, w, e = q.shape
        q, k, v = (one.reshape(b * h, w, e) for one in (q, k, v))
        if self.causal:
            bar = torch.full((w, w), -torch.inf, dtype=q.dtype).triu(1).expand(b * h, w, w)
        elif barred is not None:
            bar = torch.zeros((b, 1, 1, w), dtype=q.dtype).masked_fill_(
                barred[:, None, None, :], -torch.inf
            )
            bar = bar.expand(b, h, w, w).reshape(b * h, w, w)
        else:
            bar = torch.zeros((), dtype=q.dtype).expand(b * h, w, w)
        likeness = torch.baddbmm(bar, q, k.transpose(1, 2), alpha=1.0 / math.sqrt(e))
        return (likeness.softmax(-1) @ v).view(b, h, w, e)


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d = shape.dimension
        self.before_reading, self.before_thinking = nn.LayerNorm(d), nn.LayerNorm(d)
        self.attention = Attention(shape)
        self.wide, self.narrow = nn.Linear(d, shape.wide * d), nn.Linear(shape.wide * d, d)
        self.drop = Drop(shape.dropout)

    def forward(self, x: torch.Tensor, barred: torch.Tensor | None) -> torch.Tensor:
        x = x + self.drop(self.attention(self.before_reading(x), barred))
        inner = self.drop(functional.gelu(self.wide(self.before_thinking(x))))
        return x + self.drop(self.narrow(inner))


class Network(nn.Module):
    """Tokens are item positions; two more stand for the filling and for the mask."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        d = shape.dimension
        self.table = nn.Embedding(shape.items + 2, d)
        self.place = nn.Embedding(shape.length + 1, d)
        self.gap = nn.Embedding(shape.gaps, d) if shape.gaps else None
        self.kind = nn.Embedding(shape.kinds, d) if shape.gaps and shape.kinds else None
        self.blocks = nn.ModuleList(Block(shape) for _layer in range(shape.layers))
        self.norm = nn.LayerNorm(d)
        self.drop = Drop(shape.dropout)
        self.bias = nn.Parameter(torch.zeros(shape.items)) if shape.bias else None
        for module in self.modules():
            if isinstance(module, nn.Embedding | nn.Linear):
                nn.init.normal_(module.weight, std=shape.spread)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    @property
    def filling(self) -> int:
        return self.shape.items

    @property
    def mask(self) -> int:
        return self.shape.items + 1

    def forward(
        self, tokens: torch.Tensor, place: torch.Tensor, gap: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Hidden states (b, w, d) of `tokens` (b, w); `place` counts back from each row's end.

        `gap` holds the kind of the gap, and the kind of what was done times `shape.gaps`.
        """
        x = self.table(tokens) + self.place(place)
        if self.gap is not None and gap is not None:
            if self.kind is not None:
                done = torch.div(gap, self.shape.gaps, rounding_mode="floor")
                x = x + self.kind(done)
                gap = gap - done * self.shape.gaps
            x = x + self.gap(gap)
        if torch.is_autocast_enabled(x.device.type):
            x = x.to(torch.get_autocast_dtype(x.device.type))
        x = self.drop(x)
        barred = None if self.shape.causal else tokens == self.filling
        for block in self.blocks:
            x = block(x, barred)
        out: torch.Tensor = self.norm(x)
        return out

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """Scores (n, items) of hidden states (n, d)."""
        return functional.linear(states, self.table.weight[: self.shape.items], self.bias)


def places(sizes: torch.Tensor, width: int) -> torch.Tensor:
    """(n, width): 0 is a row's last place, 1 the one before it; the filling stands at 0 too."""
    at = sizes[:, None] - 1 - torch.arange(width, device=sizes.device)
    return at.clamp_min_(0)
