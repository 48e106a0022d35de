"""A shop in the database whose taste we chose, and engines trained on it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from ingestion.models import Customer, Order, OrderLine, Product
from models_ml import training
from models_ml.algorithms.data import Interactions
from models_ml.models import ModelVersion
from recommendations import build, placements
from tests import factories
from tests.models_ml.algorithms.shops import two_tastes

# Half a year of orders ends on the last day of June.
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)


@dataclass(frozen=True)
class TasteShop:
    """Rows of `two_tastes`: people and products by their number in the simulation."""

    data: Interactions
    people: list[Customer]
    products: list[Product]


def fill(data: Interactions) -> TasteShop:
    people = Customer.objects.bulk_create(
        Customer(external_id=f"p{key}", email=f"p{key}@example.com", first_name=f"Person{key}")
        for key in data.users.ids
    )
    products = Product.objects.bulk_create(
        Product(sku=f"S{key}", name=f"Thing {key}", price=Decimal("2.50")) for key in data.items.ids
    )
    user, item = data.users.encode(data.user), data.items.encode(data.item)
    baskets, of = np.unique(np.stack([user, data.at.astype("int64")]), axis=1, return_inverse=True)
    shop = factories.source()
    orders = Order.objects.bulk_create(
        Order(
            source=shop,
            external_id=f"o{number}",
            customer=people[int(who)],
            placed_at=datetime.fromtimestamp(int(at), UTC),
            currency="GBP",
        )
        for number, (who, at) in enumerate(baskets.T)
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=orders[int(basket)],
            line_no=number,
            customer=orders[int(basket)].customer,
            product=products[int(what)],
            placed_at=orders[int(basket)].placed_at,
            sku=products[int(what)].sku,
            quantity=1,
            unit_price=Decimal("2.5"),
            total=Decimal("2.5"),
        )
        for number, (basket, what) in enumerate(zip(of.reshape(-1), item, strict=True))
    )
    return TasteShop(data, people, products)


@pytest.fixture
def shop(db: None) -> TasteShop:
    return fill(two_tastes())


Train = Callable[..., dict[str, ModelVersion]]


@pytest.fixture
def train() -> Train:
    """Train popularity and the named engines on one exam."""

    def run(*names: str, job_id: int | None = None) -> dict[str, ModelVersion]:
        exam = training.prepare(as_of=NOW)
        made, baseline = {}, None
        for name in ("next_product_popular", *names):
            version, figures = training.train(
                name=name, exam=exam, baseline=baseline, now=NOW, job_id=job_id
            )
            baseline = baseline or figures
            made[name] = version
        return made

    return run


@pytest.fixture
def chosen(shop: TasteShop, train: Train) -> TasteShop:
    """The shop with everybody's picks by ALS."""
    train("next_product_als")
    build.refresh(placement=build.default_placement(), now=NOW)
    return shop


@pytest.fixture(autouse=True)
def fresh_placements() -> None:
    placements.forget()
