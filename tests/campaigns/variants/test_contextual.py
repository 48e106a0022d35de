"""Mails that suit different people: chosen for each where that earns more, and written down."""

import random
from datetime import timedelta

import numpy as np
import pytest

from campaigns.models import Choice, Message, Run
from campaigns.sending import runs
from campaigns.variants import contextual, rounds, trials
from models_ml.models import Traits
from tests import factories
from tests.campaigns.conftest import campaign, people

pytestmark = pytest.mark.django_db
NAMES = ({"name": "For the new"}, {"name": "For the loyal"})


def _begun(number: int, *, floor: float = 5, learner: str = "lints") -> Run:
    """Half of the people are loyal. Everybody of the first part got a mail."""
    everyone = people(number)
    Traits.objects.bulk_create(
        Traits(
            customer=person, as_of=factories.NOW, orders=12 if i % 2 else 1,
            revenue=900.0 if i % 2 else 20.0, recency_days=10.0, tenure_days=400.0,
        )
        for i, person in enumerate(everyone)
    )  # fmt: skip
    of = campaign()
    trials.save(
        campaign_id=of.pk, variants=NAMES, user=None, now=factories.NOW,
        values={"mode": "person", "first_percent": 50, "hours": 2, "rounds": 2,
                "floor_percent": floor, "learner": learner},
    )  # fmt: skip
    run = runs.start(campaign_id=of.pk, user=None, now=factories.NOW)
    runs.fill(run_id=run.pk, now=factories.NOW)
    run.refresh_from_db()
    run.messages.filter(state="queued", next_try_at=None).update(
        state="sent", sent_at=factories.NOW, first_try_at=factories.NOW
    )
    return run


def _click(run: Run, *, suited: float, other: float, seed: int = 1) -> None:
    draw = random.Random(seed)
    loyal = set(Traits.objects.filter(orders=12).values_list("customer_id", flat=True))
    clicked = [
        pk
        for pk, who, variant in run.messages.filter(state="sent", clicked_at=None).values_list(
            "pk", "customer_id", "variant"
        )
        if draw.random() < (suited if (variant == "b") == (who in loyal) else other)
    ]
    Message.objects.filter(pk__in=clicked).update(clicked_at=factories.NOW)


def _held(run: Run, number: int = 1) -> bool:
    return rounds.turn(
        run_id=run.pk, now=factories.NOW + timedelta(hours=2 * number), chooser=contextual.release
    )


def test_each_person_gets_what_suits_people_like_them_and_the_chance_is_written_down():
    run = _begun(2_000)
    _click(run, suited=0.4, other=0.1)
    assert _held(run)
    held = run.rounds.get()
    assert held.reason == "suited"
    said = held.policies
    assert said["suited"]["value"] > said["shares"]["value"]
    assert said["suited"]["low"] <= 0.95 * 0.4 + 0.05 * 0.1 <= said["suited"]["high"]
    assert said["all a"]["low"] <= 0.25 <= said["all a"]["high"]
    loyal = set(Traits.objects.filter(orders=12).values_list("customer_id", flat=True))
    released = run.messages.filter(state="queued", next_try_at=None)
    assert released.count() == held.people == Choice.objects.filter(run=run).count()
    right = [
        (variant == "b") == (who in loyal)
        for who, variant in released.values_list("customer_id", "variant")
    ]
    assert np.mean(right) > 0.9
    chances = dict(Choice.objects.values_list("customer_id", "chance"))
    assert min(chances.values()) >= 0.05 - 1e-9
    assert max(chances.values()) <= 0.95 + 1e-9
    given = dict(released.values_list("customer_id", "variant"))
    assert given == dict(Choice.objects.values_list("customer_id", "variant"))


def test_by_the_upper_bound_each_person_gets_one_variant_and_the_others_by_the_least_share():
    run = _begun(1_000, floor=10, learner="linucb")
    _click(run, suited=0.4, other=0.1)
    assert _held(run)
    assert run.rounds.get().reason == "suited"
    loyal = set(Traits.objects.filter(orders=12).values_list("customer_id", flat=True))
    for choice in Choice.objects.all():
        suits = (choice.variant == "b") == (choice.customer_id in loyal)
        assert choice.chance == pytest.approx(0.9 if suits else 0.1)


def test_what_a_round_taught_is_used_by_the_next():
    run = _begun(2_000)
    _click(run, suited=0.4, other=0.1)
    assert _held(run)
    run.messages.filter(state="queued", next_try_at=None).update(
        state="sent", first_try_at=factories.NOW
    )
    _click(run, suited=0.4, other=0.1, seed=2)
    assert _held(run, 2)
    second = run.rounds.get(number=2)
    assert second.reason == "suited"
    assert second.policies["suited"]["rows"] > run.rounds.get(number=1).policies["suited"]["rows"]
    assert rounds.waiting(run=run) == 0


def test_few_people_are_given_everybodys_shares():
    run = _begun(100)
    _click(run, suited=0.4, other=0.1)
    assert _held(run)
    assert run.rounds.get().reason == "shared"
    assert not Choice.objects.exists()
    assert run.messages.filter(state="queued", next_try_at=None).exists()


def test_where_one_mail_is_best_for_everybody_choosing_by_person_is_not_worth_it():
    run = _begun(2_000)
    draw = random.Random(5)
    clicked = [
        pk
        for pk, variant in run.messages.filter(state="sent").values_list("pk", "variant")
        if draw.random() < (0.35 if variant == "b" else 0.02)
    ]
    Message.objects.filter(pk__in=clicked).update(clicked_at=factories.NOW)
    assert _held(run)
    held = run.rounds.get()
    assert held.shares["b"] > 0.9


def test_somebody_without_traits_is_chosen_for_too():
    rows = [[None] * 5, [10.0, 3, 50.0, 20.0, 100.0]]
    found = contextual.features(rows)
    assert found[0].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert found[1, 0] == found[1, -1] == 1
    assert ((found[1] > 0) & (found[1] < 1.1)).all()
