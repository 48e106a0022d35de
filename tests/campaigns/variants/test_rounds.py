"""Several mails beside each other: who gets which, when one has won, and what rounds write down."""

from collections import Counter
from datetime import timedelta

import pytest

from campaigns import experiments
from campaigns.experiments.winners import Arm
from campaigns.models import Message, Run
from campaigns.reporting import costs
from campaigns.sending import runs
from campaigns.variants import rounds, trials
from tests import factories
from tests.campaigns.conftest import campaign, people

pytestmark = pytest.mark.django_db
TWO = ({"name": "Plain", "weight": 1}, {"name": "With a picture", "weight": 1})


def tried(variants=TWO, holdout: int = 0, each: str = "", **values) -> Run:
    """A campaign with variants that has begun at NOW; nothing has been sent yet."""
    of = campaign(holdout=holdout)
    if each:
        costs.note(campaign_id=of.pk, kind="each", amount=each, user=None, now=factories.NOW)
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
    assert rounds.waiting(run=run) == 1_200 - first
    sent(run, a=10, b=40)
    before = variants(run, state="sent")
    assert rounds.turn(run_id=run.pk, now=hours(0.5))
    assert rounds.waiting(run=run) == 0
    assert variants(run, state="queued") == {"b": 1_200 - first}
    assert variants(run, state="sent") == before
    held = run.rounds.get()
    assert (held.reason, held.people, held.shares) == ("won", 1_200 - first, {"a": 0, "b": 1})
    assert held.seen == {"a": [before["a"], 10], "b": [before["b"], 40]}
    assert not rounds.turn(run_id=run.pk, now=hours(9))


def test_without_a_winner_the_rest_keeps_its_shares_when_the_time_is_up():
    people(800)
    run = tried(mode="winner", first_percent=50, hours=4)
    sent(run, a=20, b=21)
    planned = variants(run, state="queued")
    assert not rounds.turn(run_id=run.pk, now=hours(3.9))
    assert rounds.turn(run_id=run.pk, now=hours(4))
    assert variants(run, state="queued") == planned
    assert rounds.waiting(run=run) == 0
    assert run.rounds.get().reason == "kept"


def test_a_handful_of_clicks_makes_no_winner():
    people(300)
    run = tried(mode="winner", first_percent=20, hours=4)
    sent(run, a=0, b=12)
    assert not rounds.turn(run_id=run.pk, now=hours(1))


def test_whoever_waits_goes_out_without_a_round_an_hour_late():
    people(50)
    run = tried(mode="winner", first_percent=20, hours=4)
    waits = run.messages.filter(next_try_at__isnull=False)
    assert {message.next_try_at for message in waits} == {hours(5)}


def test_the_shares_of_a_round_follow_the_answers_and_are_written_down():
    people(2_000)
    run = tried(mode="bandit", first_percent=20, hours=2, rounds=4, floor_percent=10)
    sent(run, a=4, b=20)
    assert not rounds.turn(run_id=run.pk, now=hours(1.9))
    assert rounds.turn(run_id=run.pk, now=hours(2))
    held = run.rounds.get()
    assert 0.1 <= held.shares["a"] < 0.2
    assert held.shares["a"] + held.shares["b"] == pytest.approx(1)
    released = variants(run, state="queued", next_try_at=None)
    assert sum(released.values()) == held.people
    assert 340 <= held.people <= 460
    assert abs(released["a"] / held.people - held.shares["a"]) < 0.06
    sent(run)
    for number in (2, 3, 4):
        assert rounds.turn(run_id=run.pk, now=hours(2 * number))
        sent(run)
    assert not rounds.turn(run_id=run.pk, now=hours(99))
    assert [one.number for one in run.rounds.all()] == [1, 2, 3, 4]
    assert variants(run, state="sent").total() == 2_000


def test_a_paused_campaign_holds_no_round():
    people(300)
    run = tried(mode="winner", first_percent=50, hours=4)
    sent(run, a=1, b=60)
    runs.pause(campaign_id=run.campaign_id, user=None, now=hours(1))
    assert not rounds.turn(run_id=run.pk, now=hours(8))
    assert rounds.turn_all(now=hours(8)) == 0


def test_no_more_is_spent_than_the_budget_allows():
    people(1_000)
    run = tried(mode="bandit", first_percent=20, hours=2, rounds=2, budget="30", each="0.1")
    sent(run, a=3, b=9)
    gone = variants(run, state="sent").total()
    assert gone < 300
    assert rounds.turn(run_id=run.pk, now=hours(2))
    assert run.rounds.get().people == 300 - gone
    beyond = run.messages.filter(state="skipped", reason="budget")
    assert beyond.exists()
    sent(run)
    assert rounds.turn(run_id=run.pk, now=hours(4))
    assert run.rounds.get(number=2).people == 0
    assert variants(run, state="sent").total() == 300
    assert rounds.waiting(run=run) == 0


def test_orders_can_be_what_decides():
    people(600)
    run = tried(mode="winner", metric="ordered", first_percent=60, hours=24)
    sent(run)
    for message in run.messages.filter(state="sent", variant="a").order_by("id")[:30]:
        factories.order(message.customer, placed_at=hours(3))
    found = rounds.answers(run=run, metric="ordered", before_round=1, now=hours(20))
    n = variants(run, state="sent")
    assert found == {"a": Arm(n["a"], 30), "b": Arm(n["b"], 0)}
    assert rounds.turn(run_id=run.pk, now=hours(20))
    assert set(variants(run, state="queued")) == {"a"}
