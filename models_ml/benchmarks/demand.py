"""Whether what was forecast of products was sold, on the shipped history of a shop.

The file is imported as anybody's; the figures are those a version is published by.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from django.utils import timezone

from models_ml import queries
from models_ml.algorithms.demand import contest
from models_ml.benchmarks import data as bench_data
from models_ml.benchmarks import predictions as bench_predictions
from models_ml.demand import forecasting, sales

OFF = 0.05


def retail(size: str = "small") -> list[bench_data.Line]:
    """MASE beside "as last time", what lay within bounds that say 80 %, and the time."""
    bench_predictions.import_history()
    sold = sales.read(as_of=queries.data_now(now=timezone.now()))
    outcome = contest.run(sold.series, sold.grain, sold.category, seed=forecasting.SEED)
    exam, products = outcome.exam, len(sold.series)
    about: dict[str, Any] = {
        "products": products,
        "gain": outcome.gain.as_json(),
        "methods": outcome.shares,
        "table": {row["name"]: round(row["mase"], 4) for row in exam.table},
    }
    lines = [
        bench_data.line(
            "demand.retail.mase",
            "MASE",
            len(exam.ours),
            [exam.figures["mase"]],
            most=("as last time, less half of the interval of the gain",
                  exam.baseline["mase"] - outcome.gain.value + outcome.gain.low),
            origin="the rule, on the same products and moments",
            peer=("as last time", exam.baseline["mase"]),
            **about,
        )
    ]  # fmt: skip
    for name in ("coverage", "coverage_4_weeks", "coverage_young"):
        held = exam.figures[name]
        if np.isfinite(held):
            lines.append(
                bench_data.line(
                    f"demand.retail.{name}",
                    "off from 0.8",
                    products,
                    [abs(held - 0.8)],
                    most=("five points", OFF),
                    origin="own goal",
                    held=round(held, 4),
                )
            )
    lines.append(bench_data.line("demand.retail.seconds", "seconds", products, [outcome.seconds]))
    return lines


WORKLOADS: dict[str, Callable[[str], list[bench_data.Line]]] = {"demand.retail": retail}
