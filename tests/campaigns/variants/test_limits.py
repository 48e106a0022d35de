"""What a variant may cost is never passed, and whom it cannot pay for gets another."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Count
from django.urls import reverse

from campaigns.models import Choice, Message, Run, Trial
from campaigns.recipients import limits
from campaigns.reporting import costs
from campaigns.sending import runs
from campaigns.variants import contextual, rounds, trials
from marketing.core.errors import Invalid
from models_ml.models import Traits
from tests import factories
from tests.campaigns.conftest import campaign, people
from tests.campaigns.recipients.test_routes import BANDIT as TWO_CHANNELS
from tests.campaigns.recipients.test_routes import begun, planned
from tests.campaigns.recipients.test_routes import people as reached

pytestmark = pytest.mark.django_db
NOW = factories.NOW
BANDIT = {"mode": "bandit", "first_percent": 20, "hours": 2, "rounds": 2, "floor_percent": 10}


def tried(*limits_of: str | None, price: str = "0.10", shares=(1, 1), **values) -> Run:
    """A campaign whose variants may cost this, at a price each, that has begun."""
    of = campaign()
    if price:
        costs.note(campaign_id=of.pk, kind="each", amount=price, user=None, now=NOW)
    rows = [{"limit": limit, "weight": w} for limit, w in zip(limits_of, shares, strict=True)]
    trials.save(campaign_id=of.pk, variants=rows, values=values, user=None, now=NOW)
    run = runs.start(campaign_id=of.pk, user=None, now=NOW)
    assert runs.fill(run_id=run.pk, now=NOW)
    run.refresh_from_db()
    return run


def sent(run: Run, **clicked: int) -> None:
    """Everybody who does not wait gets it; so many of each variant click."""
    run.messages.filter(state="queued", next_try_at=None).update(
        state="sent", sent_at=NOW, first_try_at=NOW
    )
    for variant, n in clicked.items():
        those = run.messages.filter(state="sent", variant=variant).order_by("id")[:n]
        Message.objects.filter(pk__in=those.values("pk")).update(clicked_at=NOW)


def counted(run: Run, **where) -> Counter[str]:
    return Counter(run.messages.filter(**where).values_list("variant", flat=True))


def hours(n: float):
    return NOW + timedelta(hours=n)


def test_of_fixed_shares_whom_a_limit_cannot_pay_for_gets_the_other_at_once():
    people(400)
    run = tried("5", None, mode="fixed")
    assert counted(run, state="queued") == {"a": 50, "b": 350}
    assert set(run.messages.values_list("variant", "chance")) == {("a", 0.125), ("b", 0.875)}
    assert not run.messages.exclude(next_try_at=None).exists()


def test_a_limit_that_is_not_reached_moves_nobody():
    people(200)
    free = tried(None, None, mode="fixed")
    run = tried("50", "50", mode="fixed")
    # Whoever is drawn by their own hash keeps it: nothing was dealt, no chance was written.
    assert set(run.messages.values_list("chance", flat=True)) == {None}
    assert counted(free).total() == counted(run).total() == 200


def test_when_nothing_pays_any_more_the_rest_is_skipped_and_it_says_why():
    people(400)
    run = tried("5", "10", mode="fixed")
    assert counted(run, state="queued") == {"a": 50, "b": 100}
    left = run.messages.filter(state="skipped")
    assert set(left.values_list("reason", "next_try_at")) == {("budget", None)}
    assert left.count() == 250


def test_a_bandit_whose_best_reaches_its_limit_deals_the_rest_to_the_others():
    people(1_000)
    run = tried(None, "30", **BANDIT)
    sent(run, a=2, b=40)
    first = counted(run, state="sent")["b"]
    assert rounds.turn(run_id=run.pk, now=hours(2))
    held = run.rounds.get()
    given = counted(run, state="queued", next_try_at=None)
    assert given == {"a": held.people - (300 - first), "b": 300 - first}
    assert held.spent == ["b"]
    assert held.shares == {key: given[key] / held.people for key in "ab"}
    sent(run)
    assert rounds.turn(run_id=run.pk, now=hours(4))
    sent(run)
    assert counted(run, state="sent") == {"a": 700, "b": 300}
    assert not run.messages.filter(state="skipped").exists()
    chances = run.messages.exclude(chance=None).values_list("variant", "chance")
    assert ("b", held.shares["b"]) in chances


def test_a_winner_gets_what_its_limit_pays_for_and_the_first_shares_hold_for_the_rest():
    people(1_500)
    run = tried(None, "50", None, shares=(1, 1, 3), mode="winner", first_percent=40, hours=4)
    sent(run, b=60)
    rest = 1_500 - counted(run, state="sent").total()
    b = 500 - counted(run, state="sent")["b"]
    assert rounds.turn(run_id=run.pk, now=hours(1))
    held = run.rounds.get()
    assert (held.reason, held.people, held.spent) == ("won", rest, ["b"])
    given = counted(run, state="queued")
    assert given["b"] == b
    assert abs(given["c"] - 3 * given["a"]) <= 3


def test_what_was_released_and_not_sent_yet_counts_against_a_limit():
    people(600)
    run = tried("20", None, **BANDIT)
    assert rounds.turn(run_id=run.pk, now=hours(2))  # senders stood still
    assert rounds.turn(run_id=run.pk, now=hours(4))
    assert counted(run, state="queued", next_try_at=None)["a"] <= 200
    assert counted(run, state="queued").total() == 600


def test_the_budget_holds_for_the_first_part_and_for_fixed_shares():
    people(300)
    run = tried(None, None, mode="fixed", budget="12.05")
    assert counted(run, state="queued").total() == 120


def _loyal(made) -> None:
    Traits.objects.bulk_create(
        Traits(customer=person, as_of=NOW, orders=12 if i % 2 else 1,
               revenue=900.0 if i % 2 else 20.0, recency_days=10.0, tenure_days=400.0)
        for i, person in enumerate(made)
    )  # fmt: skip


@pytest.mark.parametrize("learner", Trial.Learner.values)
def test_chosen_for_each_person_a_variant_keeps_to_its_limit(learner):
    _loyal(people(2_000))
    values = {**BANDIT, "mode": "person", "first_percent": 50, "floor_percent": 5}
    run = tried(None, "60", learner=learner, **values)
    loyal = set(Traits.objects.filter(orders=12).values_list("customer_id", flat=True))
    sent(run)
    gone = counted(run, state="sent")
    those = [
        pk for n, (pk, who, variant) in enumerate(
            run.messages.filter(state="sent").values_list("pk", "customer_id", "variant")
        ) if n % (3 if (variant == "b") == (who in loyal) else 12) == 0
    ]  # fmt: skip
    Message.objects.filter(pk__in=those).update(clicked_at=NOW)
    assert rounds.turn(run_id=run.pk, now=hours(2), chooser=contextual.release)
    held = run.rounds.get()
    given = counted(run, state="queued", next_try_at=None)
    assert (held.reason, held.spent) == ("suited", ["b"])
    assert given["b"] == 600 - gone["b"]
    assert given.total() == held.people == Choice.objects.filter(run=run).count()
    # What there is goes to those whom it suits, not to whoever came first.
    mine = set(
        run.messages.filter(state="queued", next_try_at=None, variant="b")
        .values_list("customer_id", flat=True)
    )  # fmt: skip
    assert len(mine & loyal) / len(mine) > 0.8


def test_chosen_for_each_person_whom_nothing_pays_for_is_skipped():
    _loyal(people(1_000))
    values = {**BANDIT, "mode": "person", "first_percent": 50, "rounds": 1, "floor_percent": 5}
    run = tried("30", "30", **values)
    sent(run)
    odd = run.messages.filter(state="sent", variant="b", customer_id__in=Traits.objects.filter(
        orders=12).values("customer_id"))  # fmt: skip
    Message.objects.filter(pk__in=odd.values("pk")).update(clicked_at=NOW)
    assert rounds.turn(run_id=run.pk, now=hours(2), chooser=contextual.release)
    assert run.rounds.get().reason == "suited"
    sent(run)
    assert counted(run, state="sent") == {"a": 300, "b": 300}
    assert run.messages.filter(state="skipped", reason="budget").count() == 400
    assert rounds.waiting(run=run) == 0


def test_between_channels_a_limit_is_of_the_channels_own_price():
    reached(*["email sms"] * 300, *["sms"] * 60, *["email"] * 40)
    of = planned(1, 1, **TWO_CHANNELS)
    of.variants.filter(key="b").update(limit="20")
    costs.note(campaign_id=of.pk, kind="each", amount="0.2", channel="sms", user=None, now=NOW)
    run = begun(of)
    for number in (1, 2):
        assert rounds.turn(run_id=run.pk, now=hours(48 * number))
    kept = run.messages.exclude(state="skipped").values_list("channel").annotate(n=Count("id"))
    assert dict(kept)["sms"] <= 100
    assert costs.total(campaign_id=of.pk, sent=dict(kept)) <= Decimal(20)
    # Who has both is written to by mail; who has a phone alone, and is beyond, is skipped.
    both = run.messages.filter(reach="email sms")
    assert both.filter(state="queued").count() == 300
    assert set(run.messages.filter(reason="budget").values_list("reach", flat=True)) <= {"sms"}
    assert run.messages.filter(reach="email", state="queued").count() == 40
    for message in run.messages.filter(state="queued").select_related("customer"):
        who = message.customer
        assert message.address == (who.phone if message.channel == "sms" else who.email)


def test_a_channel_chosen_for_each_person_keeps_to_its_limit_with_those_who_have_no_choice():
    made = reached(*["email sms"] * 1_200, *["sms"] * 200)
    _loyal(made)
    of = planned(1, 1, **{**TWO_CHANNELS, "mode": "person", "floor_percent": 5})
    of.variants.filter(key="b").update(limit="90")
    costs.note(campaign_id=of.pk, kind="each", amount="0.2", channel="sms", user=None, now=NOW)
    run = begun(of)
    loyal = set(Traits.objects.filter(orders=12).values_list("customer_id", flat=True))
    first = run.messages.filter(next_try_at=None, state="queued").select_related("customer")
    for n, m in enumerate(first.order_by("id")):
        if n % (3 if (m.variant == "b") == (m.customer_id in loyal) else 12) == 0:
            factories.order(m.customer, placed_at=hours(1))
    sent(run)
    for number in (1, 2):
        assert rounds.turn(run_id=run.pk, now=hours(48 * number), chooser=contextual.release)
        sent(run)
    assert run.rounds.filter(reason="suited").exists()
    by_sms = run.messages.filter(state="sent", channel="sms")
    assert by_sms.count() <= 450
    # Whom nothing but SMS reaches has a part of what is left, too.
    assert by_sms.filter(reach="sms").count() > 60
    assert run.messages.filter(state="sent", reach="email sms").count() == 1_200


@pytest.mark.parametrize(("limit", "price"), [("5", ""), (None, "")])
def test_a_limit_without_a_price_is_refused_before_anything_goes_out(limit, price):
    people(10)
    with pytest.raises(Invalid) as no:
        tried(limit, None, price=price, mode="fixed", **({} if limit else {"budget": "3"}))
    assert (no.value.code, no.value.field) == ("no_price", "variants")
    assert not Message.objects.exists()


def test_sets_of_people_have_what_is_left_in_the_proportion_they_would_take_it():
    sets = {"x": {"a": 0.5, "b": 0.5}, "y": {"a": 1.0}}
    found = limits.parted(sets, {"x": 100, "y": 50}, {"a": 30})
    assert found == {"x": {"a": 15.0}, "y": {"a": 15.0}}
    assert limits.parted(sets, {}, {"a": 30}) == {"x": {"a": 0.0}, "y": {"a": 0.0}}


def test_a_limit_is_set_on_the_page_and_stands_where_the_campaign_is_checked(client):
    people(40)
    client.force_login(factories.user("marketer"))
    of = campaign()
    costs.note(campaign_id=of.pk, kind="each", amount="0.5", user=None, now=NOW)
    form = {
        "mode": "person", "metric": "clicked", "first_percent": 50, "hours": 4, "rounds": 2,
        "win_percent": 95, "floor_percent": 5, "learner": "linucb", "name": ["Plain", "Voucher"],
        "template_id": ["", ""], "hour": ["", ""], "weight": ["1", "1"], "limit": ["", "-3"],
    }  # fmt: skip
    url = reverse("campaigns:campaign-variants", args=[of.pk])
    refused = client.post(url, form)
    assert refused.status_code == 422
    assert "Give an amount above zero" in refused.content.decode()
    assert client.post(url, {**form, "limit": ["", "12,50"]}).status_code == 302
    assert list(of.variants.values_list("limit", flat=True)) == [None, Decimal("12.50")]
    page = client.get(url).content.decode()
    assert 'name="limit" inputmode="decimal" maxlength="16" value="12.50"' in page
    assert '<option value="linucb" selected>' in page
    check = client.get(reverse("campaigns:campaign-check", args=[of.pk])).content.decode()
    assert "at most" in check
    assert "12.50" in check
