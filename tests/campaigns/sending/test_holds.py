"""A campaign waits while the data that it needs is not as expected, and no other campaign does."""

from datetime import datetime
from typing import Any

import pytest

from campaigns import uses
from campaigns.models import Campaign, Run, Segment
from campaigns.sending import holds, runs
from ingestion.models import Customer, Expectation
from ingestion.quality import expectations, problems
from ingestion.quality import uses as quality_uses
from marketing.core.errors import Conflict
from tests import factories

pytestmark = pytest.mark.django_db


def now() -> datetime:
    return factories.now()


def expect_country(**more: Any) -> Expectation:
    return expectations.save(
        subject="customers",
        field="country",
        kind="filled",
        threshold=0.9,
        user=None,
        now=now(),
        **({"hold": "users"} | more),
    )


def two_campaigns() -> tuple[Campaign, Campaign]:
    """One for a country, and one that asks about orders alone."""
    people = [factories.customer() for _ in range(4)]
    for person in people:
        factories.order(person)
        factories.traits(person, orders=1)
    rule = {"field": "customer.country", "op": "=", "value": "GB"}
    british = Segment.objects.create(name="In Britain", rule=rule)
    buyers = Segment.objects.create(
        name="Buyers", rule={"field": "traits.orders", "op": ">=", "value": 1}
    )
    mail = factories.template(
        subject="Hello", mjml="<mjml/>", html="<p>{{ shop_name }}</p>", text="Hi"
    )
    return (
        factories.campaign("British letter", segment=british, template=mail),
        factories.campaign("Buyers' letter", segment=buyers, template=mail),
    )


def outage() -> None:
    Customer.objects.update(country="")
    problems.check(now=now())


def states() -> dict[str, str]:
    return dict(Campaign.objects.values_list("name", "state"))


def test_an_outage_pauses_the_right_campaign_and_no_other_until_it_is_mended() -> None:
    british, buyers = two_campaigns()
    expect_country()
    for campaign in (british, buyers):
        runs.start(campaign_id=campaign.pk, user=None, now=now())
    outage()
    assert holds.settle(now=now()) == ([british.pk], [])
    assert states() == {"British letter": "paused", "Buyers' letter": "running"}
    run = Run.objects.get(campaign=british)
    assert run.error == (
        "Held back until the data is as expected again: People: Country is filled in 90% of rows"
    )
    assert holds.settle(now=now()) == ([], [])
    Customer.objects.update(country="GB")
    problems.check(now=now())
    assert holds.settle(now=now()) == ([], [british.pk])
    assert states() == {"British letter": "running", "Buyers' letter": "running"}


def test_looking_costs_the_same_however_many_campaigns_there_are(
    django_assert_max_num_queries: Any,
) -> None:
    british, buyers = two_campaigns()
    expect_country()
    for _ in range(5):
        for like in (british, buyers):
            more = factories.campaign(segment=like.segment, template=like.template)
            runs.start(campaign_id=more.pk, user=None, now=now())
    outage()
    paused, _resumed = holds.settle(now=now())
    assert len(paused) == 5
    with django_assert_max_num_queries(5):
        assert holds.settle(now=now()) == ([], [])


def test_a_campaign_that_a_person_paused_stays_paused() -> None:
    british, _buyers = two_campaigns()
    expect_country()
    runs.start(campaign_id=british.pk, user=None, now=now())
    runs.pause(campaign_id=british.pk, user=None, now=now())
    outage()
    Customer.objects.update(country="GB")
    problems.check(now=now())
    assert holds.settle(now=now()) == ([], [])
    assert states()["British letter"] == "paused"


def test_a_campaign_that_is_held_back_is_not_started_and_says_why() -> None:
    british, buyers = two_campaigns()
    expect_country()
    outage()
    with pytest.raises(Conflict, match="Country is filled in 90% of rows"):
        runs.start(campaign_id=british.pk, user=None, now=now())
    runs.start(campaign_id=buyers.pk, user=None, now=now())
    assert states() == {"British letter": "draft", "Buyers' letter": "running"}


def test_a_scheduled_campaign_waits_and_starts_when_the_data_is_mended() -> None:
    british, _buyers = two_campaigns()
    expect_country()
    Campaign.objects.filter(pk=british.pk).update(state="scheduled", scheduled_at=now())
    outage()
    assert runs.start_due(now=now()) == []
    assert states()["British letter"] == "scheduled"
    Customer.objects.update(country="GB")
    problems.check(now=now())
    assert len(runs.start_due(now=now())) == 1


def test_a_held_campaign_cannot_be_resumed_by_hand() -> None:
    british, _buyers = two_campaigns()
    expect_country()
    runs.start(campaign_id=british.pk, user=None, now=now())
    outage()
    holds.settle(now=now())
    with pytest.raises(Conflict, match="Held back"):
        runs.resume(campaign_id=british.pk, user=None, now=now())


def test_an_expectation_that_only_tells_holds_nothing() -> None:
    british, _buyers = two_campaigns()
    expect_country(hold="")
    outage()
    runs.start(campaign_id=british.pk, user=None, now=now())
    assert holds.settle(now=now()) == ([], [])


def test_chosen_campaigns_and_segments_are_held_whatever_they_use() -> None:
    british, buyers = two_campaigns()
    expect_country(hold="named", held=[f"segment:{buyers.segment_id}"])
    outage()
    runs.start(campaign_id=british.pk, user=None, now=now())
    with pytest.raises(Conflict):
        runs.start(campaign_id=buyers.pk, user=None, now=now())


def test_segments_content_and_campaigns_say_which_fields_they_read() -> None:
    inner = Segment.objects.create(
        name="Inner", rule={"field": "customer.language", "op": "=", "value": "de"}
    )
    Segment.objects.create(
        name="Outer",
        rule={
            "any": [
                {"in_segment": inner.pk},
                {"not": {"did": "view", "where": [{"property": "sku", "op": "=", "value": "A"}]}},
                {"bought": {"category": "Cups"}},
            ]
        },
    )
    factories.template("Letter", subject="{{ first_name }}", html="{{ country }}", text="")
    found = {use.label: use.places for use in uses.everything()}
    assert found["Inner"] == {("customers", "language")}
    assert found["Outer"] == {
        ("customers", "language"),
        ("events:view", ""),
        ("events:view", "sku"),
        ("lines", "product"),
        ("orders", "customer"),
        ("products", "category"),
    }
    assert found["Letter"] == {("customers", "first_name"), ("customers", "country")}
    assert {u.label for u in quality_uses.of(subject="events:view", field="sku")} == {"Outer"}
    assert {u.label for u in quality_uses.of(subject="customers", field="language")} == {
        "Inner",
        "Outer",
    }


def test_segments_that_name_each_other_do_not_lead_in_circles() -> None:
    one = Segment.objects.create(name="One", rule={"all": []})
    two = Segment.objects.create(name="Two", rule={"in_segment": one.pk})
    Segment.objects.filter(pk=one.pk).update(rule={"in_segment": two.pk})
    assert all(not use.places for use in uses.everything())


def test_the_live_models_are_among_those_who_use_a_field() -> None:
    tree = factories.tree_version()
    found = quality_uses.of(subject="orders", field="customer")
    assert [use.key for use in found] == [f"model:{tree.pk}"]
    assert quality_uses.of(subject="customers", field="phone") == []
