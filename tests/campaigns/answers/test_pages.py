"""The page of returned mail: who may set up a mailbox, and what is refused."""

import pytest
from django.urls import reverse
from django.utils import timezone

from campaigns.answers import feedback, returned
from campaigns.models import ReturnBox
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
    box = ReturnBox.objects.get()
    assert "open-sesame" not in box.secret
    assert "open-sesame" not in said
    # Without a new password the one before stays; towards another server it does not go along.
    client.post(reverse("campaigns:return-box", args=[box.pk]), {**BOX, "name": "Other"})
    assert ReturnBox.objects.get().name == "Other"
    assert ReturnBox.objects.get().secret == box.secret
    answer = client.post(reverse("campaigns:return-box", args=[box.pk]), {**BOX, "username": "eve"})
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
