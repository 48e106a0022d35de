"""Celery doors of campaigns."""

from typing import Any

from celery import shared_task
from django.utils import timezone

from campaigns.ads import exporting, sharing, steering, trainings
from campaigns.answers import boxes, collecting, feedback, hits, texts
from campaigns.channels import domains
from campaigns.journeys import dates, former_people, hearing, runner, triggers, versions
from campaigns.messaging import delivery, former, gate, news, sweeps, transactional
from campaigns.reporting import journeys as journey_effects
from campaigns.reporting import readings, visits
from campaigns.seeds import looking, sending
from campaigns.segments import upkeep
from campaigns.sending import holds, runs
from campaigns.variants import contextual, rounds
from ingestion.identity import merging
from models_ml.explorer import groups

# Short, so that sweeps and other quick work wait behind a long campaign for moments only.
BUDGET_SECONDS = 8.0


@shared_task(name="campaigns.tasks.deliver")
def deliver(run_id: int, **_: Any) -> None:
    """Send what is due of one run for a while, then make room for others."""
    done = delivery.deliver(run_id=run_id, lines=delivery.LINES, budget_seconds=BUDGET_SECONDS)
    if done.more:
        deliver.delay(run_id=run_id)


@shared_task(name="campaigns.tasks.sweep")
def sweep(**_: Any) -> None:
    """Free messages of dead senders and look after every run that is not finished."""
    if gate.beat(now=timezone.now()):
        for run_id in sweeps.sweep():
            deliver.delay(run_id=run_id)
    news.make_good(now=timezone.now())


@shared_task(name="campaigns.tasks.collect_hits")
def collect_hits(**_: Any) -> None:
    """Make facts of the openings and clicks that came in."""
    hits.heard()
    if collecting.collect(now=timezone.now()) == collecting.BATCH:
        collect_hits.delay()


@shared_task(name="campaigns.tasks.read_boxes")
def read_boxes(**_: Any) -> None:
    """Read the mailboxes that bounces and complaints arrive in, and hear what came early."""
    boxes.read_all(now=timezone.now())
    feedback.reconcile(now=timezone.now())


@shared_task(name="campaigns.tasks.answer_texts")
def answer_texts(**_: Any) -> None:
    """Tell people who wrote STOP or START what became of it."""
    if gate.closed() is None:
        texts.answer_due(now=timezone.now())


@shared_task(name="campaigns.tasks.send_seeds")
def send_seeds(**_: Any) -> None:
    """Send the copies that wait for it to seed mailboxes."""
    if gate.closed() is None:
        sending.send_waiting(now=timezone.now())


@shared_task(name="campaigns.tasks.look_for_seeds")
def look_for_seeds(**_: Any) -> None:
    """Look into seed mailboxes for copies that left."""
    looking.look(now=timezone.now())


@shared_task(name="campaigns.tasks.start_due_runs")
def start_due_runs(**_: Any) -> None:
    """Start scheduled campaigns whose time has come."""
    runs.start_due(now=timezone.now())


@shared_task(name="campaigns.tasks.turn_trials")
def turn_trials(**_: Any) -> None:
    """Decide over people who wait for a winner or for their round."""
    rounds.turn_all(now=timezone.now(), chooser=contextual.release)


@shared_task(name="campaigns.tasks.take_readings")
def take_readings(**_: Any) -> None:
    """Add up what campaigns of the last weeks caused until now."""
    readings.take_all(now=timezone.now())
    journey_effects.take_all(now=timezone.now())


@shared_task(name="campaigns.tasks.count_visits")
def count_visits(run_id: int, **_: Any) -> None:
    """Count who came with a send's words, where that is too much for a page."""
    visits.count(run_id=run_id, now=timezone.now())


@shared_task(name="campaigns.tasks.walk_journeys")
def walk_journeys(**_: Any) -> None:
    """Tell journeys what happened, then walk on everybody who is due."""
    told = triggers.react()
    if runner.wake().more or told.more:
        walk_journeys.delay()


@shared_task(name="campaigns.tasks.look_at_days")
def look_at_days(**_: Any) -> None:
    """Let people into journeys whose day or hour has come, and close versions that nobody walks."""
    dates.look(now=timezone.now())
    versions.retire(now=timezone.now())
    hearing.tidy(now=timezone.now())


@shared_task(name="campaigns.tasks.settle_holds")
def settle_holds(**_: Any) -> None:
    """Pause campaigns whose data is not as expected, and go on with those whose data is again."""
    holds.settle(now=timezone.now())


@shared_task(name="campaigns.tasks.refresh_segments")
def refresh_segments(**_: Any) -> None:
    """Bring who is in which segment up to now."""
    if upkeep.refresh(now=timezone.now()).more:
        refresh_segments.delay()


@shared_task(name="campaigns.tasks.check_segments")
def check_segments(**_: Any) -> None:
    """Make the segment anew that was not made for longest, once a day each."""
    upkeep.check(now=timezone.now())


@shared_task(name="campaigns.tasks.tidy_segments")
def tidy_segments(**_: Any) -> None:
    """Remove what every segment has seen, and moves that are too old."""
    upkeep.tidy(now=timezone.now())


@shared_task(name="campaigns.tasks.count_groups", queue="bulk")
def count_groups(name: str = "tree:", **_: Any) -> None:
    """Count the groups of trees again: numbers were renewed, or another version is shown."""
    if name.startswith("tree:"):
        groups.count_all()


@shared_task(name="campaigns.tasks.check_domains")
def check_domains(**_: Any) -> None:
    """Ask the DNS about sending domains that were not looked at for half a day."""
    domains.check_due(now=timezone.now())


@shared_task(name="campaigns.tasks.send_confirmations")
def send_confirmations(**_: Any) -> None:
    """Send the mails that ask people to confirm a sign-up."""
    if gate.closed() is None:
        transactional.send_confirmations(now=timezone.now())


@shared_task(name="campaigns.tasks.follow_people")
def follow_people(customer_ids: list[int] | None = None, **_: Any) -> None:
    """Messages stand with whoever their person is today."""
    moved = customer_ids or merging.moved_lately(now=timezone.now())
    former.follow(customer_ids=moved)
    former_people.follow(customer_ids=moved, now=timezone.now())


@shared_task(name="campaigns.tasks.steer_ads")
def steer_ads(**_: Any) -> None:
    """Decide what ads may cost today and how often they are shown, and delete old lists."""
    steering.steer_all(now=timezone.now())
    exporting.tidy(now=timezone.now())


@shared_task(name="campaigns.tasks.share_ads")
def share_ads(**_: Any) -> None:
    """Let the shares of creatives follow the answers."""
    sharing.share_all(now=timezone.now())


@shared_task(name="campaigns.tasks.learn_ads")
def learn_ads(**_: Any) -> None:
    """Ask for the models of clicks and conversions where they are due."""
    trainings.begin_due(now=timezone.now())
