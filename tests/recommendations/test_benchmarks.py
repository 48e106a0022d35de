import pytest

from ingestion.models import Customer, Product
from models_ml.benchmarks import recommenders as training_benchmarks
from recommendations import benchmarks
from recommendations.models import Placement, RecommendationSet

FIELDS = {"name", "value", "unit", "n", "limit", "peer", "ratio", "runs", "spread"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    for module in (benchmarks, training_benchmarks):
        monkeypatch.setattr(module, "RUNS", 1)
    monkeypatch.setitem(training_benchmarks.SHOPS, "small", (300, 80, 5_000))


def test_picks_are_made_and_removed_again(db):
    told = benchmarks.WORKLOADS["als.recommend"]("small")
    assert set(told) == FIELDS
    assert told["n"] == 300
    assert told["ratio"] > 0
    assert not Customer.objects.exists()
    assert not Product.objects.exists()
    assert not Placement.objects.exists()
    assert not RecommendationSet.objects.exists()


@pytest.mark.parametrize("name", training_benchmarks.WORKLOADS)
def test_training_is_measured_beside_its_limit(name):
    told = training_benchmarks.WORKLOADS[name]("small")
    assert set(told) == FIELDS
    assert told["name"] == name
    assert told["ratio"] > 0
