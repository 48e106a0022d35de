"""The editor and the pages around it, as a marketer uses them."""

from email import message_from_bytes
from email.policy import default

import orjson
import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from campaigns import content
from campaigns.content import blocks, testing
from campaigns.models import Message, Template
from campaigns.segments import definitions
from ingestion.models import Customer
from marketing.core.models import User
from tests import factories
from tests.campaigns.conftest import EVERYBODY, MJML, people

pytestmark = pytest.mark.django_db
BODY = {"name": "News", "subject": "Hello {{ last_name }}", "written_in": "mjml", "mjml": MJML}


@pytest.fixture
def marketer(client: Client) -> Client:
    client.force_login(factories.user("marketer"))
    return client


def save(**values) -> Template:
    given = {"name": "News", "subject": "Hello", "mjml": MJML}
    return content.save(**{**given, **values}, user=None, now=factories.NOW)


def test_a_mail_of_blocks_is_written_changed_and_its_versions_compared_and_brought_back(marketer):
    new = reverse("campaigns:template-new")
    assert b"blocks-data" in marketer.get(new).content
    said = {"name": "Spring", "subject": "Hello", "written_in": "blocks"}
    begun = [{"kind": "text", "text": "Good day"}, {"kind": "footer"}]
    answer = marketer.post(new, {**said, "blocks": orjson.dumps(begun).decode()})
    template = Template.objects.get()
    page = reverse("campaigns:template-edit", args=[template.pk])
    assert answer["Location"] == page
    assert (template.written_in, template.blocks[0]["text"]) == ("blocks", "Good day")
    begun[0]["text"] = "Good evening"
    marketer.post(page, {**said, "blocks": orjson.dumps(begun).decode()})
    shown = marketer.get(reverse("campaigns:template-versions", args=[template.pk]))
    assert b"<ins>evening" in shown.content
    marketer.post(reverse("campaigns:template-restore", args=[template.pk, 1]))
    template.refresh_from_db()
    assert (template.version, template.blocks[0]["text"]) == (3, "Good day")


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"written_in": "blocks", "blocks": "{"}, b"no such kind of block"),
        ({"written_in": "blocks", "blocks": "[]"}, b"MJML"),
        ({"written_in": "word"}, b"Choose blocks"),
        ({"written_in": "html", "mjml": "<p>Hello</p>"}, b"no unsubscribe link"),
        ({"written_in": "html", "mjml": "<script>x</script>"}, b"not allowed"),
    ],
)
def test_what_cannot_be_a_mail_is_said_at_its_field_and_nothing_is_stored(marketer, values, why):
    answer = marketer.post(reverse("campaigns:template-new"), {**BODY, "subject": "Hi", **values})
    assert answer.status_code == 422
    assert why in answer.content
    assert not Template.objects.exists()


def test_html_is_left_as_written(marketer):
    html = '<p>Hi<br>{{ shop_name }}<p><a href="{{ unsubscribe_url }}">Stop</a>\n'
    said = {**BODY, "subject": "Hi", "written_in": "html", "mjml": html}
    marketer.post(reverse("campaigns:template-new"), said)
    template = Template.objects.get()
    assert (template.written_in, template.html) == ("html", html)


def test_another_language_is_written_beside_the_first_and_taken_away(marketer):
    template = save()
    page = reverse("campaigns:template-edit", args=[template.pk])
    assert "German" in marketer.get(page + "?language=de").text
    said = {**BODY, "subject": "Neues", "language": "de"}
    assert marketer.post(page, said)["Location"] == page + "?language=de"
    template.refresh_from_db()
    assert (template.subject, template.languages["de"]["subject"]) == ("Hello", "Neues")
    marketer.post(reverse("campaigns:template-unlanguage", args=[template.pk, "de"]))
    template.refresh_from_db()
    assert template.languages == {}


def test_people_of_a_segment_who_would_get_nothing_are_named_with_the_missing_value(marketer):
    people(3)
    Customer.objects.filter(external_id="p2").update(last_name="Lovelace")
    segment = definitions.save(name="All", rule=EVERYBODY, actor=None)
    shown = marketer.post(
        reverse("campaigns:template-sample"), {**BODY, "segment": segment.pk}
    ).text
    assert "2 of 3 would get nothing" in shown
    assert "<code>last_name</code>" in shown
    assert "Person0" in shown
    assert "Person2" not in shown
    listed = marketer.get(reverse("campaigns:template-people"), {"segment": segment.pk}).json()
    assert len(listed["people"]) == 3


def test_the_mail_as_somebody_gets_it_and_what_stands_around_it(marketer):
    ada = people(1)[0]
    said = {**BODY, "subject": "For {{ first_name }}", "person": ada.pk}
    assert "Hello Person0" in marketer.post(reverse("campaigns:template-preview"), said).text
    look = marketer.post(reverse("campaigns:template-look"), said).text
    assert "For Person0" in look
    assert "Subject of 11 characters" in look
    wrong = marketer.post(reverse("campaigns:template-look"), {**BODY, "person": ada.pk}).text
    assert "last_name is missing" in wrong


def test_a_test_goes_to_the_team_only_is_marked_and_counts_nowhere(marketer, postbox):
    people(1)
    User.objects.update(email="mo@shop.example")
    url, said = reverse("campaigns:template-test"), {**BODY, "subject": "For {{ first_name }}"}
    assert "mo@shop.example" in marketer.post(url, said).text
    ((_to, data),) = postbox.mails
    mail = message_from_bytes(data, policy=default)
    assert mail["Subject"] == "[Test] For Person0"
    assert mail["List-Unsubscribe"] is None
    body = mail.get_body(("html",)).get_content()
    assert 'href="https://shop.example/new"' in body
    assert "/o/" not in body
    assert not Message.objects.exists()
    refused = marketer.post(url, {**said, "to": 10**9}).text
    assert "people of your team only" in refused
    assert "last_name is missing" in marketer.post(url, BODY).text
    assert len(postbox.mails) == 1


def test_a_mailbox_is_not_filled_with_tests(marketer, postbox, monkeypatch):
    monkeypatch.setattr(testing, "TESTS_AN_HOUR", 2)
    people(1)
    User.objects.update(email="mo@shop.example")
    url, said = reverse("campaigns:template-test"), {**BODY, "subject": "For {{ first_name }}"}
    cache.delete(f"tests:{User.objects.get().pk}")
    shown = [marketer.post(url, said).text for _ in range(3)]
    assert "this one was not sent" in shown[2]
    assert len(postbox.mails) == 2


def test_who_may_only_look_changes_and_sends_nothing(client):
    client.force_login(factories.user("analyst"))
    template = save(written_in="blocks", blocks=blocks.starter(), mjml="")
    assert client.get(reverse("campaigns:template-versions", args=[template.pk])).status_code == 200
    for name, args in (("test", []), ("restore", [template.pk, 1]), ("edit", [template.pk])):
        url = reverse(f"campaigns:template-{name}", args=args)
        assert client.post(url, BODY).status_code == 403
