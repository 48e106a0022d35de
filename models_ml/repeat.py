"""Who orders again within 90 days: the tree from facts to a judged version, and its word on all.

The judging moment is 90 days before the data's now, so that what happened next is known. The
questions are chosen on half of the people at earlier moments (90 and 180 days before that, as far
as there is history); rates and figures come from the other half at the judging moment. See
`algorithms/tree.py` for the method.
"""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.db.models import Min
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion import changes
from ingestion.models import OrderLine
from marketing.core.errors import Invalid
from marketing.core.wording import Words
from models_ml import features, registry
from models_ml.algorithms import artifacts
from models_ml.algorithms import tree as trees
from models_ml.algorithms.tree import Feature, Params, Sample, Tree, moving
from models_ml.explorer import groups
from models_ml.features import labels, reading
from models_ml.features.reading import Asked
from models_ml.features.targets import Target
from models_ml.models import ModelVersion

NAME = "repeat_90d"
HORIZON = timedelta(days=90)
EARLIER = 2
LEAST_PEOPLE, LEAST_YES = 200, 20
FILE = "tree.json"
FEATURES = tuple(
    Feature(
        c.name,
        c.decimals,
        c.nullable and c.name not in ("recency_days", "tenure_days", "avg_order_value"),
    )
    for c in features.COLUMNS
)


def train(
    *,
    as_of: datetime,
    now: datetime,
    params: Params | None = None,
    job_id: int | None = None,
    report: Callable[[int, Words], None] = lambda step, label: None,
) -> ModelVersion:
    """Learn, judge, store; publish if it beats both dull rules, else keep it as refused.

    Invalid when there are too few people to learn from.
    """
    params, began = params or Params(), time.monotonic()
    report(1, gettext_lazy("Reading the history as it stood at earlier moments"))
    cut = as_of - HORIZON
    judge, recency = _labelled(cut)
    judge_half = trees.halves(judge.person, params.seed)
    moments = _earlier_moments(cut)
    structure = _pool([_labelled(moment)[0] for moment in moments] or [judge])
    structure = structure.take(~trees.halves(structure.person, params.seed))
    judge, recency = judge.take(judge_half), recency[judge_half]
    _check_enough(structure, judge)
    report(2, gettext_lazy("Growing the tree"))
    fitted = trees.fit(structure=structure, judge=judge, features=FEATURES, params=params)
    report(3, gettext_lazy("Judging it on people and on a time it has not seen"))
    verdict = trees.assess(fitted, judge, recency, params)
    report(4, gettext_lazy("Storing the version"))
    version = registry.save(
        name=NAME,
        algorithm="decision tree (CART), honest",
        write=lambda folder: artifacts.write_json(folder / FILE, fitted.as_json()),
        params={name: getattr(params, name) for name in Params.__dataclass_fields__},
        metrics=_rounded(auc=verdict.auc, log_loss=verdict.log_loss, brier=verdict.brier),
        baseline=_rounded(
            auc=verdict.auc_recency, log_loss=verdict.log_loss_base, brier=verdict.brier_base
        )
        | {"rule": "whoever ordered last orders next; chance of everyone"},
        details=_details(fitted, verdict, cut, moments, structure, judge, as_of),
        data_from=_first_order(),
        data_until=as_of,
        rows=structure.size + judge.size,
        seed=params.seed,
        seconds=round(time.monotonic() - began, 2),
        job_id=job_id,
        now=now,
    )
    if verdict.better:
        return registry.promote(version=version)
    return registry.refuse(version=version, why=lambda: _why_refused(verdict))


def _labelled(moment: datetime) -> tuple[Sample, np.ndarray]:
    seen = features.snapshot(as_of=moment)
    again = features.ordered_within(since=moment, until=moment + HORIZON)
    return Sample(seen.x, np.isin(seen.person, again), seen.person), seen.column("recency_days")


def _first_order() -> datetime | None:
    first: datetime | None = OrderLine.objects.aggregate(first=Min("placed_at"))["first"]
    return first


def _earlier_moments(cut: datetime) -> list[datetime]:
    first = _first_order()
    if first is None:
        return []
    moments = [cut - HORIZON * n for n in range(1, EARLIER + 1)]
    return [moment for moment in moments if moment - first >= HORIZON]


def _pool(samples: list[Sample]) -> Sample:
    return Sample(
        np.concatenate([s.x for s in samples]),
        np.concatenate([s.label for s in samples]),
        np.concatenate([s.person for s in samples]),
    )


def _check_enough(structure: Sample, judge: Sample) -> None:
    for sample in (structure, judge):
        yes = int(sample.label.sum())
        if sample.size < LEAST_PEOPLE or min(yes, sample.size - yes) < LEAST_YES:
            raise Invalid(
                _(
                    "There are too few people to learn from: %(people)d,"
                    " of whom %(yes)d ordered again."
                )
                % {"people": sample.size, "yes": yes},
                code="too_few_people",
                remedy=_(
                    "A tree needs half a year of orders, and in each half at least %(least)d"
                    " people, of whom at least "
                    "%(yes)d ordered again and as many did not. Nothing was changed."
                )
                % {"least": LEAST_PEOPLE, "yes": LEAST_YES},
            )


