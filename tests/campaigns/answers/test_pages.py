"""The page of returned mail: who may set up a mailbox, and what is refused."""

import socket

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns.answers import boxes, feedback, returned
from campaigns.models import ReturnBox
from marketing.core import vault
from tests import factories
from tests.campaigns.answers import letters

pytestmark = pytest.mark.django_db(transaction=True)
BOX = {
    "name": "Bounces",
    "host": "127.0.0.1",
    "port": "1",
    "security": "none",
    "username": "hello",
    "folder": "INBOX",
    "enabled": "on",
}


def test_an_admin_adds_a_mailbox_and_is_told_when_it_does_not_open() -> None:
    client = factories.signed_in("admin")
    page = reverse("campaigns:returned-mail")
    said = client.post(page, {**BOX, "password": "open-sesame"}, follow=True).content.decode()
    assert "Saved, but the mailbox does not open" in said
    assert "an address of this machine or network, which is not called" in said
    box = ReturnBox.objects.get()
    assert "open-sesame" not in box.secret
    assert "open-sesame" not in said
    # Without a new password the one before stays; towards another server it does not go along.
    client.post(reverse("campaigns:return-box", args=[box.pk]), {**BOX, "name": "Other"})
    assert ReturnBox.objects.get().name == "Other"
    assert ReturnBox.objects.get().secret == box.secret
    for field, other in (("username", "eve"), ("host", "localhost"), ("port", "143")):
        answer = client.post(reverse("campaigns:return-box", args=[box.pk]), {**BOX, field: other})
        assert answer.status_code == 422
        assert "Give the password of the mailbox." in answer.content.decode()
    client.post(reverse("campaigns:return-box-remove", args=[box.pk]))
    assert not ReturnBox.objects.exists()


def test_a_password_never_crosses_the_network_in_clear() -> None:
    answer = factories.signed_in("admin").post(
        reverse("campaigns:returned-mail"), {**BOX, "host": "imap.example.com", "password": "x"}
    )
    assert answer.status_code == 422
    assert "cross the network in clear" in answer.content.decode()
    assert not ReturnBox.objects.exists()


def test_a_mailbox_is_no_way_into_this_network() -> None:
    box = ReturnBox.objects.create(name="Bounces", security="none", username="hello")
    box.secret = vault.seal(text="open-sesame", row=boxes.row_of(box))
    with socket.create_server(("127.0.0.1", 0)) as inner:
        inner.settimeout(0.1)
        box.port = inner.getsockname()[1]
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "169.254.169.254"):
            box.host = host
            assert "this machine or network" in boxes.check(box=box)
        box.host = "2130706433"
        assert "not a host that can be called" in boxes.check(box=box)
        with pytest.raises(TimeoutError):
            inner.accept()
    box.host, box.port = "93.184.215.14", 22
    assert "Port 22 of 93.184.215.14 is not called" in boxes.check(box=box)


def test_a_marketer_looks_and_changes_nothing() -> None:
    client = factories.signed_in("marketer")
    page = reverse("campaigns:returned-mail")
    assert "Add a mailbox" not in client.get(page).content.decode()
    assert client.post(page, {**BOX, "password": "x"}).status_code == 403
    assert not ReturnBox.objects.exists()


def test_what_came_back_is_listed_with_its_reason(sent) -> None:
    letter = letters.bounce(address=sent[0].address, key=str(sent[0].message_id))
    news = feedback.news_of(returned.read(letter), source="mailbox", at=timezone.now())
    feedback.hear(news=news, now=timezone.now())
    said = factories.signed_in("analyst").get(reverse("campaigns:returned-mail")).content.decode()
    assert "The mailbox does not exist" in said
    assert sent[0].address in said
