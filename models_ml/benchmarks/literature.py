"""How good the engines are on public histories, beside published figures for the same cut.

See `leaveoneout` for the cut and the rule of ties. Products a person already had are left out of
the answer (`filtered`); what the figure would be with them is beside it (`unfiltered`). Parameters
are chosen on the validation alone, by NDCG@10; the blend learns its weights there.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from models_ml.algorithms.data import Truth
from models_ml.algorithms.recommenders import als, blend, ease, itemitem, markov, popular
from models_ml.benchmarks import leaveoneout
from models_ml.benchmarks.data import Line, find, line, skipped
from models_ml.benchmarks.leaveoneout import Answers, Questions

EVER: dict[str, Any] = {"popular_half_life_days": 0.0}
# The plain chain of first order stands beside the one whose reach is chosen.
FIRST_ORDER = "first-order Markov chain"
BLEND = "blend"
NEAR = 0.01


def _grid(kind: Any, *params: Any) -> list[Any]:
    return [kind(each) for each in params]


ENGINES: dict[str, Callable[[], list[Any]]] = {
    "popularity": lambda: _grid(popular.Popular, popular.Params(days=0)),
    FIRST_ORDER: lambda: _grid(
        markov.Markov,
        *(markov.Params(steps=1, fade=0.0, smooth=smooth, **EVER) for smooth in (1.0, 5.0)),
    ),
    "Markov chain": lambda: _grid(
        markov.Markov,
        *(
            markov.Params(steps=steps, learn_fade=fade, fade=fade, **EVER)
            for steps, fade in ((3, 0.5), (3, 0.7), (5, 0.8))
        ),
    ),
    "item-item": lambda: _grid(
        itemitem.ItemItem,
        itemitem.Params(**EVER),
        itemitem.Params(fade=0.7, significance=0.0, least=1, **EVER),
    ),
    "EASE": lambda: _grid(
        ease.EASE,
        *(ease.Params(penalty=penalty, fade=0.8, **EVER) for penalty in (50.0, 250.0)),
    ),
    "ALS": lambda: _grid(
        als.ALS,
        *(
            als.Params(factors=factors, regularization=ridge, alpha=alpha, half_life_days=0.0)
            for factors, ridge, alpha in ((64, 1.0, 10.0), (128, 5.0, 10.0), (32, 5.0, 5.0))
        ),
    ),
}


@dataclass(frozen=True)
class Case:
    """A data set: its file, published figures (NDCG@10), and figures that were set as goals."""

    path: str
    published: dict[str, float] = field(default_factory=dict)
    goals: dict[str, float] = field(default_factory=dict)


CASES = {
    "movielens_1m": Case(
        "movielens_1m/sequences.txt.gz",
        {"SASRec (RecSys 2023)": 0.1341, "BERT4Rec (RecSys 2023)": 0.1537, "gSASRec": 0.1726},
        {"ALS": 0.050},
    ),
    "movielens_100k": Case("movielens_100k/u.data.gz", {}, {"ALS": 0.072, "item-item": 0.056}),
    "beauty": Case(
        "amazon_seq/Beauty.txt.gz",
        {"SASRec": 0.0318, "S3Rec, BERT style": 0.0327, "ICLRec": 0.0403, "SASRec+SS": 0.0531},
        {FIRST_ORDER: 0.049, "ALS": 0.032, "item-item": 0.036},
    ),
    "online_retail": Case("online_retail/online_retail.parquet"),
}


def quality(size: str = "small") -> list[Line]:
    """A line an engine and data set."""
    lines = []
    for name, case in CASES.items():
        path = find(case.path)
        if path is None:
            lines.append(skipped(f"recs.quality.{name}", case.path))
        else:
            lines += _judged(name, case, *_cut(case.path))
    return lines


def _cut(relative: str) -> tuple[Questions, Questions, int]:
    path = find(relative)
    assert path is not None
    data = leaveoneout.READERS[relative](path)
    return *leaveoneout.cut(data), leaveoneout.catalogue(data)


def _judged(name: str, case: Case, choosing: Questions, test: Questions, items: int) -> list[Line]:
    lines, chosen, refitted, best = [], {}, {}, ("", -1.0)
    for engine, grid in ENGINES.items():
        began = time.monotonic()
        tried = []
        for model in grid():
            reached = leaveoneout.ask(model.fit(choosing.history), choosing, items=items)
            tried.append((float(reached.ndcg.mean()), model))
        score, model = max(tried, key=lambda pair: pair[0])
        if engine != FIRST_ORDER:
            chosen[engine] = model
        again = type(model)(model.params).fit(test.history)
        refitted[engine] = again
        took = time.monotonic() - began
        answers = leaveoneout.ask(again, test, items=items)
        plain = leaveoneout.ask(again, test, items=items, skip_seen=False)
        lines.append(_line(name, case, engine, answers, plain, score, took, test))
        if answers.ndcg.mean() > best[1]:
            best = engine, float(answers.ndcg.mean())
    began = time.monotonic()
    truth = Truth(choosing.users, np.arange(len(choosing.users)), choosing.answers)
    trials = []
    for scale in ("place", "score"):
        trial = blend.Blend(blend.Params(scale=scale))
        trials.append((trial.weigh(chosen, truth), trial))
    score, model = max(trials, key=lambda pair: pair[0])
    model = model.of({engine: refitted[engine] for engine in chosen}, model.weights)
    took = time.monotonic() - began
    answers = leaveoneout.ask(model, test, items=items)
    plain = leaveoneout.ask(model, test, items=items, skip_seen=False)
    made = _line(name, case, BLEND, answers, plain, score, took, test)
    single = f"best single one, {best[0]}"
    made = {**made, "limit": {"what": single, "value": round(best[1], 4), "keep": 1 - NEAR}}
    made |= {"ratio": round(made["value"] / best[1], 4), "weights": model.weights}
    return [*lines, made]


def _line(
    name: str,
    case: Case,
    engine: str,
    answers: Answers,
    plain: Answers,
    validation: float,
    seconds: float,
    test: Questions,
) -> Line:
    figures = answers.figures
    goal = case.goals.get(engine)
    made = line(
        f"recs.quality.{name}",
        "NDCG@10",
        len(test.users),
        [figures.pop("ndcg@10")],
        least=("measured before on this data", goal) if goal else None,
        origin="the project's own goal" if goal else "",
    )
    return {
        **made,
        "engine": engine,
        **figures,
        "unfiltered": plain.figures["ndcg@10"],
        "validation": round(validation, 4),
        "published": case.published,
        "seconds": round(seconds, 1),
    }


WORKLOADS: dict[str, Callable[[str], list[Line]]] = {"recs.quality": quality}
