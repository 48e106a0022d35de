"""From mails that really went out, and clicks on them, to who will answer the next one."""

import re
from datetime import timedelta
from email import message_from_bytes, policy
from html import unescape
from urllib.parse import urlsplit

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns.answers import collecting
from campaigns.messaging import delivery
from campaigns.models import Campaign, Message
from ingestion import events
from ingestion.models import Customer, Event
from ingestion.registry import discovery
from models_ml.features import targets
from models_ml.features.compiler import Population
from models_ml.models import Prediction
from models_ml.predictions import scoring, sufficiency, training
from tests import factories
from tests.campaigns.conftest import people, started
from tests.campaigns.postbox import Postbox

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE, READERS = 105, 3  # every third reads
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def letter(name: str, days_ago: float, box: Postbox, everyone: list[Customer]) -> Campaign:
    """Sent by the real pump, followed by a gateway for all and by some readers, and then aged."""
    before, run = len(box.mails), started()
    delivery.deliver(run_id=run.pk)
    # However slow this machine is, the gateway comes within moments of the sending.
    Message.objects.filter(run=run).update(sent_at=timezone.now() + timedelta(hours=1))
    keen = {person.email for person in everyone[::READERS]}
    client = Client(headers={"user-agent": BROWSER})
    links = {recipient: link_in(mail) for recipient, mail in box.mails[before:]}
    for click in links.values():
        client.get(click)
    collecting.collect(now=timezone.now() + timedelta(hours=2))
    # A while later.
    long_ago = timezone.now() - timedelta(minutes=9)
    sent = Message.objects.filter(run=run, address__in=keen)
    sent.update(sent_at=long_ago, clicked_at=long_ago, opened_at=long_ago)
    for recipient in keen:
        client.get(links[recipient])
    collecting.collect(now=timezone.now())
    aged = timezone.now() - timedelta(days=days_ago)
    events.ensure_months([aged, timezone.now()])
    Event.objects.filter(properties__run=run.pk).update(at=F("at") - timedelta(days=days_ago))
    Campaign.objects.filter(pk=run.campaign_id).update(name=name)
    return Campaign.objects.get(pk=run.campaign_id)


def link_in(mail: bytes) -> str:
    body = message_from_bytes(mail, policy=policy.default).get_body(("html",))
    assert body is not None
    found = re.search(r'href="([^"]+/c/[^"]+)"', body.get_content())
    assert found
    parts = urlsplit(unescape(found[1]))
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def test_who_clicks_is_learned_from_real_mails_and_what_gateways_do_is_no_answer(
    postbox: Postbox,
) -> None:
    everyone = people(PEOPLE)
    letters = [
        letter(name, days, postbox, everyone)
        for name, days in (("First", 60), ("Second", 40), ("Third", 12))
    ]
    readers = len(everyone[::READERS])
    of = Event.objects.filter(type="email_clicked")
    assert of.filter(properties__machine=True).count() == 3 * PEOPLE
    assert of.filter(properties__machine=False).count() == 3 * readers
    assert set(
        Message.objects.filter(clicked_at__gt=F("sent_at") + timedelta(seconds=2)).values_list(
            "address", flat=True
        )
    ) == {person.email for person in everyone[::READERS]}

    now = timezone.now()
    discovery.fold(now=now)
    for campaign, mails in ((None, 3), (letters[0].pk, 1)):
        found = sufficiency.look(
            target=targets.read({"type": "answer", "campaign": campaign}),
            horizon_days=7,
            population=Population(who="everyone"),
            now=now,
        )
        assert f"{mails * readers} of {mails * PEOPLE} did it" in found.findings[-1].text

    client = Client()
    client.force_login(factories.user("marketer"))
    new = reverse("models_ml:prediction-new")
    choices = client.get(new).content.decode()
    assert choices.index(">Third<") < choices.index(">First<")
    form = {"type": "answer", "by": "click", "horizon_days": 7, "who": "everyone"}
    client.post(new, form | {"title": "One letter", "campaign": letters[0].pk})
    assert Prediction.objects.get(title="One letter").target == {
        "type": "answer", "by": "click", "campaign": letters[0].pk,
    }  # fmt: skip
    told = client.get(reverse("models_ml:prediction", args=["one_letter"])).content.decode()
    assert "It is told by “First” alone." in told
    client.post(new + "?from=answer", form | {"title": "Clicks"})
    made = Prediction.objects.get(key="answer")
    made.settings = {"candidates": ["linear"]}
    made.save()
    version = training.train(prediction=made, now=now)
    assert version.details["later_in_time"] is True
    assert version.details["judged_people"] == PEOPLE
    assert version.metrics["auc"] > 0.9
    scoring.score(prediction=made, now=now, version=version)
    said = scoring.people(prediction=made, ids=[person.pk for person in everyone])
    lowest = min(said[person.pk] for person in everyone[::READERS])
    assert lowest > max(said[one.pk] for n, one in enumerate(everyone) if n % READERS)
