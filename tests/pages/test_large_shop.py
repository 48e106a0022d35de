"""The measurement of a large shop's pages looks at every page and leaves nothing behind."""

import pytest

from ingestion.models import Customer
from marketing import bench_pages
from models_ml.benchmarks import shops

pytestmark = pytest.mark.django_db


def test_every_page_is_looked_at_and_what_was_made_for_it_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(shops.SHOPS, "small", (120, 1200))
    monkeypatch.setattr(bench_pages, "LOOKS", 2)
    monkeypatch.setattr(bench_pages, "TOLD", 1000)
    first, *pages = bench_pages.large()
    assert first["n"] == 120
    assert first["pages"] == len(pages) > 80
    names = {line["name"].removeprefix("pages.large ") for line in pages}
    wanted = {"home", "customer", "builder, counting", "models_ml:rfm", "campaigns:segment-list"}
    assert wanted | {"campaigns:campaign-check", "models_ml:cohorts"} <= names
    assert not Customer.objects.exists()
