"""Cohorts count who came when and came back when, by the shop's calendar and by nothing later."""

from datetime import UTC, date, datetime

import pytest

from campaigns.segments import compile as compiler
from campaigns.segments import membership
from ingestion import events
from ingestion.models import Customer, OrderLine
from marketing.core.errors import Invalid
from models_ml.insights import cohorts
from models_ml.insights.cohorts import Asked
from tests import factories

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def at(month: int, day: int, hour: int = 10) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def buyer(*moments: datetime, units: int = 1, **values: str) -> Customer:
    """Somebody who ordered for 4.50 a unit at each of these moments."""
    person = factories.customer(**values)
    for moment in moments:
        factories.order(person, placed_at=moment, lines=[(factories.product("T"), units)])
    return person


def shares(table: cohorts.Table) -> dict[date, list[float]]:
    return {c.since: [cell.share for cell in c.cells] for c in table.cohorts if c.people}


def test_who_came_back_in_which_month_and_what_they_spent() -> None:
    buyer(at(9, 3), at(9, 20), at(10, 1), at(11, 5))
    buyer(at(9, 30), at(11, 21), units=2)
    buyer(at(10, 15))
    table = cohorts.table(asked=Asked(), as_of=NOW)
    assert table.people == 3
    assert shares(table) == {date(2026, 9, 1): [1.0, 0.5, 1.0], date(2026, 10, 1): [1.0, 0.0]}
    september = table.cohorts[0]
    assert [cell.people for cell in september.cells] == [2, 1, 2]
    assert [cell.spent for cell in september.cells] == [18.0, 4.5, 13.5]
    assert [cell.so_far for cell in september.cells] == [18.0, 22.5, 36.0]
    assert [cell.over for cell in september.cells] == [True, True, False]
    # November is not over, so it is in no average; nobody came in it.
    assert [(m.people, m.share) for m in table.means] == [(3, 1.0), (2, 0.5)]
    assert table.means[1].so_far == pytest.approx(11.25)
    assert table.cohorts[-1].people == 0


def test_what_comes_after_the_moment_is_not_seen() -> None:
    buyer(at(9, 3), at(10, 1), at(10, 20))
    table = cohorts.table(asked=Asked(), as_of=at(10, 2))
    cells = table.cohorts[0].cells
    assert [(cell.people, cell.over) for cell in cells] == [(1, True), (1, False)]
    assert cells[1].spent == 4.5


def test_returns_take_money_off_and_are_no_coming_back() -> None:
    person = buyer(at(9, 3))
    buyer(at(9, 4), at(10, 8))
    sold = OrderLine.objects.get(customer=person)
    OrderLine.objects.create(
        order=sold.order, line_no=2, customer=person, placed_at=at(10, 7), sku="T", quantity=-1,
        unit_price=sold.unit_price, total=-sold.total, kind="return",
    )  # fmt: skip
    second = cohorts.table(asked=Asked(), as_of=NOW).cohorts[0].cells[1]
    assert (second.people, second.spent) == (1, 0.0)


def test_days_are_those_of_the_shop(settings: object) -> None:
    settings.TIME_ZONE = "America/New_York"  # type: ignore[attr-defined]
    from django.utils import timezone

    timezone.get_default_timezone.cache_clear()
    try:
        buyer(at(10, 1, hour=2))  # still September in New York
        assert cohorts.table(asked=Asked(), as_of=NOW).cohorts[0].since == date(2026, 9, 1)
    finally:
        settings.TIME_ZONE = "UTC"  # type: ignore[attr-defined]
        timezone.get_default_timezone.cache_clear()


def test_weeks_begin_on_monday_and_old_cohorts_are_left_out() -> None:
    buyer(at(11, 15), at(11, 16))  # Sunday, Monday
    buyer(at(1, 5), at(11, 16))
    table = cohorts.table(asked=Asked(unit="week"), as_of=NOW)
    assert shares(table) == {date(2026, 11, 9): [1.0, 1.0]}
    assert [cell.over for cell in table.cohorts[0].cells] == [True, False]


def test_any_act_of_a_person_counts_and_mails_sent_to_them_do_not() -> None:
    person = factories.customer("a", first_seen_at=at(9, 2), country="GB")
    factories.customer("b", first_seen_at=at(9, 2), country="FR")
    batch = [
        events.Incoming(type=kind, at=moment, message_id=f"{kind}{n}", customer_id=person.pk)
        for n, (kind, moment) in enumerate(
            [("page", at(9, 2)), ("email_sent", at(10, 3)), ("page", at(11, 3))]
        )
    ]
    events.record(batch=batch, source="test", now=NOW)
    asked = Asked("first_seen", "did", country="GB")
    table = cohorts.table(asked=asked, as_of=NOW)
    assert [cell.people for cell in table.cohorts[0].cells] == [1, 0, 1]
    assert (
        cohorts.rule(asked=asked, cohort=table.cohorts[0], cell=table.cohorts[0].cells[0]) is None
    )
    assert cohorts.countries()[:2] == ["FR", "GB"]


def test_a_cell_and_its_segment_hold_the_same_people() -> None:
    back = buyer(at(9, 3), at(10, 31, hour=23))
    buyer(at(9, 1, hour=0))
    buyer(at(8, 31, hour=23), at(10, 5))
    other = buyer(at(9, 7), at(11, 1, hour=0))
    asked = Asked()
    cohort = cohorts.table(asked=asked, as_of=NOW).cohorts[1]
    assert (cohort.since, cohort.people) == (date(2026, 9, 1), 3)
    for later, people in ((1, {back.pk}), (2, {other.pk})):
        cell = cohort.cells[later]
        rule = cohorts.rule(asked=asked, cohort=cohort, cell=cell)
        assert set(membership.ids(compiler.read(rule), as_of=NOW)) == people
        assert cell.people == len(people)
    whole = cohorts.rule(asked=asked, cohort=cohort)
    assert len(set(membership.ids(compiler.read(whole), as_of=NOW))) == 3


def test_nobody_and_merged_people_make_no_cohort() -> None:
    assert cohorts.table(asked=Asked(), as_of=NOW).cohorts == ()
    gone = buyer(at(9, 3))
    Customer.every.filter(pk=gone.pk).update(merged_into=factories.customer())
    table = cohorts.table(asked=Asked(), as_of=NOW)
    assert (table.cohorts, table.means, table.periods) == ((), (), 0)


@pytest.mark.parametrize(
    "asked",
    [("birth", "ordered", "month", ""), ("first_order", "slept", "month", ""),
     ("first_order", "ordered", "day", ""), ("first_order", "ordered", "month", "Gb1")],
)  # fmt: skip
def test_what_there_is_not_is_refused(asked: tuple[str, str, str, str]) -> None:
    began, act, unit, country = asked
    with pytest.raises(Invalid):
        cohorts.read(began=began, act=act, unit=unit, country=country)
    assert cohorts.read(began="first_seen", act="did", unit="week", country="gb").country == "GB"
