"""Model folders: written whole or not at all, never changed, and checked before they are believed.

A folder holds the files the algorithm wrote (safetensors, npz, skops, ONNX or JSON) and a
manifest.json with parameters, metrics, data window, seed, library versions and the SHA-256 of every
file. It is made beside its final place, synced, and renamed into it. Reading checks every hash
first, and nothing here is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

MANIFEST = "manifest.json"
FORMAT = 1
SUFFIXES = {".npz", ".safetensors", ".json", ".skops", ".onnx"}
LIBRARIES = ("numpy", "scipy", "scikit-learn", "implicit", "torch", "transformers", "safetensors")


class Damaged(ValueError):
    """The folder is not what was written: something is missing, changed, added or unreadable."""


@contextmanager
def create(folder: Path, manifest: Mapping[str, Any]) -> Iterator[Path]:
    """Yield an empty folder to write into; on leaving, seal it at `folder`.

    `manifest` holds what the caller knows (parameters, metrics, data, seed); versions and hashes
    are added here. When the body raises, nothing stays behind; no folder is replaced.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} exists, and a model folder is never changed")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.parent / f".{folder.name}.{uuid.uuid4().hex}"
    draft.mkdir()
    try:
        yield draft
        _seal(draft, dict(manifest))
        os.rename(draft, folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def check(folder: Path) -> dict[str, Any]:
    """Return the manifest after every file was found to be exactly what was written."""
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError) as fault:
        raise Damaged(f"{path.name} of {folder.name} cannot be read: {fault}") from fault
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise Damaged(f"{folder.name} was written in a format this version does not read")
    seal = manifest.pop("seal", None)
    if seal != _digest_of(manifest):
        raise Damaged(f"{path.name} of {folder.name} was changed after it was written")
    files = manifest["files"]
    present = {path.relative_to(folder).as_posix() for path in _entries(folder)} - {MANIFEST}
    for name in sorted(present ^ set(files)):
        wrong = "is missing" if name in files else "does not belong there"
        raise Damaged(f"{name} of {folder.name} {wrong}")
    for name, expected in files.items():
        if _digest(folder / name) != expected["sha256"]:
            raise Damaged(f"{name} of {folder.name} was changed after it was written")
    return manifest


def write_arrays(path: Path, **arrays: np.ndarray) -> None:
    """Arrays to an uncompressed npz; object arrays are refused, as they would need pickle."""
    if any(array.dtype.hasobject for array in arrays.values()):
        raise ValueError("only plain arrays can be stored")
    np.savez(path, **arrays)  # type: ignore[arg-type]


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True, allow_nan=False), encoding="utf-8")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _seal(draft: Path, manifest: dict[str, Any]) -> None:
    files = {}
    for path in _entries(draft):
        if path.suffix not in SUFFIXES or not path.is_file():
            raise ValueError(f"{path.name} is not a kind of file a model folder may hold")
        name = path.relative_to(draft).as_posix()
        files[name] = {"sha256": _digest(path), "bytes": path.stat().st_size}
        _sync(path)
        _sync(path.parent)
    manifest |= {"format": FORMAT, "files": files, "versions": versions()}
    # Round trip first: what is hashed must be what a reader will see (tuples become lists).
    manifest = json.loads(json.dumps(manifest, allow_nan=False))
    manifest["seal"] = _digest_of(manifest)
    write_json(draft / MANIFEST, manifest)
    _sync(draft / MANIFEST)
    _sync(draft)


def _entries(folder: Path) -> list[Path]:
    """Everything in the folder and in its parts (a model made of models has a folder for each)."""
    found = sorted(folder.rglob("*"))
    return [path for path in found if path.is_symlink() or not path.is_dir()]


def versions() -> dict[str, str]:
    """Python and the libraries a model depends on, as installed now."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _digest_of(manifest: dict[str, Any]) -> str:
    text = json.dumps(manifest, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
