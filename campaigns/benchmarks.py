"""How fast mails are rendered and sent and audiences taken, each beside its limit in the same run.

Needs a database of its own: message tables are emptied between rounds. Both sides of each ratio
run in turn, so that a busy machine slows them alike.
"""

import smtplib
import statistics
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

from campaigns import content, runs
from campaigns.messaging import addresses, claims, context, delivery, layout, pump, rendering
from campaigns.models import Campaign, Message, Run, Segment, Template

ROOT = Path(__file__).resolve().parent.parent
RUNS = 3
PROCESSES, LINES = 2, 4
MAILS = {"small": 4_000, "full": 20_000}
RENDERED = {"small": 5_000, "full": 50_000}
PEOPLE = {"small": 100_000, "full": 1_000_000}
SUBJECT = '{{ first_name|default("Hello") }}, picked for you'


def _line(
    name: str, unit: str, n: int, ours: list[float], limit: list[float], what: str
) -> dict[str, Any]:
    ratios = [a / b for a, b in zip(ours, limit, strict=True)]
    middle = statistics.median(ours)
    return {
        "name": name,
        "value": round(middle, 1),
        "unit": unit,
        "n": n,
        "limit": {"what": what, "value": round(statistics.median(limit), 1)},
        "peer": None,
        "ratio": round(statistics.median(ratios), 3),
        "runs": len(ours),
        "spread": round((max(ours) - min(ours)) / middle, 3),
    }


def _starter() -> tuple[str, str]:
    html = layout.compile_mjml(content.STARTER.read_text("utf-8"))
    return html, layout.text_from(html)


def _values(number: int) -> dict[str, Any]:
    products = [
        {
            "name": f"White hanging heart {number}-{n}",
            "sku": f"S{n}",
            "price": "£2.95",
            "reason": "Because you bought Regency cakestand",
            "url": f"https://shop.example/products/{n}",
            "initial": "W",
            "colour": context.TILES[n],
        }
        for n in range(4)
    ]
    return rendering.clean(
        {
            "first_name": f"Person{number}",
            "orders": number % 7,
            "products": products,
            "shop_name": "Online Retail",
            "shop_url": "https://shop.example",
            "unsubscribe_url": "https://shop.example/u/x",
        }
    )


def mail_render(size: str = "small") -> dict[str, Any]:
    """Personalised HTML and text with signed links, against the same template compiled bare."""
    n = RENDERED[size]
    html, text = _starter()
    bare = rendering.Compiled(SUBJECT, html, text)
    tracked = rendering.Compiled(SUBJECT, html, text, addresses.signer())
    people = [_values(number) for number in range(200)]
    keys = [f"{number:032x}" for number in range(200)]

    def once(with_links: bool) -> float:
        began = time.perf_counter()
        for number in range(n):
            values = people[number % 200]
            if with_links:
                tracked.render({**values, **addresses.of_message(keys[number % 200])})
            else:
                bare.render(values)
        return n / (time.perf_counter() - began)

    ours, limit = [], []
    for _round in range(RUNS):
        limit.append(once(False))
        ours.append(once(True))
    return _line("mail.render", "mails/s", n, ours, limit, "compiled template alone")


