"""Counts come from message rows; the effect compares with those who were held out."""

from datetime import timedelta

import pytest

from campaigns import reporting
from campaigns.models import Message, Run
from campaigns.recipients import audience
from ingestion import consent
from tests import factories
from tests.campaigns.conftest import campaign, people

pytestmark = pytest.mark.django_db


def test_figures_leave_out_whoever_got_no_mail():
    everyone = people(6)
    run = factories.run(factories.campaign(), everyone[:4])
    Message.objects.create(run=run, customer=everyone[4], state="skipped", reason="no_consent")
    Message.objects.create(run=run, customer=everyone[5], state="queued", address="x@example.com")
    first = run.messages.order_by("id")[0]
    first.opened_at = first.clicked_at = factories.NOW
    first.save()
    found = reporting.figures(run_ids=[run.pk])[run.pk]
    assert found == reporting.Figures(people=5, sent=4, ended=4, opened=1, clicked=1)
    assert found.percent == 80


def test_the_effect_counts_orders_of_both_sides_within_the_window():
    everyone = people(8)
    run = factories.run(factories.campaign(), everyone[:4], started_at=factories.NOW)
    for person in everyone[4:]:
        Message.objects.create(run=run, customer=person, state="skipped", reason="holdout")
    factories.order(everyone[0], placed_at=factories.NOW + timedelta(days=1))
    factories.order(everyone[0], placed_at=factories.NOW + timedelta(days=2))
    factories.order(everyone[1], placed_at=factories.NOW + timedelta(days=13))
    factories.order(everyone[2], placed_at=factories.NOW + timedelta(days=15))
    factories.order(everyone[3], placed_at=factories.NOW - timedelta(days=1))
    factories.order(everyone[4], placed_at=factories.NOW + timedelta(days=1))
    factories.order(everyone[5], placed_at=factories.NOW + timedelta(days=1), status="cancelled")
    found = reporting.effect(run=run, now=factories.NOW + timedelta(days=20))
    assert found is not None
    assert (found.mailed, found.treated.ordered) == (4, 2)
    assert (found.held, found.control.ordered) == (4, 1)
    assert found.lift is not None
    assert found.lift.difference == 0.25
    assert not found.lift.proven


def test_without_a_holdout_no_effect_is_claimed():
    run = factories.run(factories.campaign(), people(2))
    assert reporting.effect(run=run) is None


def test_the_reach_before_sending_is_the_audience_after():
    from campaigns.sending import runs

    people(30)
    people(3, consent=False, prefix="silent")
    gone = people(2, prefix="gone")
    consent.suppress(addresses=[p.email for p in gone], reason="complained", now=factories.now())
    of = campaign(holdout=20)
    before = audience.reach(rule=of.segment.rule, draw=audience.draw_of(of))
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    runs.fill(run_id=run.pk, now=factories.now())
    after = runs.progress(run_id=run.pk)
    assert before.total == after.total == 35
    assert before.reachable == after.queued
    assert before.skipped == after.reasons["skipped"]
    assert Run.objects.get().audience == 35
