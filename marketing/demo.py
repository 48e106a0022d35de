"""The main job on real data: a shop's history in, a mail with recommendations out.

Each stage is an ordinary job that anybody may watch, cancel or try again on the jobs page. Where
the demo stands is read from those rows alone, so it goes on after any stop: `advance` runs when a
job ends and every five seconds, and starts whatever has become possible. Some ready predictions
are trained when all is done.
"""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import demo as campaigns_demo
from campaigns.ads import demo as ads_demo
from campaigns.ads import trainings
from campaigns.models import Campaign, Run
from campaigns.sending import runs
from ingestion import imports
from ingestion.models import ImportJob
from marketing.core import jobs
from marketing.core.db import advisory_lock
from marketing.core.models import Job, User
from models_ml import catalog
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import ready, training
from recommendations import placements

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

DONE, RUNNING, FAILED, WAITING = "done", "running", "failed", "waiting"
LOGIN = "demo"
ADS = "demo.ads"
# Ready predictions that are trained once the demo stands, one at a time: nobody waits for them.
PREDICTIONS = ("purchase_90d", "clv", "churn")


@dataclass(frozen=True)
class Step:
    """A kind of job, and the kinds that must be done before it."""

    kind: str
    title: "StrOrPromise"
    after: tuple[str, ...]
    steps: int = 1


STEPS = (
    Step("import.run", gettext_lazy("Bring in the shop's history"), ()),
    Step("features.build", gettext_lazy("Work out numbers for each person"), ("import.run",), 2),
    Step("tree.train", gettext_lazy("Find who orders again"), ("features.build",), 5),
    Step(
        "recommenders.train",
        gettext_lazy("Learn what people buy next"),
        ("features.build",),
        1 + len(catalog.CATALOG),
    ),
    Step(
        "recommendations.refresh",
        gettext_lazy("Choose products for each person"),
        ("recommenders.train",),
        placements.REFRESH_STEPS,
    ),
    Step(
        "demo.campaign",
        gettext_lazy("Send a campaign to the best group"),
        ("tree.train", "recommendations.refresh"),
        steps=2,
    ),
)


@dataclass(frozen=True)
class Stage:
    """A step as it stands: waiting, running, done or failed; and its job once it has one."""

    title: str
    state: str
    job: Job | None


def begin(*, now: datetime) -> None:
    """Ask for the demo: bring in the shipped history, unless that was done before."""
    with advisory_lock("demo"):
        if STEPS[0].kind not in _jobs():
            imports.begin_demo(user=_demo_user(), now=now)
    advance(now=now)


def advance(*, now: datetime) -> list[str]:
    """Start every step whose forerunners are done; the kinds started.

    Does nothing in an installation that never asked for the demo.
    """
    started = []
    with advisory_lock("demo", wait=False) as ours:
        if not ours:
            return []
        known = _jobs()
        done = {kind for kind, job in known.items() if job.state == Job.State.DONE}
        for step in STEPS[1:]:
            if step.kind not in known and done.issuperset(step.after):
                jobs.start(
                    kind=step.kind,
                    title=str(step.title),
                    params={"demo": True},
                    user=_demo_user(),
                    steps=step.steps,
                )
                started.append(step.kind)
        if done.issuperset(step.kind for step in STEPS):
            started += _advertise() or _predict(now)
    return started


def _advertise() -> list[str]:
    """Ask once for the demo's ads, which nobody waits for."""
    if Job.objects.filter(kind=ADS).exists():
        return []
    jobs.start(
        kind=ADS, title=_("Four weeks of ads"), params={"demo": True}, user=_demo_user(), steps=1
    )
    return [ADS]


def show_ads(job: jobs.Running) -> dict[str, Any]:
    """Bring in the demo's ads, then ask for the models that learn from them."""
    job.step(1, gettext_lazy("Bringing in impressions and clicks"))
    made = ads_demo.fill(user=_demo_user(), now=timezone.now())
    job.set_url(reverse("campaigns:ad", args=[made.key]))
    trainings.start(user=_demo_user())
    return {"ad": made.key}


def _predict(now: datetime) -> list[str]:
    """Ask for the next ready prediction, unless one is being trained; what was started."""
    known = {row.key: row for row in Prediction.objects.filter(key__in=PREDICTIONS)}
    answered = set(ModelVersion.objects.filter(name__in=known).values_list("name", flat=True))
    for key in PREDICTIONS:
        asked = known.get(key)
        if asked is None:
            asked = ready.install(key=key, actor=_demo_user(), now=now)
        elif training.open_job(prediction=asked, kind=training.TRAIN) is not None:
            return []
        elif key in answered or asked.state != Prediction.State.ACTIVE or _tried(asked):
            continue
        training.start(prediction=asked, user=_demo_user())
        return [f"{training.TRAIN}:{key}"]
    return []


def _tried(prediction: Prediction) -> bool:
    """Whether a training ended without a version; it is tried again by hand."""
    jobs_of = Job.objects.filter(kind=training.TRAIN, params__prediction=prediction.pk)
    return bool(prediction.trouble) or jobs_of.exists()


def stages() -> list[Stage]:
    """Every step as it stands now, in order."""
    found = _jobs()
    return [
        Stage(str(step.title), _state(found.get(step.kind)), found.get(step.kind)) for step in STEPS
    ]


def send_campaign(job: jobs.Running) -> dict[str, Any]:
    """Draft the demo's campaign, start it, and follow it until the last mail has been handed over.

    Called again after a crash it finds the campaign and only goes on following.
    """
    job.step(1, gettext_lazy("Writing the campaign"), unit="mails")
    campaign = Campaign.objects.filter(is_demo=True).order_by("id").first()
    if campaign is None:
        campaign = campaigns_demo.draft(user=_demo_user(), now=timezone.now())
    job.set_url(reverse("campaigns:campaign-detail", args=[campaign.pk]))
    if campaign.state == Campaign.State.DRAFT:
        runs.start(campaign_id=campaign.pk, user=_demo_user(), now=timezone.now())
    run = campaign.runs.latest("id")
    job.step(2, gettext_lazy("Sending"), unit="mails")
    while True:
        run.refresh_from_db()
        progress = runs.progress(run_id=run.pk)
        job.progress(progress.ended, max(progress.meant, 1))
        if run.state in (Run.State.FINISHED, Run.State.CANCELLED):
            break
        time.sleep(0.5)
    return {"campaign": campaign.pk, "sent": progress.sent, "skipped": progress.skipped}


def _demo_user() -> User | None:
    return User.objects.filter(username=LOGIN).first()


def _jobs() -> dict[str, Job]:
    """The demo's newest job of each kind; the import's job belongs to the import."""
    found = {
        job.kind: job
        for job in Job.objects.filter(
            kind__in=[step.kind for step in STEPS], params__demo=True
        ).order_by("id")
    }
    imported = (
        ImportJob.objects.filter(source__is_demo=True, job__isnull=False)
        .select_related("job")
        .order_by("id")
        .last()
    )
    if imported is not None and imported.job is not None:
        found[STEPS[0].kind] = imported.job
    return found


def _state(job: Job | None) -> str:
    if job is None:
        return WAITING
    return {
        Job.State.DONE: DONE,
        Job.State.FAILED: FAILED,
        Job.State.STOPPED: FAILED,
    }.get(Job.State(job.state), RUNNING)