@contextmanager
def _sink() -> Iterator[int]:
    process = subprocess.Popen(
        [sys.executable, "-m", "campaigns.sink"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _shop(people: int) -> Iterator[Campaign]:
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
    html, text = _starter()
    template = Template.objects.create(name="Benchmark", subject=SUBJECT, html=html, text=text)
    segment = Segment.objects.create(name="Benchmark", rule={"all": []})
    campaign = Campaign.objects.create(
        name="Benchmark", segment=segment, template=template, holdout_percent=0
    )
    try:
        yield campaign
    finally:
        _clear(campaign)
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


def _clear(campaign: Campaign) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE campaigns_messagebody, campaigns_message")
    Run.objects.filter(campaign=campaign).delete()
    Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.DRAFT)


def _deliver(run_id: int, port: int) -> None:
    connection.close()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    while delivery.deliver(run_id=run_id, lines=LINES, budget_seconds=600).more:
        pass


def _hand_over_on_lines(port: int, mails: list[bytes], first: int) -> None:
    connection.close()
    threads = [
        threading.Thread(
            target=_hand_over, args=(port, mails, first + PROCESSES * n, PROCESSES * LINES)
        )
        for n in range(LINES)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _hand_over(port: int, mails: list[bytes], first: int, step: int) -> None:
    line = smtplib.SMTP("127.0.0.1", port, timeout=30)
    for number in range(first, len(mails), step):
        line.sendmail("a@example.com", "b@example.com", mails[number])
    line.quit()


def _at_once(target: Callable[..., None], calls: list[tuple[Any, ...]]) -> float:
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


def mail_send(size: str = "small") -> dict[str, Any]:
    """Claim, render, hand over, mark durably; against smtplib handing over prebuilt mails.

    Both sides use the same processes, threads and kept connections to the same sink.
    """
    n = MAILS[size]
    ours, limit = [], []
    with _shop(n * 4 // 3) as campaign, _sink() as port:
        for _round in range(RUNS):
            _clear(campaign)
            run = runs.start(campaign_id=campaign.pk, user=None, now=datetime.now(UTC))
            runs.fill(run_id=run.pk, now=datetime.now(UTC))
            seconds = _at_once(_deliver, [(run.pk, port)] * PROCESSES)
            counted = runs.progress(run_id=run.pk)
            if counted.sent != counted.meant:
                raise RuntimeError(f"not everything was sent: {counted}")
            ours.append(counted.sent / seconds)
            mails = _prebuilt(run)
            calls = [(port, mails, first) for first in range(PROCESSES)]
            limit.append(len(mails) / _at_once(_hand_over_on_lines, calls))
    return _line("mail.send", "mails/s", n, ours, limit, "smtplib, prebuilt mails, same lines")


def _prebuilt(run: Run) -> list[bytes]:
    sender = pump.Pump(run)
    claimed = [
        claims.Claimed(m.pk, m.customer_id, m.address, m.message_id or "", m.fence, m.attempt)
        for m in Message.objects.filter(run=run, state=Message.State.SENT)
    ]
    ready, _failures = sender.prepare(claimed)
    return [one.outgoing.body for one in ready]


def audience_snapshot(size: str = "small") -> dict[str, Any]:
    """Everybody with all exclusions as message rows, against one hand-written INSERT."""
    n = PEOPLE[size]
    ours: list[float] = []
    limit: list[float] = []
    with _shop(n) as campaign:
        for _round in range(RUNS):
            for hand_written in (True, False):
                _clear(campaign)
                run = runs.start(campaign_id=campaign.pk, user=None, now=datetime.now(UTC))
                with connection.cursor() as cursor:
                    cursor.execute("VACUUM campaigns_message")
                began = time.perf_counter()
                if hand_written:
                    _snapshot_by_hand(run)
                else:
                    runs.fill(run_id=run.pk, now=datetime.now(UTC))
                rate = n / (time.perf_counter() - began)
                (limit if hand_written else ours).append(rate)
    return _line("audience.snapshot", "people/s", n, ours, limit, "hand-written INSERT … SELECT")


def _snapshot_by_hand(run: Run) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO campaigns_message (run_id, customer_id, channel, address, state, reason,
                variant, attempt, fence, owner, message_id, subject, error, queued_at)
            SELECT %s, c.id, 'email', coalesce(c.email, ''),
                CASE WHEN r.why = '' THEN 'queued' ELSE 'skipped' END, r.why, 'a', 0, 0, '',
                CASE WHEN r.why = '' THEN md5('salt' || c.id) END, '', '', now()
            FROM ingestion_customer c
            LEFT JOIN ingestion_consent g ON g.customer_id = c.id AND g.channel = 'email'
                AND g.purpose = 'marketing' AND g.current AND g.granted
            LEFT JOIN ingestion_suppression s ON s.channel = 'email' AND s.address = c.email
            CROSS JOIN LATERAL (SELECT CASE WHEN c.email IS NULL THEN 'no_address'
                WHEN s.id IS NOT NULL THEN 'suppressed' WHEN g.id IS NULL THEN 'no_consent'
                ELSE '' END AS why) AS r""",
            [run.pk],
        )


WORKLOADS: dict[str, Callable[[str], dict[str, Any]]] = {
    "mail.render": mail_render,
    "mail.send": mail_send,
    "audience.snapshot": audience_snapshot,
}
