"""Templates are compiled when saved, refused with the field at fault, and looked at as somebody."""

from decimal import Decimal

import pytest

from campaigns import content
from campaigns.models import Template
from marketing.core.errors import Conflict, Invalid, NotFound
from tests import factories
from tests.campaigns.conftest import MJML, people

pytestmark = pytest.mark.django_db


def save(**values) -> Template:
    given = {"name": "News", "subject": "Hello", "preheader": "", "mjml": MJML}
    return content.save(**{**given, **values}, user=None, now=factories.NOW)


def test_saving_makes_html_and_text_and_counts_the_version():
    template = save(preheader="Soon")
    assert "<html" in template.html
    assert "Soon" in template.html
    assert 'Hello {{ first_name|default("there") }}' in template.text
    assert template.version == 1
    again = save(template_id=template.pk, subject="Hello again")
    assert (again.pk, again.version, again.subject) == (template.pk, 2, "Hello again")


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("name", "  ", "name"),
        ("subject", "", "subject line"),
        ("subject", "a\nBcc: x@example.com", "one line"),
        ("subject", "x" * 301, "300"),
        ("subject", "{{ 1 + 1 }}", "not available"),
        ("subject", "{{ favourite_pet }}", "no value called favourite_pet"),
        ("preheader", "{% include 'x' %}", "not available"),
        ("mjml", "", "MJML"),
        ("mjml", MJML.replace("unsubscribe_url", "shop_url"), "no unsubscribe link"),
        ("mjml", MJML.replace("first_name", "password"), "no value called password"),
        ("mjml", MJML.replace("https://shop.example/new", "javascript:x"), "javascript"),
        ("mjml", MJML.replace("Hello", "{{ traits.nonsense }}"), "traits.nonsense"),
        ("mjml", MJML.replace("Hello", "<mj-nonsense/>"), "not part of MJML"),
    ],
)
def test_a_template_that_cannot_work_is_refused_and_nothing_is_stored(field, value, why):
    with pytest.raises(Invalid, match=why) as raised:
        save(**{field: value})
    assert raised.value.field == field
    assert not Template.objects.exists()


def test_the_starter_is_a_good_template():
    template = content.save(**content.starter(), user=None, now=factories.NOW)
    assert len(template.html) < 20_000


def test_a_preview_shows_the_mail_as_one_person_gets_it_with_their_picks():
    ada = factories.customer("ada")
    factories.order(ada, days_ago=3)
    factories.order(ada, days_ago=9)
    cup = factories.product("CUP", name="Blue cup <3", price=Decimal("2.25"))
    made = factories.picks(ada, [cup])
    made.placement.slug = "email"
    made.placement.save()
    template = content.save(**content.starter(), user=None, now=factories.NOW)
    seen = content.preview(parts=vars(template), customer_id=ada.pk)
    assert seen.fault == ""
    assert seen.subject.startswith("Ada, picked for you at")
    assert "Blue cup &lt;3" in seen.html
    assert "£2.25" in seen.html
    assert "2 times" in seen.html
    assert "/u/preview" in seen.html.replace("&#x2f;", "/")
    assert "/o/" not in seen.html


def test_a_pick_without_a_price_is_shown_without_one():
    ada = factories.customer("ada")
    picked = [factories.product("BELL", name="Bell", price=None), factories.product("CUP")]
    made = factories.picks(ada, picked)
    made.placement.slug = "email"
    made.placement.save()
    mjml = MJML.replace("<mj-section>", '<mj-products count="2" /><mj-section>', 1)
    seen = content.preview(parts=vars(save(mjml=mjml)), customer_id=ada.pk)
    assert seen.fault == ""
    assert "Bell" in seen.text
    assert seen.text.count("£") == 1


def test_a_preview_says_what_is_missing_for_that_person():
    nameless = factories.customer("ben", first_name="")
    template = save(subject="Dear {{ first_name }}")
    seen = content.preview(parts=vars(template), customer_id=nameless.pk)
    assert seen.fault == "first_name is missing"


def test_without_people_a_preview_says_so():
    assert "no people yet" in content.preview(parts=vars(save()), customer_id=None).fault


def test_a_template_in_use_is_copied_before_a_campaign_changes_it_and_cannot_be_deleted():
    template = save()
    first = factories.campaign("First", template=template)
    second = factories.campaign("Second", template=template)
    values = {"name": "News", "subject": "Hello", "preheader": "", "mjml": MJML}
    asked = {"campaign_id": first.pk, "user": None, "now": factories.NOW}
    same = content.keep(template_id=template.pk, values=values, **asked)
    assert same.pk == template.pk
    changed = content.keep(template_id=template.pk, values={**values, "subject": "Other"}, **asked)
    assert changed.pk != template.pk
    template.refresh_from_db()
    assert template.subject == "Hello"
    with pytest.raises(Conflict, match="campaign uses"):
        content.delete(template_id=template.pk, user=None)
    second.delete()
    own = content.keep(template_id=template.pk, values={**values, "subject": "Mine"}, **asked)
    assert own.pk == template.pk
    content.delete(template_id=changed.pk, user=None)
    with pytest.raises(NotFound):
        content.delete(template_id=changed.pk, user=None)


def test_context_asks_three_questions_for_any_number_of_people(django_assert_max_num_queries):
    from campaigns.messaging import context

    everyone = people(50)
    factories.traits(everyone[0], recency_days=3.0)
    factories.picks(everyone[0], [factories.product("A")])
    wants = {"first_name", "traits.recency_days", "products", "days_since_order"}
    with django_assert_max_num_queries(6):
        values = context.build(customer_ids=[p.pk for p in everyone], wants=wants)
    assert len(values) == 50
    assert values[everyone[0].pk]["traits"]["recency_days"] == 3.0
    assert values[everyone[1].pk]["traits"] == {}
    assert values[everyone[1].pk]["first_name"] == "Person1"
