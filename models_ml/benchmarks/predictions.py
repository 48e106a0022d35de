"""Whether predictions are right, on the shipped history of a shop, through the product's own path.

The file is imported as anybody's, the questions are drawn by `samples.draw`, and each is judged at
its own moment on people as they were then, beside the rule “whoever ordered last orders next”.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.utils import timezone

from ingestion import imports
from ingestion.models import OrderLine
from marketing.core import jobs
from models_ml import queries
from models_ml.algorithms.tabular import contest
from models_ml.benchmarks import data as bench_data
from models_ml.features import targets
from models_ml.features.compiler import Population
from models_ml.predictions.definitions import Wishes
from models_ml.predictions.engines import samples

HORIZON = timedelta(days=90)
STEP = timedelta(days=30)
MOMENTS = 6
# What takes part at which size; "full" is what the product does.
CANDIDATES = {"small": ("linear", "boosting", "blend"), "full": contest.DEFAULT}


def retail_repeat(size: str = "small") -> list[bench_data.Line]:
    """Who orders again within 90 days, at six moments: AUC over the recency rule and half of the
    95% interval of the difference, and the calibration of both.
    """
    import_history()
    last = queries.data_now(now=timezone.now())
    target = targets.read({"type": "order"})
    lines = []
    for back in reversed(range(MOMENTS)):
        sample = samples.draw(
            target=target,
            horizon=HORIZON,
            population=Population(),
            wishes=Wishes(),
            as_of=last - back * STEP,
        )
        outcome = contest.run(
            sample.train,
            sample.later,
            "chance",
            samples.baseline_of(target, HORIZON, sample.train.x.columns),
            seed=Wishes().seed,
            horizon=HORIZON,
            candidates=CANDIDATES[size],
        )
        best = next(row for row in outcome.table if row.name == outcome.best)
        rule = next(row for row in outcome.table if row.is_baseline)
        lines.append(
            bench_data.line(
                f"retail.repeat:{sample.judged_at:%Y-%m-%d}",
                "AUC",
                len(sample.later),
                [best.later["auc"]],
                least=(
                    "whoever ordered last orders next, and half of the 95% interval of the gain",
                    rule.later["auc"] + best.gain.value - best.gain.low,
                ),
                origin="the rule, on the same people",
                peer=(rule.name, rule.later["auc"]),
                moment=f"{sample.judged_at:%Y-%m-%d}",
                model=best.name,
                gain=best.gain.as_json(),
                calibration_error=best.later["calibration_error"],
                calibration_error_of_rule=rule.later["calibration_error"],
                brier=best.later["brier"],
                brier_of_rule=rule.later["brier"],
                contestants=CANDIDATES[size],
                rate=best.later["rate"],
                learned_from=len(sample.train),
                later_in_time=sample.by_time,
            )
        )
    return lines


def import_history() -> None:
    if OrderLine.objects.exists():
        return
    record = imports.begin_demo(user=None, now=timezone.now())
    record.refresh_from_db()
    if record.job_id is not None:
        jobs.run(job_id=record.job_id)


WORKLOADS: dict[str, Callable[[str], Any]] = {"retail.repeat": retail_repeat}
