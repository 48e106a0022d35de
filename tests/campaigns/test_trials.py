"""Several mails beside each other: who gets which, when one has won, and what rounds write down."""

from collections import Counter
from datetime import timedelta

import pytest

from campaigns import audience, drafts, experiments, holdouts, runs, trials
from campaigns.experiments.winners import Arm
from campaigns.models import Campaign, GlobalHoldout, Message, Run, Trial, Variant
from campaigns.reporting import costs
from marketing.core.errors import Conflict, Invalid
from tests import factories
from tests.campaigns.conftest import campaign, people

pytestmark = pytest.mark.django_db
TWO = ({"name": "Plain", "weight": 1}, {"name": "With a picture", "weight": 1})


def tried(variants=TWO, holdout: int = 0, **values) -> Run:
    """A campaign with variants that has begun at NOW; nothing has been sent yet."""
    of = campaign(holdout=holdout)
    trials.save(campaign_id=of.pk, variants=variants, values=values, user=None, now=factories.NOW)
    run = runs.start(campaign_id=of.pk, user=None, now=factories.NOW)
    assert runs.fill(run_id=run.pk, now=factories.NOW)
    run.refresh_from_db()
    return run


def sent(run: Run, **clicked: int) -> None:
    """Everybody who did not wait got it; so many of each variant clicked."""
    gone = run.messages.filter(state="queued", next_try_at=None)
    gone.update(state="sent", sent_at=factories.NOW, first_try_at=factories.NOW)
    for variant, n in clicked.items():
        first = run.messages.filter(state="sent", variant=variant).order_by("id")[:n]
        Message.objects.filter(pk__in=first.values("pk")).update(clicked_at=factories.NOW)


def variants(run: Run, **where) -> Counter[str]:
    return Counter(run.messages.filter(**where).values_list("variant", flat=True))


def hours(n: float):
    return factories.NOW + timedelta(hours=n)


def test_everybody_gets_the_variant_that_their_hash_gives_them():
    everyone = people(200)
    run = tried(variants=[{"weight": 3}, {"weight": 1}], mode="fixed", holdout=10)
    ceilings = experiments.edges([3, 1])
    key = f"campaign:{run.campaign_id}"
    for message in run.messages.all():
        held = experiments.held_out(key=key, unit=message.customer_id, percent=10)
        side = experiments.side(key=f"{key}:variant", unit=message.customer_id, ceilings=ceilings)
        assert message.variant == ("holdout" if held else "ab"[side])
        assert message.state == ("skipped" if held else "queued")
        assert message.next_try_at is None
    assert run.messages.count() == len(everyone)
    assert set(run.snapshot["contents"]) == {"a", "b"}


def test_the_winner_gets_everybody_who_waited():
    people(1_200)
    run = tried(mode="winner", first_percent=40, hours=4, win_percent=95)
    first = run.messages.filter(next_try_at=None).count()
    assert 420 <= first <= 540
    assert trials.waiting(run=run) == 1_200 - first
    sent(run, a=10, b=40)
    before = variants(run, state="sent")
    assert trials.turn(run_id=run.pk, now=hours(0.5))
    assert trials.waiting(run=run) == 0
    assert variants(run, state="queued") == {"b": 1_200 - first}
    assert variants(run, state="sent") == before
    held = run.rounds.get()
    assert (held.reason, held.people, held.shares) == ("won", 1_200 - first, {"a": 0, "b": 1})
    assert held.seen == {"a": [before["a"], 10], "b": [before["b"], 40]}
    assert not trials.turn(run_id=run.pk, now=hours(9))


def test_without_a_winner_the_rest_keeps_its_shares_when_the_time_is_up():
    people(800)
    run = tried(mode="winner", first_percent=50, hours=4)
    sent(run, a=20, b=21)
    planned = variants(run, state="queued")
    assert not trials.turn(run_id=run.pk, now=hours(3.9))
    assert trials.turn(run_id=run.pk, now=hours(4))
    assert variants(run, state="queued") == planned
    assert trials.waiting(run=run) == 0
    assert run.rounds.get().reason == "kept"


