"""A shop to send from, and the ways its mails are handed over in measurements."""

import smtplib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from campaigns.benchmarks.rendering import SUBJECT, starter
from campaigns.channels import saving
from campaigns.messaging import claims, delivery, writers
from campaigns.models import Campaign, Message, Run, Segment, Template
from campaigns.variants import trials

ROOT = Path(__file__).resolve().parents[2]
PROCESSES, LINES = delivery.SENDERS_PER_RUN, delivery.LINES


@contextmanager
def sink() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "campaigns.benchmarks.sink"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


@contextmanager
def shop(people: int) -> Iterator[Campaign]:
    """People who agreed, a fifth without an address or consent or suppressed; a draft to all."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            """
            INSERT INTO ingestion_customer (external_id, email, phone, first_name, last_name,
                country, language, timezone, attributes, is_demo, created_at, updated_at)
            SELECT 'bench' || n, CASE WHEN n %% 25 > 0 THEN 'bench' || n || '@example.com' END,
                '', 'Person' || n, '', 'GB', '', '', '{}', false, now(), now()
            FROM generate_series(1, %s) AS n""",
            [people],
        )
        cursor.execute(
            """
            INSERT INTO ingestion_consent (customer_id, channel, purpose, granted, at, source,
                proof, current)
            SELECT id, 'email', 'marketing', true, now() - interval '1 day', 'bench', '{}', true
            FROM ingestion_customer WHERE external_id LIKE 'bench%' AND id % 8 > 0"""
        )
        cursor.execute(
            """
            INSERT INTO ingestion_suppression (channel, address, reason, at)
            SELECT 'email', email, 'manual', now() FROM ingestion_customer
            WHERE external_id LIKE 'bench%' AND email IS NOT NULL AND id % 40 = 0"""
        )
        cursor.execute("ANALYZE ingestion_customer, ingestion_consent, ingestion_suppression")
    html, text = starter()
    template = Template.objects.create(name="Benchmark", subject=SUBJECT, html=html, text=text)
    segment = Segment.objects.create(name="Benchmark", rule={"all": []})
    campaign = Campaign.objects.create(
        name="Benchmark", segment=segment, template=template, holdout_percent=0
    )
    try:
        yield campaign
    finally:
        clear(campaign)
        campaign.delete()
        segment.delete()
        template.delete()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM ingestion_suppression WHERE address LIKE 'bench%@%'")
            cursor.execute(
                "DELETE FROM ingestion_consent c USING ingestion_customer p"
                " WHERE c.customer_id = p.id AND p.external_id LIKE 'bench%'"
            )
            cursor.execute("DELETE FROM ingestion_customer WHERE external_id LIKE 'bench%'")


@contextmanager
def text_beside(campaign: Campaign) -> Iterator[None]:
    """A text as a second variant of a shop's campaign, to numbers of three in four who agreed."""
    clear(campaign)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_customer SET phone = '+4915' || lpad(id::text, 9, '0')"
            " WHERE external_id LIKE 'bench%'"
        )
        cursor.execute(
            """
            INSERT INTO ingestion_consent (customer_id, channel, purpose, granted, at, source,
                proof, current)
            SELECT id, 'sms', 'marketing', true, now() - interval '1 day', 'bench', '{}', true
            FROM ingestion_customer WHERE external_id LIKE 'bench%' AND id % 4 > 0"""
        )
        cursor.execute("VACUUM ANALYZE ingestion_customer, ingestion_consent")
    now = datetime.now(UTC)
    sender = saving.Sender(from_address="+15005550006")
    channel, _faults = saving.save(
        provider="sms_gateway", name="Benchmark", given={"url": "https://gateway.example/x"},
        sender=sender, user=None, now=now,
    )  # fmt: skip
    text = Template.objects.create(name="Benchmark", kind="sms", parts={"text": "New things. STOP"})
    try:
        trials.save(
            campaign_id=campaign.pk, variants=[{}, {"template_id": text.pk}], values={}, user=None,
            now=now,
        )  # fmt: skip
        yield
    finally:
        clear(campaign)
        trials.save(campaign_id=campaign.pk, variants=[], values={}, user=None, now=now)
        text.delete()
        channel.delete()
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM ingestion_consent WHERE channel = 'sms' AND source = 'bench'"
            )


def clear(campaign: Campaign) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE campaigns_messagebody, campaigns_message CASCADE")
    Run.objects.filter(campaign=campaign).delete()
    Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.DRAFT)


def deliver(run_id: int, port: int) -> None:
    connection.close()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    while delivery.deliver(run_id=run_id, lines=LINES, budget_seconds=600).more:
        pass


def hand_over_on_lines(port: int, mails: list[bytes], first: int) -> None:
    connection.close()
    threads = [
        threading.Thread(
            target=hand_over, args=(port, mails, first + PROCESSES * n, PROCESSES * LINES)
        )
        for n in range(LINES)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def hand_over(port: int, mails: list[bytes], first: int, step: int) -> None:
    line = smtplib.SMTP("127.0.0.1", port, timeout=30)
    for number in range(first, len(mails), step):
        line.sendmail("a@example.com", "b@example.com", mails[number])
    line.quit()


def at_once(target: Callable[..., None], calls: list[tuple[Any, ...]]) -> float:
    """Seconds until processes that do these calls side by side have all ended."""
    fork = get_context("fork")
    workers = [fork.Process(target=target, args=call) for call in calls]
    connection.close()
    began = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - began


def prebuilt(run: Run) -> list[bytes]:
    sender = writers.Writer(run)
    claimed = [
        claims.Claimed(m.pk, m.customer_id, m.address, m.message_id or "", m.fence, m.attempt)
        for m in Message.objects.filter(run=run, state=Message.State.SENT)
    ]
    ready, _failures = sender.prepare(claimed)
    return [one.outgoing.body for one in ready]


def snapshot_by_hand(run: Run) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO campaigns_message (run_id, customer_id, channel, address, state, reason,
                variant, attempt, fence, owner, message_id, subject, error, queued_at)
            SELECT %s, id, 'email', coalesce(email, ''),
                CASE WHEN why = '' AND nth = 1 THEN 'queued' ELSE 'skipped' END,
                CASE WHEN why = '' AND nth > 1 THEN 'duplicate_address' ELSE why END, 'a', 0, 0, '',
                CASE WHEN why = '' THEN md5('salt' || id) END, '', '', now()
            FROM (
                SELECT c.id, c.email, r.why,
                    row_number() OVER (PARTITION BY r.why, lower(c.email) ORDER BY c.id) AS nth
                FROM ingestion_customer c
                LEFT JOIN ingestion_consent g ON g.customer_id = c.id AND g.channel = 'email'
                    AND g.purpose = 'marketing' AND g.current AND g.granted
                LEFT JOIN ingestion_suppression s ON s.channel = 'email' AND s.address = c.email
                CROSS JOIN LATERAL (SELECT CASE WHEN c.email IS NULL THEN 'no_address'
                    WHEN s.id IS NOT NULL THEN 'suppressed' WHEN g.id IS NULL THEN 'no_consent'
                    ELSE '' END AS why) AS r) AS judged""",
            [run.pk],
        )
