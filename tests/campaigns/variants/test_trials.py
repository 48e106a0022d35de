"""What may be tried, what is refused, and who is kept out of everything."""

from decimal import Decimal

import pytest

from campaigns import drafts, experiments
from campaigns.models import Campaign, GlobalHoldout, Message, Trial, Variant
from campaigns.recipients import audience, holdouts
from campaigns.reporting import costs
from campaigns.variants import trials
from marketing.core.errors import Conflict, Invalid
from tests import factories
from tests.campaigns.conftest import campaign, people
from tests.campaigns.variants.test_rounds import TWO, hours, tried

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("budget", ["0", "-1", "x", "nan"])
def test_a_budget_that_is_none_is_refused(budget):
    with pytest.raises(Invalid):
        tried(budget=budget)


def test_a_copy_tries_the_same_variants():
    of = campaign()
    two = [TWO[0], {**TWO[1], "limit": "40"}]
    trials.save(
        campaign_id=of.pk, variants=two, values={"mode": "winner"}, user=None, now=factories.NOW
    )
    costs.note(campaign_id=of.pk, kind="each", amount="0.02", user=None, now=factories.NOW)
    costs.note(campaign_id=of.pk, kind="sum", amount="90", user=None, now=factories.NOW)
    made = drafts.copy(campaign_id=of.pk, user=None, now=factories.NOW)
    assert list(made.variants.values_list("name", flat=True)) == ["Plain", "With a picture"]
    assert Trial.objects.get(campaign=made).mode == "winner"
    assert list(made.variants.values_list("limit", flat=True)) == [None, 40]
    assert Variant.objects.count() == 4
    # A price for each message holds for a copy too; a sum was paid once.
    assert list(made.spends.values_list("kind", "amount")) == [("each", Decimal("0.02"))]


def test_one_variant_is_no_trial():
    of = campaign()
    trials.save(campaign_id=of.pk, variants=TWO[:1], values={}, user=None, now=factories.NOW)
    assert audience.draw_of(of).variants == (("a", 1),)


@pytest.mark.parametrize(
    ("variants", "values", "code"),
    [
        (TWO, {"hours": 0}, "out_of_range"),
        (TWO, {"win_percent": 100}, "out_of_range"),
        (TWO, {"win_percent": "x"}, "out_of_range"),
        (TWO, {"mode": "magic"}, "bad_choice"),
        (TWO, {"colour": 1}, "unknown_field"),
        ([{"weight": 0}, {"weight": 0}], {}, "no_weight"),
        ([{"weight": -1}, {"weight": 1}], {}, "bad_weight"),
        ([{"template_id": 99_999}, {}], {}, "unknown"),
        ([{}] * 11, {}, "too_many"),
    ],
)
def test_what_cannot_be_tried_is_refused(variants, values, code):
    of = campaign()
    with pytest.raises(Invalid) as refusal:
        trials.save(
            campaign_id=of.pk, variants=variants, values=values, user=None, now=factories.NOW
        )
    assert refusal.value.code == code
    assert not Variant.objects.exists()


def test_variants_of_a_campaign_that_has_begun_stay():
    people(3)
    run = tried()
    with pytest.raises(Conflict):
        trials.save(
            campaign_id=run.campaign_id, variants=[], values={}, user=None, now=factories.NOW
        )


def test_a_kept_out_share_gets_no_campaign_at_all_and_stays_the_same_people():
    everyone = people(400)
    holdout = holdouts.keep(percent="10", user=None, now=factories.NOW)
    key = audience.kept_key(holdout)
    kept = {
        person.pk
        for person in everyone
        if experiments.held_out(key=key, unit=person.pk, percent=10)
    }
    assert 20 <= len(kept) <= 65
    for _again in range(2):
        run = tried(mode="fixed", holdout=20)
        rows = run.messages.filter(reason="global_holdout")
        assert set(rows.values_list("customer_id", flat=True)) == kept
        assert set(rows.values_list("state", flat=True)) == {"skipped"}
        Campaign.objects.all().delete()


def test_people_kept_out_of_everything_count_on_neither_side_of_a_campaign():
    from campaigns import reporting

    people(400)
    holdouts.keep(percent=20, user=None, now=factories.NOW)
    run = tried(mode="fixed", holdout=20)
    found = reporting.effect(run=run, now=hours(24 * 15))
    assert found is not None
    kept = run.messages.filter(reason="global_holdout").count()
    assert kept > 0
    assert found.mailed + found.held == 400 - kept
    assert not found.balance.alarm


def test_a_larger_share_keeps_whom_the_smaller_one_kept_and_drawing_anew_does_not():
    small = holdouts.keep(percent=5, user=None, now=factories.NOW)
    large = holdouts.keep(percent=10, user=None, now=hours(1))
    assert large.salt == small.salt
    small.refresh_from_db()
    assert small.ended_at == hours(1)
    other = holdouts.keep(percent=10, user=None, now=hours(2), anew=True)
    assert other.salt != large.salt
    holdouts.end(user=None, now=hours(3))
    assert holdouts.standing() is None
    again = holdouts.keep(percent=10, user=None, now=hours(4))
    assert again.salt == other.salt
    assert GlobalHoldout.objects.count() == 4


@pytest.mark.parametrize("percent", ["", "0", "21", "x", "-3", "nan"])
def test_a_share_that_is_none_is_refused(percent):
    with pytest.raises(Invalid):
        holdouts.keep(percent=percent, user=None, now=factories.NOW)


def test_the_same_share_twice_and_ending_nothing_change_nothing():
    holdouts.keep(percent=5, user=None, now=factories.NOW)
    with pytest.raises(Conflict):
        holdouts.keep(percent=5, user=None, now=hours(1))
    holdouts.end(user=None, now=hours(2))
    with pytest.raises(Conflict):
        holdouts.end(user=None, now=hours(3))


def test_a_journey_writes_to_nobody_who_is_kept_out_and_says_why():
    from tests.campaigns.journeys.drawn import CART, after, did, live, look

    everyone = [factories.customer(f"walker{n}") for n in range(40)]
    holdout = holdouts.keep(percent=20, user=None, now=factories.NOW)
    key = audience.kept_key(holdout)
    live(
        {
            "cart": {**CART, "next": "mail"},
            "mail": {"kind": "send", "channel": "email", "template": factories.template().pk},
        }
    )
    for person in everyone:
        did(person, "cart", at=after(minutes=1))
    look(after(minutes=1))
    kept = {p.pk for p in everyone if experiments.held_out(key=key, unit=p.pk, percent=20)}
    assert kept
    rows = dict(Message.objects.values_list("customer_id", "reason"))
    assert rows == {p.pk: "global_holdout" if p.pk in kept else "" for p in everyone}
