"""Taking people out of a stored model: their own vector and what they bought, nothing else.

A folder is never changed, so a new one is made beside it; whoever holds the old one goes on with
it until they read the version again. The items' vectors stay: they are sums over everybody.
"""

import shutil
import uuid
from collections.abc import Collection
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from models_ml.algorithms import artifacts

MAPS, FACTORS = "maps.npz", "factors.safetensors"
_SEALED = ("format", "files", "versions")


def drop_people(*, folder: Path, numbers: Collection[int]) -> Path | None:
    """A new folder without these people; None when the model holds none of them."""
    if not (folder / MAPS).exists():
        return None
    arrays = artifacts.read_arrays(folder / MAPS)
    users = arrays.get("users")
    if users is None:
        return None
    keep = ~np.isin(users, np.fromiter(numbers, dtype=np.int64, count=len(numbers)))
    if keep.all():
        return None
    manifest = artifacts.check(folder)
    known = {name: value for name, value in manifest.items() if name not in _SEALED}
    made = folder.with_name(f"{folder.name}-{uuid.uuid4().hex[:8]}")
    with artifacts.create(made, known) as draft:
        for path in folder.iterdir():
            if path.name not in (artifacts.MANIFEST, MAPS, FACTORS):
                shutil.copy2(path, draft / path.name)
        if (folder / FACTORS).exists():
            factors = load_file(folder / FACTORS)
            rows = factors["user_factors"]
            factors["user_factors"] = np.ascontiguousarray(rows[keep])
            save_file(factors, draft / FACTORS)
        artifacts.write_arrays(draft / MAPS, **_without(arrays, keep))
    return made


def _without(arrays: dict[str, np.ndarray], keep: np.ndarray) -> dict[str, np.ndarray]:
    kept = {**arrays, "users": arrays["users"][keep]}
    if "seen_indptr" in arrays:
        lengths = np.diff(arrays["seen_indptr"])
        kept["seen_indices"] = arrays["seen_indices"][np.repeat(keep, lengths)]
        ends = np.concatenate([[0], np.cumsum(lengths[keep])])
        kept["seen_indptr"] = ends.astype(arrays["seen_indptr"].dtype)
    return kept
