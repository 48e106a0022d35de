"""The engines side by side on the same exam, and which of them serves."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from models_ml import catalog
from models_ml.models import ModelVersion

METRIC = "ndcg@10"


@dataclass(frozen=True)
class Judged:
    """One engine as it was judged last: its figures, and the difference to popularity."""

    engine: str
    name: str
    title: str
    about: str
    version: int
    pk: int
    state: str
    state_label: str
    reason: str
    ndcg: float
    recall: float
    ndcg_with_repeats: float | None
    shown: int
    difference: dict[str, float] | None
    lift: float | None
    seconds: float
    trained_at: datetime
    exam: dict[str, Any]
    serves: bool
    # What `models_ml.lab` told of it; empty for versions of earlier releases.
    lab: dict[str, Any] = field(default_factory=dict)

    @property
    def baseline(self) -> bool:
        return self.difference is None

    @property
    def gap(self) -> str:
        """The difference to popularity with its sign."""
        return f"{self.difference['mean']:+.4f}" if self.difference else ""

    @property
    def interval(self) -> str:
        """Its 95% interval."""
        if not self.difference:
            return ""
        return _("%(low)+.4f to %(high)+.4f") % self.difference


def best(versions: Iterable[ModelVersion]) -> ModelVersion:
    """The version to serve: the live one furthest above popularity on its exam, else popularity."""
    live = [v for v in versions if v.state == ModelVersion.State.LIVE]
    return max(live, key=_gain)


def _gain(version: ModelVersion) -> float:
    difference = version.details.get("difference")
    return float(difference["mean"]) if difference else 0.0


def engines() -> list[Judged]:
    """The newest version of every engine, whether it was published or not; best figure first."""
    newest = {
        v.name: v
        for v in ModelVersion.objects.filter(name__in=catalog.BY_NAME).order_by("name", "version")
    }
    live = list(
        ModelVersion.objects.filter(name__in=catalog.BY_NAME, state=ModelVersion.State.LIVE)
    )
    serving = best(live).name if live else ""
    rows = [_judged(catalog.BY_NAME[name], v, name == serving) for name, v in newest.items()]
    return sorted(rows, key=lambda row: (-row.ndcg, row.engine))


def _judged(entry: catalog.Entry, version: ModelVersion, serves: bool) -> Judged:
    details = version.details
    base = float(version.baseline.get(METRIC) or 0.0)
    ndcg = float(version.metrics.get(METRIC) or 0.0)
    difference = details.get("difference")
    exam = dict(details.get("split") or {})
    for name in ("validation_from", "test_from", "until"):
        exam[name] = parse_datetime(exam.get(name) or "")
    return Judged(
        engine=entry.engine,
        name=entry.name,
        title=str(entry.title),
        about=str(entry.about),
        version=version.version,
        pk=version.pk,
        state=version.state,
        state_label=version.get_state_display(),
        reason=version.why,
        ndcg=ndcg,
        recall=float(version.metrics.get("recall@10") or 0.0),
        ndcg_with_repeats=(details.get("with_repeats") or {}).get(METRIC),
        shown=int(version.metrics.get("items_shown") or 0),
        difference=difference,
        lift=(ndcg / base - 1) * 100 if difference and base else None,
        seconds=version.seconds,
        trained_at=version.trained_at,
        exam=exam,
        serves=serves,
        lab=details.get("lab") or {},
    )


def verdict(rows: list[Judged]) -> str:
    """In one sentence: which engine serves, and by how much it is ahead."""
    serving = next((row for row in rows if row.serves), None)
    if serving is None:
        return ""
    if serving.difference is None:
        return _(
            "No engine was reliably better than popularity on the last 30 days, "
            "so popularity serves."
        )
    return _(
        "%(engine)s serves: on the last 30 days its NDCG@10 was %(ndcg).4f, %(lift).0f%% above "
        "popularity (difference %(gap)+.4f, 95%% interval %(low)+.4f to %(high)+.4f)."
    ) % {
        "engine": serving.title,
        "ndcg": serving.ndcg,
        "lift": serving.lift or 0.0,
        "gap": serving.difference["mean"],
        "low": serving.difference["low"],
        "high": serving.difference["high"],
    }
