"""A block of offers shows what the plan that it names has for each person."""

import pytest
from django.urls import reverse

from campaigns import content
from campaigns.content import seeing
from campaigns.messaging import context
from campaigns.models import Template
from campaigns.sending import readiness
from marketing.core.errors import Invalid
from recommendations.models import OfferChoice, OfferPlan
from recommendations.offers import keeping
from tests import factories
from tests.campaigns.conftest import people

pytestmark = pytest.mark.django_db
NOW = factories.NOW


def plan(key: str, offer: str, *to, **more) -> OfferPlan:
    """A plan of one offer, and who gets it."""
    row = OfferPlan.objects.create(
        slug=key, name=key.title(), budget=9, currency="GBP", planned_at=NOW,
        result={"offers": [{"name": offer, "discount": 2.5}]},
    )  # fmt: skip
    for person in to:
        OfferChoice.objects.create(
            plan=row, customer=person, offer=0, chance=0.1, worth=1, cost=1, **more
        )
    return row


def mail(*blocks: dict) -> Template:
    written = [*({"kind": "offer", **block} for block in blocks), {"kind": "footer"}]
    return content.save(
        name="News", subject="Hi", written_in="blocks", blocks=written, user=None, now=NOW
    )


def seen(template: Template, person) -> str:
    shown = seeing.preview(parts=vars(template), customer_id=person.pk)
    assert shown.fault == ""
    return shown.text


def test_each_block_shows_the_offer_of_its_own_plan_and_says_something_else_to_who_has_none():
    ada, bob = people(2)
    lamp = factories.product("LAMP", price=40, url="https://shop.example/lamp")
    plan("spring-sale", "Ten off", ada, product=lamp)
    plan("funds", "A fund", ada, bob)
    template = mail(
        {"plan": "spring-sale", "text": "Take {{ offer.name }}.", "instead": "Have a look."},
        {"plan": "funds"},
    )
    to_ada, to_bob = seen(template, ada), seen(template, bob)
    assert "Ten off" in to_ada
    assert "Product LAMP · £40.00" in to_ada
    assert "£2.50 less, for you" in to_ada
    assert "Take Ten off." in to_ada
    assert "https://shop.example/lamp" in to_ada
    assert "Have a look." not in to_ada
    assert "Have a look." in to_bob
    assert "Ten off" not in to_bob
    assert "A fund" in to_ada
    assert "A fund" in to_bob


def test_a_block_without_a_plan_shows_the_newest_that_has_something_for_them():
    (ada,) = people(1)
    plan("funds", "A fund", ada)
    assert "A fund" in seen(mail({}), ada)


def test_a_block_whose_plan_is_not_there_is_refused_by_its_place():
    with pytest.raises(Invalid, match="Block 1: the plan of offers “gone” is gone") as refused:
        mail({"plan": "gone"})
    assert refused.value.remedy == "Choose another plan, or the newest one."
    with pytest.raises(Invalid, match="Block 1: Of which plan: choose one of them"):
        mail({"plan": 'x"]'})
    with pytest.raises(Invalid, match="no plan of offers with the key “gone”"):
        content.save(name="News", subject='{{ offers["gone"].name }}', mjml="-", user=None, now=NOW)
    assert context.unknown({"offers", "offers.x.colour", "offers.x.name"}) == [
        "offers", "offers.x.colour",
    ]  # fmt: skip


def test_when_a_plan_goes_later_no_campaign_begins_with_it_and_mails_under_way_say_the_other():
    (ada,) = people(1)
    plan("funds", "A fund", ada)
    template = mail({"plan": "funds", "instead": "Have a look."})
    readiness.compiled(template)
    keeping.remove(slug="funds", actor=None)
    with pytest.raises(Invalid, match="plan of offers “funds”, which is gone") as refused:
        readiness.compiled(template)
    assert refused.value.field == "template"
    assert "Have a look." in seen(template, ada)


def test_the_editor_lists_the_plans():
    plan("funds", "A fund")
    page = factories.signed_in("marketer").get(reverse("campaigns:template-new")).content.decode()
    assert '["funds", "Funds"]' in page
