"""From a question to a judged version: `tree:<key>`, live if it beats both dull rules."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core.errors import Refused
from marketing.core.wording import Words
from models_ml import registry
from models_ml.algorithms import artifacts
from models_ml.algorithms import tree as trees
from models_ml.algorithms.tree import Params, Tree, moving
from models_ml.explorer import checks, columns, groups, questions, samples
from models_ml.explorer.samples import Asking, Drawn, Members
from models_ml.models import Exploration, ModelVersion
from models_ml.predictions import gate

Report = Callable[[int, Words], None]
STEPS = 5


def train(
    *,
    exploration: Exploration,
    as_of: datetime,
    now: datetime,
    members: Members,
    defining: tuple[str, ...] = (),
    job_id: int | None = None,
    report: Report = lambda step, label: None,
) -> ModelVersion:
    """Learn, judge, store, publish or refuse. What kept a tree from being grown is noted, raised.

    `members` gives who is in a segment; `defining` are the columns by which the segment asked about
    is defined, which would tell the answer.
    """
    try:
        version = _train(exploration, as_of, now, members, defining, job_id, report)
    except Refused as refusal:
        trouble: dict[str, Any] = {
            "code": refusal.code,
            "message": refusal.message,
            "remedy": refusal.remedy or "",
            "at": now.isoformat(),
        }
        if isinstance(refusal, checks.Leak):
            trouble["columns"] = refusal.columns
        _note(exploration, trouble)
        raise
    _note(exploration, {})
    report(STEPS, gettext_lazy("Counting who is in each group"))
    groups.count(exploration=exploration)
    return version


def _note(exploration: Exploration, trouble: dict[str, Any]) -> None:
    Exploration.objects.filter(pk=exploration.pk).update(trouble=trouble)
    exploration.trouble = trouble


def _train(
    exploration: Exploration,
    as_of: datetime,
    now: datetime,
    members: Members,
    defining: tuple[str, ...],
    job_id: int | None,
    report: Report,
) -> ModelVersion:
    params, began = questions.params_of(exploration), time.monotonic()
    asking = Asking(
        question=questions.read(exploration.target),
        horizon=timedelta(days=exploration.horizon_days),
        population=questions.population_of(exploration),
        without=(*exploration.settings.get("without", ()), *defining),
        allow=tuple(exploration.settings.get("allow", ())),
        seed=params.seed,
    )
    report(1, gettext_lazy("Reading people as they were, and what became of them"))
    drawn = samples.draw(asking=asking, as_of=as_of, members=members)
    _mark(drawn, defining)
    checks.enough(structure=drawn.structure, judge=drawn.judge, params=params)
    checks.something_differs(drawn.structure.x)
    buyers = asking.population.who == "buyers"
    features = tuple(columns.tree_feature(spec, buyers=buyers) for spec in drawn.specs)
    _check_leaks(drawn, features, asking.allow, params.seed)
    report(2, gettext_lazy("Growing the tree"))
    fitted = trees.fit(
        structure=drawn.structure, judge=drawn.judge, features=features, params=params
    )
    report(3, gettext_lazy("Judging it on people it has not seen"))
    verdict = trees.assess(fitted, drawn.judge, drawn.rival, params)
    report(4, gettext_lazy("Storing the version"))
    version = registry.save(
        name=exploration.name,
        algorithm="decision tree (CART), honest",
        write=lambda folder: artifacts.write_json(folder / groups.FILE, fitted.as_json()),
        params={name: getattr(params, name) for name in Params.__dataclass_fields__},
        metrics=_rounded(auc=verdict.auc, log_loss=verdict.log_loss, brier=verdict.brier),
        baseline=_rounded(
            auc=verdict.auc_recency, log_loss=verdict.log_loss_base, brier=verdict.brier_base
        )
        | {"rule": gate.rule_name(drawn.rule)},
        details=_details(exploration, fitted, verdict, drawn, as_of),
        data_from=drawn.data_from,
        data_until=as_of,
        rows=drawn.structure.size + drawn.judge.size,
        seed=params.seed,
        seconds=round(time.monotonic() - began, 2),
        job_id=job_id,
        now=now,
    )
    if verdict.better and len(fitted.leaves) > 1:
        return registry.promote(version=version)
    return registry.refuse(version=version, why=lambda: _why_refused(fitted, verdict, drawn))


def _mark(drawn: Drawn, defining: tuple[str, ...]) -> None:
    for one in drawn.left_out:
        if one["column"] in defining:
            one["why"] = "target"


def _check_leaks(
    drawn: Drawn, features: tuple[trees.Feature, ...], allow: tuple[str, ...], seed: int
) -> None:
    found = [
        drawn.specs[place]
        for place in checks.leaks(
            structure=drawn.structure, judge=drawn.judge, features=features, seed=seed
        )
    ]
    telling = [spec for spec in found if columns.id_of(spec) not in allow]
    if telling:
        raise checks.Leak(
            [columns.id_of(spec) for spec in telling], [columns.label(spec) for spec in telling]
        )


def _details(
    exploration: Exploration,
    fitted: Tree,
    verdict: trees.Judgement,
    drawn: Drawn,
    as_of: datetime,
) -> dict[str, Any]:
    leaves, where = groups.leaves(fitted), fitted.apply(drawn.judge.x)
    asked = questions.read(exploration.target)
    among = exploration.population | ({"known": asked.known} if asked.known else {})
    for leaf in leaves:
        leaf["worth"] = groups.worth(drawn.spent[where == leaf["id"]])
    return {
        "kind": "tree",
        "question": {"target": exploration.target, "horizon_days": exploration.horizon_days},
        "population": among,
        "horizon_days": exploration.horizon_days,
        "judged_at": drawn.judged_at.isoformat(),
        "judged_people": verdict.people,
        "learned_at": [moment.isoformat() for moment in drawn.learned_at],
        "learned_people": int(np.unique(drawn.structure.person).size),
        "later_in_time": drawn.by_time,
        "base_rate": verdict.base_rate.as_json(),
        "auc_gain": verdict.gain.as_json(),
        "rule": drawn.rule,
        "worth": groups.worth(drawn.spent),
        "worth_of": "past" if asked.timeless else "next",
        "columns": drawn.specs,
        "left_out": drawn.left_out,
        "nodes": groups.nodes(fitted),
        "leaves": leaves,
        "calibration": verdict.calibration,
        "gains": verdict.gains,
        "gains_baseline": verdict.gains_recency,
        "moved": _moved(exploration, fitted, drawn, as_of),
    }


def _moved(
    exploration: Exploration, fitted: Tree, drawn: Drawn, as_of: datetime
) -> dict[str, Any] | None:
    """What became of the groups that are on the page until now, over everyone as of today."""
    earlier = questions.shown(exploration)
    if earlier is None:
        return None
    population = questions.population_of(exploration)
    as_of = as_of.replace(microsecond=0)
    try:
        old = registry.load(earlier, groups.read)
    except (OSError, ValueError):  # its files are gone or damaged: there is nothing to compare
        return None
    specs = earlier.details["columns"]
    person, x = samples.read(specs=specs, population=population, as_of=as_of)
    again, y = samples.read(specs=drawn.specs, population=population, as_of=as_of)
    both, first, second = np.intersect1d(person, again, return_indices=True)
    if not both.size:
        return None
    compared = moving.between(
        renamed(old, specs), renamed(fitted, drawn.specs),
        old.apply(x[first]), fitted.apply(y[second]),
    )  # fmt: skip
    was = {leaf["id"]: leaf["conditions"] for leaf in earlier.details["leaves"]}
    found = compared.as_json()
    for move in found["moves"]:
        move["conditions"] = was.get(move["was"], [])
    return {"version": earlier.version, "version_id": earlier.pk, "people": len(both), **found}


def renamed(tree: Tree, specs: list[columns.Spec]) -> Tree:
    """The tree with its columns by the names that mean the same in every training."""
    features = tuple(
        trees.Feature(columns.id_of(s), f.decimals, f.nullable, f.kind, f.levels)
        for f, s in zip(tree.features, specs, strict=True)
    )
    return Tree(
        features, tree.feature, tree.threshold, tree.missing_left, tree.left, tree.right,
        tree.guess, tree.people, tree.yes, tree.subset,
    )  # fmt: skip


def _rounded(**figures: float) -> dict[str, Any]:
    return {name: round(value, 5) for name, value in figures.items()}


def _why_refused(fitted: Tree, verdict: trees.Judgement, drawn: Drawn) -> str:
    if len(fitted.leaves) == 1:
        return _(
            "No question told anything that held up on people it had not seen: everyone is one"
            " group. Other data would help: visits of your site, answers to mails, or properties"
            " of people."
        )
    if not verdict.over_chance.low > 0:
        return _(
            "On people it had not seen it ranks hardly better than a coin (AUC %(auc).3f): what is"
            " known of people does not tell. Other data would help: visits of your site, answers to"
            " mails, or properties of people."
        ) % {"auc": verdict.auc}
    if not verdict.gain.low > 0:
        return _(
            "On people it had not seen it was not reliably better than the simple rule “%(rule)s”:"
            " it ranks with AUC %(auc).3f against %(dull).3f (gain %(low)+.3f to %(high)+.3f,"
            " 95%%)."
        ) % {
            "rule": gate.rule_name(drawn.rule),
            "auc": verdict.auc,
            "dull": verdict.auc_recency,
            "low": verdict.gain.low,
            "high": verdict.gain.high,
        }
    return gate.why_refused(
        code="worse_than_base_rate",
        facts={"log_loss": verdict.log_loss, "log_loss_base": verdict.log_loss_base},
    )
