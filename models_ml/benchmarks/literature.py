"""How good the engines are on public histories, beside published figures for the same cut.

See `leaveoneout` for the cut and the rule of ties. Products a person already had are left out of
the answer (`filtered`); what the figure would be with them is beside it (`unfiltered`). Parameters
are chosen on the validation alone, by NDCG@10; the blend learns its weights there.

DATASET names one data set. With TRAININGS, the folder of `sequences`, the best weights that a
training of it reached so far are one more engine. Those learned the last but one of nine people in
ten, so then the blend is weighed on the others alone, by members that know no more than they do.
"""

import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from models_ml.algorithms import metrics
from models_ml.algorithms.data import Truth
from models_ml.algorithms.recommenders import als, blend, bpr, ease, itemitem, markov, popular
from models_ml.benchmarks import leaveoneout, sequences
from models_ml.benchmarks.bare import Bare
from models_ml.benchmarks.data import Line, find, line, skipped
from models_ml.benchmarks.leaveoneout import Answers, Questions

EVER: dict[str, Any] = {"popular_half_life_days": 0.0}
# The plain chain of first order stands beside the one whose reach is chosen.
FIRST_ORDER = "first-order Markov chain"
BLEND, ALS, PEER = "blend", "ALS", "implicit's ALS, bare"
NEAR = 0.01
# EASE inverts a dense table: larger catalogues learn this many items, with one penalty.
DENSE = 6_000
LOG_2 = float(np.log(2.0))
FACTORS = ((64, 1.0, 10.0), (64, 1.0, 7.0), (128, 5.0, 10.0), (128, 5.0, 7.0), (32, 5.0, 3.5))


def _grid(kind: Any, *params: Any) -> list[Any]:
    return [kind(each) for each in params]


def _ease(items: int) -> list[Any]:
    penalties = (50.0, 250.0) if items <= DENSE else (250.0,)
    return _grid(
        ease.EASE,
        *(ease.Params(penalty=penalty, fade=0.8, most=DENSE, **EVER) for penalty in penalties),
    )


# What is tried of each engine, for a catalogue of so many items.
ENGINES: dict[str, Callable[[int], list[Any]]] = {
    "popularity": lambda items: _grid(popular.Popular, popular.Params(days=0)),
    FIRST_ORDER: lambda items: _grid(
        markov.Markov,
        *(markov.Params(steps=1, fade=0.0, smooth=smooth, **EVER) for smooth in (1.0, 5.0)),
    ),
    "Markov chain": lambda items: _grid(
        markov.Markov,
        *(
            markov.Params(steps=steps, learn_fade=fade, fade=fade, **EVER)
            for steps, fade in ((3, 0.5), (3, 0.7), (5, 0.8))
        ),
    ),
    "item-item": lambda items: _grid(
        itemitem.ItemItem,
        itemitem.Params(**EVER),
        itemitem.Params(fade=0.7, significance=0.0, least=1, **EVER),
    ),
    "EASE": _ease,
    ALS: lambda items: _grid(
        als.ALS,
        *(
            # A pair bought once counts log 2 here and 1 there.
            als.Params(
                factors=factors, regularization=ridge, alpha=alpha / LOG_2, half_life_days=0.0
            )
            for factors, ridge, alpha in FACTORS
        ),
    ),
    "BPR": lambda items: _grid(
        bpr.BPR, bpr.Params(), bpr.Params(factors=64, learning_rate=0.1, iterations=100)
    ),
    PEER: lambda items: _grid(
        Bare,
        *(
            als.Params(factors=factors, regularization=ridge, alpha=alpha)
            for factors, ridge, alpha in FACTORS
        ),
    ),
}
# Not of the blend: the plain chain stands in it with a longer reach, and the peer is not ours.
ASIDE = (FIRST_ORDER, PEER)


@dataclass(frozen=True)
class Case:
    """A data set: its file, published figures (NDCG@10), figures that were set as goals, the goal
    for the best of ours (0: none), and the trainings of sequence models on it."""

    path: str
    published: dict[str, float] = field(default_factory=dict)
    goals: dict[str, float] = field(default_factory=dict)
    best: float = 0.0
    trainings: tuple[str, ...] = ()


CASES = {
    "movielens_100k": Case("movielens_100k/u.data.gz", {}, {ALS: 0.072, "item-item": 0.056}),
    "online_retail": Case("online_retail/online_retail.parquet"),
    "movielens_1m": Case(
        "movielens_1m/sequences.txt.gz",
        {"SASRec (RecSys 2023)": 0.1341, "BERT4Rec (RecSys 2023)": 0.1537, "gSASRec": 0.1726},
        {ALS: 0.050},
        0.180,
        ("movielens.sasrec", "movielens.bert4rec"),
    ),
    "beauty": Case(
        "amazon_seq/Beauty.txt.gz",
        {"SASRec": 0.0318, "S3Rec, BERT style": 0.0327, "ICLRec": 0.0403, "SASRec+SS": 0.0531},
        {FIRST_ORDER: 0.049, ALS: 0.032, "item-item": 0.036},
        0.055,
        ("beauty.sasrec",),
    ),
}


def quality(size: str = "small") -> list[Line]:
    """A line an engine and data set."""
    only = os.environ.get("DATASET", "")
    if only not in ("", *CASES):
        why = f"DATASET is one of {', '.join(CASES)}"
        return [{"name": "recs.quality", "skipped": why}]
    lines = []
    for name, case in CASES.items():
        path = find(case.path)
        if only not in ("", name):
            continue
        if path is None:
            lines.append(skipped(f"recs.quality.{name}", case.path))
        else:
            data = leaveoneout.READERS[case.path](path)
            items = leaveoneout.catalogue(data)
            lines += _Exam(name, case, *leaveoneout.cut(data), items).lines()
    return lines


