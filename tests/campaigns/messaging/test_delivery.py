"""Mails leave through a real SMTP conversation: each person once, and honest about the rest."""

import threading
from datetime import timedelta

import pytest
from django.db import connection

from campaigns.messaging import batches, claims, delivery, keeping, marks, pump, sweeps, writers
from campaigns.messaging.providers.base import Answer, Verdict
from campaigns.models import Message, MessageBody
from campaigns.sending import runs
from ingestion import consent
from ingestion.models import Customer, Event, Suppression
from tests import factories
from tests.campaigns.conftest import people, started, states

pytestmark = pytest.mark.django_db(transaction=True)


def test_everybody_gets_the_mail_once_and_the_campaign_is_finished(postbox):
    people(30)
    run = started()
    done = delivery.deliver(run_id=run.pk)
    assert (done.sent, done.failed, done.retried, done.unknown, done.more) == (30, 0, 0, 0, False)
    assert states(run) == {"sent": 30}
    assert set(postbox.copies.values()) == {1}
    run.refresh_from_db()
    assert run.state == run.campaign.state == "finished"
    assert postbox.sessions == 1


def test_the_mail_reads_as_a_mailbox_expects_and_is_kept_as_it_was_sent(postbox):
    people(1)
    run = started(subject="{{ first_name }}, köm över")
    delivery.deliver(run_id=run.pk)
    mail = postbox.read()
    message = Message.objects.get(run=run)
    assert mail["Subject"] == message.subject == "Person0, köm över"
    assert mail["To"].addresses[0].addr_spec == "p0@example.com"
    assert mail["Message-ID"] == f"<{message.message_id}@shop.example.com>"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    leave = mail["List-Unsubscribe"].strip("<>")
    html = mail.get_body(("html",)).get_content()
    text = mail.get_body(("plain",)).get_content()
    assert leave in html
    assert leave in text
    assert "Hello Person0, see" in text
    assert "https://shop.example/new" in text
    assert 'href="https://shop.example/new"' not in html
    body = MessageBody.objects.get(message=message)
    assert len(body.mime) < len(postbox.mails[0][1]) / 2
    # Read with what it was packed with, not with what the template would be taken for today.
    run.snapshot = {}
    run.save(update_fields=["snapshot"])
    assert keeping.read(body) == postbox.mails[0][1]


def test_somebody_whose_values_do_not_fit_the_template_is_listed_and_never_written_to(postbox):
    people(3)
    nameless = people(1, prefix="nameless")[0]
    type(nameless).objects.filter(pk=nameless.pk).update(first_name="")
    run = started(subject="Hello {{ first_name }}")
    delivery.deliver(run_id=run.pk)
    failed = Message.objects.get(run=run, state="failed")
    assert (failed.customer_id, failed.reason) == (nameless.pk, "render")
    assert failed.error == "first_name is missing"
    assert states(run) == {"sent": 3, "failed": 1}
    assert "nameless0@example.com" not in postbox.copies


def test_a_name_that_looks_like_a_template_is_only_text(postbox):
    person = people(1)[0]
    type(person).objects.filter(pk=person.pk).update(first_name="{{ 7*7 }}<script>{% raw %}")
    run = started(subject="{{ first_name }}")
    delivery.deliver(run_id=run.pk)
    mail = postbox.read()
    assert mail["Subject"] == "{{ 7*7 }}<script>{% raw %}"
    html = mail.get_body(("html",)).get_content()
    assert "<script" not in html
    assert "{{ 7*7 }}&lt;script&gt;" in html


def test_each_refusal_has_its_own_end_and_the_others_still_get_theirs(postbox):
    people(6)
    postbox.refuse = {
        "p0@example.com": "450 4.2.1 try later",
        "p1@example.com": "550 5.1.1 no such user",
        "p2@example.com": "554 5.7.1 not from you",
    }
    postbox.hang_up_after_data = {"p3@example.com"}
    postbox.hang_up_at_rcpt = {"p4@example.com"}
    run = started()
    done = delivery.deliver(run_id=run.pk)
    assert (done.sent, done.failed, done.retried, done.unknown) == (1, 2, 2, 1)
    found = dict(Message.objects.filter(run=run).values_list("address", "state"))
    reasons = dict(Message.objects.filter(run=run).values_list("address", "reason"))
    assert found == {
        "p0@example.com": "queued",
        "p1@example.com": "failed",
        "p2@example.com": "failed",
        "p3@example.com": "unknown",
        "p4@example.com": "queued",
        "p5@example.com": "sent",
    }
    assert reasons["p1@example.com"] == "bounced"
    assert reasons["p2@example.com"] == "refused"
    assert Suppression.objects.get().address == "p1@example.com"
    waiting = Message.objects.get(address="p0@example.com")
    assert waiting.attempt == 1
    assert "try later" in waiting.error
    assert 24 <= (waiting.next_try_at - factories.now()).total_seconds() <= 37
    run.refresh_from_db()
    assert run.state == "running"