def test_a_handful_of_clicks_makes_no_winner():
    people(300)
    run = tried(mode="winner", first_percent=20, hours=4)
    sent(run, a=0, b=12)
    assert not trials.turn(run_id=run.pk, now=hours(1))


def test_whoever_waits_goes_out_without_a_round_an_hour_late():
    people(50)
    run = tried(mode="winner", first_percent=20, hours=4)
    waits = run.messages.filter(next_try_at__isnull=False)
    assert {message.next_try_at for message in waits} == {hours(5)}


def test_the_shares_of_a_round_follow_the_answers_and_are_written_down():
    people(2_000)
    run = tried(mode="bandit", first_percent=20, hours=2, rounds=4, floor_percent=10)
    sent(run, a=4, b=20)
    assert not trials.turn(run_id=run.pk, now=hours(1.9))
    assert trials.turn(run_id=run.pk, now=hours(2))
    held = run.rounds.get()
    assert 0.1 <= held.shares["a"] < 0.2
    assert held.shares["a"] + held.shares["b"] == pytest.approx(1)
    released = variants(run, state="queued", next_try_at=None)
    assert sum(released.values()) == held.people
    assert 340 <= held.people <= 460
    assert abs(released["a"] / held.people - held.shares["a"]) < 0.06
    sent(run)
    for number in (2, 3, 4):
        assert trials.turn(run_id=run.pk, now=hours(2 * number))
        sent(run)
    assert not trials.turn(run_id=run.pk, now=hours(99))
    assert [one.number for one in run.rounds.all()] == [1, 2, 3, 4]
    assert variants(run, state="sent").total() == 2_000


def test_a_paused_campaign_holds_no_round():
    people(300)
    run = tried(mode="winner", first_percent=50, hours=4)
    sent(run, a=1, b=60)
    runs.pause(campaign_id=run.campaign_id, user=None, now=hours(1))
    assert not trials.turn(run_id=run.pk, now=hours(8))
    assert trials.turn_all(now=hours(8)) == 0


def test_no_more_is_spent_than_the_budget_allows():
    people(1_000)
    run = tried(mode="bandit", first_percent=20, hours=2, rounds=2, budget="30")
    costs.note(campaign_id=run.campaign_id, kind="each", amount="0.1", user=None, now=factories.NOW)
    sent(run, a=3, b=9)
    gone = variants(run, state="sent").total()
    assert gone < 300
    assert trials.turn(run_id=run.pk, now=hours(2))
    assert run.rounds.get().people == 300 - gone
    beyond = run.messages.filter(state="skipped", reason="budget")
    assert beyond.exists()
    sent(run)
    assert trials.turn(run_id=run.pk, now=hours(4))
    assert run.rounds.get(number=2).people == 0
    assert variants(run, state="sent").total() == 300
    assert trials.waiting(run=run) == 0


@pytest.mark.parametrize("budget", ["0", "-1", "x", "nan"])
def test_a_budget_that_is_none_is_refused(budget):
    with pytest.raises(Invalid):
        tried(budget=budget)


def test_orders_can_be_what_decides():
    people(600)
    run = tried(mode="winner", metric="ordered", first_percent=60, hours=24)
    sent(run)
    for message in run.messages.filter(state="sent", variant="a").order_by("id")[:30]:
        factories.order(message.customer, placed_at=hours(3))
    found = trials.answers(run=run, metric="ordered", before_round=1, now=hours(20))
    n = variants(run, state="sent")
    assert found == {"a": Arm(n["a"], 30), "b": Arm(n["b"], 0)}
    assert trials.turn(run_id=run.pk, now=hours(20))
    assert set(variants(run, state="queued")) == {"a"}


def test_a_copy_tries_the_same_variants():
    of = campaign()
    trials.save(
        campaign_id=of.pk, variants=TWO, values={"mode": "winner"}, user=None, now=factories.NOW
    )
    made = drafts.copy(campaign_id=of.pk, user=None, now=factories.NOW)
    assert list(made.variants.values_list("name", flat=True)) == ["Plain", "With a picture"]
    assert Trial.objects.get(campaign=made).mode == "winner"
    assert Variant.objects.count() == 4


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
