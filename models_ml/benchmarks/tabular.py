"""How well chances are foretold on two public data sets, beside plain scikit-learn.

The splits are fixed here. Ours is the whole contest, with settings, calibration and the winner
chosen inside each training part. The peers are plain pipelines, about as many settings of each kind
as ours tries; the best of them by the judged rows themselves is the limit, which flatters it.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

from models_ml.algorithms import classify
from models_ml.algorithms.tabular import contest, judging
from models_ml.algorithms.tabular.baseline import Baseline
from models_ml.algorithms.tabular.frame import Frame
from models_ml.benchmarks.data import Line, find, line, skipped

TELCO = "telco_churn/telco_churn.csv.gz"
BANK = "bank_marketing/bank-additional-full.csv.gz"
SEED = 20260101
REPEATS = {"small": 1, "full": 5}
TELCO_LEAST, BANK_LEAST, BANK_ERROR = 0.845, 0.80, 0.02
GOAL = "the project's goal"
BEST = "the better of the project's goal and the best single model tuned here, on the judged rows"
PUBLISHED_BANK = ("Moro, Cortez and Rita 2014, rolling window, more columns", 0.80)
# What takes part at which size; "full" is what the product does.
CONTESTANTS = {"small": ("linear", "boosting", "blend"), "full": contest.DEFAULT}
BLOCKS, FIRST_JUDGED = 10, 5


def telco(path: Path) -> Frame:
    table = pd.read_csv(path)
    return _frame(table.drop(columns="churn"), (table["churn"] == "Yes").to_numpy())


def bank(path: Path) -> Frame:
    """Calls from May 2008 to November 2010 in their order, without their duration."""
    table = pd.read_csv(path, sep=";")
    x = table.drop(columns=["y", "duration"])
    return _frame(x, (table["y"] == "yes").to_numpy(), bank_moments(table["month"]))


def bank_moments(month: pd.Series) -> NDArray[np.datetime64]:
    """The first day of the month of each call; the year turns where the month falls."""
    names = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    number = month.map(names.index).to_numpy()
    year = 2008 + np.cumsum(np.r_[0, np.diff(number) < 0])
    months = (year - 1970) * 12 + number
    return months.astype("datetime64[M]").astype("datetime64[s]")


def _frame(
    x: pd.DataFrame, y: NDArray[np.bool_], moment: NDArray[np.datetime64] | None = None
) -> Frame:
    if moment is None:
        moment = np.full(len(y), np.datetime64("2026-01-01", "s"))
    return Frame(x, y, np.arange(len(y), dtype=np.int64), moment)


def _plain(numbers: object) -> Callable[[float], Pipeline]:
    def build(strength: float) -> Pipeline:
        columns = make_column_transformer(
            (numbers, make_column_selector(dtype_include="number")),
            (
                OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                make_column_selector(dtype_exclude="number"),
            ),
        )
        # Newton's steps reach the end where others stop on the way.
        return make_pipeline(
            columns, LogisticRegression(C=strength, solver="newton-cholesky", max_iter=200)
        )

    return build


def _ordinal(estimator: object) -> Pipeline:
    columns = make_column_transformer(
        ("passthrough", make_column_selector(dtype_include="number")),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    return make_pipeline(columns, estimator)


def boosted() -> Iterator[tuple[str, Pipeline]]:
    """Histogram gradient boosting in the settings tried."""
    for rate, leaves, trees in (
        (0.1, 31, 100),
        (0.05, 31, 100),
        (0.05, 15, 150),
        (0.05, 8, 150),
        (0.05, 4, 300),
        (0.03, 16, 200),
    ):
        estimator = HistGradientBoostingClassifier(
            learning_rate=rate,
            max_leaf_nodes=leaves,
            max_iter=trees,
            l2_regularization=1.0,
            early_stopping=False,
            random_state=SEED,
        )
        yield f"boosting {rate} {leaves} {trees}", _ordinal(estimator)


def peers() -> Iterator[tuple[str, Pipeline]]:
    """Plain pipelines, each in the settings tried."""
    scaled = _plain(StandardScaler())
    for strength in (0.01, 0.1, 1.0, 10.0):
        yield f"logistic C={strength}", scaled(strength)
    for knots in (5, 9):
        bent = _plain(make_pipeline(SplineTransformer(n_knots=knots), StandardScaler()))
        for strength in (0.1, 1.0, 10.0):
            yield f"logistic with {knots} knots C={strength}", bent(strength)
    yield from boosted()
    for least in (5, 20):
        forest = RandomForestClassifier(200, min_samples_leaf=least, n_jobs=2, random_state=SEED)
        yield f"forest of 200, leaves of {least}", _ordinal(forest)
    for leaves in (12, 48):
        tree = DecisionTreeClassifier(max_leaf_nodes=leaves, random_state=SEED)
        yield f"tree of {leaves} leaves", _ordinal(tree)


def _peer_aucs(
    frame: Frame, pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]]
) -> dict[str, list[float]]:
    x = frame.x.copy()
    for name in x.select_dtypes("number"):
        x[name] = x[name].fillna(x[name].median())
    found = {}
    with threadpool_limits(limits=1):
        for name, pipeline in peers():
            aucs = []
            for before, judged in pairs:
                said = pipeline.fit(x.iloc[before], frame.y[before]).predict_proba(x.iloc[judged])
                aucs.append(classify.auc(frame.y[judged], said[:, 1]))
            found[name] = aucs
    return found


def _held(
    frame: Frame,
    before: NDArray[np.int64],
    judged: NDArray[np.int64],
    rule: Baseline,
    size: str,
    folds: int = 5,
) -> contest.Outcome:
    """The product's contest on one split."""
    return contest.run(
        frame.take(before),
        frame.take(judged),
        "chance",
        rule,
        seed=SEED,
        folds=folds,
        candidates=CONTESTANTS[size],
    )