def _details(
    fitted: Tree,
    verdict: trees.Judgement,
    cut: datetime,
    moments: list[datetime],
    structure: Sample,
    judge: Sample,
    as_of: datetime,
) -> dict[str, Any]:
    spent = _spent(judge, cut)
    leaves, where = groups.leaves(fitted), fitted.apply(judge.x)
    for leaf in leaves:
        leaf["worth"] = groups.worth(spent[where == leaf["id"]])
    return {
        "kind": "tree",
        "horizon_days": HORIZON.days,
        "judged_at": cut.isoformat(),
        "judged_people": verdict.people,
        "learned_at": [moment.isoformat() for moment in moments] or [cut.isoformat()],
        "learned_people": int(np.unique(structure.person).size),
        "later_in_time": bool(moments),
        "base_rate": verdict.base_rate.as_json(),
        "auc_gain": verdict.gain.as_json(),
        "worth": groups.worth(spent),
        "worth_of": "next",
        "nodes": groups.nodes(fitted),
        "leaves": leaves,
        "calibration": verdict.calibration,
        "gains": verdict.gains,
        "gains_baseline": verdict.gains_recency,
        "moved": _moved(fitted, as_of),
    }


def _spent(judge: Sample, cut: datetime) -> np.ndarray:
    """The money each judged person went on to spend."""
    when = np.full(judge.size, reading.as_moment(cut))
    asked = Asked(judge.person, when.astype("datetime64[s]"))
    return labels.of(target=Target("spend"), asked=asked, horizon=HORIZON)


def _moved(fitted: Tree, as_of: datetime) -> dict[str, Any] | None:
    """What became of the groups of the live version, over everyone as of today."""
    before = registry.live(NAME)
    if before is None:
        return None
    try:
        old = registry.load(before, read)
    except (OSError, ValueError):  # its files are gone or damaged: there is nothing to compare
        return None
    seen = features.snapshot(as_of=as_of)
    if not seen.person.size:
        return None
    compared = moving.between(old, fitted, old.apply(seen.x), fitted.apply(seen.x))
    return {
        "version": before.version,
        "version_id": before.pk,
        "people": int(seen.person.size),
        **compared.as_json(),
    }


def _rounded(**figures: float) -> dict[str, Any]:
    return {name: round(value, 5) for name, value in figures.items()}


def _why_refused(verdict: trees.Judgement) -> str:
    return _(
        "On people it had not seen it was not reliably better than its baseline: it ranks with"
        " AUC %(auc).3f against %(recency).3f for “whoever ordered last orders next” (gain"
        " %(low).3f to %(high).3f, 95%%), and its log loss is "
        "%(loss).4f against %(base).4f for the average chance."
    ) % {
        "auc": verdict.auc,
        "recency": verdict.auc_recency,
        "low": verdict.gain.low,
        "high": verdict.gain.high,
        "loss": verdict.log_loss,
        "base": verdict.log_loss_base,
    }


def read(folder: Path) -> Tree:
    return Tree.from_json(artifacts.read_json(folder / FILE))


def score(*, version: ModelVersion | None = None) -> int:
    """Write leaf and chance by the live tree for everyone who ordered; how many people.

    Whoever said no to profiling gets neither.

    Without a live tree the two columns are emptied: an old word about new numbers would be wrong.
    """
    version = version or registry.live(NAME)
    if version is None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE models_ml_traits SET repeat_90d = NULL, repeat_90d_leaf = NULL"
                " WHERE repeat_90d_leaf IS NOT NULL"
            )
            if cursor.rowcount:
                changes.note(kind=changes.TRAITS, people=None)
        return 0
    tree = registry.load(version, read)
    leaf_sql, params = _leaf_case(tree, 0)
    rates = tree.rate
    chances = " ".join(f"WHEN {leaf} THEN %s::double precision" for leaf in tree.leaves)
    sql = f"""
        WITH word AS (
            SELECT customer_id, CASE WHEN orders > 0 AND customer_id NOT IN (
                SELECT customer_id FROM ingestion_consent
                WHERE purpose = 'profiling' AND current AND NOT granted
            ) THEN {leaf_sql} END AS leaf
            FROM models_ml_traits
        )
        UPDATE models_ml_traits AS t
        SET repeat_90d_leaf = w.leaf, repeat_90d = CASE w.leaf {chances} END
        FROM word AS w
        WHERE w.customer_id = t.customer_id
          AND (t.repeat_90d_leaf, t.repeat_90d) IS DISTINCT FROM (w.leaf, CASE w.leaf {chances} END)
    """
    numbers = [round(float(rates[leaf]), 4) for leaf in tree.leaves]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(sql, [*params, *numbers, *numbers])
        if cursor.rowcount:
            changes.note(kind=changes.TRAITS, people=None)
        cursor.execute("SELECT count(*) FROM models_ml_traits WHERE repeat_90d_leaf IS NOT NULL")
        count: int = cursor.fetchone()[0]
    return count


def _leaf_case(tree: Tree, node: int) -> tuple[str, list[float]]:
    """The tree as one CASE expression giving the leaf; the tree is at most a dozen levels deep."""
    if tree.left[node] == trees.LEAF:
        return str(int(node)), []
    column = tree.features[int(tree.feature[node])].name
    left, left_params = _leaf_case(tree, int(tree.left[node]))
    right, right_params = _leaf_case(tree, int(tree.right[node]))
    unknown = "true" if tree.missing_left[node] else "false"
    yes = f"coalesce({column} <= %s::double precision, {unknown})"
    sql = f"CASE WHEN {yes} THEN {left} ELSE {right} END"
    return sql, [float(tree.threshold[node]), *left_params, *right_params]


def apply(*, version: ModelVersion) -> tuple[np.ndarray, np.ndarray]:
    """Person ids and the leaf each falls in, worked out from Traits by the tree itself."""
    seen = features.stored()
    if seen is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return seen.person, registry.load(version, read).apply(seen.x)
