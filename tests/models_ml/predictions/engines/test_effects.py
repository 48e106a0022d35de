"""Whom a mail moves: told only from who was held out by chance, and only where it shows."""

import re
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.models import Message
from campaigns.segments import compile as compiler
from campaigns.segments import membership
from ingestion.models import Customer
from marketing.core.errors import Invalid
from models_ml.models import ModelVersion, Prediction, Score
from models_ml.predictions import definitions, reading, ready, scoring, training
from models_ml.views import effects
from tests import factories
from tests.models_ml.predictions import mails

NOW = mails.NOW
State = ModelVersion.State
pytestmark = pytest.mark.django_db


def asked(**target: Any) -> Prediction:
    return definitions.create(
        title="Moved", target={"type": "moved", **target}, horizon_days=14,
        population={"who": "everyone"}, now=NOW,
    )  # fmt: skip


def test_who_is_moved_is_learned_from_earlier_sends_and_judged_on_the_latest() -> None:
    people = mails.people(800)
    for number, days in enumerate((90, 60, 20)):
        mails.send(people, days_ago=days, moved=0.4, seed=number)
    made = ready.install(key="moved", now=NOW)
    assert (made.kind, made.settings["engine"]) == ("effect", "uplift")
    version = training.train(prediction=made, now=NOW)
    assert version.state == State.LIVE, version.reason
    details = version.details
    assert details["later_in_time"] is True
    assert [run["judged"] for run in details["runs"]] == [False, False, True]
    assert details["verdict"]["facts"]["qini"]["low"] > 0
    assert version.metrics["qini"] > version.baseline["qini"]
    assert details["fifths"][0]["seen"]["value"] > 0.2 > details["fifths"][-1]["seen"]["value"]
    assert scoring.score(prediction=made, now=NOW) == 801
    best = Score.objects.filter(prediction=made, percentile__gt=75)
    keen = {person.pk for person in people[1::2]}
    assert np.mean([row.customer_id in keen for row in best]) > 0.9
    values = np.array(Score.objects.filter(prediction=made).values_list("value", flat=True))
    assert values.min() >= -1
    assert values[values > 0.2].size > 280
    the_pages_tell(made, people)


def the_pages_tell(made: Prediction, people: list[Customer]) -> None:
    """What is shown of the version, of a person, and whom the segments of its groups hold."""
    client = Client()
    client.force_login(factories.user("marketer"))
    with CaptureQueriesContext(connection) as asked:
        page = client.get(reverse("models_ml:prediction", args=[made.key]))
    assert len(asked) <= 20
    text = " ".join(page.content.decode().split())
    for said in ("What the mail adds", "moved most", "Persuadables", "Do not disturb", "801"):
        assert said in text
    assert "Spring letter" in text
    assert not re.search(r"\bnan\b|None", text)
    four = effects.groups(made, reading.live(prediction=made))  # type: ignore[arg-type]
    for group in four["groups"]:
        if group["rule"] is not None:
            rule = compiler.read(group["rule"])
            assert membership.members(rule).count() == group["people"]
    assert sum(group["people"] for group in four["groups"]) == 801
    below = compiler.read({"score": made.key, "op": "between", "value": [-1, -0.001]})
    assert membership.members(below).count() == made.scores.filter(value__lte=-0.001).count() > 0
    best = made.scores.order_by("-value").first()
    assert best is not None
    shown = client.get(reverse("models_ml:person-scores", args=[best.customer_id])).content.decode()
    assert f"+{100 * best.value:.1f} points" in shown


def test_one_send_is_judged_by_turns_and_says_so() -> None:
    mails.send(mails.people(1000), days_ago=30, moved=0.4)
    made = asked()
    version = training.train(prediction=made, now=NOW)
    assert version.details["later_in_time"] is False
    assert version.details["verdict"]["facts"]["qini"]["low"] > 0
    assert version.details["judged_people"] == version.details["learned_people"] == 1000


def test_without_an_effect_nothing_is_published_and_it_says_how_many_to_hold_out() -> None:
    people = mails.people(800)
    for number, days in enumerate((60, 20)):
        mails.send(people, days_ago=days, seed=number + 10)
    made = asked()
    version = training.train(prediction=made, now=NOW)
    assert version.state == State.REFUSED
    assert "No effect found" in version.reason
    assert "covers zero" in version.reason
    assert "held out" in version.reason
    assert version.details["verdict"]["code"] == "no_effect"
    assert scoring.score(prediction=made, now=NOW) == 0


def test_a_send_that_held_nobody_out_is_refused_by_name() -> None:
    people = mails.people(100)
    run = mails.send(people, days_ago=30, held_out=0, name="To everybody")
    silent = [factories.customer(f"silent{n}", consent=False) for n in range(60)]
    Message.objects.bulk_create(
        Message(run=run, customer=one, state="skipped", reason="no_consent") for one in silent
    )
    made = asked()
    with pytest.raises(Invalid) as refusal:
        training.train(prediction=made, now=NOW)
    assert refusal.value.code == "no_holdout"
    assert "Nobody was held out of “To everybody”" in str(refusal.value)
    assert "for want of consent do not count" in str(refusal.value.remedy)
    assert made.trouble["code"] == "no_holdout"


def test_what_is_missing_is_told_in_words() -> None:
    with pytest.raises(Invalid) as nothing:
        training.train(prediction=asked(), now=NOW)
    assert nothing.value.code == "no_mails"
    draft = factories.campaign("Only a draft")
    with pytest.raises(Invalid) as unsent:
        training.train(prediction=asked(campaign=draft.pk), now=NOW)
    assert "“Only a draft” has not been sent to its end" in str(unsent.value)
    people = mails.people(120)
    mails.send(people, days_ago=5, name="Yesterday")
    with pytest.raises(Invalid) as early:
        training.train(prediction=asked(), now=NOW)
    assert early.value.code == "too_recent"
    assert "14 days after “Yesterday”" in str(early.value)
    few = mails.send(people[:60], days_ago=40, name="To few")
    with pytest.raises(Invalid) as small:
        training.train(prediction=asked(campaign=few.campaign_id), now=NOW)
    assert small.value.code in ("too_few_treated", "too_few_untreated")
    assert "at least 50 of each are needed" in str(small.value)


def test_sends_with_unlike_hold_outs_and_unlike_seasons_are_not_mistaken_for_an_effect() -> None:
    people = mails.people(1200)
    # Few held out while everybody buys, many while nobody does: pooled, the mail would look strong.
    mails.send(people, days_ago=60, held_out=15, usual=0.5, seed=1)
    mails.send(people, days_ago=20, held_out=60, usual=0.05, seed=2)
    version = training.train(prediction=asked(), now=NOW)
    mean = version.details["verdict"]["facts"]["mean"]
    assert mean["low"] < 0 < mean["high"]
    assert version.state == State.REFUSED


def test_effects_are_told_by_their_own_engine_alone() -> None:
    made = definitions.create(
        title="Moved", target={"type": "moved"}, horizon_days=14,
        settings={"engine": "contest"}, now=NOW,
    )  # fmt: skip
    assert made.settings["engine"] == "uplift"
    with pytest.raises(Invalid) as refusal:
        definitions.create(
            title="Buys", target={"type": "order"}, horizon_days=14,
            settings={"engine": "uplift"}, now=NOW,
        )  # fmt: skip
    assert refusal.value.field == "settings"
