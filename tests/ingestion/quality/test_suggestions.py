"""What holds now is offered to be expected from now on."""

from collections.abc import Callable

import pytest

from ingestion.models import Expectation, Problem
from ingestion.quality import expectations, problems, suggestions
from tests.ingestion.quality.conftest import NOW, people

pytestmark = pytest.mark.django_db
Found = Callable[..., dict[str, Problem]]


def test_what_holds_now_is_suggested_and_can_be_kept(measure: Found) -> None:
    people(email=[f"p{i}@example.com" for i in range(40)], country=["GB"] * 39 + [""])
    measure()
    found = {(s["field"], s["kind"]): s["threshold"] for s in suggestions.suggest()}
    assert found["country", "filled"] == 0.95
    assert found["email", "matches"] == 0.99
    assert ("phone", "filled") not in found
    taken = next(s for s in suggestions.suggest() if s["field"] == "country")
    names = ("subject", "field", "kind", "params", "threshold")
    expectations.save(**{name: taken[name] for name in names}, user=None, now=NOW)
    assert ("country", "filled") not in {(s["field"], s["kind"]) for s in suggestions.suggest()}
    problems.check(now=NOW)
    assert all(row.met for row in Expectation.objects.all())
