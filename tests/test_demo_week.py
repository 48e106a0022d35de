"""A week after the demo's campaign can be looked at at once, with orders that say so."""

from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaigns.models import Campaign, Run
from campaigns.reporting import effects
from ingestion.identity import identify
from ingestion.identity.identify import Person
from ingestion.models import Consent, Order
from marketing import demo_week, figures
from models_ml import queries
from tests import factories
from tests.campaigns.conftest import AGREED
from tests.campaigns.reporting.test_effects import begun

pytestmark = pytest.mark.django_db


def sent(number: int, now: datetime) -> Run:
    """The demo's campaign to so many people, a fifth of them held out, after its last mail."""
    known = [Person(external_id=f"n{n}", email=f"n{n}@example.com") for n in range(number)]
    found = identify.locate(people=known, source="shop", now=now)
    Consent.objects.bulk_create(
        Consent(customer_id=one.customer_id, granted=True, source="test", at=AGREED)
        for one in found
    )
    run = begun(holdout=20, at=now, made=number)
    Campaign.objects.filter(pk=run.campaign_id).update(is_demo=True)
    return run


def test_a_week_makes_the_mails_older_and_brings_orders_that_the_report_counts():
    now = timezone.now()
    run = sent(600, now)
    for sku in "ABC":
        factories.product(sku, price="5.00")

    week = demo_week.go_by(now=now)

    run.refresh_from_db()
    assert run.started_at == now - timedelta(days=7)
    assert set(run.messages.filter(state="sent").values_list("sent_at", flat=True)) == {
        now - timedelta(days=7)
    }
    assert week.mailed + week.held_out == 600
    assert 0 < week.held_out_orders < week.mailed_orders
    made = Order.objects.filter(source__name=demo_week.SOURCE)
    assert made.count() == week.mailed_orders + week.held_out_orders
    assert all(run.started_at <= order.placed_at <= now and order.total > 0 for order in made)
    effect = effects.effect(run=run, now=now)
    assert effect is not None
    assert effect.treated.people == week.mailed
    assert effect.treated.buyers == week.mailed_orders
    assert effect.control.buyers == week.held_out_orders
    with pytest.raises(CommandError, match="a week old already"):
        call_command("demo", "--week")
    assert made.count() == week.mailed_orders + week.held_out_orders


def test_a_history_that_ended_goes_on_by_a_week_and_is_not_dragged_to_today():
    now = timezone.now()
    run = sent(100, now)
    last = now.replace(year=2011, month=12, day=9)
    sold = factories.product("A", price="5.00")
    sold.refresh_from_db()
    factories.order(factories.customer("ada"), placed_at=last, lines=[(sold, 1)])

    before = figures.happened(days=28, now=now)
    assert before is not None
    assert before.figures[-1].note == "up to today"
    week = demo_week.go_by(now=now)

    assert last < week.began <= last + timedelta(seconds=1)
    run.refresh_from_db()
    assert run.started_at == week.began
    home = figures.happened(days=28, now=now)
    assert home is not None
    assert [(one.value, one.note) for one in home.figures if one.id == "delivered"] == [
        (week.mailed, "")
    ]
    assert week.began < queries.data_now(now=now) <= week.began + timedelta(days=7, seconds=1)


def test_before_the_campaign_is_over_no_week_goes_by():
    with pytest.raises(CommandError, match="has not been sent yet"):
        call_command("demo", "--week")