def test_a_mail_put_off_keeps_its_message_id_when_it_is_sent_at_last(postbox):
    people(1)
    postbox.refuse = {"p0@example.com": "451 4.7.1 greylisted"}
    run = started()
    delivery.deliver(run_id=run.pk)
    before = Message.objects.get(run=run)
    assert delivery.deliver(run_id=run.pk).sent == 0
    postbox.refuse = {}
    Message.objects.filter(run=run).update(next_try_at=factories.now())
    assert delivery.deliver(run_id=run.pk).sent == 1
    after = Message.objects.get(run=run)
    assert (after.state, after.attempt, after.error) == ("sent", 2, "")
    assert after.message_id == before.message_id
    assert postbox.read()["Message-ID"] == f"<{before.message_id}@shop.example.com>"


def test_a_mail_tried_for_three_days_is_given_up(postbox):
    people(1)
    run = started()
    Message.objects.filter(run=run).update(
        first_try_at=factories.now() - timedelta(hours=73), next_try_at=factories.now()
    )
    sweeps.sweep()
    assert Message.objects.get(run=run).reason == "gave_up"


@pytest.mark.parametrize("host", ["127.0.0.1", "nobody.invalid"])
def test_while_the_server_does_not_answer_nothing_is_lost_or_counted_as_failed(settings, host):
    settings.EMAIL_HOST, settings.EMAIL_PORT = host, 1
    people(5)
    run = started()
    done = delivery.deliver(run_id=run.pk)
    assert (done.sent, done.failed) == (0, 0)
    assert states(run) == {"queued": 5}
    assert set(Message.objects.filter(run=run).values_list("attempt", flat=True)) == {0}
    run.refresh_from_db()
    assert run.error.startswith(f"{host}:1 does not take mail")


def test_sending_goes_on_after_the_server_comes_back_and_the_notice_goes_away(postbox, settings):
    port, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    people(2)
    run = started()
    delivery.deliver(run_id=run.pk)
    settings.EMAIL_PORT = port
    Message.objects.filter(run=run).update(next_try_at=None)
    assert delivery.deliver(run_id=run.pk).sent == 2
    run.refresh_from_db()
    assert (run.state, run.error) == ("finished", "")


def test_a_pause_lets_at_most_the_mail_under_way_out_and_resume_sends_only_the_rest(postbox):
    people(20)
    run = started()

    def pause_at_the_fifth(_recipient: str) -> None:
        if len(postbox.mails) == 5:
            runs.pause(campaign_id=run.campaign_id, user=None, now=factories.now())
            connection.close()

    postbox.on_mail = pause_at_the_fifth
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 5, "queued": 15}
    assert delivery.deliver(run_id=run.pk).sent == 0
    runs.resume(campaign_id=run.campaign_id, user=None, now=factories.now())
    assert delivery.deliver(run_id=run.pk).sent == 15
    assert set(postbox.copies.values()) == {1}
    assert len(postbox.copies) == 20


def test_a_cancel_while_sending_skips_whoever_has_not_got_it(postbox):
    people(20)
    run = started()

    def cancel_at_the_third(_recipient: str) -> None:
        if len(postbox.mails) == 3:
            runs.cancel(campaign_id=run.campaign_id, user=None, now=factories.now())
            connection.close()

    postbox.on_mail = cancel_at_the_third
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 3, "skipped": 17}
    assert len(postbox.mails) == 3


def test_a_run_whose_mails_mostly_fail_pauses_itself_and_says_why(postbox):
    people(120)
    postbox.reply_to_data = "554 5.7.1 we do not like you"
    run = started()
    delivery.deliver(run_id=run.pk, limit=30)
    run.refresh_from_db()
    assert run.state == run.campaign.state == "paused"
    assert "More than half of the last messages failed" in run.error
    assert states(run) == {"failed": 50, "queued": 70}


