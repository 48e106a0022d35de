"""A week after the demo's campaign can be looked at at once, with orders that say so."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from campaigns.models import Campaign
from campaigns.reporting import effects
from ingestion.identity import identify
from ingestion.identity.identify import Person
from ingestion.models import Consent, Order
from marketing import demo_week
from tests import factories
from tests.campaigns.conftest import AGREED
from tests.campaigns.reporting.test_effects import begun

pytestmark = pytest.mark.django_db


def test_a_week_makes_the_mails_older_and_brings_orders_that_the_report_counts():
    now = timezone.now()
    known = [Person(external_id=f"n{n}", email=f"n{n}@example.com") for n in range(600)]
    found = identify.locate(people=known, source="shop", now=now)
    Consent.objects.bulk_create(
        Consent(customer_id=one.customer_id, granted=True, source="test", at=AGREED)
        for one in found
    )
    run = begun(holdout=20, at=now, made=600)
    for sku in "ABC":
        factories.product(sku, price="5.00")
    Campaign.objects.filter(pk=run.campaign_id).update(is_demo=True)

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


def test_before_the_campaign_is_over_no_week_goes_by():
    with pytest.raises(CommandError, match="has not been sent yet"):
        call_command("demo", "--week")
