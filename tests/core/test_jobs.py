"""Jobs are seen through: killed workers, cancelled and retried work, lost and doubled messages."""

import os
import signal
from datetime import timedelta

import psutil
import pytest
from django.db import OperationalError
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy, override

from marketing import pipeline
from marketing.core import jobs
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import Job
from marketing.core.wording import log_line
from tests import factories

ran: list[int] = []


def finish_well(job: jobs.Running) -> dict:
    ran.append(job.id)
    for done in (2, 4):
        job.step(1, "Working", total=4)  # begun once more it goes on
        job.progress(done, 4)
    return {"answer": 42}


def tell_figures(job: jobs.Running) -> dict:
    job.step(1, gettext_lazy("Storing rows"), total=4)
    job.log(lambda: gettext("%(version)s is live.") % {"version": "tree v2"})
    job.log("Line 7: no order number")
    return {}


def refuse(job: jobs.Running) -> dict:
    raise Invalid("The file has no rows.")


def refuse_in_words(job: jobs.Running) -> dict:
    raise Invalid(gettext("There is no such job."))


def break_down(job: jobs.Running) -> dict:
    return {"quotient": 1 // job.params["zero"]}


def lose_the_database(job: jobs.Running) -> dict:
    raise OperationalError("server closed the connection unexpectedly")


def ask_to_stop(job: jobs.Running) -> dict:
    jobs.cancel(job_id=job.id)
    job.beat()
    job.progress(1)
    return {"never": "reached"}


def lose_the_lease(job: jobs.Running) -> dict:
    Job.objects.filter(pk=job.id).update(lease_until=timezone.now() - timedelta(seconds=1))
    jobs.sweep(now=timezone.now())
    job.progress(1)
    return {"never": "reached"}


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    ran.clear()
    monkeypatch.setitem(pipeline.JOBS, "test.slow", pipeline.JobKind(SLOW, "bulk", 3))
    monkeypatch.setitem(pipeline.JOBS, "test.poison", pipeline.JobKind(SLOW, "bulk", 1))
    for handler in (
        finish_well,
        tell_figures,
        refuse,
        refuse_in_words,
        break_down,
        lose_the_database,
        ask_to_stop,
        lose_the_lease,
    ):
        kind = pipeline.JobKind(f"{__name__}.{handler.__name__}", "bulk", 2)
        monkeypatch.setitem(pipeline.JOBS, f"test.{handler.__name__}", kind)
        monkeypatch.setattr(
            jobs,
            "import_string",
            lambda path: globals()[path.rsplit(".", 1)[1]],
        )


SLOW = "tests.core.crash_worker.run_slowly"  # what the worker in the other process runs


def queued(handler, **params) -> Job:
    return jobs.start(kind=f"test.{handler.__name__}", title="A test", params=params)


def run(job: Job) -> Job:
    jobs.run(job_id=job.id)
    job.refresh_from_db()
    return job


@pytest.mark.django_db
class TestOneTry:
    def test_a_finished_job_holds_its_result_and_full_progress(self):
        job = run(queued(finish_well))

        assert (job.state, job.result, job.percent, job.attempt) == ("done", {"answer": 42}, 100, 1)
        assert [line["text"] for line in job.log] == ["Working"]

    def test_a_doubled_message_runs_the_job_once(self):
        job = queued(finish_well)
        jobs.run(job_id=job.id)
        jobs.run(job_id=job.id)

        assert ran == [job.id]

    def test_a_refusal_fails_the_job_with_the_words_of_the_refusal(self):
        job = run(queued(refuse))

        assert (job.state, job.error) == ("failed", "The file has no rows.")

    def test_a_job_speaks_the_language_of_whoever_started_it(self):
        reader = factories.user("marketer", language="zh-hans")
        kind = "test.refuse_in_words"
        theirs = run(jobs.start(kind=kind, title="A test", user=reader))
        nobodys = run(jobs.start(kind=kind, title="A test"))

        assert (theirs.error, nobodys.error) == ("没有这个任务。", "There is no such job.")

    @pytest.mark.parametrize("starter", ["en", "zh-hans"])
    def test_everybody_reads_steps_and_log_in_their_own_language(self, starter, client):
        user = factories.user("marketer", language=starter)
        job = run(jobs.start(kind="test.tell_figures", title="A test", user=user))
        Job.objects.filter(pk=job.pk).update(state="running")  # as it looks on the way
        told = {
            "en": ["Storing rows", "tree v2 is live.", "Line 7: no order number"],
            "zh-hans": ["正在存储数据行", "tree v2 已上线。", "Line 7: no order number"],
        }
        assert [line["text"] for line in job.log] == told[starter]
        for language, lines in told.items():
            with override(language):
                assert [log_line(line) for line in job.log] == lines
                assert (job.doing, Job(step_label="Working").doing) == (lines[0], "Working")
        client.force_login(factories.user("analyst", language="zh-hans"))
        with override("en"):  # a page leaves its reader's language behind
            page = client.get(reverse("core:job-live", args=[job.public_id])).content.decode()
        assert page.count(told["zh-hans"][0]) == 2
        assert told["zh-hans"][1] in page
        assert "is live" not in page

    def test_a_job_that_has_only_been_taken_is_starting(self, client):
        job = queued(finish_well)
        Job.objects.filter(pk=job.pk).update(state="running", steps=3)
        client.force_login(factories.user("analyst"))
        page = client.get(reverse("core:job-live", args=[job.public_id])).content.decode()
        assert "Starting" in page
        assert "Step 0" not in page

    def test_a_line_kept_before_languages_were_is_read_as_it_is(self):
        with override("zh-hans"):
            old = {"at": "2026-01-01T00:00:00+00:00", "text": "4 rows were odd.", "level": "info"}
            assert log_line(old) == "4 rows were odd."

    def test_a_fault_fails_the_job_with_a_reason_and_the_trace_in_the_log(self):
        job = run(queued(break_down, zero=0))

        assert job.state == "failed"
        assert job.error == "ZeroDivisionError: integer division or modulo by zero"
        assert "Traceback" in job.log[-1]["text"]
        assert job.log[-1]["level"] == "error"

    def test_an_unknown_kind_is_refused(self):
        with pytest.raises(KeyError):
            jobs.start(kind="test.unknown", title="A test")


@pytest.mark.django_db(transaction=True)
def test_a_lost_database_is_no_fault_of_the_job_which_is_taken_up_again():
    job = run(queued(lose_the_database))
    assert job.state == "running"

    assert jobs.sweep(now=timezone.now() + timedelta(seconds=1)) == [job.id]
    job.refresh_from_db()
    assert (job.state, job.error) == ("queued", "")


@pytest.mark.django_db
class TestStoppingAndTryingAgain:
    def test_a_waiting_job_stops_at_once(self):
        job = jobs.cancel(job_id=queued(finish_well).id)

        assert job.state == "stopped"
        assert run(job).state == "stopped"
        assert ran == []

    def test_a_running_job_stops_at_its_next_safe_point(self):
        job = run(queued(ask_to_stop))

        assert (job.state, job.result, job.done) == ("stopped", {}, 0)

    def test_an_ended_job_cannot_be_cancelled(self):
        job = run(queued(finish_well))

        with pytest.raises(Conflict, match="already ended"):
            jobs.cancel(job_id=job.id)
        job.refresh_from_db()
        assert job.state == "done"

    def test_a_failed_job_can_be_tried_again_with_all_its_tries(self):
        job = run(queued(refuse))
        jobs.retry(job_id=job.id)
        job.refresh_from_db()

        assert (job.state, job.error, job.attempt) == ("queued", "", 0)
        assert run(job).state == "failed"

    def test_a_done_job_is_not_tried_again(self):
        job = run(queued(finish_well))

        with pytest.raises(Conflict, match="Only a failed or stopped job"):
            jobs.retry(job_id=job.id)

    def test_a_job_that_does_not_exist_is_not_found(self):
        with pytest.raises(NotFound):
            jobs.cancel(job_id=10**9)


@pytest.mark.django_db
class TestSweeping:
    def abandoned(self, **values) -> Job:
        job = queued(finish_well)
        Job.objects.filter(pk=job.id).update(
            **{
                "state": "running",
                "attempt": 1,
                "owner": "elsewhere:1",
                "lease_until": timezone.now() - timedelta(seconds=1),
                **values,
            }
        )
        return job

    def test_a_job_whose_worker_died_waits_again_and_then_finishes(self):
        job = self.abandoned()

        assert jobs.sweep(now=timezone.now()) == [job.id]
        assert run(job).state == "done"
        assert job.attempt == 2

    def test_a_job_out_of_tries_fails_with_a_reason(self):
        job = self.abandoned(attempt=2)
        jobs.sweep(now=timezone.now())
        job.refresh_from_db()

        assert job.state == "failed"
        assert "stopped answering 2 times" in job.error

    def test_a_job_that_was_being_cancelled_is_stopped(self):
        job = self.abandoned(state="cancelling", cancel_requested=True)
        jobs.sweep(now=timezone.now())
        job.refresh_from_db()

        assert job.state == "stopped"

    def test_a_job_with_a_fresh_lease_is_left_alone(self):
        job = self.abandoned(lease_until=timezone.now() + timedelta(seconds=15))

        assert jobs.sweep(now=timezone.now()) == []
        job.refresh_from_db()
        assert job.state == "running"

    def test_a_worker_that_lost_its_lease_writes_nothing_more(self):
        job = run(queued(lose_the_lease))

        assert (job.state, job.done, job.result) == ("queued", 0, {})

    def test_a_stop_on_purpose_gives_the_jobs_back_without_counting_a_try(
        self, monkeypatch, django_capture_on_commit_callbacks
    ):
        ours = self.abandoned(owner="here:7")
        theirs = self.abandoned(owner="there:7")
        nudged = []
        monkeypatch.setattr(jobs, "_nudge", lambda job_id, queue: nudged.append((job_id, queue)))

        with django_capture_on_commit_callbacks(execute=True):
            assert jobs.release(host="here") == [ours.id]
        assert nudged == [(ours.id, "bulk")]
        ours.refresh_from_db()
        theirs.refresh_from_db()
        assert (ours.state, ours.attempt) == ("queued", 0)
        assert (theirs.state, theirs.attempt) == ("running", 1)


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
class TestKilledWorkers:
    """A real worker process, a real queue, a real SIGKILL."""

    def begin(self, start_worker, wait_for, kind: str, **params):
        worker = start_worker("bulk", app="tests.core.crash_worker")
        job = jobs.start(kind=kind, title="A test", params={"rows": 10, "stuck_at": 5, **params})
        wait_for(
            lambda: Job.objects.filter(pk=job.pk, log__contains=[{"text": "halfway"}]).exists()
        )
        return worker, job

    def test_a_job_is_resumed_within_a_minute_when_its_whole_worker_is_killed(
        self, start_worker, start_process, wait_for
    ):
        worker, job = self.begin(start_worker, wait_for, "test.slow")

        os.killpg(worker.pid, signal.SIGKILL)
        start_worker("fast,bulk", app="tests.core.crash_worker")
        start_process("manage.py", "beat")

        wait_for(lambda: Job.objects.get(pk=job.pk).state == "done", seconds=60)
        job.refresh_from_db()
        assert job.result == {"rows": 10, "attempt": 2}
        assert "The worker stopped answering." in [line["text"] for line in job.log]

    def test_a_killed_pool_process_is_noticed_while_its_worker_lives_on(
        self, start_worker, wait_for
    ):
        _worker, job = self.begin(start_worker, wait_for, "test.slow")
        job.refresh_from_db()

        psutil.Process(int(job.owner.rsplit(":", 1)[1])).kill()
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())
        jobs.sweep(now=timezone.now() + timedelta(seconds=1))

        wait_for(lambda: Job.objects.get(pk=job.pk).state == "done")

    def test_a_job_that_kills_its_last_try_fails_with_a_reason(self, start_worker, wait_for):
        worker, job = self.begin(start_worker, wait_for, "test.poison")

        os.killpg(worker.pid, signal.SIGKILL)
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())
        jobs.sweep(now=timezone.now() + timedelta(seconds=1))

        job.refresh_from_db()
        assert job.state == "failed"
        assert "stopped answering 1 times" in job.error

    def test_cancelling_stops_a_handler_in_another_process(self, start_worker, wait_for):
        _worker, job = self.begin(start_worker, wait_for, "test.slow")

        jobs.cancel(job_id=job.pk)

        wait_for(lambda: Job.objects.get(pk=job.pk).state == "stopped")
