"""Ready journeys come with their mails and their segment, and can go live as they are."""

import copy

import pytest

from campaigns import kits
from campaigns.content import saving, seeing
from campaigns.journeys import checking, letters, starters, versions
from campaigns.messaging import delivery
from campaigns.models import Segment
from ingestion.models import EventType
from models_ml.models import Prediction
from tests import factories
from tests.campaigns.journeys.drawn import NOW, after, did, look

pytestmark = pytest.mark.django_db
KEYS = [
    "welcome",
    "basket",
    "browse",
    "after_purchase",
    "win_back",
    "replenishment",
    "birthday",
    "vip",
    "churn",
]


def test_there_are_nine_and_each_shows_its_path():
    found = starters.all()
    assert [one.key for one in found] == KEYS
    assert all(one.name and one.text and len(one.path) >= 2 for one in found)


@pytest.mark.parametrize("key", KEYS)
def test_a_ready_journey_lacks_only_what_the_shop_must_say(key, prediction):
    starter = next(one for one in starters.all() if one.key == key)
    open_ = {fault.field for fault in checking.faults(starter.definition) if fault.serious}
    assert open_ <= {"template", "segment", "to", "exits[0]"}
    mail = factories.template().pk
    segment = factories.segment(rule=starter.segment).pk if starter.segment else None
    said = copy.deepcopy(starter.definition)
    for node in said["nodes"].values():
        if node["kind"] == "send":
            node["template"] = mail
        if node["kind"] == "segment_enter":
            node["segment"] = segment
        if node["kind"] == "notify":
            node["to"] = "team@shop.example"
    for sign in said.get("exits", []):
        if "segment" in sign:
            sign["segment"] = segment
    assert [fault for fault in checking.faults(said) if fault.serious] == []
    assert Segment.objects.count() == (segment is not None)


def test_ready_journeys_speak_of_the_events_that_the_shop_sends():
    assert starters.all()[1].definition["nodes"]["start"]["event"] == "cart"
    EventType.objects.create(
        name="Product Added", first_seen_at=factories.NOW, last_seen_at=factories.NOW
    )
    assert starters.all()[1].definition["nodes"]["start"]["event"] == "Product Added"


@pytest.mark.parametrize("key", KEYS)
def test_a_ready_journey_is_made_with_its_mails_and_its_segment(key, prediction):
    starter = next(one for one in starters.all() if one.key == key)
    user = factories.user()
    made = kits.make(starter=starter, user=user, now=factories.NOW)
    assert [f for f in checking.faults(made.journey.draft) if f.serious] == []
    assert made.journey.state == "draft"
    sends = [n for n in made.journey.draft["nodes"].values() if n["kind"] == "send"]
    assert [n["template"] for n in sends] == [mail.pk for mail in made.mails]
    assert (made.segment is not None) == (starter.segment is not None)
    if made.segment is not None:
        assert (made.segment.rule, made.segment.name) == (starter.segment, starter.segment_name)
    for mail in made.mails:
        assert mail.written_in == "blocks"
        said = {"subject": mail.subject, "html": mail.html, "text": mail.text}
        seen = seeing.preview(parts=said, customer_id=factories.customer(first_name="").pk)
        assert (seen.fault, bool(seen.subject)) == ("", True)


def test_a_ready_journey_can_be_published_and_sends_its_first_mail(postbox):
    factories.product(sku="TEA-1", name="Blue teapot", price="24.50", currency="EUR")
    made = kits.make(starter=starters.all()[1], user=factories.user(), now=NOW)
    made.journey.draft["holdout"] = 0  # whoever is held out gets none of it
    made.journey.save()
    version = versions.publish(journey_id=made.journey.pk, user=None, now=NOW)
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1), sku="TEA-1")
    look(after(minutes=2))
    look(after(hours=2))
    delivery.deliver(run_id=version.run_id)
    mail = postbox.read()
    assert mail["Subject"] == "Blue teapot is still here"
    text = mail.get_body(("plain",)).get_content()
    assert "In your basket" in text
    assert "€24.50" in text


def test_made_twice_its_mails_and_its_segment_are_used_again():
    starter = starters.all()[4]
    first = kits.make(starter=starter, user=factories.user(), now=NOW)
    second = kits.make(starter=starter, user=factories.user(), now=NOW)
    assert first.journey.pk != second.journey.pk
    assert [mail.pk for mail in first.mails] == [mail.pk for mail in second.mails]
    assert first.segment == second.segment


def test_a_mail_that_was_rewritten_is_left_to_the_journey_that_has_it():
    starter = starters.all()[6]
    first = kits.make(starter=starter, user=factories.user(), now=NOW)
    mail = first.mails[0]
    saving.save(
        template_id=mail.pk,
        name=mail.name,
        subject="In our own words",
        written_in="blocks",
        blocks=mail.blocks,
        user=None,
        now=NOW,
    )
    second = kits.make(starter=starter, user=factories.user(), now=NOW)
    assert second.mails[0].pk != mail.pk


def test_every_mail_of_a_ready_journey_belongs_to_a_step():
    for starter in starters.all():
        sends = {key for key, n in starter.definition["nodes"].items() if n["kind"] == "send"}
        assert set(letters.of(starter.key)) == sends


@pytest.fixture
def prediction():
    for key, kind in (("churn", "chance"), ("next_order", "date")):
        Prediction.objects.create(
            key=key, title=key, kind=kind, target={"type": key}, horizon_days=90
        )
