"""Which purchase a pick resembles most: arrays in, arrays out."""

import numpy as np

# Below this likeness (cosine) naming one purchase as the reason would be a guess.
LIKE = 0.3
PEOPLE = 256


def anchors(
    picks: np.ndarray,
    vectors: tuple[np.ndarray, np.ndarray] | None,
    owner: np.ndarray,
    item: np.ndarray,
) -> np.ndarray:
    """For each pick (n, k), the person's own purchase most like it, or -1 where none is alike.

    `vectors` are item ids and unit vectors; `owner` (m,) are sorted rows of `picks` and `item` (m,)
    what those people bought.
    """
    found = np.full(picks.shape, -1, dtype=np.int64)
    if vectors is None or not len(vectors[0]) or not len(item):
        return found
    ids, table = vectors
    own, known = _places(ids, item)
    owner, item, own = owner[known], item[known], own[known]
    pick, there = _places(ids, picks)
    pick = np.where(there, pick, 0)
    for begin in range(0, len(picks), PEOPLE):
        left, right = np.searchsorted(owner, [begin, begin + PEOPLE])
        if left == right:
            continue
        row = owner[left:right] - begin
        alike = np.matmul(table[pick[begin + row]], table[own[left:right]][:, :, None])[:, :, 0]
        starts = np.flatnonzero(np.r_[True, row[1:] != row[:-1]])
        people = row[starts]
        best = np.maximum.reduceat(alike, starts, axis=0)
        spot = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(row))))
        at = np.where(alike == best[spot], np.arange(len(row))[:, None], len(row))
        first = np.minimum.reduceat(at, starts, axis=0)
        good = (best >= LIKE) & there[begin + people]
        found[begin + people] = np.where(
            good, item[left:right][np.minimum(first, len(row) - 1)], -1
        )
    return found


def _places(ids: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    at = np.searchsorted(ids, values)
    at[at == len(ids)] = 0
    return at, ids[at] == values
