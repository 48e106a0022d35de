"""The main job, whole: a real shop's orders in, models, picks, a campaign, and mails at the end.

Real workers on real queues, a real SMTP conversation, and the whole shipped history: of a part of
the people the tree is not reliably better than its baseline, and is rightly refused. People are
dealt into halves by their number, so numbers start at one as they do in a new installation.
"""

import email
import email.policy

import pytest
from django.utils import timezone

from campaigns.models import Campaign, Message
from ingestion.models import Customer, ImportJob, OrderLine
from marketing import demo, startup
from marketing.core.models import Job, User
from models_ml.models import ModelVersion, Traits
from recommendations.models import RecommendationSet

_RECOMMENDERS = {"next_product_als", "next_product_bert4rec", "next_product_blend"}


@pytest.mark.faults
@pytest.mark.django_db(transaction=True, reset_sequences=True)
def test_orders_become_a_mail_with_recommendations(start_worker, start_process, wait_for, tmp_path):
    port = startup.free_port(0)
    start_process("manage.py", "mailcatcher", "--port", str(port))
    environment = {"EMAIL_PORT": str(port), "STATEMENT_TIMEOUT_MS": "300000"}
    start_worker("events,fast", processes=2, **environment)
    start_worker("bulk,train", processes=2, **environment)
    start_process("manage.py", "beat", **environment)
    User.objects.create_superuser("demo")
    demo.begin(now=timezone.now())

    def ended() -> bool:
        stages = demo.stages()
        failed = [stage for stage in stages if stage.state == "failed"]
        assert not failed, [(stage.title, stage.job.error, stage.job.log) for stage in failed]
        return all(stage.state == "done" for stage in stages)

    wait_for(ended, seconds=1200)

    # Facts: nothing lost on the way in.
    record = ImportJob.objects.get()
    assert (record.received, record.stored) == (541_909, 536_639)
    assert (record.duplicate, record.quarantined) == (5_268, 2)
    assert OrderLine.objects.count() == record.stored
    # Numbers and picks: everybody has them, from models that are live and were judged.
    people = Customer.objects.count()
    assert Traits.objects.count() == people
    live = set(ModelVersion.objects.filter(state="live").values_list("name", flat=True))
    # The other engines may or may not beat popularity on the last month; these do.
    assert live >= {"repeat_90d", "next_product_popular", *_RECOMMENDERS}
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
