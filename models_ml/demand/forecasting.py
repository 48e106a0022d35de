"""From orders to rows of expected sales: learned, judged, published or refused, written whole."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection
from django.utils.translation import gettext as _

from marketing.core.db import advisory_lock, copy_rows
from marketing.core.errors import Conflict, Invalid, Refused
from models_ml import queries, registry
from models_ml.algorithms import artifacts
from models_ml.algorithms.demand import contest
from models_ml.algorithms.errors import Unfit
from models_ml.demand import reading, sales
from models_ml.models import ModelVersion, ProductDemand

NAME = reading.NAME
SEED = 20111209
FILE = "forecast.npz"
COLUMNS = (
    "product_id", "starts_at", "days", "mean", "low", "high", "usual", "method", "version_id",
)  # fmt: skip


def make(
    *,
    now: datetime,
    job_id: int | None = None,
    report: contest.Report = lambda name, done, total: None,
) -> ModelVersion:
    """A version judged on what came later; if it is published its rows serve.

    Invalid says what is lacking; the rows of the last good version go on being served.
    """
    as_of = queries.data_now(now=now).replace(microsecond=0)
    try:
        sold = sales.read(as_of=as_of)
        outcome = contest.run(sold.series, sold.grain, sold.category, seed=SEED, report=report)
    except Unfit as unfit:
        raise why_unfit(unfit) from unfit
    arrays = _arrays(sold, outcome)

    def write(folder: Path) -> None:
        artifacts.write_arrays(folder / FILE, **arrays)

    exam = outcome.exam
    version = registry.save(
        name=NAME,
        algorithm="demand",
        write=write,
        params={
            "days": sold.grain.days,
            "horizon": sold.grain.horizon,
            "season": sold.grain.season,
        },
        metrics=_finite(exam.figures),
        baseline=_finite(exam.baseline) | {"rule": contest.BASELINE},
        data_from=sold.first,
        data_until=as_of,
        rows=sold.rows,
        seed=SEED,
        seconds=round(outcome.seconds, 2),
        details=_details(sold, outcome, as_of),
        job_id=job_id,
        now=now,
    )
    if not outcome.ok:
        return registry.refuse(version=version, why=lambda: why_refused(outcome))
    serve(version=version)
    return registry.promote(version=version)


def serve(*, version: ModelVersion) -> int:
    """Replace all rows by those of a version at once; how many products."""
    try:
        arrays = registry.load(version, read_arrays)
    except artifacts.Damaged as fault:
        raise Conflict(
            _("The files of %(version)s are damaged; what served goes on serving.")
            % {"version": version},
            code="model_damaged",
            remedy=_("Go back to an earlier version, or forecast again."),
        ) from fault
    if version.data_until is None:
        raise Conflict(_("This version holds no forecast."), code="no_forecast")
    with advisory_lock("demand"), connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {ProductDemand._meta.db_table}")
        copy_rows(
            cursor,
            ProductDemand._meta.db_table,
            COLUMNS,
            _lines(arrays, version.data_until, version.pk),
        )
    return len(arrays["product"])


def read_arrays(folder: Path) -> dict[str, np.ndarray]:
    return artifacts.read_arrays(folder / FILE)


def _arrays(sold: sales.Sales, outcome: contest.Outcome) -> dict[str, np.ndarray]:
    told, rows = outcome.forecast, sold.active
    return {
        "product": sold.series.product[rows],
        "method": told.method[rows],
        "value": told.bounds.value[rows],
        "low": told.bounds.low[rows],
        "high": told.bounds.high[rows],
        "usual": told.baseline[rows],
        "soon": told.soon[rows],
        "soon_low": told.bounds.soon_low[rows],
        "soon_high": told.bounds.soon_high[rows],
        "soon_usual": told.baseline[rows, : sold.grain.soon].sum(axis=1),
        "days": np.array([sold.grain.days]),
    }


def _lines(arrays: dict[str, np.ndarray], at: datetime, version_id: int) -> Iterator[bytes]:
    """Rows as COPY takes them: the sum of four weeks, then each period."""
    days = int(arrays["days"][0])
    names = contest.METHODS
    starts = [at + timedelta(days=days * n) for n in range(arrays["value"].shape[1])]
    for n, product in enumerate(arrays["product"].tolist()):
        method = names[int(arrays["method"][n])]
        sums = (arrays[name][n] for name in ("soon", "soon_low", "soon_high", "soon_usual"))
        lines = [_line(product, at, ProductDemand.SUM_DAYS, sums, method, version_id)]
        for k, start in enumerate(starts):
            period = (arrays[name][n, k] for name in ("value", "low", "high", "usual"))
            lines.append(_line(product, start, days, period, method, version_id))
        yield "".join(lines).encode()


def _line(
    product: int, at: datetime, days: int, values: Iterator[Any], method: str, version_id: int
) -> str:
    numbers = "\t".join(f"{float(value):.3f}" for value in values)
    return f"{product}\t{at.isoformat()}\t{days}\t{numbers}\t{method}\t{version_id}\n"


def _details(sold: sales.Sales, outcome: contest.Outcome, as_of: datetime) -> dict[str, Any]:
    exam, grain = outcome.exam, sold.grain
    _early, late = contest.origins(grain, sold.series.periods)
    back = [sold.series.periods - origin for origin in late]
    return {
        "kind": "demand",
        "days": grain.days,
        "horizon": grain.horizon,
        "periods": sold.series.periods,
        "products": len(sold.series),
        "judged_products": len(exam.ours),
        "judged_at": (as_of - timedelta(days=min(back) * grain.days)).isoformat(),
        "origins": [(as_of - timedelta(days=n * grain.days)).isoformat() for n in back],
        "season_known": sold.series.periods - max(back) >= grain.season,
        "table": [_finite(line) for line in exam.table],
        "methods": outcome.shares,
        "difference": _finite(outcome.gain.as_json()),
        "verdict": {"ok": outcome.ok, "code": "better" if outcome.ok else "no_better"},
    }


def why_refused(outcome: contest.Outcome) -> str:
    """Why a forecast is not published, and which data would help."""
    return _(
        "On later weeks it was not reliably better than saying “as a season ago, or as last time”"
        " (difference in MASE %(gain)+.3f, 95%% interval %(low)+.3f to %(high)+.3f). More history,"
        " best of all more than a year, would help."
    ) % {"gain": outcome.gain.value, "low": outcome.gain.low, "high": outcome.gain.high}


def why_unfit(unfit: Unfit) -> Refused:
    """What kept anything from being forecast, for a person to read."""
    facts = {"days": 0, "needed": 0, "products": 0} | unfit.facts
    more = _("Import older orders, or wait. What serves goes on serving.")
    if unfit.code == "nothing_sold":
        return Invalid(_("Nothing has been sold yet."), code=unfit.code, remedy=more)
    if unfit.code == "too_few_products":
        text = _("Only %(products)d products were sold for long enough; %(needed)d are needed.")
        return Invalid(text % facts, code=unfit.code, remedy=more)
    text = _("There are %(days)d days of orders; %(needed)d are needed to judge a forecast.")
    return Invalid(text % facts, code=unfit.code, remedy=more)


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    """As JSON can hold it: what is no finite number becomes null."""
    return {
        name: _finite(value)
        if isinstance(value, dict)
        else (round(float(value), 6) if np.isfinite(value) else None)
        if isinstance(value, float)
        else value
        for name, value in values.items()
    }
