"""Figures of versions beside those of their baselines."""

from typing import Any

from django.utils.translation import gettext_lazy

from marketing.core import brand, wording
from models_ml import catalog
from models_ml.models import ModelVersion

METRICS = {
    "auc": gettext_lazy("Ranks people right (AUC)"),
    "calibration_error": gettext_lazy("Gap between said and seen (calibration error)"),
    "lift_top_tenth": gettext_lazy("Hits in the best tenth, as a multiple of the average"),
    "log_loss": gettext_lazy("Surprise at what happened (log loss, lower is better)"),
    "brier": gettext_lazy("Squared error of the chances (Brier, lower is better)"),
    "rmse": gettext_lazy("Typical error (RMSE, lower is better)"),
    "mae": gettext_lazy("Average error (MAE, lower is better)"),
    "rank_correlation": gettext_lazy("Ranks amounts right (rank correlation)"),
    "hits_top_3": gettext_lazy("Later answers in somebody's three best hours"),
    "log_likelihood": gettext_lazy("How likely later answers were held (log-likelihood)"),
    "planted": gettext_lazy("Sets planted people apart (AUC)"),
    "agreement": gettext_lazy("Halves of the people agree (rank correlation)"),
    "pinball": gettext_lazy("Loss of both bounds (pinball, lower is better)"),
    "coverage": gettext_lazy("Single weeks within their bounds"),
    "coverage_4_weeks": gettext_lazy("Sums of four weeks within their bounds"),
    "above_4_weeks": gettext_lazy("Sums of four weeks above their bounds"),
    "coverage_young": gettext_lazy("Young products within their bounds"),
    "mase": gettext_lazy("Error beside the usual step from week to week (MASE, lower is better)"),
    "days_off": gettext_lazy("Days off on average (lower is better)"),
    "days_off_median": gettext_lazy("Days off in the middle (lower is better)"),
    "qini": gettext_lazy("Gained by choosing whom, per 1,000 people (Qini)"),
    "auuc": gettext_lazy("Area under that curve, per 1,000 people (AUUC)"),
    "moved": gettext_lazy("What the mail adds, per 1,000 people"),
    "explained": gettext_lazy("Share of the differences explained"),
    "total_ratio": gettext_lazy("Total said over total seen"),
    "ndcg@10": gettext_lazy("Right products near the top (NDCG@10)"),
    "recall@10": gettext_lazy("Later purchases among ten picks (recall@10)"),
    "hit@10": gettext_lazy("People with a hit among ten picks"),
    "mrr@10": gettext_lazy("Place of the first hit (MRR@10)"),
    "coverage@10": gettext_lazy("Share of the catalogue ever shown"),
}
MONEY = {"rmse", "mae"}
PER_THOUSAND = {"qini", "auuc", "moved"}
DAYS = {"days_off", "days_off_median"}
LOWER = {
    "mase",
    "pinball",
    "log_loss",
    "brier",
    "rmse",
    "mae",
    "calibration_error",
    "days_off",
    "days_off_median",
}
# The figure a kind of prediction is chosen by, first known first.
MAIN = (
    "auc", "rmse", "mae", "mase", "hits_top_3", "planted", "qini", "correlation", "days_off",
    "log_loss",
)  # fmt: skip


def main_metric(version: ModelVersion) -> str:
    """The figure that decides about a version."""
    entry = catalog.BY_NAME.get(version.name)
    names = (entry.metric, *MAIN) if entry else MAIN
    found = next((name for name in names if name in version.metrics), None)
    return found or next(iter(version.metrics), "")


def headline(version: ModelVersion) -> dict[str, Any] | None:
    return against(version, main_metric(version))


def against(version: ModelVersion, name: str) -> dict[str, Any] | None:
    """One figure beside its baseline, as bars on a common scale."""
    ours, dull = version.metrics.get(name), version.baseline.get(name)
    if not isinstance(ours, int | float) or isinstance(ours, bool):
        return None
    dull = dull if isinstance(dull, int | float) else None
    top = max(ours, dull or 0.0) or 1.0
    lower = name in LOWER
    return {
        "name": name,
        "label": str(METRICS.get(name, name)),
        "ours": ours,
        "dull": dull,
        "ours_text": worded(name, ours),
        "dull_text": worded(name, dull) if dull is not None else "",
        "ours_width": round(100 * max(ours, 0) / top, 1),
        "dull_width": round(100 * max(dull, 0) / top, 1) if dull is not None else 0,
        "change": (ours / dull - 1) if dull else None,
        "better": dull is not None and (ours < dull if lower else ours > dull),
        "lower": lower,
    }


def worded(name: str, value: float) -> str:
    """A figure as it is written large."""
    if name in MONEY:
        return wording.money0(value, brand.now().currency)
    if name in PER_THOUSAND:
        return wording.decimal(value, 2)
    return wording.decimal(value, 1 if name in DAYS else 3)


def gap(details: dict[str, Any]) -> dict[str, float] | None:
    """The stored difference to the baseline with its interval."""
    found = details.get("difference")
    if not isinstance(found, dict) or "low" not in found:
        return None
    value = found.get("mean", found.get("value", 0.0))
    return {"value": value, "low": found["low"], "high": found["high"]}
