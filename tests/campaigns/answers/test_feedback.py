"""Bounces and complaints lead to what they must, once, and never to more."""

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.answers import feedback, returned
from campaigns.answers.feedback import News, Told
from campaigns.models import Message, Returned, Run
from campaigns.sending import runs
from ingestion import consent
from ingestion.models import Consent, Event, Suppression
from tests.campaigns.answers import letters

pytestmark = pytest.mark.django_db(transaction=True)


def bounced(message: Message, **said: str) -> list[News]:
    letter = letters.bounce(address=message.address, key=str(message.message_id), **said)
    return feedback.news_of(returned.read(letter), source="mailbox", at=timezone.now())


def kinds(message: Message) -> list[str]:
    found = Event.objects.filter(customer_id=message.customer_id).exclude(type="email_sent")
    return sorted(found.values_list("type", flat=True))


def test_a_mailbox_that_does_not_exist_is_never_written_to_again(sent) -> None:
    message = sent[0]
    assert feedback.hear(news=bounced(message), now=timezone.now()) == Told(1, 0, 0)
    message.refresh_from_db()
    assert (message.bounce, message.state) == ("mailbox", "sent")
    assert message.bounced_at is not None
    assert Suppression.objects.get().address == message.address
    assert Suppression.objects.get().reason == "bounced"
    event = Event.objects.get(customer_id=message.customer_id, type="email_bounced")
    assert event.properties["cause"] == "mailbox"
    assert event.properties["status"] == "5.1.1"


def test_the_same_bounce_counts_once_however_often_it_is_brought(sent) -> None:
    news = bounced(sent[0])
    feedback.hear(news=news, now=timezone.now())
    assert feedback.hear(news=news, now=timezone.now()) == Told(0, 1, 0)
    assert feedback.hear(news=[*news, *news], now=timezone.now()) == Told(0, 2, 0)
    assert Returned.objects.count() == 1
    assert kinds(sent[0]) == ["email_bounced"]


@pytest.mark.parametrize(("status", "cause"), [("5.7.1", "policy"), ("5.3.4", "content")])
def test_a_refusal_for_what_we_did_says_nothing_about_the_person(sent, status, cause) -> None:
    feedback.hear(news=bounced(sent[0], status=status, text="refused"), now=timezone.now())
    assert Message.objects.get(pk=sent[0].pk).bounce == cause
    assert not Suppression.objects.exists()


def test_a_forged_report_without_our_id_changes_nothing(sent) -> None:
    message = sent[0]
    forged = letters.bounce(address=message.address, key="f" * 32)
    news = feedback.news_of(returned.read(forged), source="mailbox", at=timezone.now())
    assert feedback.hear(news=news, now=timezone.now()) == Told(1, 0, 1)
    assert not Suppression.objects.exists()
    assert Returned.objects.get().message_id is None
    assert Returned.objects.get().text == ""  # words about nobody of ours may name anybody


def test_a_forwarded_mail_that_bounces_elsewhere_does_not_end_our_address(sent) -> None:
    message = sent[0]
    letter = letters.bounce(address="other@elsewhere.example", key=str(message.message_id))
    news = feedback.news_of(returned.read(letter), source="mailbox", at=timezone.now())
    feedback.hear(news=news, now=timezone.now())
    assert Message.objects.get(pk=message.pk).bounce == "unknown"
    assert not Suppression.objects.exists()


def test_whoever_complains_is_left_alone_from_then_on(sent) -> None:
    message = sent[1]
    letter = letters.complaint(key=str(message.message_id))
    letter = letter.replace(b"ann@shop.example", message.address.encode())
    news = feedback.news_of(returned.read(letter), source="mailbox", at=timezone.now())
    feedback.hear(news=news, now=timezone.now())
    message.refresh_from_db()
    assert message.complained_at is not None
    assert Suppression.objects.get().reason == "complained"
    assert not Consent.objects.get(customer=message.customer_id, current=True).granted
    assert consent.mailable([message.customer_id]).get().reason == "suppressed"
    assert kinds(message) == ["email_complained"]


def test_a_full_mailbox_is_given_up_after_five_failures_in_a_row(sent) -> None:
    first = sent[0]
    now = timezone.now()
    campaign = first.run.campaign
    Message.objects.filter(pk=first.pk).update(sent_at=now - timedelta(days=20))
    others = []
    for number in range(5):
        run = Run.objects.create(campaign=campaign, state=Run.State.FINISHED, snapshot={})
        others.append(
            Message.objects.create(
                run=run,
                customer_id=first.customer_id,
                address=first.address,
                state="sent",
                message_id=f"{number:032x}",
                sent_at=now - timedelta(hours=number),
            )
        )
    for message in others[:4]:
        feedback.hear(news=bounced(message, status="4.2.2", text="mailbox full"), now=now)
        assert not Suppression.objects.exists()
    feedback.hear(news=bounced(others[4], status="4.2.2", text="mailbox full"), now=now)
    assert Suppression.objects.get().reason == "bounced"


def test_news_of_delivery_settles_what_nobody_knew(sent) -> None:
    Message.objects.filter(pk=sent[0].pk).update(
        state="unknown", reason="line_broke", provider_ref="sg-1"
    )
    news = [News("delivered", timezone.now(), "sendgrid", ref="sg-1", mark="event-1")]
    feedback.hear(news=news, now=timezone.now())
    assert Message.objects.get(pk=sent[0].pk).state == "sent"
    assert kinds(sent[0]) == ["email_delivered"]


def test_news_that_comes_before_our_own_mark_is_heard_once_the_mark_stands(sent) -> None:
    message, now = sent[0], timezone.now()
    news = [News("bounce", now, "sendgrid", ref="sg-9", cause="mailbox", mark="event-9")]
    assert feedback.hear(news=news, now=now) == Told(1, 0, 1)
    assert feedback.reconcile(now=now) == 0
    Message.objects.filter(pk=message.pk).update(provider_ref="sg-9")
    assert feedback.reconcile(now=now) == 1
    assert feedback.reconcile(now=now) == 0
    assert Message.objects.get(pk=message.pk).bounce == "mailbox"
    assert Suppression.objects.get().address == message.address
    assert feedback.hear(news=news, now=now) == Told(0, 1, 0)
    assert kinds(message) == ["email_bounced"]


def test_too_many_complaints_pause_the_rest_with_the_reason(sent) -> None:
    run = sent[0].run
    Run.objects.filter(pk=run.pk).update(state=Run.State.RUNNING)
    run.campaign.state = "running"
    run.campaign.save()
    for message in sent:
        letter = letters.complaint(key=str(message.message_id))
        letter = letter.replace(b"ann@shop.example", message.address.encode())
        feedback.hear(
            news=feedback.news_of(returned.read(letter), source="mailbox", at=timezone.now()),
            now=timezone.now(),
        )
    run.refresh_from_db()
    assert run.state == Run.State.PAUSED
    assert run.error.startswith("5 people called this mail spam")
    assert runs.progress(run_id=run.pk).sent == 6
