"""What somebody expects is asked of the rows, and is told when it is not so."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from ingestion.models import Customer, Expectation, Problem
from ingestion.quality import expectations, problems
from marketing.core.errors import Invalid, NotFound
from tests import factories
from tests.ingestion.quality.conftest import NOW, expect, people

pytestmark = pytest.mark.django_db
Found = Callable[..., dict[str, Problem]]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"kind": "magic"}, "kind"),
        ({"subject": "secrets"}, "field"),
        ({"field": "password"}, "field"),
        ({"field": ""}, "field"),
        ({"kind": "in_list"}, "values"),
        ({"kind": "in_list", "params": {"values": ["", " "]}}, "values"),
        ({"kind": "matches", "params": {"shape": "poem"}}, "shape"),
        ({"kind": "range"}, "min"),
        ({"kind": "range", "params": {"min": "5", "max": "4"}}, "min"),
        ({"kind": "range", "params": {"min": "many"}}, "min"),
        ({"kind": "range", "params": {"min": "nan"}}, "min"),
        ({"kind": "fresh", "params": {"hours": 0}}, "hours"),
        ({"kind": "refers"}, "kind"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": 1.5}, "threshold"),
        ({"severity": "awful"}, "severity"),
        ({"hold": "everything"}, "severity"),
    ],
)
def test_what_cannot_be_asked_is_refused_and_nothing_is_stored(
    given: dict[str, Any], field: str
) -> None:
    whole = {"subject": "customers", "field": "email", "kind": "filled"} | given
    with pytest.raises(Invalid) as refusal:
        expectations.save(**whole, user=None, now=NOW)
    assert refusal.value.field == field
    assert not Expectation.objects.exists()


def test_what_is_broken_is_a_problem_with_its_rows_until_it_holds(measure: Found) -> None:
    people(country=["GB"] * 8 + ["", ""])
    row = expect("customers", "country", "filled", threshold=0.9, severity="critical")
    problem = measure()["expectation customers.country"]
    assert (problem.rows, problem.total, problem.severity) == (2, 10, "critical")
    empty = set(Customer.objects.filter(country="").values_list("id", flat=True))
    assert {example["customer"] for example in problem.examples} == empty
    problems.check(now=NOW + timedelta(minutes=15))
    assert Problem.objects.count() == 1
    Customer.objects.update(country="GB")
    problems.check(now=NOW + timedelta(minutes=30))
    problem.refresh_from_db()
    assert problem.ended_at == NOW + timedelta(minutes=30)
    expectations.remove(expectation_id=row.pk, user=factories.user(), now=NOW)
    with pytest.raises(NotFound):
        expectations.get(expectation_id=row.pk)


def test_a_sentence_says_what_is_expected() -> None:
    row = expect("customers", "email", "matches", params={"shape": "email"}, threshold=0.99)
    assert row.name == "People: E-mail looks like an e-mail address in 99% of rows"
