"""Engines as an exam leaves them, and visitors of a placement, for pages that show the lab."""

from datetime import timedelta

from models_ml.models import ModelVersion
from recommendations.models import Placement, Visitor
from tests import factories

ENGINES = {"popular": 0.098, "als": 0.117, "ease": 0.103, "bert4rec": 0.118, "blend": 0.125}


def sure(mean: float, spread: float = 0.01) -> dict[str, float]:
    return {"mean": mean, "low": mean - spread, "high": mean + spread}


def fill() -> Placement:
    """Five engines judged on the same days, and a placement held to another than the best."""
    exam = {
        "validation_from": "2026-04-01T00:00:00+00:00", "test_from": "2026-05-01T00:00:00+00:00",
        "until": "2026-05-31T00:00:00+00:00", "people": 1270, "catalogue": 3606,
    }  # fmt: skip
    epochs = [
        {"number": n, "loss": 8.2 - n / 3, "score": 0.03 * n / (n + 2) if n < 7 else 0.02,
         "seconds": 12.5}
        for n in range(1, 9)
    ]  # fmt: skip
    keys = [("stage", "new"), ("stage", "loyal"), ("orders", "1"), ("orders", "10+"),
            ("cells", "champions"), ("cells", "lost"), ("bands", "r5"), ("bands", "m1"),
            ("country", "GB"), ("country", "…")]  # fmt: skip
    for engine, ndcg in ENGINES.items():
        groups = [
            {"by": by, "key": key, "people": 120 + n, **sure(ndcg + n / 100, 0.02)}
            for n, (by, key) in enumerate(keys)
        ]
        told = {
            "ndcg": sure(ndcg), "recall": sure(0.07), "mrr": sure(0.2), "novelty": sure(5.1, 0.1),
            "popularity": sure(1.8, 0.1), "diversity": sure(0.71), "coverage": 0.19,
            "groups": groups, "over": {other: sure(0.02) for other in ENGINES if other != engine},
        }  # fmt: skip
        baseline = engine == "popular"
        ModelVersion.objects.create(
            name=f"next_product_{engine}", version=1, algorithm=engine,
            state="refused" if engine == "ease" else "live",
            metrics={"ndcg@10": ndcg, "recall@10": 0.07, "items_shown": 690},
            baseline={"ndcg@10": 0.098},
            details={
                "split": exam, "difference": None if baseline else sure(ndcg - 0.098), "lab": told,
                "with_repeats": {"ndcg@10": 0.2},
                **({"history": {"epochs": epochs}} if engine == "bert4rec" else {}),
            },
        )  # fmt: skip
    place = Placement.objects.create(
        slug="lab", name="Front page", kind="home", engine="als", rival="links", rival_percent=30
    )
    Visitor.objects.bulk_create(
        Visitor(
            placement=place, unit=f"a:{arm}{n}", arm=arm, shown=2, clicked=int(n < clicked),
            first_at=factories.NOW - timedelta(days=3), last_at=factories.NOW,
        )
        for arm, total, clicked in (("als", 300, 30), ("links", 90, 11), ("holdout", 80, 2))
        for n in range(total)
    )  # fmt: skip
    return place
