"""What models leave behind, good and bad, for pages that show it; each answers with its address."""

from datetime import timedelta

from django.urls import reverse

from marketing.core.errors import Invalid
from models_ml import features
from models_ml.insights import stage_history
from models_ml.models import ModelVersion, Prediction, ProductDemand, Score
from models_ml.predictions import definitions, ready, scoring, training, watching
from tests import factories
from tests.models_ml.predictions import shops


def prediction() -> str:
    """A prediction that learned from a shop of known rates, serves, and was looked at."""
    row = Prediction.objects.filter(title="Buys again").first()
    if row is None:
        now = factories.now()
        shops.plant(people=400, now=now)
        row = definitions.create(
            title="Buys again",
            target={"type": "order"},
            horizon_days=60,
            settings={"candidates": ["tree"], "profit": {"worth": 20, "cost": 2}},
            now=now,
        )
        training.train(prediction=row, now=now)
        training.train(prediction=row, now=now)
        scoring.score(prediction=row, now=now)
        row.refresh_from_db()
        watching.look(prediction=row, now=now)
    return reverse("models_ml:prediction", args=[row.key])


def demand(*, one: bool = False) -> str:
    """Two products with a forecast of eight weeks, judged better than the last value."""
    now = factories.now()
    goods = [factories.product("TEAPOT", stock=90), factories.product("FORECAST", category="cups")]
    if not ModelVersion.objects.filter(name="demand").exists():
        version = factories.model_version(
            "demand",
            params={"days": 7, "horizon": 8},
            metrics={"mase": 0.81, "coverage": 0.8, "coverage_4_weeks": 0.78, "total_ratio": 0.9},
            baseline={"mase": 1.0, "rule": "seasonal"},
            details={
                "kind": "demand",
                "judged_products": 2,
                "origins": [now.isoformat()],
                "difference": {"value": 0.19, "low": 0.1, "high": 0.28},
                "table": [
                    {"name": "fading", "mase": 0.8, "gain": {"mean": 0.2, "low": 0.1, "high": 0.3}}
                ],
                "methods": {"fading": 1, "young": 1},
            },
            data_until=now,
            state=ModelVersion.State.LIVE,
        )
        weeks = [(now + timedelta(days=7 * n), 7, 12.4) for n in range(8)]
        ProductDemand.objects.bulk_create(
            ProductDemand(
                product=item, starts_at=at, days=days, mean=mean, low=mean // 2, high=mean * 2,
                usual=mean - 1, method=method, version=version,
            )
            for item, method in zip(goods, ("fading", "young"), strict=True)
            for at, days, mean in [(now, ProductDemand.SUM_DAYS, 49.6), *weeks]
        )  # fmt: skip
    return (
        reverse("models_ml:demand-product", args=[goods[0].pk])
        if one
        else reverse("models_ml:demand")
    )


def hours() -> str:
    """Best hours that were not told apart: everybody's stand in."""
    row = Prediction.objects.filter(key="send_hour").first() or ready.install(key="send_hour")
    if not ModelVersion.objects.filter(name=row.key).exists():
        day = [0.001 + 0.03 * (8 <= hour <= 20) for hour in range(24)]
        factories.model_version(
            row.key,
            algorithm="hours",
            metrics={"hits_top_3": 0.31},
            baseline={"hits_top_3": 0.31, "rule": "everyones_hour"},
            details={
                "kind": "prediction",
                "engine": "hours",
                "everyone": {
                    "hour": 9, "from": 8, "until": 15, "weekdays": day, "weekends": day,
                },
            },
            state=ModelVersion.State.REFUSED,
            reason="Nobody has hours of their own.",
        )  # fmt: skip
    return reverse("models_ml:prediction", args=[row.key])


def clusters() -> str:
    """Three groups that stand, and another sorting whose people are one group."""
    factories.clustering()
    factories.clustering("one", found=False)
    return reverse("models_ml:clusters")


def rfm() -> str:
    """The grid of those who have numbers, with everybody's stages over time beside it."""
    features.measure()
    stage_history.build(now=factories.now())
    return reverse("models_ml:rfm")


def troubled() -> str:
    """A prediction for which the data does not suffice."""
    row = Prediction.objects.filter(title="Spends a million").first()
    if row is None:
        row = definitions.create(
            title="Spends a million",
            target={"type": "spend_over", "amount": 1e6},
            horizon_days=60,
            now=factories.now(),
        )
        refusal = Invalid("Of 400 people nobody did it.", code="one_class", remedy="Check it.")
        training.note(prediction=row, refusal=refusal, now=factories.now())
    return reverse("models_ml:prediction", args=[row.key])


def scored_person() -> str:
    return reverse("customer", args=[Score.objects.earliest("customer_id").customer_id])
