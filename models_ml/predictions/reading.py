"""What the scores say: of one person, of everybody, and of whom to reach."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max, Min

from ingestion import consent
from models_ml.models import ModelVersion, Prediction, Score, Watch

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PersonScore:
    """One prediction's word on one person. `date` is set for the kind date."""

    key: str
    title: str
    kind: str
    horizon_days: int
    value: float
    low: float | None
    high: float | None
    percentile: int
    version: int
    version_id: int
    as_of: datetime | None
    date: datetime | None = None


def of_person(*, customer_id: int) -> list[PersonScore]:
    """All scores of a person by active predictions; none for whoever refused profiling."""
    if consent.unprofiled([customer_id]):
        return []
    rows = Score.objects.filter(
        customer_id=customer_id, prediction__state=Prediction.State.ACTIVE
    ).select_related("prediction", "version")
    return [
        PersonScore(
            key=row.prediction.key,
            title=row.prediction.title,
            kind=row.prediction.kind,
            horizon_days=row.prediction.horizon_days,
            value=row.value,
            low=row.low,
            high=row.high,
            percentile=row.percentile,
            version=row.version.version,
            version_id=row.version_id,
            as_of=row.prediction.scored_as_of,
            date=EPOCH + timedelta(days=row.value)
            if row.prediction.kind == Prediction.Kind.DATE
            else None,
        )
        for row in rows.order_by("prediction__title")
    ]


@dataclass(frozen=True, slots=True)
class Reach:
    """The best `people` by score: how many answers or how much money to expect of them in all.

    `least` is the lowest score among them; `average` the mean of everybody scored.
    """

    people: int
    expected: float
    least: float
    average: float
    of: int


def reach(*, prediction: Prediction, people: int) -> Reach:
    """What to expect of the people with the highest scores."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), coalesce(sum(value), 0), coalesce(min(value), 0) FROM ("
            " SELECT value FROM models_ml_score WHERE prediction_id = %s"
            " ORDER BY percentile DESC, value DESC LIMIT %s) AS best",
            [prediction.pk, max(people, 0)],
        )
        count, expected, least = cursor.fetchone()
        cursor.execute(
            "SELECT count(*), coalesce(avg(value), 0) FROM models_ml_score"
            " WHERE prediction_id = %s",
            [prediction.pk],
        )
        everyone, average = cursor.fetchone()
    return Reach(count, expected, least, average, everyone)


def slices(*, prediction: Prediction) -> list[dict[str, float]]:
    """For the slider: after each percentile from the top, how many people and what they sum to."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT percentile, count(*), sum(value), min(value) FROM models_ml_score"
            " WHERE prediction_id = %s GROUP BY percentile ORDER BY percentile DESC",
            [prediction.pk],
        )
        rows = cursor.fetchall()
    found, people, expected = [], 0, 0.0
    for percentile, count, total, least in rows:
        people, expected = people + count, expected + total
        found.append(
            {"above": percentile - 1, "people": people, "expected": expected, "least": least}
        )
    return found


def highest(*, prediction: Prediction, limit: int = 10) -> list[Score]:
    """The people with the highest scores."""
    rows = Score.objects.filter(prediction=prediction).select_related("customer")
    return list(rows.order_by("-value", "customer_id")[:limit])


def spread(*, prediction: Prediction, bins: int = 20) -> list[dict[str, float]]:
    """A histogram of the scores: from, to, people."""
    scores = Score.objects.filter(prediction=prediction)
    ends = scores.aggregate(low=Min("value"), high=Max("value"))
    if ends["low"] is None:
        return []
    low, high = float(ends["low"]), float(ends["high"])
    if prediction.kind in (Prediction.Kind.CHANCE, Prediction.Kind.DEGREE):
        low, high = 0.0, 1.0
    if prediction.kind == Prediction.Kind.HOUR:
        low, high, bins = 0.0, 24.0, 24
    width = (high - low) / bins or 1.0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT least(floor((value - %s) / %s), %s)::int AS bin, count(*)"
            " FROM models_ml_score WHERE prediction_id = %s GROUP BY bin ORDER BY bin",
            [low, width, bins - 1, prediction.pk],
        )
        counts = dict(cursor.fetchall())
    return [
        {"from": low + n * width, "to": low + (n + 1) * width, "people": counts.get(n, 0)}
        for n in range(bins)
    ]


def watches(*, prediction: Prediction, limit: int = 60) -> list[Watch]:
    """The newest looks at versions of a prediction, newest first."""
    return list(prediction.watches.select_related("version")[:limit])


def live(*, prediction: Prediction) -> ModelVersion | None:
    """The version in use."""
    return ModelVersion.objects.filter(name=prediction.key, state=ModelVersion.State.LIVE).first()


def all_live() -> dict[str, ModelVersion]:
    """The versions in use by the key of what they answer, without their details."""
    rows = ModelVersion.objects.filter(state=ModelVersion.State.LIVE).defer("details")
    return {row.name: row for row in rows}


def overview(*, archived: bool = False) -> list[dict[str, Any]]:
    """For a list: each prediction with its version in use and its newest one, in two queries."""
    state = Prediction.State.ARCHIVED if archived else Prediction.State.ACTIVE
    rows = list(Prediction.objects.filter(state=state))
    versions: dict[str, list[ModelVersion]] = {}
    for version in ModelVersion.objects.filter(name__in=[row.key for row in rows]).defer("details"):
        versions.setdefault(version.name, []).append(version)
    return [
        {
            "prediction": row,
            "live": next(
                (v for v in versions.get(row.key, []) if v.state == ModelVersion.State.LIVE), None
            ),
            "newest": next(iter(versions.get(row.key, [])), None),
        }
        for row in rows
    ]
