"""What somebody expects is asked of the rows as they are stored."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion import events
from ingestion.events import Incoming
from ingestion.models import Problem
from ingestion.quality import checks, fields, problems
from tests import factories
from tests.ingestion.quality.conftest import NOW, expect, people

pytestmark = pytest.mark.django_db
Found = Callable[..., dict[str, Problem]]


def ask(subject: str, field: str, kind: str, **more: Any) -> tuple[bool | None, float | None]:
    """Whether it holds, and the figure."""
    row = expect(subject, field, kind, **more)
    checks.check(row=row, now=NOW)
    return row.met, row.value


def test_filled_counts_rows_with_a_value() -> None:
    people(country=["GB", "GB", "DE", ""])
    assert ask("customers", "country", "filled", threshold=0.7) == (True, 0.75)
    assert ask("customers", "country", "filled", threshold=0.8) == (False, 0.75)


def test_unique_counts_rows_that_share_their_value() -> None:
    people(phone=["+441", "+441", "+442", "", ""])
    met, value = ask("customers", "phone", "unique", threshold=0.9)
    assert (met, round(value or 0, 3)) == (False, 0.333)


@pytest.mark.parametrize(
    ("field", "kind", "params", "values", "share"),
    [
        ("country", "in_list", {"values": ["GB", "DE"]}, ["GB", "DE", "FR", ""], 2 / 3),
        ("country", "matches", {"shape": "country"}, ["GB", "XX", "", "DE"], 2 / 3),
        ("phone", "matches", {"shape": "phone"}, ["+442079460958", "020", "", ""], 1 / 2),
        ("first_name", "matches", {"shape": "email"}, ["a@b.co", "a@b", "", ""], 1 / 2),
        ("first_name", "matches", {"shape": "number"}, ["1.5", "-2e3", "x", "%s"], 1 / 2),
        ("first_name", "range", {"min": 1, "max": 5}, ["1", "5.5", "x", "3"], 1 / 2),
        ("first_name", "range", {"min": 1, "max": 5}, ["1", "1e999", "9" * 90, "3"], 1 / 2),
        ("first_name", "range", {"min": 0, "max": 5}, ["1", "1e-999", "1e-99", "3"], 3 / 4),
        ("first_name", "range", {"min": 2}, ["1", "5.5", "", "3"], 2 / 3),
    ],
)
def test_values_are_asked_as_they_are_written(
    field: str, kind: str, params: dict[str, Any], values: list[str], share: float
) -> None:
    people(**{field: values})
    met, value = ask("customers", field, kind, params=params, threshold=0.95)
    assert (met, value) == (False, pytest.approx(share))


def test_an_order_belongs_to_a_person_we_know() -> None:
    ada = factories.customer("Ada")
    for buyer in (ada, ada, None):
        factories.order(buyer)
    met, value = ask("orders", "customer", "refers", threshold=0.9)
    assert (met, value) == (False, pytest.approx(2 / 3))


def test_rows_a_day_and_freshness_are_asked_of_the_whole() -> None:
    ada = factories.customer("Ada")
    for hours in (30, 31, 80):
        factories.order(ada, placed_at=NOW - timedelta(hours=hours))
    assert ask("orders", "", "rows", params={"min": 2, "max": 5}) == (True, 2.0)
    assert ask("orders", "", "rows", params={"min": 3}) == (False, 2.0)
    assert ask("orders", "", "fresh", params={"hours": 31}) == (True, 30.0)
    assert ask("orders", "", "fresh", params={"hours": 29}) == (False, 30.0)
    assert ask("orders", "", "fresh", params={"hours": 29}, source="elsewhere") == (False, None)


def test_properties_of_events_are_asked_whatever_their_names() -> None:
    strange = '"; DROP TABLE x; -- %s'
    batch = [
        Incoming(type="view", at=NOW, message_id=f"m{i}", email="a@b.co", properties=payload)
        for i, payload in enumerate([{strange: "1"}, {strange: ""}, {}, {strange: 7}])
    ]
    events.record(batch=batch, source="web", now=NOW)
    assert ask("events:view", strange, "filled", threshold=0.9) == (False, 0.5)
    assert ask("events:view", strange, "range", params={"min": 5}, threshold=0.9) == (False, 0.5)
    assert ask("events:view", strange, "unique", threshold=1.0) == (True, 1.0)
    assert ask("events:other", strange, "filled") == (True, None)


def test_a_source_is_asked_alone() -> None:
    factories.order(None, source=factories.source("till"))
    factories.order(factories.customer("Ada"))
    assert ask("orders", "customer", "filled", source="till") == (False, 0.0)
    assert ask("orders", "customer", "filled", source="shop") == (True, 1.0)


def test_rows_to_show_are_searched_before_any_problem_is_held() -> None:
    people(country=["GB", ""])
    expect("customers", "country", "filled")
    with CaptureQueriesContext(connection) as asked:
        problems.check(now=NOW)
    texts = [query["sql"] for query in asked]
    search = next(i for i, text in enumerate(texts) if text.endswith("LIMIT 5"))
    held = next(i for i, t in enumerate(texts) if "ingestion_problem" in t and "FOR UPDATE" in t)
    assert search < held
    assert len(Problem.objects.get().examples) == 1


def test_one_that_cannot_be_asked_stops_no_other(
    measure: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(country=["", "GB"], first_name=["1e999", "1"])
    expect("customers", "first_name", "range", params={"min": 1})
    expect("customers", "country", "filled")
    monkeypatch.setattr(fields, "NUMBER", ".")  # lets through what cannot be cast
    assert set(measure()) == {"expectation customers.country"}


def test_an_expectation_that_is_off_is_not_asked(measure: Found) -> None:
    people(country=[""] * 5)
    expect("customers", "country", "filled", enabled=False)
    assert measure() == {}
