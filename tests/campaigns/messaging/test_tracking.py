"""Readers leave with one click, and only real openings and clicks of real mails are noted."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import urlsplit

import pytest
from django.db import OperationalError
from django.utils import timezone

from campaigns.answers import collecting, hits
from campaigns.messaging import addresses, delivery
from campaigns.models import Message
from ingestion.models import Consent, Event, Suppression
from tests.campaigns.conftest import people, started

pytestmark = pytest.mark.django_db(transaction=True)
# What links say of the visit, by the names of the shop and of the campaign.
SAID = "utm_source=kestrel&utm_medium=email&utm_campaign=news"


@pytest.fixture
def sent(postbox, settings):
    """A message that was really sent, and its mail."""
    settings.BUSINESS_NAME = "Kestrel"
    people(1)
    run = started()
    delivery.deliver(run_id=run.pk)
    return Message.objects.get(run=run), postbox.read()


def path_of(url: str) -> str:
    parts = urlsplit(unescape(url))
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def link(mail, pattern: str) -> str:
    html = mail.get_body(("html",)).get_content()
    found = re.search(pattern, html)
    assert found
    return path_of(found[1])


def collect() -> int:
    """As the worker does a little later, when the rest of a burst would have come."""
    return collecting.collect(now=timezone.now() + timedelta(seconds=10))


def events_of(message: Message) -> list[str]:
    found = Event.objects.filter(customer_id=message.customer_id, source="campaigns")
    return sorted(found.values_list("type", flat=True))


def test_looking_at_the_unsubscribe_page_changes_nothing(client, sent):
    message, mail = sent
    address = path_of(mail["List-Unsubscribe"].strip("<>"))
    for answer in (client.get(address), client.head(address)):
        assert answer.status_code == 200
    assert b"Nothing has changed yet" in client.get(address).content
    assert not Suppression.objects.exists()
    assert Consent.objects.get(customer=message.customer_id, current=True).granted


def test_one_post_without_cookies_unsubscribes_at_once_and_does_not_redirect(client, sent):
    message, mail = sent
    address = path_of(mail["List-Unsubscribe"].strip("<>"))
    client.handler.enforce_csrf_checks = True
    for _twice in range(2):
        answer = client.post(address, {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert "Location" not in answer
    assert Suppression.objects.get().address == message.address
    assert Suppression.objects.get().reason == "unsubscribed"
    assert not Consent.objects.get(customer=message.customer_id, current=True).granted
    later = started()
    assert Message.objects.get(run=later).reason in ("suppressed", "no_consent")


@pytest.mark.parametrize("purpose", ["open", "click"])
def test_a_token_for_something_else_or_made_up_unsubscribes_nobody(client, sent, purpose):
    import uuid

    message, _mail = sent
    other = addresses.signer().token(uuid.UUID(hex=message.message_id), purpose)
    for token in (other, "x", "A" * 38, f"{other}A"):
        answer = client.post(f"/u/{token}", {"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
        assert b"This link does not work" in answer.content
    assert not Suppression.objects.exists()


def test_an_open_is_noted_once_and_a_forged_one_never(client, sent):
    message, mail = sent
    pixel = link(mail, r'src="([^"]+/o/[^"]+\.gif)"')
    for _twice in range(2):
        answer = client.get(pixel)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/gif")
    client.head(pixel)
    forged = client.get("/o/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA.gif")
    assert forged.content == client.get(pixel).content
    assert collect() == 3
    message.refresh_from_db()
    assert message.opened_at is not None
    assert events_of(message) == ["email_opened", "email_sent"]


def test_a_click_leads_to_the_links_own_target_and_is_noted(client, sent):
    message, mail = sent
    click = link(mail, r'href="([^"]+/c/[^"]+)"')
    answer = client.get(click)
    assert (answer.status_code, answer["Location"]) == (302, f"https://shop.example/new?{SAID}")
    client.get(click)
    assert collect() == 2
    message.refresh_from_db()
    assert message.clicked_at is not None
    assert events_of(message) == ["email_clicked", "email_sent"]
    event = Event.objects.get(type="email_clicked", customer_id=message.customer_id)
    assert event.properties["url"] == f"https://shop.example/new?{SAID}"
    assert event.properties["machine"] is True  # nobody clicks within two seconds of sending


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "javascript:alert(1)", "", "https://shop.example/"],
)
def test_a_click_never_leads_anywhere_else(client, sent, target):
    _message, mail = sent
    click = link(mail, r'href="([^"]+/c/[^"]+)"')
    answer = client.get(click.partition("?")[0], {"u": target})
    assert answer.status_code == 404
    assert client.head(click).status_code == 200
    forged = client.get(f"/c/AAAA/{click.partition('?')[0].rsplit('/', 1)[1]}", {"u": target})
    assert forged.status_code == 404


def test_a_reader_gets_on_while_the_database_is_away_and_the_next_look_is_noted(
    client, sent, monkeypatch
):
    message, mail = sent
    pixel, click = link(mail, r'src="([^"]*/o/[^"]*)"'), link(mail, r'href="([^"]+/c/[^"]+)"')

    def away(_hit: object) -> None:
        raise OperationalError("the database is away")

    with monkeypatch.context() as broken:
        broken.setattr(hits, "_take", away)
        assert client.get(pixel).status_code == 200
        assert client.get(click)["Location"] == f"https://shop.example/new?{SAID}"
    assert collect() == 0
    client.get(pixel)
    assert collect() == 1
    message.refresh_from_db()
    assert message.opened_at is not None
    assert "email_opened" in events_of(message)
