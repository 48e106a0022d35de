"""Demand from orders to pages: what is written, served again, refused, and shown."""

from datetime import timedelta

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from ingestion.models import Order, OrderLine, Product
from marketing.core import jobs
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import Job
from models_ml.demand import forecasting, reading, sales
from models_ml.models import ModelVersion, ProductDemand
from tests import factories

NOW = factories.NOW
pytestmark = pytest.mark.django_db


def plant(products: int = 40, weeks: int = 60, seed: int = 1) -> list[Product]:
    """A shop of one order a week that holds every product, each by a rate of its own."""
    rng = np.random.default_rng(seed)
    goods = [factories.product(f"P{n:03}", category="cups") for n in range(products)]
    rate = rng.gamma(2, 10, products) + 2
    made = Order.objects.bulk_create(
        Order(
            source=factories.source(),
            external_id=f"w{week}",
            placed_at=NOW - timedelta(days=7 * week + 1),
            currency="GBP",
            total=0,
        )
        for week in range(weeks)
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order,
            line_no=n,
            product=item,
            placed_at=order.placed_at,
            sku=item.sku,
            quantity=int(rng.poisson(rate[n])) or 1,
            unit_price=1,
            total=1,
        )
        for order in made
        for n, item in enumerate(goods)
    )
    return goods


def signed_in(role: str = "marketer") -> Client:
    client = Client()
    client.force_login(factories.user(role))
    return client


def test_a_forecast_is_judged_written_shown_and_read_by_programs() -> None:
    goods = plant()
    Product.objects.filter(pk=goods[0].pk).update(active=False)
    Product.objects.filter(pk=goods[1].pk).update(stock=10)
    client = signed_in()
    assert "No forecast is in use" in client.get(reverse("models_ml:demand")).content.decode()
    version = forecasting.make(now=NOW)
    assert version.state == ModelVersion.State.LIVE, version.reason
    assert version.metrics["mase"] < version.baseline["mase"]
    rows = ProductDemand.objects.all()
    assert rows.filter(days=28).count() == 39  # what is off sale is not forecast
    assert rows.filter(days=7).count() == 39 * 8
    row = reading.sums().get(product=goods[1])
    sold = sum(reading.sold(products=[goods[1].pk], until=row.starts_at, days=7)[goods[1].pk])
    assert row.mean / 4 == pytest.approx(sold / 26, rel=0.35)
    assert row.low <= row.mean <= row.high

    page = client.get(reverse("models_ml:demand")).content.decode()
    assert "How good it is" in page
    assert goods[2].name in page
    assert goods[0].name not in page
    found = client.get(reverse("models_ml:demand"), {"q": "P001"}).content.decode()
    assert goods[1].name in found
    assert goods[2].name not in found
    one = client.get(reverse("models_ml:demand-product", args=[goods[1].pk])).content.decode()
    assert f"Expected to sell {row.mean:.0f} ({row.low:.0f}–{row.high:.0f})" in one
    assert "The stock of 10 lasts about" in one
    assert client.get(reverse("models_ml:demand-product", args=[goods[0].pk])).status_code == 404

    body = client.get("/api/v1/demand/?limit=5").json()
    assert len(body["data"]) == 5
    told = client.get(f"/api/v1/demand/{goods[1].sku}/").json()
    assert told["next_4_weeks"]["mean"] == pytest.approx(row.mean)
    assert len(told["periods"]) == 8
    assert client.get("/api/v1/demand/none/").json()["error"]["code"] == "no_forecast"

    # The same files let an older version speak again, and damaged ones do not.
    ProductDemand.objects.all().delete()
    assert forecasting.serve(version=version) == 39
    folder = forecasting.registry.folder(version)
    (folder / forecasting.FILE).write_bytes(b"broken")
    forecasting.registry._read.cache_clear()
    with pytest.raises(Conflict, match="damaged"):
        forecasting.serve(version=version)
    assert reading.sums().count() == 39


def test_returns_outliers_and_cancelled_orders_are_no_sales() -> None:
    goods = plant(products=6)
    before = sales.read(as_of=NOW)
    cancelled = factories.order(None, days_ago=3, lines=[(goods[0], 500)], status="cancelled")
    odd = factories.order(None, days_ago=3, lines=[(goods[1], 80_000), (goods[2], 70)])
    OrderLine.objects.filter(order=odd, product=goods[1]).update(outlier=True)
    OrderLine.objects.filter(order=odd, product=goods[2]).update(kind="return")
    assert cancelled.status == "cancelled"
    after = sales.read(as_of=NOW)
    np.testing.assert_array_equal(before.series.units, after.series.units)
    assert before.series.periods == 59


def test_too_little_is_refused_in_words_and_serving_goes_on() -> None:
    with pytest.raises(Invalid, match="Nothing has been sold"):
        forecasting.make(now=NOW)
    plant(products=6, weeks=10)
    with pytest.raises(Invalid, match="64 days of orders; 154 are needed"):
        forecasting.make(now=NOW)
    assert not ModelVersion.objects.filter(name="demand").exists()


@pytest.mark.django_db(transaction=True)
def test_a_forecast_is_asked_for_once_and_then_made_again_each_week() -> None:
    assert not reading.due(now=NOW)
    client = signed_in()
    client.post(reverse("models_ml:demand-forecast"))
    job = Job.objects.get(kind="demand.forecast")
    with pytest.raises(Conflict, match="being made already"):
        reading.start()
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.FAILED
    assert "Nothing has been sold" in client.get(reverse("models_ml:demand")).content.decode()
    factories.model_version("demand", data_until=NOW - timedelta(days=8))
    Job.objects.update(finished_at=NOW - timedelta(days=2))
    assert reading.due(now=NOW)
    assert not reading.due(now=NOW - timedelta(days=3))
    viewer = signed_in("analyst")
    assert viewer.post(reverse("models_ml:demand-forecast")).status_code == 403
