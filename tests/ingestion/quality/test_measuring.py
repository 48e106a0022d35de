"""The figures count what is there, for everything and for each source."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from ingestion import registry
from ingestion.events import Incoming
from ingestion.identity import identify
from ingestion.models import Customer, DayScore, ImportJob, Measure, Problem, Product
from ingestion.quality import measuring, problems
from tests import factories
from tests.ingestion.quality.conftest import NOW, figure, volume

Found = Callable[..., dict[str, Problem]]


def people(count: int, **values: object) -> None:
    base = Customer.objects.count()
    Customer.objects.bulk_create(
        Customer(external_id=f"c{base + i}", email=f"p{base + i}@example.com", **values)
        for i in range(count)
    )


def test_an_empty_platform_has_no_figures_and_no_problems(measure: Found) -> None:
    assert measure() == {}
    assert not DayScore.objects.exists()


def test_completeness_counts_the_empty_and_validity_the_malformed(measure: Found) -> None:
    people(4, country="GB")
    people(2, country="ZZ", phone="020 7946")
    people(4, phone="+442079460958", first_name="Ada")
    measure()
    assert figure("completeness", "customers", "country") == (10, 4)
    assert figure("completeness", "customers", "first_name") == (10, 6)
    assert figure("validity", "customers", "country") == (6, 2)
    assert figure("validity", "customers", "phone") == (6, 2)
    assert figure("uniqueness", "customers", "phone") == (6, 6)


def test_figures_are_told_apart_by_source(measure: Found) -> None:
    for number in range(3):
        identify.resolve(people=[identify.Person(external_id=f"w{number}")], source="web", now=NOW)
    identify.resolve(people=[identify.Person(email="a@example.com")], source="shop", now=NOW)
    measure()
    assert figure("completeness", "customers", "email", "web") == (3, 3)
    assert figure("completeness", "customers", "email", "shop") == (1, 0)
    assert figure("completeness", "customers", "email") == (4, 3)


def test_an_order_whose_lines_say_otherwise_does_not_fit(measure: Found) -> None:
    ada = factories.customer("Ada")
    goods = factories.product("A1")
    order = factories.order(ada, lines=[(goods, 2)])
    other = factories.order(ada, lines=[(goods, 1)])
    type(other).objects.filter(pk=other.pk).update(total=999)
    measure()
    assert figure("consistency", "orders", "total") == (2, 1)
    assert order.pk != other.pk


def test_measuring_twice_on_a_day_leaves_one_set_of_figures(measure: Found) -> None:
    people(5)
    measure()
    first = Measure.objects.count()
    measure()
    assert Measure.objects.count() == first


def test_the_score_leaves_out_fields_that_nobody_fills() -> None:
    rows = [
        Measure(dimension="completeness", subject="customers", field="email", total=10, bad=1),
        Measure(dimension="completeness", subject="customers", field="phone", total=10, bad=10),
        Measure(dimension="validity", subject="customers", field="email", total=9, bad=0),
        Measure(dimension="freshness", subject="orders", source="web", total=1, bad=1),
        Measure(dimension="volume", subject="orders", source="web", total=5, bad=0, value=None),
    ]
    assert measuring.score(rows) == {
        "completeness": 90.0,
        "validity": 100.0,
        "freshness": 0.0,
        "": 63.33,
    }


def test_a_field_that_goes_empty_is_a_problem_until_it_is_filled_again(measure: Found) -> None:
    people(100, country="GB")
    for day in range(5, 0, -1):
        assert measure(NOW - timedelta(days=day)) == {}
    Customer.objects.update(country="")
    found = measure()
    problem = found["went_empty customers.country"]
    assert (problem.rows, problem.total, problem.severity) == (100, 100, "critical")
    assert problem.detail == {"was": 1.0, "now": 0.0}
    assert len(problem.examples) == 5
    assert "went_empty customers.country" in measure(NOW + timedelta(days=20))
    Customer.objects.update(country="GB")
    assert measure(NOW + timedelta(days=21)) == {}
    problem.refresh_from_db()
    assert (problem.since, problem.ended_at) == (NOW, NOW + timedelta(days=21))


def test_malformed_values_name_their_rows(measure: Found) -> None:
    people(94, country="GB")
    people(6, country="XX")
    problem = measure()["not_valid customers.country"]
    assert (problem.rows, problem.total, problem.severity) == (6, 100, "warning")
    wrong = set(Customer.objects.filter(country="XX").values_list("id", flat=True))
    assert {example["customer"] for example in problem.examples} <= wrong


def test_products_of_the_same_name_are_not_unique(measure: Found) -> None:
    Product.objects.bulk_create(Product(sku=f"s{i}", name=f"Cup {i % 50}") for i in range(100))
    problem = measure()["not_unique products.name"]
    assert (problem.rows, problem.total) == (50, 100)


def test_yesterday_is_compared_with_the_same_weekday(measure: Found) -> None:
    weeks = {1 + 7 * week: 100 + week for week in range(1, 9)}
    others = {day: 1000 for day in range(1, 57) if (day - 1) % 7}
    volume("view", "web", weeks | others | {1: 20, 0: 50})
    problem = measure()["volume events:view"]
    assert (problem.detail["way"], problem.detail["rows"]) == ("low", 20)
    assert problem.detail["expected"] == 104.5
    assert "volume events" in measure()


def test_a_single_silent_day_is_said_so_and_a_quiet_weekday_is_not(measure: Found) -> None:
    volume("view", "web", dict.fromkeys(range(2, 60), 100) | {0: 5})
    assert measure()["volume events:view"].detail["way"] == "none"
    assert "volume events:view" not in measure(NOW + timedelta(days=7 * 20))


def test_too_little_history_is_no_verdict(measure: Found) -> None:
    volume("view", "web", dict.fromkeys(range(2, 15), 100) | {1: 3, 0: 1})
    assert measure() == {}
    row = Measure.objects.get(dimension="volume", subject="events:view")
    assert (row.total, row.bad, row.value) == (3, 0, None)


def test_a_source_that_goes_quiet_is_late_by_its_own_rhythm(measure: Found) -> None:
    volume("view", "web", dict.fromkeys(range(4, 60), 100))
    volume("digest", "letter", dict.fromkeys(range(4, 60, 7), 10))
    found = measure()
    assert found["late events"].source == "web"


def test_an_event_property_that_is_no_longer_sent_is_a_problem(measure: Found) -> None:
    def send(days: int, filled: bool) -> None:
        at = NOW - timedelta(days=days)
        properties = {"sku": "A", "price": 2} if filled else {"sku": "A"}
        batch = [Incoming(type="view", at=at, properties=properties)] * 60
        registry.observe(batch=batch, source="web", now=at)

    for days in range(6, 1, -1):
        send(days, filled=True)
        measure(NOW - timedelta(days=days - 1))
    send(1, filled=False)
    problem = measure()["went_empty events:view.price"]
    assert (problem.rows, problem.total, problem.detail["was"]) == (60, 60, 1.0)


def test_many_lines_set_aside_are_a_problem_of_their_source(measure: Found) -> None:
    factories.import_job(
        state="done", received=100, stored=80, quarantined=20, finished_at=NOW - timedelta(days=1)
    )
    problem = measure()["not_valid imports"]
    assert (problem.rows, problem.total, problem.severity) == (20, 100, "warning")


@pytest.mark.django_db
def test_a_fresh_measure_is_kept_for_an_hour_unless_a_file_came_in() -> None:
    people(5)
    assert "figures" in problems.keep_current(now=NOW)
    assert "figures" not in problems.keep_current(now=NOW + timedelta(minutes=30))
    factories.import_job(state="done", finished_at=NOW + timedelta(minutes=31))
    assert ImportJob.objects.exists()
    assert "figures" in problems.keep_current(now=NOW + timedelta(minutes=32))
    assert "figures" in problems.keep_current(now=NOW + timedelta(hours=2))
