"""One small training loop for torch: device, seed, schedule, early stop and history.

The same code runs on a GPU with mixed precision when there is one, and on the CPU otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Plan:
    """How to train. `patience`: epochs without a better judgement before stopping (0: never)."""

    epochs: int
    learning_rate: float
    weight_decay: float = 0.01
    warmup: float = 0.1
    patience: int = 0
    judge_every: int = 1
    clip: float = 1.0
    threads: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Epoch:
    number: int
    loss: float
    score: float | None
    seconds: float


@dataclass
class History:
    """What happened: every epoch, the best one by judgement, where it ran."""

    device: str
    precision: str
    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float | None = None
    steps: int = 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def pick_device() -> torch.device:
    """The GPU when torch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def precision(device: torch.device) -> torch.dtype:
    """What products are computed in: bfloat16 or float16 on a GPU, float32 on the CPU."""
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16


@contextmanager
def settings(seed: int, threads: int) -> Iterator[None]:
    """Fix the seed and the thread count for a block, and put the old ones back afterwards."""
    before = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def autocast(device: torch.device) -> torch.autocast:
    dtype = precision(device)
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32)


def train(
    module: nn.Module,
    batches: Callable[[int], Iterable[Any]],
    loss_of: Callable[[Any], torch.Tensor],
    *,
    steps_per_epoch: int,
    plan: Plan,
    judge: Callable[[], float] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> History:
    """Train `module` in place and leave it with the weights of its best judged epoch.

    `batches(epoch)` yields what `loss_of` takes; `judge()` is called with the module in eval mode
    and higher is better. `on_epoch` may raise to stop the training from outside.
    """
    device = next(module.parameters()).device
    dtype = precision(device)
    history = History(device=device.type, precision=str(dtype).removeprefix("torch."))
    optimizer = torch.optim.AdamW(
        parameter_groups(module, plan.weight_decay), lr=plan.learning_rate, fused=True
    )
    total = max(1, steps_per_epoch * plan.epochs)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, ramp(total, plan.warmup))
    scaler = torch.amp.GradScaler(device.type, enabled=dtype is torch.float16)
    best: dict[str, torch.Tensor] | None = None
    waited = 0
    for number in range(1, plan.epochs + 1):
        started = time.perf_counter()
        module.train()
        losses = []
        for batch in batches(number):
            with autocast(device):
                loss = loss_of(batch)
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(module.parameters(), plan.clip)
            scaler.step(optimizer)
            scaler.update()
            if history.steps < total - 1:
                schedule.step()
            history.steps += 1
            losses.append(loss.detach())
        mean = float(torch.stack(losses).float().mean()) if losses else 0.0
        score = None
        if judge is not None and (number % plan.judge_every == 0 or number == plan.epochs):
            module.eval()
            score = judge()
            waited += plan.judge_every
            if history.best_score is None or score > history.best_score:
                history.best_score, history.best_epoch, waited = score, number, 0
                best = {key: value.clone() for key, value in module.state_dict().items()}
        epoch = Epoch(number, round(mean, 5), score, round(time.perf_counter() - started, 3))
        history.epochs.append(epoch)
        if on_epoch is not None:
            on_epoch(epoch)
        if plan.patience and waited >= plan.patience:
            break
    if best is not None:
        module.load_state_dict(best)
    else:
        history.best_epoch = len(history.epochs)
    module.eval()
    return history


def ramp(total: int, warmup: float) -> Callable[[int], float]:
    """Up from zero over the first share of steps, then down in a straight line to a twentieth."""
    rise = max(1, int(total * warmup))

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / rise
        return max(0.05, (total - step) / max(1, total - rise))

    return factor


def parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Matrices decay, vectors (biases, layer norms) do not."""
    parameters = [value for value in module.parameters() if value.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
