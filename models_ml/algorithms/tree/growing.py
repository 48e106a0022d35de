"""Questions chosen one after another where they tell most, and taken back where they tell nothing.

Values are dealt into at most 255 bins a feature once, so a question costs a count over bins. At a
node the levels of a category are put in the order of their rates there; the best question about the
order is then the best of all subsets (Fisher 1958; Breiman et al. 1984, section 4.2.2). Levels too
rare to tell anything are 'other', and unknown is a level of its own.

scikit-learn's trees know no categories, which is why this grows its own; on numbers alone the two
ask the same questions.
"""

import heapq
from dataclasses import dataclass, replace

import numpy as np

from models_ml.algorithms import classify
from models_ml.algorithms.classify import Bools, Floats
from models_ml.algorithms.tree.shape import CATEGORY, LEAF, Feature, Ints, Params, Sample, Tree

BINS = 255
LEAST_GAIN = 1e-9


@dataclass(frozen=True, slots=True)
class Binned:
    """A sample with each value as its bin; the last bin of a feature holds the unknown ones.

    `cuts` are the upper ends of a number's bins (the last bin has none); of a category `codes`
    gives the bin of each level, those that share one being 'other'.
    """

    bins: np.ndarray
    label: Bools
    cuts: tuple[Floats, ...]
    codes: tuple[Ints, ...]
    sizes: Ints

    @property
    def offsets(self) -> Ints:
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]]).astype(np.int64)


