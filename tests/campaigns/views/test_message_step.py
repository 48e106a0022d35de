"""The second step of a campaign: its mail in the editor, chosen or new, and others beside it."""

import orjson
import pytest
from django.test import Client
from django.urls import reverse

from campaigns import content, drafts
from campaigns.models import Campaign, Template, Trial, Variant
from marketing.core.errors import Invalid
from tests import factories
from tests.campaigns.conftest import campaign

pytestmark = pytest.mark.django_db
NOW = factories.NOW
BLOCKS = [{"kind": "heading", "text": "Hello"}, {"kind": "footer"}]
FORM = {
    "name": "May letter", "subject": "May", "preheader": "", "written_in": "blocks",
    "blocks": orjson.dumps(BLOCKS).decode(),
}  # fmt: skip


@pytest.fixture
def marketer(client) -> Client:
    client.force_login(factories.user("marketer"))
    return client


def step(of: Campaign, more: str = "") -> str:
    return reverse("campaigns:campaign-message", args=[of.pk]) + more


def empty() -> Campaign:
    of = campaign()
    of.template = None
    of.save()
    return of


def mail(name: str) -> Template:
    return content.save(
        name=name, subject=name, written_in="blocks", blocks=BLOCKS, user=None, now=NOW
    )


def mail_of(of: Campaign) -> Template:
    of.refresh_from_db()
    assert of.template is not None
    return of.template


def test_a_new_mail_begins_in_blocks_and_may_begin_in_mjml_or_html(marketer):
    of = empty()
    page = marketer.get(step(of)).content.decode()
    assert 'id="e-outline"' in page
    assert 'id="e-blocks"' in page
    for written in ("mjml", "html"):
        page = marketer.get(step(of, f"?as={written}")).content.decode()
        assert f'name="written_in" value="{written}"' in page
        assert 'id="mjml"' in page


def test_a_mail_of_blocks_is_saved_with_the_campaign_and_goes_on(marketer):
    of = empty()
    answer = marketer.post(step(of), {**FORM, "from_name": "The shop", "utm_source": "club"})
    assert answer["Location"] == reverse("campaigns:campaign-timing", args=[of.pk])
    of.refresh_from_db()
    assert of.template is not None
    assert (of.template.written_in, of.template.subject) == ("blocks", "May")
    assert [block["kind"] for block in of.template.blocks] == ["heading", "footer"]
    assert (of.from_name, of.utm) == ("The shop", {"off": True, "source": "club"})


def test_going_on_without_a_change_makes_no_new_version(marketer):
    of = empty()
    marketer.post(step(of), FORM)
    of.refresh_from_db()
    marketer.post(step(of), {**FORM, "template_id": of.template_id})
    assert Template.objects.get(pk=of.template_id).version == 1


def test_a_mail_that_others_send_is_copied_before_a_change(marketer):
    of, template = empty(), mail("Shared")
    other = campaign()
    other.template = template
    other.save()
    marketer.post(step(of), {**FORM, "template_id": template.pk})
    template.refresh_from_db()
    of.refresh_from_db()
    assert (template.subject, template.version) == ("Shared", 1)
    assert of.template is not None
    assert (of.template.subject, of.template_id == template.pk) == ("May", False)


def test_another_version_stands_beside_the_first_and_each_is_written_alone(marketer):
    of = empty()
    answer = marketer.post(step(of), {**FORM, "do": "another"})
    assert answer["Location"] == step(of, "?variant=b")
    of.refresh_from_db()
    rows = list(of.variants.order_by("key"))
    assert [(row.key, row.weight) for row in rows] == [("a", 1), ("b", 1)]
    twin = rows[1].template
    assert twin is not None
    assert (twin.name, twin.blocks) == ("May letter, other version", of.template.blocks)
    page = marketer.get(answer["Location"]).content.decode()
    assert 'value="to:a" aria-pressed="false"' in page
    assert 'value="to:b" aria-pressed="true"' in page
    assert reverse("campaigns:template-mail", args=[of.template_id]) in page
    marketer.post(step(of), {**FORM, "subject": "Shorter", "variant": "b", "template_id": twin.pk})
    twin.refresh_from_db()
    of.template.refresh_from_db()
    assert (of.template.subject, twin.subject) == ("May", "Shorter")
    back = marketer.post(step(of), {**FORM, "variant": "b", "template_id": twin.pk, "do": "to:a"})
    assert back["Location"] == step(of, "?variant=a")


def test_a_version_may_be_a_mail_from_the_library(marketer):
    of, chosen = empty(), mail("Chosen")
    marketer.post(step(of), {**FORM, "do": "another"})
    page = marketer.get(step(of, f"?template={chosen.pk}&variant=b")).content.decode()
    assert f'name="template_id" value="{chosen.pk}"' in page
    kept = {"name": "Chosen", "subject": "Chosen", "blocks": orjson.dumps(chosen.blocks).decode()}
    marketer.post(step(of), {**FORM, **kept, "variant": "b", "template_id": chosen.pk})
    of.refresh_from_db()
    assert of.variants.get(key="b").template_id == chosen.pk
    assert of.template_id != chosen.pk


def test_what_is_tried_keeps_its_settings_when_a_version_comes(marketer):
    of = empty()
    marketer.post(step(of), {**FORM, "do": "another"})
    Trial.objects.create(campaign=of, mode=Trial.Mode.WINNER, hours=9)
    of.variants.filter(key="a").update(weight=3, name="Long")
    drafts.another(campaign_id=of.pk, template_id=mail("Third").pk, user=None, now=NOW)
    assert [(v.key, v.weight, v.name) for v in of.variants.order_by("key")] == [
        ("a", 3, "Long"), ("b", 1, ""), ("c", 1, ""),
    ]  # fmt: skip
    assert Trial.objects.get(campaign=of).hours == 9
    for _n in range(2):
        drafts.another(campaign_id=of.pk, template_id=mail("More").pk, user=None, now=NOW)
    with pytest.raises(Invalid, match="At most 5 variants"):
        drafts.another(campaign_id=of.pk, template_id=mail("More").pk, user=None, now=NOW)
    assert Variant.objects.filter(campaign=of).count() == 5
    assert "Another version" not in marketer.get(step(of)).content.decode()


def test_no_mail_is_left_behind_when_there_are_enough_versions(marketer):
    of = empty()
    for _n in range(4):
        marketer.post(step(of), {**FORM, "do": "another"})
    assert of.variants.count() == 5
    before = Template.objects.count()
    page = marketer.post(
        step(of), {**FORM, "variant": "a", "template_id": mail_of(of).pk, "do": "another"}
    )
    assert (page.status_code, Template.objects.count()) == (422, before)
    assert "At most 5 variants" in page.content.decode()


def test_what_is_wrong_is_said_and_what_was_written_stays(marketer):
    of = empty()
    bad = orjson.dumps([{"kind": "heading", "text": "Only this"}]).decode()
    page = marketer.post(step(of), {**FORM, "blocks": bad})
    assert page.status_code == 422
    assert "The mail has no unsubscribe link." in page.content.decode()
    assert "Only this" in page.content.decode()
    assert marketer.post(step(of), {**FORM, "blocks": "{"}).status_code == 422
    assert marketer.post(step(of), {**FORM, "from_email": "x"}).status_code == 422
    of.refresh_from_db()
    assert of.template is None


def test_the_step_asks_few_questions(marketer, django_assert_max_num_queries):
    of = empty()
    marketer.post(step(of), {**FORM, "do": "another"})
    with django_assert_max_num_queries(20):
        assert marketer.get(step(of)).status_code == 200
