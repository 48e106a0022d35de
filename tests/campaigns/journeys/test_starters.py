"""Ready journeys can go live as soon as the shop has said what only the shop can say."""

import copy

import pytest

from campaigns.journeys import checking, starters
from campaigns.models import Segment
from ingestion.models import EventType
from models_ml.models import Prediction
from tests import factories

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


@pytest.fixture
def prediction():
    for key, kind in (("churn", "chance"), ("next_order", "date")):
        Prediction.objects.create(
            key=key, title=key, kind=kind, target={"type": key}, horizon_days=90
        )
