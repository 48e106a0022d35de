"""Drafts are checked value by value, and nothing that was sent can be changed or removed."""

import pytest

from campaigns import demo, drafts
from campaigns.models import Campaign
from campaigns.sending import runs
from marketing.core.errors import Conflict, Invalid, NotFound
from tests import factories
from tests.campaigns.conftest import campaign, people

pytestmark = pytest.mark.django_db


def save(campaign_id=None, **values) -> Campaign:
    return drafts.save(
        campaign_id=campaign_id, values=values, user=factories.user(), now=factories.now()
    )


def test_a_draft_keeps_what_it_was_given():
    segment, template = factories.segment(), factories.template()
    made = save(
        name=" Spring ",
        segment_id=str(segment.pk),
        template_id=template.pk,
        holdout_percent="15",
        from_name="Shop",
        from_email="me@shop.example",
    )
    made.refresh_from_db()
    assert (made.name, made.state, made.holdout_percent) == ("Spring", "draft", 15)
    assert (made.segment_id, made.template_id) == (segment.pk, template.pk)
    save(made.pk, segment_id=None)
    made.refresh_from_db()
    assert made.segment_id is None
    assert made.name == "Spring"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "a\nb"),
        ("name", "x" * 121),
        ("segment_id", "404"),
        ("segment_id", "one"),
        ("segment_id", True),
        ("template_id", 404),
        ("holdout_percent", -1),
        ("holdout_percent", 51),
        ("holdout_percent", "many"),
        ("holdout_percent", True),
        ("from_email", "nobody"),
        ("from_email", "a@b.example\r\nBcc: c@d.example"),
        ("reply_to", "a b@c.example"),
        ("from_name", "a\r\nb"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_field(field, value):
    made = save(name="Spring")
    with pytest.raises(Invalid) as raised:
        save(made.pk, **{field: value})
    assert raised.value.field == field


def test_a_campaign_that_has_begun_can_be_copied_but_not_changed_or_deleted():
    people(1)
    of = campaign(holdout=5)
    runs.start(campaign_id=of.pk, user=None, now=factories.now())
    with pytest.raises(Conflict, match="has begun"):
        save(of.pk, name="Other")
    with pytest.raises(Conflict, match="Only drafts"):
        drafts.delete(campaign_id=of.pk, user=None)
    again = drafts.copy(campaign_id=of.pk, user=None, now=factories.now())
    assert (again.name, again.state, again.holdout_percent) == ("Copy of News", "draft", 5)
    assert (again.segment_id, again.template_id) == (of.segment_id, of.template_id)
    drafts.delete(campaign_id=again.pk, user=None)
    with pytest.raises(NotFound):
        drafts.delete(campaign_id=again.pk, user=None)


def leaf(number: int, low: float, people: int) -> dict:
    return {
        "id": number,
        "people": people,
        "rate": {"value": 0.7, "low": 0.6, "high": 0.8},
        "lift": {"value": low + 0.5, "low": low, "high": low + 1},
        "conditions": [
            {"feature": "orders", "op": ">", "threshold": float(number), "missing": False}
        ],
    }


def test_the_demo_writes_to_the_surest_leaf_with_a_tenth_held_out():
    factories.model_version(details={"leaves": [leaf(1, 1.1, 50), leaf(2, 1.9, 80)]})
    made = demo.draft(user=factories.user(), now=factories.now())
    made.refresh_from_db()
    assert made.is_demo
    assert made.holdout_percent == 10
    assert made.segment.origin["leaf"] == 2
    assert "products" in made.template.html
    runs.check(made)
    again = demo.draft(user=None, now=factories.now())
    assert (again.segment_id, again.template_id) == (made.segment_id, made.template_id)


def test_without_a_published_tree_the_demo_writes_to_whoever_ordered_lately():
    factories.model_version(state="refused", reason="no better than recency")
    made = demo.draft(user=None, now=factories.now())
    assert made.segment.rule == {"field": "traits.recency_days", "op": "<=", "value": 30}
    assert made.segment.origin == {}
    again = demo.draft(user=None, now=factories.now())
    assert again.segment_id == made.segment_id
