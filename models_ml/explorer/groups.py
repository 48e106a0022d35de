"""The groups of a tree in numbers: as a version keeps them, and how many people are in them now."""

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models_ml import queries, registry
from models_ml.algorithms import artifacts, classify
from models_ml.algorithms.classify import Z95
from models_ml.algorithms.tree import LEAF, Tree
from models_ml.explorer import questions, samples
from models_ml.models import Exploration, ModelVersion

FILE = "tree.json"
LEAST_WORTH = 20


def nodes(tree: Tree) -> list[dict[str, Any]]:
    """Every question and group, for the picture."""
    rate = tree.rate
    found = []
    for i in range(len(tree.left)):
        asks = tree.left[i] != LEAF
        one = tree.features[int(tree.feature[i])] if asks else None
        node: dict[str, Any] = {
            "id": i,
            "feature": one.name if one else None,
            "threshold": float(tree.threshold[i]),
            "left": int(tree.left[i]),
            "right": int(tree.right[i]),
            "people": int(tree.people[i]),
            "rate": round(float(rate[i]), 4),
            "missing_left": bool(tree.missing_left[i]),
        }
        if tree.asks_category(i) and one is not None:
            node |= _named(tree, i)
        found.append(node)
    return found


def _named(tree: Tree, node: int) -> dict[str, Any]:
    """The levels that can be listed, and whether they go left."""
    levels = tree.features[int(tree.feature[node])].levels
    lefts = set(tree.subset[node])
    named_left = len(levels) not in lefts
    return {
        "levels": [v for i, v in enumerate(levels) if (i in lefts) == named_left],
        "named_left": named_left,
    }


def leaves(tree: Tree) -> list[dict[str, Any]]:
    """Every group with its rate, lift and conditions, from the people the tree never saw."""
    everyone = int(tree.yes[0]), int(tree.people[0])
    rate = tree.rate
    found = []
    for leaf in tree.leaves:
        yes, people = int(tree.yes[leaf]), int(tree.people[leaf])
        conditions = []
        for c in tree.conditions(leaf):
            said = {"feature": c.feature, "op": c.op, "threshold": c.threshold}
            named = {"levels": list(c.levels)} if c.op in ("in", "not_in") else {}
            conditions.append({**said, "missing": c.missing, **named})
        found.append(
            {
                "id": leaf,
                "people": people,
                "yes": yes,
                "chance": round(float(rate[leaf]), 4),
                "earlier_rate": round(float(tree.guess[leaf]), 4),
                "rate": classify.wilson(yes, people).as_json(),
                "lift": classify.lift(yes, people, *everyone).as_json(),
                "conditions": conditions,
            }
        )
    return found


def worth(spent: NDArray[np.float64]) -> dict[str, float] | None:
    """The mean money a person spent and its 95% interval; None where too few are known."""
    known = spent[np.isfinite(spent)]
    if known.size < LEAST_WORTH:
        return None
    middle = float(known.mean())
    half = Z95 * float(known.std(ddof=1)) / float(np.sqrt(known.size))
    return {
        "value": round(middle, 2),
        "low": round(middle - half, 2),
        "high": round(middle + half, 2),
    }


def read(folder: Any) -> Tree:
    return Tree.from_json(artifacts.read_json(folder / FILE))


def count(*, exploration: Exploration) -> dict[str, Any]:
    """Count who is in each group of the shown version as the stored numbers are now; store it."""
    version = questions.shown(exploration)
    if version is None:
        return {}
    as_of = queries.as_of()
    person, leaf = _placed(exploration, version, as_of)
    found, people = np.unique(leaf, return_counts=True)
    exploration.sizes = {
        "version": version.pk,
        "as_of": as_of.isoformat(),
        "people": len(person),
        "leaves": {str(int(i)): int(n) for i, n in zip(found, people, strict=True)},
    }
    Exploration.objects.filter(pk=exploration.pk).update(sizes=exploration.sizes)
    return exploration.sizes


def count_all() -> int:
    """Count the groups of every question on the page; how many questions."""
    counted = 0
    for exploration in Exploration.objects.filter(state=Exploration.State.ACTIVE).order_by("pk"):
        try:
            counted += bool(count(exploration=exploration))
        except (OSError, ValueError):  # the files of the version are gone or damaged
            continue
    return counted


def apply(
    *, exploration: Exploration, version: ModelVersion
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Person ids and the group each is in, worked out by the tree itself."""
    return _placed(exploration, version, queries.as_of())


def _placed(
    exploration: Exploration, version: ModelVersion, as_of: datetime
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    person, x = samples.read(
        specs=version.details["columns"],
        population=questions.population_of(exploration),
        as_of=as_of,
        known=version.details.get("population", {}).get("known", ""),
    )
    return person, registry.load(version, read).apply(x)
