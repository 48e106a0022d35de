"""Which fields of the facts the models and the numbers about people are made from."""

from collections.abc import Iterable

from django.db.models import CharField, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, Concat
from django.urls import reverse
from django.utils.translation import gettext as _

from ingestion.quality.uses import Place, Use
from models_ml.models import Clustering, Exploration, ModelVersion, Prediction

ORDERS: tuple[Place, ...] = (
    ("orders", "customer"),
    ("orders", "placed_at"),
    ("lines", "quantity"),
)
MONEY: tuple[Place, ...] = (*ORDERS, ("lines", "total"), ("lines", "unit_price"))
PICKS: tuple[Place, ...] = (("orders", "customer"), ("lines", "product"), ("lines", "quantity"))
_TRAITS: dict[str, tuple[Place, ...]] = {
    "recency_days": ORDERS,
    "orders": ORDERS,
    "units": ORDERS,
    "revenue": MONEY,
    "avg_order_value": MONEY,
    "tenure_days": ORDERS,
    "interval_days_mean": ORDERS,
    "interval_days_std": ORDERS,
    "products": (*ORDERS, ("lines", "product")),
    "return_rate": (*ORDERS, ("lines", "returns")),
    "trend": ORDERS,
    "r_score": ORDERS,
    "f_score": ORDERS,
    "m_score": MONEY,
}
FEATURES = tuple(sorted({place for places in _TRAITS.values() for place in places}))


def of_trait(name: str) -> tuple[Place, ...]:
    """The places that a number about a person is made from; a prediction uses them all."""
    return _TRAITS.get(name, FEATURES)


def of_clustering(key: str) -> tuple[Place, ...]:
    """The places that groups of people are found by."""
    found = Clustering.objects.filter(key=key).values_list("facts", flat=True).first()
    return tuple(sorted({place for name in found or () for place in of_trait(name)}))


def everything() -> Iterable[Use]:
    """The live models, with the places that they learn from and are fed by."""
    asked = Prediction.objects.filter(key=OuterRef("name")).values("title")
    explored = Exploration.objects.alias(
        version=Concat(Value("tree:"), "key", output_field=CharField())
    ).filter(version=OuterRef("name"))
    live = ModelVersion.objects.filter(state=ModelVersion.State.LIVE)
    for row in live.annotate(
        title=Coalesce(Subquery(explored.values("title")), Subquery(asked))
    ).values("pk", "name", "title"):
        of_people = row["name"] == "repeat_90d" or row["title"] is not None
        title = row["name"].replace("_", " ")
        if row["name"] == "repeat_90d":
            title = _("Repeat purchase within 90 days")
        yield Use(
            "model",
            f"model:{row['pk']}",
            row["title"] or title,
            reverse("models_ml:model-detail", args=[row["pk"]]),
            frozenset(FEATURES if of_people else PICKS),
        )
