"""Messages that are no mails keep their versions too, on the same page."""

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.channels import writing
from campaigns.content import history, versions
from campaigns.models import Template
from marketing.core.errors import Invalid
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW
SAID = {
    "sms": {"text": "Ten percent off"},
    "push": {"title": "New in", "body": "Have a look", "url": "https://shop.example/"},
    "inbox": {"title": "New in", "body": "Have a look"},
    "webhook": {"url": "https://shop.example/in", "body": '{"orders": "{{ orders }}"}'},
}


@pytest.fixture
def marketer(client) -> Client:
    client.force_login(factories.user("marketer"))
    return client


def save(kind: str, template: Template | None = None, **more) -> Template:
    return writing.save(
        kind=kind, template_id=template.pk if template else None,
        values={"name": "Note", **SAID[kind], **more}, user=None, now=NOW,
    )  # fmt: skip


@pytest.mark.parametrize("kind", list(SAID))
def test_every_save_is_a_version_that_can_be_brought_back(marketer, kind):
    part = "body" if "body" in SAID[kind] else "text"
    other = '{"orders": 4}' if kind == "webhook" else "Something else"
    note = save(kind, save(kind), **{part: other})
    assert [row.number for row in history.of(note)] == [2, 1]
    page = marketer.get(reverse("campaigns:template-versions", args=[note.pk]))
    assert page.status_code == 200
    assert [str(change.label) for change in page.context["changes"]] == [part.capitalize()]
    assert reverse("campaigns:note-edit", args=[note.pk]) in page.content.decode()
    marketer.post(reverse("campaigns:template-restore", args=[note.pk, 1]))
    note.refresh_from_db()
    assert (note.version, note.parts[part]) == (3, SAID[kind][part])
    assert history.of(note)[0].restored == 1
    with pytest.raises(Invalid, match="says now"):
        versions.restore(template_id=note.pk, number=3, user=None, now=NOW)


def test_one_from_before_versions_keeps_what_it_said(marketer):
    note = save("sms")
    note.versions.all().delete()
    page = marketer.get(reverse("campaigns:template-versions", args=[note.pk]))
    assert "Versions are kept from the next save on." in page.content.decode()
    save("sms", note, text="Later")
    assert [row.said["parts"]["text"] for row in history.of(note)] == ["Later", "Ten percent off"]


def test_the_form_leads_to_the_versions(marketer):
    note = save("push")
    page = marketer.get(reverse("campaigns:note-edit", args=[note.pk])).content.decode()
    assert reverse("campaigns:template-versions", args=[note.pk]) in page
