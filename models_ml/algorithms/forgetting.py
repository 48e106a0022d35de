"""Taking people out of a stored model: their own vector and what they bought, nothing else.

A folder is never changed, so a new one is made beside it; whoever holds the old one goes on with
it until they read the version again. The items' vectors stay: they are sums over everybody.
"""

import shutil
import uuid
import zipfile
from collections.abc import Collection
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from models_ml.algorithms import artifacts

FACTORS = "factors.safetensors"
# What flat sequences hold of each event, people delimited by `start`.
FLAT = ("item", "at", "kind")
# What is told of each person beside their number.
TOLD = ("segment", "country")
_SEALED = ("format", "files", "versions")


def people_in(*, folder: Path) -> np.ndarray:
    """The numbers of everybody a model holds. Damaged when that cannot be told."""
    held = [arrays["users"] for arrays in _tables(folder).values()]
    return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *held]))


def drop_people(*, folder: Path, numbers: Collection[int]) -> Path | None:
    """A new folder without these people; None when the model holds none of them.

    Damaged when the folder cannot be read or is not what was written.
    """
    tables = _tables(folder)
    gone = np.fromiter(numbers, dtype=np.int64, count=len(numbers))
    keeps = {name: ~np.isin(arrays["users"], gone) for name, arrays in tables.items()}
    if all(keep.all() for keep in keeps.values()):
        return None
    manifest = artifacts.check(folder)
    known = {name: value for name, value in manifest.items() if name not in _SEALED}
    made = folder.with_name(f"{folder.name}-{uuid.uuid4().hex[:8]}")
    with artifacts.create(made, known) as draft:
        for name in manifest["files"]:
            (draft / name).parent.mkdir(parents=True, exist_ok=True)
            if name in tables:
                artifacts.write_arrays(draft / name, **_without(tables[name], keeps[name]))
            elif Path(name).name == FACTORS:
                beside = [keeps[other] for other in keeps if _part(other) == _part(name)]
                factors = load_file(folder / name)
                (keep,) = beside
                factors["user_factors"] = np.ascontiguousarray(factors["user_factors"][keep])
                save_file(factors, draft / name)
            else:
                shutil.copy2(folder / name, draft / name)
    return made


def _tables(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """The files of a model that hold people, whichever algorithm wrote them."""
    found = {}
    for path in sorted(folder.rglob("*.npz")):
        try:
            arrays = artifacts.read_arrays(path)
        except (zipfile.BadZipFile, ValueError, OSError, EOFError, KeyError) as fault:
            raise artifacts.Damaged(f"{path.name} of {folder.name} cannot be read") from fault
        if "users" in arrays:
            found[path.relative_to(folder).as_posix()] = arrays
    return found


def _part(name: str) -> str:
    """The part of a model that a file belongs to; a model that is one has none."""
    return Path(name).parent.as_posix()


def _without(arrays: dict[str, np.ndarray], keep: np.ndarray) -> dict[str, np.ndarray]:
    kept = {**arrays, "users": arrays["users"][keep]}
    kept |= {name: arrays[name][keep] for name in TOLD if name in arrays}
    if "seen_indptr" in arrays:
        ends = arrays["seen_indptr"]
        stays = np.repeat(keep, np.diff(ends))
        for name in ("seen_indices", "seen_values"):
            if name in arrays:
                kept[name] = arrays[name][stays]
        kept["seen_indptr"] = _ends(ends, keep)
    if "owner" in arrays:
        kept |= _examples_without(arrays, keep)
    elif "start" in arrays:
        stays = np.repeat(keep, np.diff(arrays["start"]))
        kept |= {name: arrays[name][stays] for name in FLAT if name in arrays}
        kept["start"] = _ends(arrays["start"], keep)
    return kept


def _ends(ends: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Where each person's range ends (the first begins at 0), for those who stay."""
    lengths = np.diff(ends)[keep]
    return np.concatenate([[0], np.cumsum(lengths)]).astype(ends.dtype)


def _examples_without(arrays: dict[str, np.ndarray], keep: np.ndarray) -> dict[str, np.ndarray]:
    """Flat sequences and the examples cut from them, as releases before histories.npz kept them."""
    start, owner = arrays["start"], arrays["owner"]
    stays = np.repeat(keep, np.diff(start))
    place = np.concatenate([[0], np.cumsum(stays)])
    examples = keep[owner]
    return {
        "item": arrays["item"][stays],
        "basket": arrays["basket"][stays],
        "start": _ends(start, keep),
        "cut": place[arrays["cut"][examples]],
        "stop": place[arrays["stop"][examples]],
        "owner": (np.cumsum(keep) - 1)[owner[examples]],
        "age": arrays["age"][examples],
    }
