"""Openings and clicks are taken down at once and become facts once, people before machines."""

from datetime import timedelta

import pytest
from django.test import Client

from campaigns.answers import collecting, hits
from campaigns.messaging import addresses
from campaigns.models import Hit, Message
from ingestion.models import Event, Refusal

pytestmark = pytest.mark.django_db(transaction=True)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
TARGET = "https://shop.example/new"


def click(message: Message, seconds: float, url: str = TARGET, agent: str = FIREFOX) -> str | None:
    _open, token, _leave = addresses.signer().tokens(bytes.fromhex(str(message.message_id)))
    mac = addresses.signer().tail(url).partition("?")[0]
    at = message.sent_at + timedelta(seconds=seconds)
    return hits.clicked(token=token, mac=mac, url=url, agent=agent, now=at)


def look(message: Message, seconds: float, agent: str = FIREFOX) -> bool:
    token, _click, _leave = addresses.signer().tokens(bytes.fromhex(str(message.message_id)))
    at = message.sent_at + timedelta(seconds=seconds)
    return hits.opened(token=token, agent=agent, now=at)


def collect(message: Message, seconds: float = 100_000) -> int:
    return collecting.collect(now=message.sent_at + timedelta(seconds=seconds))


def events_of(message: Message) -> list[tuple[str, bool]]:
    found = Event.objects.filter(customer_id=message.customer_id).exclude(type="email_sent")
    return sorted(found.values_list("type", "properties__machine"))


def test_a_click_is_one_event_a_link_however_often_it_is_repeated(sent) -> None:
    message = sent[0]
    for seconds in (700, 701, 900):
        assert click(message, seconds) == TARGET
    click(message, 800, "https://shop.example/other")
    assert collect(message) == 4
    click(message, 1_000)
    assert collect(message) == 1
    assert events_of(message) == [("email_clicked", False)] * 2
    first = Event.objects.filter(customer_id=message.customer_id, properties__first=True)
    assert first.get().properties["url"] == TARGET
    message.refresh_from_db()
    assert message.clicked_at == message.sent_at + timedelta(seconds=700)
    assert message.opened_at == message.clicked_at
    assert message.clicked_human == 0.944
    assert not Hit.objects.exists()
    assert not Refusal.objects.exists()  # a repeat is no conflict


def test_a_gateway_does_not_hide_the_person_who_comes_after_it(sent) -> None:
    message = sent[0]
    look(message, 0.5, agent="")
    collect(message, 10)
    message.refresh_from_db()
    assert message.opened_at == message.sent_at + timedelta(seconds=0.5)
    assert message.opened_human < 0.5
    look(message, 4_000)
    collect(message)
    message.refresh_from_db()
    assert message.opened_at == message.sent_at + timedelta(seconds=4_000)
    assert message.opened_human == 0.818
    assert events_of(message) == [("email_opened", False), ("email_opened", True)]


def test_following_every_link_at_once_is_a_scanner(sent) -> None:
    message = sent[0]
    for number in range(4):
        click(message, 20 + number / 10, f"https://shop.example/{number}")
    assert collect(message, 22) == 0  # the rest of a burst is waited for
    assert collect(message, 40) == 4
    message.refresh_from_db()
    assert message.clicked_human == 0.169
    assert events_of(message) == [("email_clicked", True)] * 4


def test_a_mail_that_nobody_knows_about_was_delivered_when_it_is_opened(sent) -> None:
    message = sent[1]
    Message.objects.filter(pk=message.pk).update(state="unknown", reason="line_broke")
    look(message, 500)
    collect(message)
    message.refresh_from_db()
    assert (message.state, message.reason) == ("sent", "")


def test_a_reader_faster_than_the_senders_mark_is_not_lost(sent) -> None:
    message = sent[2]
    Message.objects.filter(pk=message.pk).update(state="sending", sent_at=None)
    look(message, 6)
    assert collect(message, 20) == 0
    Message.objects.filter(pk=message.pk).update(state="sent", sent_at=message.sent_at)
    assert collect(message, 30) == 1


def test_what_was_not_made_here_leaves_no_row(sent) -> None:
    assert hits.opened(token="A" * 38, agent=FIREFOX, now=sent[0].sent_at) is False
    client = Client()
    for token in ("x", "A" * 38, addresses.signer().tokens(b"0" * 16)[1]):
        assert client.get(f"/o/{token}.gif").status_code == 200
        assert client.get(f"/c/{token}/AAAA", {"u": TARGET}).status_code == 404
    assert not Hit.objects.exists()


def test_a_hit_on_a_message_that_was_erased_goes_without_a_trace(sent) -> None:
    message = sent[0]
    look(message, 600)
    Message.objects.filter(pk=message.pk).delete()
    assert collecting.collect(now=message.sent_at + timedelta(days=1)) == 0
    assert not Hit.objects.exists()


def test_agents_are_cut_and_cannot_break_a_row(sent) -> None:
    look(sent[0], 600, agent="M\x00" + "x" * 5_000)
    assert len(Hit.objects.get().agent) == 200
