"""Messages that are not mails are written in forms that show at once what somebody gets."""

import pytest
from django.urls import reverse

from campaigns.models import Campaign, Template
from ingestion.models import Customer
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer(client):
    client.force_login(factories.user("marketer"))
    Customer.objects.create(external_id="ada", first_name="Ada")
    return client


def new(kind):
    return reverse("campaigns:note-new", args=[kind])


@pytest.mark.parametrize("kind", ["sms", "push", "inbox", "webhook"])
def test_each_kind_begins_with_words_that_can_be_saved(marketer, kind):
    page = marketer.get(new(kind))
    assert page.status_code == 200
    fields = {f["name"]: f["value"] for f in page.context["note_fields"]}
    saved = marketer.post(new(kind), {"name": "First", **fields})
    template = Template.objects.get()
    assert saved.url == reverse("campaigns:note-edit", args=[template.pk])
    assert (template.kind, template.version) == (kind, 1)
    assert marketer.get(saved.url).status_code == 200


def test_an_sms_is_counted_while_it_is_written(marketer):
    text = {"name": "x", "text": "Hi {{ first_name }} " + "a" * 160, "do": "preview"}
    page = marketer.post(new("sms"), text).content.decode()
    assert "2 SMS" in page
    assert "167 characters, GSM-7" in page
    dear = marketer.post(new("sms"), {**text, "text": "Hi “Ada”"}).content.decode()
    assert "8 characters, UCS-2" in dear
    assert "<code>“”</code>" in dear


def test_somebody_who_would_get_nothing_is_told_so_before_it_is_sent(marketer):
    page = marketer.post(
        new("push"), {"name": "x", "title": "{{ last_name }}", "do": "preview"}
    ).content.decode()
    assert "Would not be sent to" in page
    assert "last_name is missing" in page


@pytest.mark.parametrize(
    ("kind", "parts", "words"),
    [
        ("sms", {"text": ""}, "the text is empty"),
        ("sms", {"text": "{{ password }}"}, "no value called password"),
        ("push", {"title": "x", "url": "javascript:alert(1)"}, "not a web address"),
        ("sms", {"text": "a" * 1_600}, "Nobody could be sent this: the text is longer than 1530"),
        (
            "sms",
            {"text": "中" * 700},
            "Nobody could be sent this: the text takes more than 10 parts",
        ),
        ("webhook", {"body": "hello"}, "not JSON"),
        ("inbox", {"title": "{% include 'x' %}"}, "include"),
    ],
)
def test_what_cannot_work_is_refused_at_its_field(marketer, kind, parts, words):
    page = marketer.post(new(kind), {"name": "x", **parts})
    assert page.status_code == 422
    assert words in page.content.decode()
    assert not Template.objects.exists()


def test_a_message_is_changed_by_a_new_version_and_used_in_a_campaign(marketer):
    marketer.post(new("sms"), {"name": "Sale", "text": "Sale now"})
    template = Template.objects.get()
    edit = reverse("campaigns:note-edit", args=[template.pk])
    marketer.post(edit, {"name": "Sale", "text": "Sale today"})
    template.refresh_from_db()
    assert (template.version, template.parts) == (2, {"text": "Sale today"})
    began = marketer.post(reverse("campaigns:note-use", args=[template.pk]))
    draft = Campaign.objects.get()
    assert began.url == reverse("campaigns:campaign-audience", args=[draft.pk])
    assert draft.template == template
    step = marketer.get(reverse("campaigns:campaign-message", args=[draft.pk]))
    assert (step.status_code, "Sale today" in step.content.decode()) == (200, True)
    assert "uses this message" in marketer.get(edit).content.decode()
    assert marketer.get(reverse("campaigns:campaign-check", args=[draft.pk])).status_code == 200


def test_the_mail_editor_sends_whoever_opens_another_kind_to_its_own_form(marketer):
    marketer.post(new("sms"), {"name": "Sale", "text": "Sale now"})
    template = Template.objects.get()
    answer = marketer.get(reverse("campaigns:template-edit", args=[template.pk]))
    assert answer.url == reverse("campaigns:note-edit", args=[template.pk])
    assert "SMS · Sale now" in marketer.get(reverse("campaigns:template-list")).content.decode()
    assert marketer.get(new("fax")).status_code == 404
