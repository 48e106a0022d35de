"""What somebody expects is asked of the rows, and is told when it is not so."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion import events
from ingestion.events import Incoming
from ingestion.models import Customer, Expectation, Order, Problem
from ingestion.quality import expectations, fields, problems
from marketing.core.errors import Invalid, NotFound
from tests import factories
from tests.ingestion.quality.conftest import NOW, volume

pytestmark = pytest.mark.django_db
Found = Callable[..., dict[str, Problem]]


def expect(subject: str, field: str, kind: str, **more: Any) -> Expectation:
    return expectations.save(subject=subject, field=field, kind=kind, user=None, now=NOW, **more)


def ask(subject: str, field: str, kind: str, **more: Any) -> tuple[bool | None, float | None]:
    """Whether it holds, and the figure."""
    row = expect(subject, field, kind, **more)
    expectations.check(row=row, now=NOW)
    return row.met, row.value


def people(**columns: list[Any]) -> None:
    size = len(next(iter(columns.values())))
    Customer.objects.bulk_create(
        Customer(external_id=f"c{i}", **{name: values[i] for name, values in columns.items()})
        for i in range(size)
    )


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


def test_what_holds_now_is_suggested_and_can_be_kept(measure: Found) -> None:
    people(email=[f"p{i}@example.com" for i in range(40)], country=["GB"] * 39 + [""])
    measure()
    found = {(s["field"], s["kind"]): s["threshold"] for s in expectations.suggest()}
    assert found["country", "filled"] == 0.95
    assert found["email", "matches"] == 0.99
    assert ("phone", "filled") not in found
    taken = next(s for s in expectations.suggest() if s["field"] == "country")
    names = ("subject", "field", "kind", "params", "threshold")
    expectations.save(**{name: taken[name] for name in names}, user=None, now=NOW)
    assert ("country", "filled") not in {(s["field"], s["kind"]) for s in expectations.suggest()}
    problems.check(now=NOW)
    assert all(row.met for row in Expectation.objects.all())


def test_a_sentence_says_what_is_expected() -> None:
    row = expect("customers", "email", "matches", params={"shape": "email"}, threshold=0.99)
    assert row.name == "People: E-mail looks like an e-mail address in 99% of rows"
    assert Order.objects.count() == 0
    volume("view", "web", {1: 3})
