"""How fast mails leave, each stage's share, and how fast an audience becomes rows.

Needs a database of its own: message tables are emptied between rounds. The sides of each ratio run
in turn, so that a busy machine slows them alike.
"""

import re
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

from campaigns.benchmarks import peers as bench_peers
from campaigns.benchmarks import rendering as benchmarks
from campaigns.benchmarks import shop as bench_shop
from campaigns.benchmarks import whole_peers as bench_whole_peers
from campaigns.messaging import claims, delivery, keeping, marks, pump, talks, writers
from campaigns.models import Campaign, Message, Run
from campaigns.sending import runs
from models_ml.benchmarks.data import pace

SENDERS = {"small": 4_000, "middle": 10_000, "full": 20_000}
PEOPLE = {"small": 100_000, "middle": 400_000, "full": 1_000_000}
# Tryton takes a tenth of the mails in a quarter of a minute, and all of them in minutes.
TRYTON_MAILS = {"small": 400, "middle": 1_000, "full": 4_000}
PEER_MAILS = {"small": 1_000, "middle": 2_000, "full": 4_000}


def mail_send(size: str = "small") -> list[dict[str, Any]]:
    """Claim, consent and caps, render, hand over, mark durably; beside clients that only send.

    All sides send to the same sink; ours and smtplib use the same processes, threads and lines.
    """
    n = SENDERS[size]
    ours: list[float] = []
    names = ("smtplib", "source", "peer", "nodemailer", "tryton")
    others: dict[str, list[float]] = {name: [] for name in names}
    with ExitStack() as stack:
        campaign = stack.enter_context(bench_shop.shop(n * 4 // 3))
        port = stack.enter_context(bench_peers.sink())
        if port is None:
            port = stack.enter_context(bench_shop.sink())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for _round in range(benchmarks.RUNS):
            run = _begun(campaign)
            calls = [(run.pk, port)] * bench_shop.PROCESSES
            seconds = bench_shop.at_once(bench_shop.deliver, calls)
            counted = runs.progress(run_id=run.pk)
            if counted.sent != counted.meant:
                raise RuntimeError(f"not everything was sent: {counted}")
            ours.append(counted.sent / seconds)
            mails = bench_shop.prebuilt(run)
            prebuilt = [(port, mails, first) for first in range(bench_shop.PROCESSES)]
            spent = bench_shop.at_once(bench_shop.hand_over_on_lines, prebuilt)
            others["smtplib"].append(len(mails) / spent)
            length = statistics.mean(len(mail) for mail in mails)
            if (rate := bench_peers.source(port, len(mails), int(length))) is not None:
                others["source"].append(rate)
            kept = run.snapshot["contents"]["a"]["template"]
            (folder / "html").write_text(_plain(kept["html"]))
            (folder / "text").write_text(_plain(kept["text"]))
            rate = bench_peers.post_office(port, PEER_MAILS[size], folder / "html", folder / "text")
            if rate is not None:
                others["peer"].append(rate)
            texts = folder / "html", folder / "text"
            if (rate := bench_whole_peers.nodemailer(port, n, *texts)) is not None:
                others["nodemailer"].append(rate)
            if not others["tryton"]:  # it needs a minute to begin
                rate = bench_whole_peers.tryton(port, TRYTON_MAILS[size], folder / "html")
                others["tryton"] += [rate] * benchmarks.RUNS if rate is not None else []
        stages = _stages(campaign, port)
    said = {
        "smtplib": ("mail.send", "smtplib, prebuilt mails, same lines"),
        "source": ("mail.send.source", "smtp-source, 16 sessions, one mail again and again"),
        "peer": ("mail.send.peer", "django-post-office, end to end"),
        "nodemailer": ("mail.send.nodemailer", "nodemailer, 16 connections, nothing kept"),
        "tryton": (
            "mail.send.tryton",
            "Tryton's marketing automation, end to end, its one process",
        ),
    }
    lines = [
        pace(name, "mails/s", n, ours, others[key], what)
        for key, (name, what) in said.items()
        if others[key]
    ]
    lines[0]["stages"] = stages
    return lines


def _plain(source: str) -> str:
    """The template's fixed text with a single value, which every engine of templates can read."""
    return re.sub(r"\{[{%].*?[%}]\}", "", source, flags=re.DOTALL) + "{{ name }}"


def _begun(campaign: Campaign) -> Any:
    bench_shop.clear(campaign)
    run = runs.start(campaign_id=campaign.pk, user=None, now=datetime.now(UTC))
    runs.fill(run_id=run.pk, now=datetime.now(UTC))
    run.refresh_from_db()
    return run


@contextmanager
def _timed(spent: Counter[str], places: dict[str, tuple[Any, str]]) -> Any:
    """Add up the seconds that these functions take."""
    guard, before = threading.Lock(), {}

    def watched(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*args, **kwargs)
            finally:
                with guard:
                    spent[name] += time.perf_counter() - began  # type: ignore[assignment]

        return call

    for name, (owner, attribute) in places.items():
        before[name] = getattr(owner, attribute)
        setattr(owner, attribute, watched(name, before[name]))
    try:
        yield
    finally:
        for name, (owner, attribute) in places.items():
            setattr(owner, attribute, before[name])


def _stages(campaign: Campaign, port: int) -> dict[str, float]:
    """The share of each stage when one process sends."""
    run = _begun(campaign)
    spent: Counter[str] = Counter()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    places = {
        "claim, consent and caps": (claims, "claim"),
        "render and MIME": (writers.Writer, "prepare"),
        "keep a copy": (keeping, "store"),
        "hand over": (talks.Fleet, "run"),
        "mark": (marks, "mark"),
        "tell the events": (pump, "record_sent"),
    }
    began = time.perf_counter()
    with _timed(spent, places):
        delivery.deliver(run_id=run.pk, lines=bench_shop.LINES, budget_seconds=600)
    whole = time.perf_counter() - began
    spent["hand over"] -= spent["mark"]  # which is done between the talks
    return {name: round(spent[name] / whole, 3) for name in places} | {
        "mails/s of one process": round(Message.objects.filter(run=run).count() / whole, 1)
    }


def audience_snapshot(size: str = "small") -> dict[str, Any]:
    """Everybody with all exclusions as message rows, against one hand-written INSERT."""
    n = PEOPLE[size]
    ours: list[float] = []
    limit: list[float] = []
    with bench_shop.shop(n) as campaign:
        for _round in range(benchmarks.RUNS):
            limit.append(n / _filled(campaign, bench_shop.snapshot_by_hand, rows=n))
            ours.append(n / _filled(campaign, rows=n))
    return pace("audience.snapshot", "people/s", n, ours, limit, "hand-written INSERT … SELECT")


def audience_channels(size: str = "small") -> dict[str, Any]:
    """A send by mail or text, whichever reaches each person, beside the same people by mail."""
    n = PEOPLE[size]
    two: list[float] = []
    one: list[float] = []
    with bench_shop.shop(n) as campaign:
        for _round in range(benchmarks.RUNS):
            with bench_shop.text_beside(campaign):
                two.append(n / _filled(campaign, rows=n))
            one.append(n / _filled(campaign, rows=n))
    return pace("audience.channels", "people/s", n, two, one, "the same people by mail alone")


def _by_us(run: Run) -> None:
    runs.fill(run_id=run.pk, now=datetime.now(UTC))


def _filled(campaign: Campaign, fill: Callable[[Run], None] = _by_us, *, rows: int) -> float:
    """Seconds until an audience is rows."""
    bench_shop.clear(campaign)
    run = runs.start(campaign_id=campaign.pk, user=None, now=datetime.now(UTC))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM campaigns_message")
    began = time.perf_counter()
    fill(run)
    seconds = time.perf_counter() - began
    if (made := Message.objects.filter(run=run).count()) != rows:
        raise RuntimeError(f"{made} rows for {rows} people")
    return seconds


WORKLOADS: dict[str, Callable[[str], Any]] = {
    "mail.send": mail_send,
    "audience.snapshot": audience_snapshot,
    "audience.channels": audience_channels,
}
