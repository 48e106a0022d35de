"""The main job, whole: a real shop's orders in, models, picks, a campaign, and mails at the end.

Real workers on real queues, a real SMTP conversation; every second customer of the shipped history,
so that it fits into a test run.
"""

import csv
import email
import email.policy
import lzma
import zlib
from pathlib import Path

import pytest
from django.utils import timezone

from campaigns.models import Campaign, Message
from ingestion.imports import demo as shipped
from ingestion.imports import uploads
from ingestion.models import Customer, ImportJob, OrderLine
from marketing import demo, startup
from marketing.core.models import Job, User
from models_ml.models import ModelVersion, Traits
from recommendations.models import RecommendationSet

SHARE = 2


@pytest.fixture
def history(tmp_path: Path) -> tuple[Path, int]:
    """The lines of every second customer; the file and its number of lines."""
    path = tmp_path / "history.csv"
    lines = 0
    with lzma.open(shipped.FILE, "rt", encoding="utf-8", newline="") as whole:
        rows = csv.reader(whole)
        header = next(rows)
        who = header.index("CustomerID") if "CustomerID" in header else header.index("Customer ID")
        with path.open("w", encoding="utf-8", newline="") as part:
            out = csv.writer(part)
            out.writerow(header)
            for row in rows:
                if zlib.crc32(row[who].encode()) % SHARE == 0 and row[who]:
                    out.writerow(row)
                    lines += 1
    return path, lines


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_orders_become_a_mail_with_recommendations(
    history, start_worker, start_process, wait_for, tmp_path
):
    path, lines = history
    port = startup.free_port(0)
    start_process("manage.py", "mailcatcher", "--port", str(port))
    environment = {"EMAIL_PORT": str(port), "STATEMENT_TIMEOUT_MS": "300000"}
    start_worker("fast", processes=2, **environment)
    start_worker("bulk,train", processes=2, **environment)
    start_process("manage.py", "beat", **environment)
    user = User.objects.create_superuser("demo")
    now = timezone.now()
    record = uploads.register(
        path=path,
        name=path.name,
        kind=ImportJob.Kind.ORDERS,
        source_name=shipped.SOURCE,
        is_demo=True,
        user=user,
        now=now,
        options=shipped.OPTIONS,
    )
    uploads.start(record=record, user=user, now=now)

    def ended() -> bool:
        stages = demo.stages()
        failed = [stage for stage in stages if stage.state == "failed"]
        assert not failed, [(stage.title, stage.job.error, stage.job.log) for stage in failed]
        return all(stage.state == "done" for stage in stages)

    wait_for(ended, seconds=400)

    # Facts: nothing lost on the way in.
    record.refresh_from_db()
    assert record.received == lines
    assert record.received == record.stored + record.duplicate + record.quarantined
    assert OrderLine.objects.exists()
    # Numbers and picks: everybody has them, from models that are live and were judged.
    people = Customer.objects.count()
    assert Traits.objects.count() == people
    live = set(ModelVersion.objects.filter(state="live").values_list("name", flat=True))
    assert "repeat_90d" in live
    assert RecommendationSet.objects.filter(state="complete", serving=True).count() == 1
    # Messages: each row in an end state, each sent mail caught once, with products in it.
    campaign = Campaign.objects.get(is_demo=True)
    assert campaign.state == Campaign.State.FINISHED
    rows = Message.objects.filter(run__campaign=campaign)
    assert set(rows.values_list("state", flat=True)) <= {"sent", "skipped"}
    sent = {message.message_id: message for message in rows.filter(state="sent")}
    assert sent
    assert rows.filter(state="skipped", reason="holdout").exists()
    caught = [
        email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        for file in (tmp_path / "mail").rglob("*.eml")
    ]
    told = [mail["Message-ID"].strip("<>").split("@")[0] for mail in caught]
    assert sorted(told) == sorted(sent)
    assert {mail["To"].addresses[0].domain for mail in caught} == {"example.com"}
    html = caught[0].get_body(("html",)).get_content()
    assert "£" in html
    # Each step was a job that anybody could watch.
    assert (
        Job.objects.filter(state="done", kind__in=[step.kind for step in demo.STEPS]).count() == 6
    )