def deal(sample: Sample, features: tuple[Feature, ...], params: Params) -> Binned:
    """Values → bins. A level that fewer than a tenth of a leaf's people have is 'other'."""
    columns, cuts, codes, sizes = [], [], [], []
    for j, feature in enumerate(features):
        value = sample.x[:, j]
        known = np.isfinite(value)
        if feature.kind == CATEGORY:
            levels = len(feature.levels)
            place = np.clip(np.where(known, value, levels), 0, levels).astype(np.int64)
            count = np.bincount(place[known], minlength=levels + 1)
            enough = np.flatnonzero(count[:levels] >= max(params.min_leaf // 10, 5))
            bin_of = np.full(levels + 1, len(enough), np.int64)
            bin_of[enough] = np.arange(len(enough))
            column, unknown, ends = bin_of[place], len(enough) + 1, np.empty(0)
        else:
            bin_of, ends = np.empty(0, np.int64), _cuts(value[known], feature.decimals)
            column, unknown = np.searchsorted(ends, value, side="left"), len(ends) + 1
        columns.append(np.where(known, column, unknown))
        cuts.append(ends)
        codes.append(bin_of)
        sizes.append(unknown + 1)
    bins = np.column_stack(columns).astype(np.int32) if columns else np.empty((sample.size, 0))
    return Binned(bins, sample.label, tuple(cuts), tuple(codes), np.array(sizes, dtype=np.int64))


def _cuts(known: Floats, decimals: int) -> Floats:
    """Where a number may be asked: between its values, cut down to the decimals it is kept in.

    Values have these decimals and nothing between, so cutting down loses nobody.
    """
    values = np.unique(known)
    if len(values) > BINS:
        values = np.unique(np.quantile(known, np.linspace(0, 1, BINS), method="lower"))
    middle = (values[:-1] + values[1:]) / 2
    scale = 10.0**decimals
    return np.unique(np.floor(np.round(middle * scale, 6)) / scale)


@dataclass(frozen=True, slots=True)
class Question:
    """The best question at a node: what it is worth, and where it sends bins and unknowns."""

    gain: float
    feature: int
    lefts: Bools
    cut: int


def grow(sample: Sample, features: tuple[Feature, ...], params: Params) -> tuple[Tree, Floats]:
    """The whole tree before pruning, and each node's share of the entropy (people weighted)."""
    data = deal(sample, features, params)
    rows: list[Ints] = [np.arange(sample.size, dtype=np.int64)]
    depth = [0]
    asked: dict[int, Question] = {}
    children: dict[int, tuple[int, int]] = {}
    queue: list[tuple[float, int, Question]] = []

    def consider(node: int) -> None:
        if depth[node] < params.depth and len(rows[node]) >= 2 * params.min_leaf:
            found = _best(data, rows[node], features, params.min_leaf)
            if found is not None:
                heapq.heappush(queue, (-found.gain, node, found))

    consider(0)
    while queue and len(asked) + 1 < params.leaves:
        _, node, found = heapq.heappop(queue)
        left = found.lefts[data.bins[rows[node], found.feature]]
        asked[node], children[node] = found, (len(rows), len(rows) + 1)
        for side in (left, ~left):
            rows.append(rows[node][side])
            depth.append(depth[node] + 1)
        for child in children[node]:
            consider(child)
    tree = _shape(data, features, asked, children, len(rows))
    yes = np.array([int(sample.label[r].sum()) for r in rows], dtype=np.float64)
    people = np.array([len(r) for r in rows], dtype=np.float64)
    return _guess(tree, people, yes), _entropy(yes, people) / max(sample.size, 1)


def _guess(tree: Tree, people: Floats, yes: Floats) -> Tree:
    everyone = yes[0] / people[0]
    return replace(tree, guess=(yes + 2 * everyone) / (people + 2))


def _entropy(yes: Floats, people: Floats) -> Floats:
    """Bits of a group times its people."""
    no = people - yes
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = yes * np.log2(yes / people) + no * np.log2(no / people)
    return -np.nan_to_num(np.where((yes > 0) & (no > 0), bits, 0.0))


def _best(data: Binned, rows: Ints, features: tuple[Feature, ...], least: int) -> Question | None:
    total = int(data.sizes.sum())
    flat = (data.bins[rows] + data.offsets).ravel()
    label = np.repeat(data.label[rows], len(features))
    count = np.bincount(flat, minlength=total).astype(np.float64)
    yes = np.bincount(flat[label], minlength=total).astype(np.float64)
    whole, all_yes = float(len(rows)), float(data.label[rows].sum())
    if all_yes in (0.0, whole):
        return None
    before = float(_entropy(np.array([all_yes]), np.array([whole]))[0])
    best: Question | None = None
    for j, feature in enumerate(features):
        here = slice(int(data.offsets[j]), int(data.offsets[j] + data.sizes[j]))
        ask = _among if feature.kind == CATEGORY else _along
        found = ask(count[here], yes[here], before, least, j)
        if found is not None and (best is None or found.gain > best.gain + LEAST_GAIN):
            best = found
    return best


def _along(n: Floats, y: Floats, before: float, least: int, j: int) -> Question | None:
    """The best threshold of a number; unknowns go to the side where that tells more."""
    if len(n) < 3:  # one bin of values and the unknown
        return None
    lefts_n, lefts_y = np.cumsum(n[:-1])[:-1], np.cumsum(y[:-1])[:-1]
    best: Question | None = None
    for unknown_left in (False, True) if n[-1] else (None,):
        more = bool(unknown_left)
        gain = _gains(
            lefts_n + more * n[-1], lefts_y + more * y[-1], n.sum(), y.sum(), before, least
        )
        cut = int(np.argmax(gain))
        if gain[cut] > (best.gain if best else LEAST_GAIN):
            lefts = np.arange(len(n)) <= cut
            # Nobody here is unknown: whoever will be goes with the greater part.
            lefts[-1] = more if unknown_left is not None else 2 * lefts_n[cut] >= n.sum()
            best = Question(float(gain[cut]), j, lefts, cut)
    return best


def _among(n: Floats, y: Floats, before: float, least: int, j: int) -> Question | None:
    """The best subset of levels, among those in the order of their rates."""
    there = np.flatnonzero(n)
    if len(there) < 2:
        return None
    everyone = y.sum() / n.sum()
    order = there[np.argsort((y[there] + everyone) / (n[there] + 1), kind="stable")]
    lefts_n, lefts_y = np.cumsum(n[order])[:-1], np.cumsum(y[order])[:-1]
    gain = _gains(lefts_n, lefts_y, n.sum(), y.sum(), before, least)
    cut = int(np.argmax(gain))
    if gain[cut] <= LEAST_GAIN:
        return None
    # Levels that nobody here has go with the greater part; unknown, if nobody's is, with 'other'.
    lefts = np.full(len(n), 2 * lefts_n[cut] >= n.sum())
    lefts[order[: cut + 1]], lefts[order[cut + 1 :]] = True, False
    if not n[-1]:
        lefts[-1] = lefts[-2]
    return Question(float(gain[cut]), j, lefts, cut)


def _gains(n: Floats, y: Floats, whole: float, yes: float, before: float, least: int) -> Floats:
    after = _entropy(y, n) + _entropy(yes - y, whole - n)
    return np.where((n >= least) & (whole - n >= least), before - after, -1.0)


def _shape(
    data: Binned,
    features: tuple[Feature, ...],
    asked: dict[int, Question],
    children: dict[int, tuple[int, int]],
    n: int,
) -> Tree:
    feature, threshold = np.zeros(n, np.int64), np.zeros(n)
    missing_left = np.zeros(n, np.bool_)
    subset: list[tuple[int, ...]] = [()] * n
    left, right = np.full(n, LEAF, np.int64), np.full(n, LEAF, np.int64)
    for node, found in asked.items():
        j = feature[node] = found.feature
        left[node], right[node] = children[node]
        missing_left[node] = found.lefts[-1]
        if features[j].kind == CATEGORY:
            subset[node] = tuple(int(i) for i in np.flatnonzero(found.lefts[data.codes[j]]))
        else:
            threshold[node] = data.cuts[j][found.cut]
    return Tree(
        features=features, feature=feature, threshold=threshold, missing_left=missing_left,
        left=left, right=right, guess=np.zeros(n), subset=tuple(subset),
    )  # fmt: skip


def steps(tree: Tree, share: Floats) -> list[tuple[float, Bools]]:
    """Weakest-link pruning: for each alpha, from 0 up, the nodes that are still asked."""
    asked = tree.left != LEAF
    found = [(0.0, asked.copy())]
    while asked.any():
        worth, leaves = share.copy(), np.ones(len(share))
        for i in range(len(share) - 1, -1, -1):
            if asked[i]:
                pair = [int(tree.left[i]), int(tree.right[i])]
                worth[i], leaves[i] = worth[pair].sum(), leaves[pair].sum()
        # A node below one that is not asked any more counts no longer.
        with np.errstate(divide="ignore", invalid="ignore"):
            link = np.where(asked, (share - worth) / (leaves - 1), np.inf)
        alpha = float(link.min())
        asked &= link > alpha + 1e-12
        for i in range(len(share)):
            if tree.left[i] != LEAF and not asked[i]:
                asked[_below(tree, i)] = False
        found.append((max(alpha, found[-1][0]), asked.copy()))
    return found


def _below(tree: Tree, node: int) -> list[int]:
    found: list[int] = []
    todo = [node]
    while todo:
        i = todo.pop()
        found.append(i)
        if tree.left[i] != LEAF:
            todo += [int(tree.left[i]), int(tree.right[i])]
    return found


def cut_back(tree: Tree, asked: Bools) -> Tree:
    """The tree with only the questions of `asked`."""
    keep: list[int] = []
    todo = [0]
    while todo:
        i = todo.pop(0)
        keep.append(i)
        if asked[i]:
            todo += [int(tree.left[i]), int(tree.right[i])]
    place = {old: new for new, old in enumerate(keep)}
    subsets = tree.subsets
    return Tree(
        features=tree.features,
        feature=np.where(asked[keep], tree.feature[keep], 0),
        threshold=np.where(asked[keep], tree.threshold[keep], 0.0),
        missing_left=tree.missing_left[keep] & asked[keep],
        left=np.array([place[int(tree.left[i])] if asked[i] else LEAF for i in keep]),
        right=np.array([place[int(tree.right[i])] if asked[i] else LEAF for i in keep]),
        guess=tree.guess[keep],
        subset=tuple(subsets[i] if asked[i] else () for i in keep),
    )


def pruned(sample: Sample, features: tuple[Feature, ...], params: Params, fold: Ints) -> Tree:
    """The tree, pruned as far as ranks held-out folds of people best (AUC); of equals the smallest.

    `fold` is a part from 0 to `params.folds` - 1 for each row, the same for all rows of a person.
    """
    tree, share = grow(sample, features, params)
    path = steps(tree, share)
    if sample.size < 2 * params.folds * params.min_leaf or len(path) == 1:
        return tree
    found = np.array([alpha for alpha, _ in path])
    # Between two steps of the path the tree is the same: the middle stands for the step.
    alphas = np.sqrt(found * np.append(found[1:], found[-1]))
    worth = np.zeros(len(alphas))
    for part in range(params.folds):
        rest = sample.take(fold == part)
        rows = fold != part
        if not rest.size or len(np.unique(sample.label[rows])) < 2:
            return tree
        whole, parts = grow(sample.take(rows), features, params)
        trail = steps(whole, parts)
        for i, alpha in enumerate(alphas):
            asked = [mask for at, mask in trail if at <= alpha + 1e-12][-1]
            smaller = cut_back(whole, asked)
            worth[i] += np.nan_to_num(
                classify.auc(rest.label, smaller.guess[smaller.apply(rest.x)]), nan=0.5
            )
    best = int(np.flatnonzero(worth >= worth.max() - 1e-9).max())
    return cut_back(tree, path[best][1])
