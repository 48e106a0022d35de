"""A training on disk: one file of plain tensors, replaced whole, and the one before it.

Nothing is pickled. A file belongs to one training: the same parameters on the same data.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

NAME, BEFORE = "training.safetensors", "training.before.safetensors"
_TORN = (SafetensorError, OSError, RuntimeError, ValueError, KeyError)


@dataclass(frozen=True)
class Checkpoint:
    """`state` is what JSON holds, `tensors` the rest: names are up to the loop."""

    state: dict[str, Any]
    tensors: dict[str, torch.Tensor]


def write(
    folder: Path, state: dict[str, Any], tensors: dict[str, torch.Tensor], *, whose: str
) -> None:
    """Replace the checkpoint; a kill at any moment leaves the old one or the new one."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{NAME}.{os.getpid()}"
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    save_file(plain, draft, metadata={"whose": whose, "state": json.dumps(state)})
    _sync(draft)
    if (folder / NAME).exists():
        # A second name rather than a new one: at no moment is there no checkpoint.
        (folder / BEFORE).unlink(missing_ok=True)
        os.link(folder / NAME, folder / BEFORE)
    os.replace(draft, folder / NAME)
    _sync(folder)


def read(folder: Path, *, whose: str) -> tuple[Checkpoint | None, str]:
    """The newest checkpoint of this training that can be read, and what is to be told about it.

    "" when there is nothing to tell: none was there, or it was read.
    """
    told = ""
    for name in (NAME, BEFORE):
        path = folder / name
        if not path.exists():
            continue
        try:
            with safe_open(path, framework="pt") as stored:
                about = stored.metadata() or {}
                if about.get("whose") != whose:
                    told = told or "other_training"
                    continue
                tensors = {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
                return Checkpoint(json.loads(about["state"]), tensors), told
        except _TORN:
            told = "torn"
    return None, told


def drop(folder: Path) -> None:
    for path in (folder / NAME, folder / BEFORE, *folder.glob(f".{NAME}.*")):
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
