from xml.etree import ElementTree

import pytest

from ingestion.models import Customer, Product
from models_ml.benchmarks import recommenders as training_benchmarks
from models_ml.benchmarks import shops
from recommendations import benchmarks
from recommendations.models import Placement, RecommendationSet

FIELDS = {"name", "value", "unit", "n", "limit", "peer", "ratio", "runs", "spread"}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    for module in (benchmarks, training_benchmarks):
        monkeypatch.setattr(module, "RUNS", 1)
    monkeypatch.setitem(training_benchmarks.SHOPS, "small", (300, 80, 5_000))


def test_picks_are_made_and_removed_again(db):
    told, memory = benchmarks.WORKLOADS["als.recommend"]("small")
    assert set(told) == FIELDS
    assert (told["n"], told["limit"]["keep"]) == (300, 0.5)
    assert told["ratio"] > 0
    assert memory["limit"]["value"] == pytest.approx(2 * memory["peer"]["value"], abs=1e-3)
    assert not Customer.objects.exists()
    assert not Product.objects.exists()
    assert not Placement.objects.exists()
    assert not RecommendationSet.objects.exists()


@pytest.mark.parametrize("name", ["als.train", "als.read"])
def test_training_is_measured_beside_its_limit(db, name, monkeypatch):
    monkeypatch.setitem(shops.SHOPS, "small", (100, 1_000))
    told = training_benchmarks.WORKLOADS[name]("small")
    assert set(told) == FIELDS
    assert told["name"] == name
    assert told["ratio"] > 0
    assert not Customer.objects.exists()


def test_how_time_grows_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setenv("PLOT", str(tmp_path / "growth.svg"))
    told = training_benchmarks.WORKLOADS["als.growth"]("small")
    assert told["purchases"] == [1_250, 2_500, 5_000]
    assert all(len(found) == 2 for found in told["bends"].values())
    drawn = ElementTree.parse(tmp_path / "growth.svg").getroot()
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == 3