def test_two_senders_racing_for_one_run_send_no_mail_twice(postbox):
    people(120)
    run = started()
    totals = []

    def send() -> None:
        try:
            totals.append(delivery.deliver(run_id=run.pk, lines=2, limit=10).sent)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(totals) == 120
    assert set(postbox.copies.values()) == {1}
    assert len(postbox.copies) == 120
    assert states(run) == {"sent": 120}


def test_a_sender_that_lost_its_lease_sends_and_marks_nothing_more(postbox):
    people(4)
    run = started()
    sender = writers.Writer(run)
    claimed = claims.claim(run_id=run.pk, owner="slow", limit=10)
    ready, _failures = sender.prepare(claimed)
    batch = batches.Batch.of(ready)
    Message.objects.filter(run=run).update(lease_until=factories.now() - timedelta(seconds=1))
    sweeps.sweep()
    assert delivery.deliver(run_id=run.pk).sent == 4
    assert batch.take() is None  # its own clock says the lease is over, the rows say whose they are
    assert marks.mark([batches.outcome_of(claimed[0], Answer(Verdict.RETRY, ""), "")]) == {}
    assert set(postbox.copies.values()) == {1}
    assert states(run) == {"sent": 4}


def test_a_dead_senders_messages_come_back_after_the_lease_and_go_out_with_the_same_id(postbox):
    people(3)
    run = started()
    before = {m.pk: m.message_id for m in Message.objects.filter(run=run)}
    claims.claim(run_id=run.pk, owner="dead", limit=2)
    assert states(run) == {"sending": 2, "queued": 1}
    assert delivery.deliver(run_id=run.pk).sent == 1
    run.refresh_from_db()
    assert run.state == "running"
    sweeps.sweep()
    assert states(run) == {"sending": 2, "sent": 1}
    Message.objects.filter(state="sending").update(
        lease_until=factories.now() - timedelta(seconds=1)
    )
    assert sweeps.sweep() == {run.pk}
    assert delivery.deliver(run_id=run.pk).sent == 2
    assert {m.pk: m.message_id for m in Message.objects.filter(run=run)} == before
    run.refresh_from_db()
    assert run.state == "finished"


def test_whoever_unsubscribes_between_queue_and_claim_gets_nothing(postbox):
    everyone = people(4)
    run = started()
    consent.suppress(
        addresses=["p0@example.com"], channel="email", reason="unsubscribed", now=factories.now()
    )
    consent.revoke(customer_ids=[everyone[1].pk], source="phone", now=factories.now())
    Customer.objects.filter(pk=everyone[2].pk).update(email="new@example.com")
    delivery.deliver(run_id=run.pk)
    skipped = Message.objects.filter(run=run, state="skipped").order_by("id")
    assert [m.reason for m in skipped] == ["suppressed", "no_consent", "address_changed"]
    assert list(postbox.copies) == ["p3@example.com"]


def test_whoever_unsubscribes_while_their_batch_is_being_sent_gets_nothing(postbox, monkeypatch):
    monkeypatch.setattr(batches, "RECHECK_SECONDS", 0.0)
    people(5)
    run = started()

    def leave(_recipient: str) -> None:
        consent.suppress(
            addresses=["p3@example.com"],
            channel="email",
            reason="unsubscribed",
            now=factories.now(),
        )
        connection.close()

    postbox.on_mail = leave
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 4, "skipped": 1}
    assert "p3@example.com" not in postbox.copies


def test_who_got_the_mail_is_told_to_the_event_stream_once(postbox):
    everyone = people(2)
    run = started()
    delivery.deliver(run_id=run.pk)
    found = Event.objects.filter(type="email_sent", properties__run=run.pk)
    sent = list(found.order_by("customer_id"))
    assert [e.customer_id for e in sent] == [person.pk for person in everyone]
    assert sent[0].properties == {"campaign": run.campaign_id, "run": run.pk}
    messages = [
        claims.Claimed(m.pk, m.customer_id, m.address, m.message_id, m.fence, m.attempt)
        for m in Message.objects.filter(run=run)
    ]
    pump.record_sent(run=run, messages=messages, now=sent[0].at)
    assert found.count() == 2
