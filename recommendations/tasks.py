"""Long work of this app: the job that chooses products for everybody."""

from typing import Any

from celery import shared_task
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import jobs
from marketing.core.errors import NotFound
from marketing.core.models import Job
from models_ml import catalog
from recommendations import build, evaluate, links, novelties, outcomes, placements
from recommendations.models import LinkSet, OfferPlan
from recommendations.offers import planning


def refresh(job: jobs.Running) -> dict[str, Any]:
    """Choose products for everybody with every live engine, let the best one serve, and link
    products for whoever comes by.
    """
    job.set_url(reverse("recommendations:home"))
    order = [entry.engine for entry in catalog.CATALOG]
    seen: list[str] = []

    def say(engine: str, done: int, total: int) -> None:
        if engine not in seen:
            seen.append(engine)
            title = catalog.BY_ENGINE[engine].title
            job.step(
                order.index(engine) + 1,
                lambda: _("Choosing products: %(engine)s") % {"engine": title},
                total=total,
                unit="people",
            )
        job.progress(done, total)

    first, *others = build.stored_placements()
    catalogue = novelties.Catalogue(timezone.now())
    sets = build.refresh(placement=first, now=timezone.now(), say=say, catalogue=catalogue)
    job.check()
    for placement in others:
        sets += build.refresh(placement=placement, now=timezone.now(), catalogue=catalogue)
        job.check()
    serving = next(row for row in sets if row.serving and row.placement_id == first.pk)
    judged = evaluate.engines()
    job.log(lambda: evaluate.verdict(judged))
    _link(job, step=len(order) + 1, catalogue=catalogue)
    return {
        "serving": serving.engine,
        "people": serving.metrics["people"],
        "picks": sum(row.metrics["picks"] for row in sets),
        "products": serving.metrics["products"],
    }


def make_links(job: jobs.Running) -> dict[str, Any]:
    """Count anew which products go together, and what is popular."""
    job.set_url(reverse("recommendations:placements"))
    made = _link(job, step=1)
    return {"links": sum(made.metrics["links"].values()), "products": made.metrics["products"]}


def plan_offers(job: jobs.Running) -> dict[str, Any]:
    """Decide who gets which offer of a plan under its budget."""
    row = OfferPlan.objects.filter(pk=job.params["plan"]).first()
    if row is None:
        raise NotFound(_("There is no plan with this key."), code="unknown_plan")
    job.set_url(reverse("recommendations:offer-plan", args=[row.slug]))

    def say(done: int, total: int) -> None:
        job.step(1, gettext_lazy("Reckoning offers"), total=total, unit="offers")
        job.progress(done, total)
        job.check()

    made = planning.plan(row=row, now=timezone.now(), say=say)
    return {"people": made["people"], "chosen": made["chosen"]}


def _link(job: jobs.Running, *, step: int, catalogue: novelties.Catalogue | None = None) -> LinkSet:
    def say(what: str, done: int, total: int) -> None:
        job.step(
            step, gettext_lazy("Counting which products go together"), total=total, unit="kinds"
        )
        job.progress(done, total)

    return links.make(now=timezone.now(), say=say, catalogue=catalogue)


@shared_task(name="recommendations.tasks.refresh_after_training", queue="fast")
def refresh_after_training(job_id: int, **_ids: Any) -> None:
    """Start a refresh when recommenders were trained; the demo starts its own."""
    trained = Job.objects.filter(pk=job_id).first()
    if trained is not None and not trained.params.get("demo"):
        jobs.start(
            kind="recommendations.refresh",
            title=_("Choose products for each person"),
            user=trained.created_by,
            steps=placements.REFRESH_STEPS,
        )


@shared_task(name="recommendations.tasks.count_visitors", queue="fast")
def count_visitors(**_ids: Any) -> None:
    """Count who was shown what, and who clicked, since the last time."""
    outcomes.count()
