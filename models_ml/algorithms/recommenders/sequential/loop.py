"""The training loop: it can be killed at any moment and goes on as if it had not been.

Every few minutes and after every epoch the weights, the optimiser, the random state and the place
in the epoch are written down. When memory runs out the batch is cut in halves whose gradients add
up to the whole's, so that the steps stay the same.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import nn

from models_ml.algorithms import trainer
from models_ml.algorithms.recommenders.sequential import checkpoints
from models_ml.algorithms.recommenders.sequential.batches import Batch

# Cut finer than this, memory is not what is missing.
MOST_PARTS = 64


@dataclass(frozen=True)
class Keep:
    """Where a training is kept while it runs, how often, and how long it may run now (0: on)."""

    folder: Path
    every: float = 300.0
    seconds: float = 0.0


class Team(Protocol):
    """Processes that train together (`together`): how many, which of them this is, and sums."""

    @property
    def size(self) -> int: ...

    @property
    def place(self) -> int: ...

    def add(self, tensors: Sequence[torch.Tensor]) -> None: ...


class Paused(Exception):
    """The time given is over; the training is kept and goes on when it is called again."""


@dataclass
class History(trainer.History):
    """`parts`: how finely batches were cut when memory ran out; `resumed`: at which steps the
    training was taken up again; `told`: what the reader should know."""

    parts: int = 1
    resumed: list[int] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    seconds: float = 0.0


@dataclass
class Run:
    """One training: what is trained, on what, how, and what is known so far."""

    module: nn.Module
    batches: Callable[[int, int], Iterator[Batch]]
    loss_of: Callable[[Batch], torch.Tensor]
    steps: int
    plan: trainer.Plan
    judge: Callable[[], float] | None = None
    on_epoch: Callable[[trainer.Epoch], None] | None = None
    keep: Keep | None = None
    whose: str = ""
    dtype: torch.dtype = torch.float32
    team: Team | None = None

    def __post_init__(self) -> None:
        self.device = next(self.module.parameters()).device
        self.history = History(self.device.type, str(self.dtype).removeprefix("torch."))
        self.optimizer = torch.optim.AdamW(
            trainer.parameter_groups(self.module, self.plan.weight_decay),
            lr=self.plan.learning_rate,
            fused=True,
        )
        self.factor = trainer.ramp(max(1, self.steps * self.plan.epochs), self.plan.warmup)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)
        self.best: dict[str, torch.Tensor] = {}
        self.waited, self.epoch, self.done, self.lost, self.spent = 0, 1, 0, 0.0, 0.0

    def go(self) -> History:
        """Train in place; leave the weights of the best judged epoch, else the last."""
        self._take_up()
        self.began = self.kept = time.monotonic()
        before = self.history.seconds
        try:
            while self.epoch <= self.plan.epochs and not self._over():
                self._one_epoch()
        finally:
            self.history.seconds = round(before + time.monotonic() - self.began, 1)
        if self.best:
            self.module.load_state_dict(self.best)
        else:
            self.history.best_epoch = len(self.history.epochs)
        self.module.eval()
        return self.history

    def help(self) -> None:
        """Take part in every step; whoever leads judges, writes, and ends this process."""
        self._take_up()
        assert self.team is not None
        torch.manual_seed(self.plan.seed + self.team.place + self.team.size * self.history.steps)
        self.module.train()
        while self.epoch <= self.plan.epochs:
            for batch in self.batches(self.epoch, self.done):
                self.step(batch.to(self.device))
            self.epoch, self.done = self.epoch + 1, 0

    def _over(self) -> bool:
        return bool(self.plan.patience) and self.waited >= self.plan.patience

    def _one_epoch(self) -> None:
        started = time.perf_counter() - self.spent
        self.module.train()
        for batch in self.batches(self.epoch, self.done):
            self.step(batch.to(self.device))
            self._maybe_keep(time.perf_counter() - started)
        mean = self.lost / max(1, self.done)
        score = None
        if self.judge is not None and (
            self.epoch % self.plan.judge_every == 0 or self.epoch == self.plan.epochs
        ):
            score = self._judged(self.judge)
        passed = round(time.perf_counter() - started, 3)
        epoch = trainer.Epoch(self.epoch, round(mean, 5), score, passed)
        self.history.epochs.append(epoch)
        self.epoch, self.done, self.lost, self.spent = self.epoch + 1, 0, 0.0, 0.0
        if self.keep is not None:
            self._write()
        if self.on_epoch is not None:
            self.on_epoch(epoch)
        self._maybe_pause()

    def _judged(self, judge: Callable[[], float]) -> float:
        self.module.eval()
        # What is drawn while judging must not shift what is drawn while learning.
        with torch.random.fork_rng():
            score = judge()
        self.waited += self.plan.judge_every
        if self.history.best_score is None or score > self.history.best_score:
            self.history.best_score, self.history.best_epoch = score, self.epoch
            self.waited = 0
            self.best = {key: one.clone() for key, one in self.module.state_dict().items()}
        return score

    def step(self, batch: Batch) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.learning_rate * self.factor(self.history.steps)
        own = batch if self.team is None else batch.share(self.team.size, self.team.place)
        loss = self._gradients(own) if own is not None else 0.0
        if self.team is not None:
            loss = self._added(self.team, loss)
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.module.parameters(), self.plan.clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.history.steps += 1
        self.done += 1
        self.lost += loss

    def _added(self, team: Team, loss: float) -> float:
        """The gradients and the loss of the whole batch, from those of everybody's rows."""
        held = [one for one in self.module.parameters() if one.requires_grad]
        for one in held:
            if one.grad is None:
                one.grad = torch.zeros_like(one)
        total = torch.tensor([loss], device=self.device)
        team.add([*(one.grad for one in held if one.grad is not None), total])
        return float(total)

    def _gradients(self, batch: Batch) -> float:
        """Backward through the batch, in as many parts as memory asks for."""
        while True:
            state = torch.get_rng_state()
            try:
                self.optimizer.zero_grad(set_to_none=True)
                total = 0.0
                for part in batch.parts(self.history.parts):
                    with autocast(self.device, self.dtype):
                        loss = self.loss_of(part)
                    self.scaler.scale(loss).backward()
                    total += float(loss.detach())
                return total
            except (RuntimeError, MemoryError) as fault:
                if not out_of_memory(fault) or self.history.parts >= min(MOST_PARTS, len(batch)):
                    raise
            # Outside the handler, where the fault no longer holds on to what it was doing.
            self.history.parts *= 2
            self.history.told.append(f"out_of_memory:{self.history.parts}")
            self.optimizer.zero_grad(set_to_none=True)
            torch.set_rng_state(state)
            gc.collect()
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _maybe_keep(self, spent: float) -> None:
        if self.keep is None:
            return
        now = time.monotonic()
        over = bool(self.keep.seconds) and now - self.began >= self.keep.seconds
        if now - self.kept >= self.keep.every or over:
            self.spent = spent
            self._write()
        if over:
            raise Paused

    def _maybe_pause(self) -> None:
        if self.keep is None or not self.keep.seconds:
            return
        late = time.monotonic() - self.began >= self.keep.seconds
        if late and self.epoch <= self.plan.epochs and not self._over():
            raise Paused

    def _write(self) -> None:
        assert self.keep is not None
        now = time.monotonic()
        history = asdict(self.history)
        history["seconds"] = round(self.history.seconds + now - self.began, 1)
        tensors = {f"net.{key}": one for key, one in self.module.state_dict().items()}
        tensors |= {f"best.{key}": one for key, one in self.best.items()}
        for place, held in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{place}.{key}": one for key, one in held.items()}
        tensors["rng"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state()
        state = {
            "history": history,
            "epoch": self.epoch,
            "done": self.done,
            "lost": self.lost.hex(),
            "waited": self.waited,
            "spent": self.spent,
            "scaler": self.scaler.state_dict(),
        }
        checkpoints.write(self.keep.folder, state, tensors, whose=self.whose)
        self.kept = now

    def _take_up(self) -> None:
        if self.keep is None:
            return
        found, told = checkpoints.read(self.keep.folder, whose=self.whose)
        if told:
            self.history.told.append(told)
        if found is None:
            return
        groups: dict[str, dict[str, torch.Tensor]] = {"net": {}, "best": {}}
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, value in found.tensors.items():
            kind, _dot, key = name.partition(".")
            if kind in groups:
                groups[kind][key] = value.to(self.device)
            elif kind == "adam":
                place, _dot, what = key.partition(".")
                moments.setdefault(int(place), {})[what] = value
        self.module.load_state_dict(groups["net"])
        self.best = groups["best"]
        held = self.optimizer.state_dict()
        self.optimizer.load_state_dict({**held, "state": moments})
        state = found.state
        known = dict(state["history"])
        known["epochs"] = [trainer.Epoch(**one) for one in known["epochs"]]
        known["told"] = [*known["told"], *self.history.told]
        self.history = History(**known)
        self.history.resumed.append(self.history.steps)
        self.epoch, self.done, self.waited = state["epoch"], state["done"], state["waited"]
        self.lost, self.spent = float.fromhex(state["lost"]), state["spent"]
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(found.tensors["rng"])
        if "rng.cuda" in found.tensors and self.device.type == "cuda":
            torch.cuda.set_rng_state(found.tensors["rng.cuda"])


def precision(device: torch.device) -> torch.dtype:
    """What products are computed in: half precision on a GPU and on a CPU with tiles for it."""
    if device.type == "cpu" and torch.cpu._is_amx_tile_supported():
        return torch.bfloat16
    return trainer.precision(device)


def autocast(device: torch.device, dtype: torch.dtype) -> torch.autocast:
    return torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32)


def out_of_memory(fault: BaseException) -> bool:
    text = str(fault)
    return (
        isinstance(fault, MemoryError | torch.OutOfMemoryError)
        or "can't allocate memory" in text
        or "not enough memory" in text
    )
