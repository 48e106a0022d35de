"""One training by several processes, through `accelerate`: each takes its rows of every batch.

Losses of rows add up to the loss of the batch, so the gradients of all are added up: the steps are
those that one process would take, however many there are. The process that was asked leads: it
alone judges, tells and writes. The others are helpers, which know the data, the weights to begin
with and where the training is kept, and end with it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch

from models_ml.algorithms import artifacts, trainer
from models_ml.algorithms.recommenders.sequential import loop
from models_ml.algorithms.recommenders.sequential.params import Params

if TYPE_CHECKING:
    from models_ml.algorithms.recommenders.sequential.engine import Engine

# Helpers wait this long while the one who leads judges or writes.
PATIENCE = timedelta(hours=2)
READY, TASK, HERE = "ready", "task.json", "127.0.0.1"
_ROOT = Path(__file__).parents[4]


class Ended(RuntimeError):
    """A helper ended before the training began; the text is what it said last."""


@dataclass(frozen=True)
class Team:
    """`size` processes, of which this is the one at `place`; 0 leads."""

    size: int
    place: int

    def add(self, tensors: Sequence[torch.Tensor]) -> None:
        """Replace each of the tensors by its sum over all processes."""
        flat = torch.cat([one.reshape(-1) for one in tensors])
        flat = import_module("accelerate.utils").reduce(flat, reduction="sum")
        for one, total in zip(tensors, flat.split([one.numel() for one in tensors]), strict=True):
            one.copy_(total.view_as(one))


def processes(asked: int, device: torch.device) -> int:
    """How many train together: as many as were asked for, else one for each GPU."""
    if asked:
        return asked
    return torch.cuda.device_count() if device.type == "cuda" else 1


def possible() -> bool:
    """Whether the library is there by which processes train together."""
    return find_spec("accelerate") is not None


@contextmanager
def led(engine: Engine, run: loop.Run, params: Params, epochs: int) -> Iterator[None]:
    """Let as many helpers as there should be take part in a run for as long as this lasts."""
    size = processes(params.processes, engine.device)
    if size > 1 and not possible():
        run.history.told.append("no_accelerate")
        size = 1
    if size == 1:
        yield
        return
    with TemporaryDirectory(prefix="training-") as name:
        folder, port = Path(name), _free_port()
        engine.store(folder)
        task = {
            "engine": [type(engine).__module__, type(engine).__name__],
            "params": asdict(params),
            "epochs": epochs,
            "size": size,
            "port": port,
            "whose": run.whose,
            "kept": str(run.keep.folder) if run.keep else "",
        }
        artifacts.write_json(folder / TASK, task)
        helpers = [_begin(folder, place) for place in range(1, size)]
        try:
            for place, one in enumerate(helpers, 1):
                if not _ready(one):
                    raise Ended((folder / f"{place}.said").read_text().strip()[-500:])
            with joined(size, 0, port, engine.device) as run.team:
                yield
        finally:
            for one in helpers:
                one.kill()
                one.communicate()


def help_out(folder: Path, place: int) -> None:
    """Be a helper: take part in every step until the one who leads ends this process."""
    task = artifacts.read_json(folder / TASK)
    params = Params(**task["params"])
    if torch.cuda.is_available():
        torch.cuda.set_device(place)
    module, name = task["engine"]
    engine: Engine = getattr(import_module(module), name).load(folder)
    engine.weigh()
    threads = max(1, params.threads // task["size"])
    # What is dropped and drawn is another's than in the other processes.
    with trainer.settings(params.seed + place, threads):
        run = engine.run(params, task["epochs"])
        run.keep = loop.Keep(Path(task["kept"])) if task["kept"] else None
        run.whose = task["whose"]
        sys.stdout.write(f"{READY}\n")
        sys.stdout.flush()
        with joined(task["size"], place, task["port"], engine.device) as run.team:
            run.help()


@contextmanager
def joined(size: int, place: int, port: int, device: torch.device) -> Iterator[Team]:
    """Be one of `size` processes that meet at a port of this machine."""
    threads = torch.get_num_threads()
    told = {
        "RANK": str(place), "LOCAL_RANK": str(place), "WORLD_SIZE": str(size),
        "LOCAL_WORLD_SIZE": str(size), "MASTER_ADDR": HERE, "MASTER_PORT": str(port),
        "GLOO_SOCKET_IFNAME": "lo" if sys.platform == "linux" else "lo0",
        "OMP_NUM_THREADS": str(threads),
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in told}
    states = import_module("accelerate").PartialState
    os.environ.update(told)
    try:
        state = states(cpu=device.type == "cpu", timeout=PATIENCE)
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
    torch.set_num_threads(threads)
    try:
        yield Team(size, place)
    finally:
        state.destroy_process_group()
        states._reset_state()


def _begin(folder: Path, place: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", __name__, str(folder), str(place)]
    paths = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with (folder / f"{place}.said").open("w") as said:
        return subprocess.Popen(
            command, env={**os.environ, "PYTHONPATH": paths}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said,
        )  # fmt: skip


def _ready(helper: subprocess.Popen[str]) -> bool:
    return helper.stdout is not None and any(line.strip() == READY for line in helper.stdout)


def _free_port() -> int:
    with socket.socket() as door:
        door.bind((HERE, 0))
        found: int = door.getsockname()[1]
    return found


def _leave_with_the_one_who_leads() -> None:
    """End when the other end of what we read is gone: it was killed, and nobody else ends us."""
    sys.stdin.read()
    os._exit(0)


def main(arguments: Sequence[str]) -> Any:
    threading.Thread(target=_leave_with_the_one_who_leads, daemon=True).start()
    folder, place = arguments
    help_out(Path(folder), int(place))


if __name__ == "__main__":
    main(sys.argv[1:])
