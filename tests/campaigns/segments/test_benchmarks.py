"""The workloads of segments and features run, agree with hand-written SQL, and clean up."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from campaigns.segments import bench_upkeep, benchmarks
from ingestion.models import Consent, Customer, OrderLine
from models_ml.benchmarks import features as bench_features
from models_ml.benchmarks import shops
from models_ml.models import Traits
from tests import factories

FIELDS = {"name", "value", "unit", "n", "limit", "peer", "ratio", "runs", "spread"}
WORKLOADS = {**benchmarks.WORKLOADS, **bench_features.WORKLOADS}


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (benchmarks, bench_features):
        monkeypatch.setattr(module, "RUNS", 1)
    monkeypatch.setattr(bench_upkeep, "SEGMENTS", 7)
    # One in a hundred of so few may be three who belong to nothing.
    monkeypatch.setattr(bench_upkeep, "CHANGED", 10)
    monkeypatch.setitem(shops.SHOPS, "small", (300, 3000))


# event.visible starts a web server and a worker of its own on a database that must be empty.
HERE = {name: workload for name, workload in WORKLOADS.items() if name != "event.visible"}


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "workload"), HERE.items())
def test_a_workload_is_measured_and_leaves_the_database_as_it_was(
    name: str, workload: Callable[[str], Any]
) -> None:
    ada = factories.customer("ada")
    told = workload("small")
    for line in told if isinstance(told, list) else [told]:
        assert set(line) >= FIELDS
        assert line["name"].partition(":")[0] == name
        assert line["ratio"] > 0
    assert list(Customer.objects.all()) == [ada]
    assert not OrderLine.objects.exists()
    assert not Traits.objects.exists()
    assert Consent.objects.count() == 1


@pytest.mark.django_db
def test_the_hand_written_features_are_the_same_numbers() -> None:
    with transaction.atomic():
        shops.plant(200, 4000, now=shops.NOW)
        bench_features.features.build(as_of=shops.NOW)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE bench_best (LIKE models_ml_traits INCLUDING ALL)")
            cursor.execute(bench_features.BEST, {"now": shops.NOW})
            names = ", ".join(c.name for c in bench_features.features.COLUMNS)
            cursor.execute(
                f"SELECT count(*) FROM (SELECT customer_id, {names} FROM bench_best EXCEPT"
                f" SELECT customer_id, {names} FROM models_ml_traits) AS rest"
            )
            assert cursor.fetchone()[0] == 0
            cursor.execute("SELECT count(*) FROM bench_best")
            assert cursor.fetchone()[0] == 200
        transaction.set_rollback(True)
