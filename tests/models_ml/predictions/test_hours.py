"""Best hours from mails that were answered: by each person's clock, for whoever sends."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from ingestion import consent, events
from ingestion.models import Customer, EventType
from marketing.core.errors import Invalid
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import hours, ready, scoring, training
from models_ml.views import person as words
from tests import factories

NOW = factories.NOW
pytestmark = pytest.mark.django_db
ZONES = ("Asia/Shanghai", "America/New_York", "")
KINDS = ("email_sent", "email_opened", "email_clicked")


def plant(*, people: int = 90, answers: int = 12, own: bool = True) -> dict[int, int]:
    """People who click near an hour of their own clock, or all at nine; person → hour."""
    rng = np.random.default_rng(6)
    for kind in KINDS:
        EventType.objects.get_or_create(
            name=kind, defaults={"first_seen_at": NOW, "last_seen_at": NOW}
        )
    made, batch = {}, []
    for n in range(people):
        person = factories.customer(f"p{n}", timezone=ZONES[n % 3])
        zone = ZoneInfo(person.timezone or "UTC")
        made[person.pk] = favourite = int(rng.integers(0, 24)) if own else 9
        for day in rng.choice(np.arange(2, 120), answers, replace=False):
            hour = (favourite + int(rng.integers(-1, 2) if own else rng.integers(0, 3))) % 24
            local = (NOW - timedelta(days=int(day))).astimezone(zone)
            at = local.replace(hour=hour, minute=int(rng.integers(0, 60)))
            batch.append((person, at))
    store(
        [
            events.Incoming(type="email_clicked", at=at, customer_id=p.pk, message_id=f"c{n}")
            for n, (p, at) in enumerate(batch)
        ]
    )
    return made


def store(batch: list[events.Incoming]) -> None:
    events.record(batch=batch, source="campaigns", now=NOW)


def asked() -> Prediction:
    return ready.install(key="send_hour", now=NOW)


def test_each_has_the_hour_of_their_own_clock_and_others_everybodys() -> None:
    planted = plant()
    stranger = factories.customer("stranger")
    machine = factories.customer("machine")
    at = NOW - timedelta(days=3)
    store(
        [
            events.Incoming(
                type="email_opened", at=at + timedelta(hours=n), customer_id=machine.pk,
                properties={"machine": True}, message_id=f"m{n}",
            )
            for n in range(6)
        ]
    )  # fmt: skip
    made = asked()
    assert made.kind == Prediction.Kind.HOUR
    version = training.train(prediction=made, now=NOW)
    assert version.state == ModelVersion.State.LIVE, version.reason
    assert version.metrics["hits_top_3"] > version.baseline["hits_top_3"]
    assert scoring.score(prediction=made, now=NOW) == 90
    usual = version.details["everyone"]["hour"]
    own, everyones = hours.chosen()
    found = {person: int(hour) for person, hour in own}
    off = [min((found[p] - h) % 24, (h - found[p]) % 24) for p, h in planted.items()]
    assert np.mean(np.array(off) <= 1) > 0.9
    assert (set(found), everyones) == (set(planted), usual)
    assert not {stranger.pk, machine.pk} & set(found)

    # Who refuses predictions is written to when everybody is.
    refusing = Customer.objects.get(pk=next(iter(planted)))
    consent.record(
        answers=[consent.Answer(refusing.pk, granted=False, at=NOW)],
        purpose="profiling",
        source="page",
        now=NOW,
    )
    assert refusing.pk not in dict(hours.chosen()[0])

    client = Client()
    client.force_login(factories.user("marketer"))
    page = client.get(reverse("models_ml:prediction", args=[made.key])).content.decode()
    assert "Everybody&#x27;s hours" in page or "Everybody's hours" in page
    other = list(planted)[1]
    part = client.get(reverse("models_ml:person-scores", args=[other])).content.decode()
    assert words.said("hour", found[other]) in part
    assert "by their own clock" in part
    assert client.get(reverse("models_ml:model-list")).status_code == 200


def test_people_without_hours_of_their_own_leave_everybodys() -> None:
    plant(own=False)
    made = asked()
    own, usual = hours.chosen()
    assert (list(own), usual) == ([], None)
    version = training.train(prediction=made, now=NOW)
    assert version.state == ModelVersion.State.REFUSED
    assert "everybody's hour for everyone" in version.reason
    own, usual = hours.chosen()
    assert list(own) == []
    assert usual in (9, 10)


def test_too_few_answers_are_refused_in_words() -> None:
    plant(people=5)
    made = asked()
    with pytest.raises(Invalid, match="50 are needed"):
        training.train(prediction=made, now=NOW)
    made.refresh_from_db()
    assert made.trouble["code"] == "too_few_people"
    assert datetime.fromisoformat(made.trouble["at"]) == NOW
    client = Client()
    client.force_login(factories.user("marketer"))
    new = reverse("models_ml:prediction-new")
    for key, kind, said in (
        ("send_hour", "send_hour", "5 people answered mails at least three times."),
        ("unusual", "unusual", "people to compare"),
    ):
        page = client.get(f"{new}?from={key}")
        assert page.status_code == 200
        asked_for = {"title": "x", "type": kind, "horizon_days": 30, "who": "everyone"}
        looked = client.post(reverse("models_ml:prediction-check"), asked_for)
        assert said in looked.content.decode()
