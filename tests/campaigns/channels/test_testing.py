"""A text, a notification or a call is tried on the team before anybody else gets it."""

import json

import pytest
from django.urls import reverse

from campaigns.channels import saving
from campaigns.content import testing
from campaigns.models import InboxItem, Message
from ingestion.models import Customer
from tests import factories
from tests.campaigns.peer import Peer

pytestmark = pytest.mark.django_db


@pytest.fixture
def peer(settings):
    made = Peer()
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{made.port}"]
    yield made
    made.close()


@pytest.fixture
def marketer(client):
    user = factories.user("marketer")
    user.email = "Mia@shop.example"
    user.save()
    client.force_login(user)
    Customer.objects.create(external_id="ada", first_name="Ada")
    client.user = user
    return client


def mia(**more):
    return Customer.objects.create(external_id="mia", email="mia@shop.example", **more)


def gateway(peer):
    return saving.save(
        provider="sms_gateway",
        name="Texts",
        given={"url": f"{peer.url}/send", "body": '{"to": "{{ to }}", "text": "{{ text }}"}'},
        sender=saving.Sender(from_address="+15005550006"),
        user=None,
        now=factories.NOW,
    )[0]


def tried(client, kind, person="ada", **parts):
    seen = Customer.objects.get(external_id=person).pk
    page = client.post(
        reverse("campaigns:note-test", args=[kind]), {"name": "x", "person": seen, **parts}
    )
    assert page.status_code == 200
    return page.content.decode()


def test_a_text_goes_to_a_colleagues_own_number_as_the_chosen_person_would_get_it(marketer, peer):
    gateway(peer)
    mia(phone="+4915112345678")
    assert "+4915112345678" in tried(marketer, "sms", text="Hi {{ first_name }}")
    sent = json.loads(peer.asked[0].body)
    assert (sent["to"], sent["text"]) == ("+4915112345678", "Hi Ada")
    assert not Message.objects.exists()


def test_nothing_leaves_where_no_number_is_known_or_a_value_is_missing(marketer, peer):
    gateway(peer)
    assert "No phone number is known of" in tried(marketer, "sms", text="Hi")
    mia(phone="+4915112345678")
    assert "last_name is missing" in tried(marketer, "sms", text="Hi {{ last_name }}")
    assert "no value called password" in tried(marketer, "sms", text="Hi {{ password }}")
    assert peer.asked == []


def test_a_stranger_is_never_written_to(marketer, peer):
    gateway(peer)
    other = factories.user("marketer", is_active=False)
    page = marketer.post(
        reverse("campaigns:note-test", args=["sms"]), {"name": "x", "text": "Hi", "to": other.pk}
    )
    assert "people of your team only" in page.content.decode()
    assert peer.asked == []


def test_without_a_channel_or_with_one_that_refuses_it_says_so(marketer, peer):
    mia(phone="+4915112345678")
    assert "No channel of this kind is set up" in tried(marketer, "sms", text="Hi")
    gateway(peer)
    peer.answers.append((400, "no credit left"))
    assert "no credit left" in tried(marketer, "sms", text="Hi")


def test_an_inbox_message_is_marked_as_a_test(marketer):
    saving.save(provider="inbox_own", name="Inbox", given={}, user=None, now=factories.NOW)
    assert "Nobody among your people" in tried(marketer, "inbox", title="New")
    person = mia()
    assert "mia@shop.example" in tried(marketer, "inbox", title="New, {{ first_name }}").lower()
    assert InboxItem.objects.get().customer_id == person.pk
    assert "[Test] New, Ada" in str(vars(InboxItem.objects.get()))


def test_a_call_goes_where_it_would_go(marketer, peer):
    saving.save(
        provider="webhook_standard",
        name="Shop",
        given={"url": f"{peer.url}/hook"},
        user=None,
        now=factories.NOW,
    )
    assert "Shop" in tried(marketer, "webhook", url="", body='{"who": "{{ first_name }}"}')
    assert json.loads(peer.asked[0].body) == {"who": "Ada"}


def test_tests_of_every_kind_are_counted_together(marketer, peer, monkeypatch):
    gateway(peer)
    mia(phone="+4915112345678")
    monkeypatch.setattr(testing, "TESTS_AN_HOUR", 1)
    assert "is on its way" in tried(marketer, "sms", text="Hi")
    assert "within an hour" in tried(marketer, "sms", text="Hi")
    assert len(peer.asked) == 1


def test_whoever_may_only_look_cannot_send_one(client):
    client.force_login(factories.user("analyst"))
    page = client.post(reverse("campaigns:note-test", args=["sms"]), {"text": "Hi"})
    assert page.status_code == 403