def _best(found: dict[str, list[float]]) -> tuple[str, float]:
    name = max(found, key=lambda one: float(np.mean(found[one])))
    return name, float(np.mean(found[name]))


def _best_of_each(found: dict[str, list[float]]) -> dict[str, float]:
    """The best of each kind of peer, by the first word of its name."""
    kinds = dict.fromkeys(name.split()[0] for name in found)
    return {
        kind: round(_best({n: v for n, v in found.items() if n.split()[0] == kind})[1], 4)
        for kind in kinds
    }


def telco_churn(size: str = "small") -> list[Line]:
    """Churn of a telephone company: area under the curve over repeated stratified folds."""
    path = find(TELCO)
    if path is None:
        return [skipped("telco.auc", TELCO)]
    frame = telco(path)
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=REPEATS[size], random_state=SEED)
    pairs = list(folds.split(frame.x, frame.y))
    rule = Baseline("newest customers leave", lambda x: -x["tenure"].to_numpy())
    aucs, errors, winners = [], [], []
    for before, judged in pairs:
        outcome = _held(frame, before, judged, rule, size)
        row = next(row for row in outcome.table if row.name == outcome.best)
        aucs.append(row.later["auc"])
        errors.append(row.later["calibration_error"])
        winners.append(outcome.best)
    others = _peer_aucs(frame, pairs)
    peer = _best(others)
    n = len(frame)
    return [
        line(
            "telco.auc",
            "AUC",
            n,
            aucs,
            least=(f"{TELCO_LEAST} and {peer[0]}", max(TELCO_LEAST, peer[1])),
            origin=BEST,
            peer=peer,
            best_of_each=_best_of_each(others),
            winners={name: winners.count(name) for name in sorted(set(winners))},
            contestants=CONTESTANTS[size],
        ),
        # For reading: nothing was promised of it.
        line("telco.calibration", "error", n, errors),
    ]


def bank_marketing(size: str = "small") -> list[Line]:
    """Answers to calls of a bank, folds drawn at random: ranking, and whether chances are true."""
    path = find(BANK)
    if path is None:
        return [skipped("bank.auc", BANK)]
    frame = bank(path)
    # One moment for all: folds at random leave no order of time.
    frame = _frame(frame.x, frame.y)
    pairs = list(StratifiedKFold(5, shuffle=True, random_state=SEED).split(frame.x, frame.y))
    rule = Baseline("said yes before", lambda x: (x["poutcome"] == "success").to_numpy())
    aucs, said = [], np.empty(len(frame))
    for before, judged in pairs:
        outcome = _held(frame, before, judged, rule, size, folds=3)
        said[judged] = outcome.fitted.predict(frame.x.iloc[judged])
        aucs.append(classify.auc(frame.y[judged], said[judged]))
    others = _peer_aucs(frame, pairs)
    peer = _best(others)
    error = judging.calibration_error(frame.y, said)
    n = len(frame)
    return [
        line(
            "bank.auc",
            "AUC",
            n,
            aucs,
            least=(f"{BANK_LEAST} and {peer[0]}", max(BANK_LEAST, peer[1])),
            origin=BEST,
            peer=peer,
            best_of_each=_best_of_each(others),
            contestants=CONTESTANTS[size],
        ),
        line(
            "bank.calibration",
            "error",
            n,
            [error],
            most=("over ten bins of all judged rows", BANK_ERROR),
            origin=GOAL,
        ),
    ]


def bank_blocks(frame: Frame) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The newer half in five blocks, each with everything before it to learn from."""
    edges = np.linspace(0, len(frame), BLOCKS + 1).astype(int)
    return [
        (np.arange(edges[k]), np.arange(edges[k], edges[k + 1]))
        for k in range(FIRST_JUDGED, BLOCKS)
    ]


def bank_in_time(size: str = "small") -> list[Line]:
    """The same calls in the order of time, through the crisis: only the past to learn from."""
    path = find(BANK)
    if path is None:
        return [skipped("bank_time.auc", BANK)]
    frame = bank(path)
    pairs = bank_blocks(frame)
    rule = Baseline("said yes before", lambda x: (x["poutcome"] == "success").to_numpy())
    aucs, winners = [], []
    for before, judged in pairs:
        outcome = _held(frame, before, judged, rule, size)
        said = outcome.fitted.predict(frame.x.iloc[judged])
        aucs.append(classify.auc(frame.y[judged], said))
        winners.append(outcome.best)
    others = _peer_aucs(frame, pairs)
    name, best = _best(others)
    return [
        line(
            "bank_time.auc",
            "AUC",
            sum(len(judged) for _, judged in pairs),
            aucs,
            least=(f"{name}, on all columns", best),
            origin="the best single model tuned here, on the judged rows",
            peer=PUBLISHED_BANK,
            best_of_each=_best_of_each(others),
            contestants=CONTESTANTS[size],
            blocks=[round(value, 3) for value in aucs],
            winners=winners,
        )
    ]


WORKLOADS: dict[str, Callable[[str], list[Line]]] = {
    "telco": telco_churn,
    "bank": bank_marketing,
    "bank_time": bank_in_time,
}