@dataclass
class _Exam:
    """One data set: what the engines are chosen on and judged by, and what came of each.

    `chosen` are unfitted but for their parameters, `judged` know all but the last item.
    """

    name: str
    case: Case
    choosing: Questions
    test: Questions
    items: int
    chosen: dict[str, Any] = field(default_factory=dict)
    judged: dict[str, Any] = field(default_factory=dict)
    reached: dict[str, Answers] = field(default_factory=dict)

    def lines(self) -> list[Line]:
        made = [self._single(engine, grid(self.items)) for engine, grid in ENGINES.items()]
        made += [found for one in self.case.trainings if (found := self._trained(one))]
        made.append(self._blend())
        if self.case.best:
            best = max(float(one.ndcg.mean()) for one in self.reached.values())
            made.append(
                line(
                    f"recs.quality.{self.name}.best",
                    "NDCG@10",
                    len(self.test.users),
                    [best],
                    least=("the best of ours", self.case.best),
                    origin="the project's own goal",
                )
            )
        return made

    def _single(self, engine: str, grid: list[Any]) -> Line:
        began = time.monotonic()
        score, best = -1.0, grid[0]
        for model in grid:
            fitted = type(model)(model.params).fit(self.choosing.history)
            reached = leaveoneout.ask(fitted, self.choosing, items=self.items).ndcg.mean()
            if reached > score:
                score, best = float(reached), model
        model = type(best)(best.params).fit(self.test.history)
        took = time.monotonic() - began
        if engine not in ASIDE:
            self.chosen[engine], self.judged[engine] = best, model
        made = self._line(engine, model, validation=score, seconds=took)
        made["params"] = asdict(model.params)
        return self._beside_ours(made) if engine == PEER else made

    def _beside_ours(self, made: Line) -> Line:
        """The bare solver tuned in the same way: what ours differs by, person by person."""
        gap = metrics.paired_difference(
            self.reached[ALS].ndcg, self.reached.pop(PEER).ndcg, seed=leaveoneout.SEED
        )
        ours = made["value"] + gap.mean
        return made | {
            "ours_less_this": gap.as_dict(),
            "limit": {"what": "our ALS is not surely worse", "value": 0.0},
            # Within noise where zero lies in the interval or below it.
            "ratio": 1.0 if gap.high >= 0 else round(ours / made["value"], 4),
        }

    def _trained(self, training: str) -> Line | None:
        found = _best_so_far(training, self.test)
        if found is None:
            return None
        epochs, model = found
        engine = type(model).__name__
        model.read(self.test.history)
        self.chosen[engine] = self.judged[engine] = model
        history = model.history
        made = self._line(
            engine, model, validation=history.best_score or 0.0, seconds=history.seconds
        )
        return made | {"epochs": epochs, "best_epoch": history.best_epoch}

    def _blend(self) -> Line:
        began = time.monotonic()
        known, asked = self._weighed_on()
        learned = {}
        for engine, model in self.chosen.items():
            if isinstance(model, sequences.Engine):
                learned[engine] = model
                model.read(known)
            else:
                learned[engine] = type(model)(model.params).fit(known)
        truth = Truth(asked.users, np.arange(len(asked.users)), asked.answers)
        trials = []
        for scale in ("place", "score"):
            trial = blend.Blend(blend.Params(scale=scale))
            trials.append((trial.weigh(learned, truth), trial))
        score, model = max(trials, key=lambda pair: pair[0])
        for one in self.judged.values():
            if isinstance(one, sequences.Engine):
                one.read(self.test.history)
        model = model.of(self.judged, model.weights)
        best = max(self.reached, key=lambda engine: float(self.reached[engine].ndcg.mean()))
        took = time.monotonic() - began
        made = self._line(BLEND, model, validation=score, seconds=took)
        single = float(self.reached[best].ndcg.mean())
        gap = metrics.paired_difference(
            self.reached[BLEND].ndcg, self.reached[best].ndcg, seed=leaveoneout.SEED
        )
        limit = {"what": f"best single one, {best}", "value": round(single, 4), "keep": 1 - NEAR}
        return made | {
            "limit": limit,
            "ratio": round(made["value"] / single, 4),
            "more_than_best": gap.as_dict(),
            "weights": model.weights,
            "scale": model.params.scale,
            "weighed_on": len(asked.users),
        }

    def _weighed_on(self) -> tuple[Any, Questions]:
        """What members of the blend may know while it is weighed, and the questions."""
        if not any(isinstance(one, sequences.Engine) for one in self.chosen.values()):
            return self.choosing.history, self.choosing
        return sequences.hold_back(self.test, sequences.HELD_BACK, leaveoneout.SEED)

    def _line(self, engine: str, model: Any, *, validation: float, seconds: float) -> Line:
        answers = leaveoneout.ask(model, self.test, items=self.items)
        plain = leaveoneout.ask(model, self.test, items=self.items, skip_seen=False)
        self.reached[engine] = answers
        figures = answers.figures
        sequences.say(f"{self.name} {engine} {figures['ndcg@10']} {seconds:.0f} s")
        goal = self.case.goals.get(engine)
        made = line(
            f"recs.quality.{self.name}",
            "NDCG@10",
            len(self.test.users),
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
            "published": self.case.published,
            "seconds": round(seconds, 1),
        }


def _best_so_far(training: str, test: Questions) -> tuple[int, sequences.Engine] | None:
    folder = os.environ.get("TRAININGS", "")
    if not folder:
        return None
    learned, _aside = sequences.hold_back(test, sequences.HELD_BACK, leaveoneout.SEED)
    return sequences.best_so_far(training, Path(folder), learned)


WORKLOADS: dict[str, Callable[[str], list[Line]]] = {"recs.quality": quality}
