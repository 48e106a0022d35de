"""What is worth doing now: at most three hints for the home page, each from rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain, islice
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.models import Campaign
from ingestion.models import Connector, ImportJob, Severity
from ingestion.quality import problems
from ingestion.quality.wording import describe
from marketing.core import wording
from marketing.core.models import Job
from models_ml import queries
from models_ml.models import ModelVersion, Traits
from models_ml.views import title as model_title


@dataclass(frozen=True)
class Hint:
    """Something a person could do now, with its reason and where to do it."""

    icon: str
    hue: str
    title: str
    reason: str
    url: str
    verb: str


def _at(name: str, *args: Any, tail: str = "") -> str:
    try:
        return reverse(name, args=args) + tail
    except NoReverseMatch:
        return ""


def _brief(text: str, most: int = 140) -> str:
    """A reason short enough for the strip: no half words or brackets, and a sign of more."""
    if len(text) <= most:
        return text
    cut = text[:most]
    opened, closed = (max(cut.rfind(sign) for sign in pair) for pair in ("(（", ")）"))
    end = opened if opened > closed else max(cut.rfind(sign) for sign in " ，。；、")
    return cut[: end if end > most // 2 else most].rstrip(" ,;:") + "…"


def worth_doing(*, models: list[ModelVersion], campaigns: list[Campaign]) -> list[Hint]:
    """At most three hints, the most pressing first; all of them from rows."""
    # Asked one after the other, and no further once there are three.
    hints = chain(
        _data_problems(),
        _paused_sources(),
        _failures(),
        _quarantined(),
        _drafts(campaigns),
        _best_leaf(models),
        _refused(models),
    )
    return list(islice((hint for hint in hints if hint.url), 3))


def _data_problems() -> Iterator[Hint]:
    going = problems.open_now(now=timezone.now(), least=Severity.CRITICAL)
    for problem in going[:1]:
        words = describe(problem)
        yield Hint(
            "heartbeat",
            "k4",
            words.title,
            words.means
            if len(going) == 1
            else _("%(means)s And %(n)s more serious problems.")
            % {"means": words.means, "n": wording.comma(len(going) - 1)},
            _at("ingestion:quality-problem", problem.pk),
            _("See why"),
        )


def _failures() -> Iterator[Hint]:
    failed = Job.objects.filter(
        state=Job.State.FAILED, finished_at__gte=timezone.now() - timedelta(days=7)
    ).only("public_id", "title", "error")
    for job in failed[:1]:
        yield Hint(
            "alert-triangle",
            "k4",
            _("%(job)s failed") % {"job": job.title},
            _brief(job.error),
            _at("core:job-detail", job.public_id),
            _("See why"),
        )


def _paused_sources() -> Iterator[Hint]:
    paused = Connector.objects.filter(state=Connector.State.PAUSED, failures__gt=0)
    for connector in paused.select_related("source").order_by("-changed_at")[:1]:
        yield Hint(
            "plug-connected",
            "k4",
            _("%(source)s is paused") % {"source": connector.source.name},
            _brief(connector.paused_reason),
            _at("ingestion:source-detail", connector.source_id),
            _("See why"),
        )


def _quarantined() -> Iterator[Hint]:
    row = (
        ImportJob.objects.filter(state=ImportJob.State.DONE, quarantined__gt=0)
        .only("public_id", "original_name", "quarantined", "received")
        .first()
    )
    if row:
        title = ngettext(
            "%(n)s row was set aside", "%(n)s rows were set aside", row.quarantined
        ) % {"n": wording.comma(row.quarantined)}
        reason = _("of %(all)s in %(file)s; each has its reason") % {
            "all": wording.comma(row.received),
            "file": row.original_name,
        }
        yield Hint(
            "table-import",
            "k3",
            title,
            reason,
            _at("ingestion:import-detail", row.public_id),
            _("Review"),
        )


def _drafts(campaigns: list[Campaign]) -> Iterator[Hint]:
    for campaign in campaigns:
        if campaign.state in (Campaign.State.DRAFT, Campaign.State.PAUSED):
            paused = campaign.state == Campaign.State.PAUSED
            title = _("%(name)s is paused") if paused else _("%(name)s waits to be sent")
            segment = campaign.segment
            reason = _("nobody is chosen yet")
            if segment is not None:
                reason = _("for %(people)s people in %(segment)s") % {
                    "people": wording.comma(segment.size),
                    "segment": segment.name,
                }
            yield Hint(
                "send",
                "k1",
                title % {"name": campaign.name},
                reason,
                _at("campaigns:campaign-detail", campaign.pk),
                _("Open"),
            )
            return


def _best_leaf(models: list[ModelVersion]) -> Iterator[Hint]:
    """The live tree's best group that no campaign has gone to, if it is surely above average."""
    tree = next((m for m in models if m.name == queries.REPEAT and m.state == "live"), None)
    if tree is None:
        return
    reached = set(
        Campaign.objects.filter(
            segment__origin__version_id=tree.pk,
            state__in=[
                Campaign.State.RUNNING,
                Campaign.State.FINISHED,
                Campaign.State.SCHEDULED,
            ],
        ).values_list("segment__origin__leaf", flat=True)
    )
    fresh = [
        leaf
        for leaf in tree.details.get("leaves", [])
        if leaf["id"] not in reached and leaf["lift"]["low"] > 1
    ]
    if not fresh:
        return
    best = max(fresh, key=lambda leaf: leaf["rate"]["low"])
    people = Traits.objects.filter(repeat_90d_leaf=best["id"]).count()
    if people:
        yield Hint(
            "binary-tree-2",
            "k6",
            ngettext(
                "%(n)s person likely to order again has not been written to",
                "%(n)s people likely to order again have not been written to",
                people,
            )
            % {"n": wording.comma(people)},
            _("%(chance)s of their group ordered again in 90 days, %(lift)s times the average")
            % {
                "chance": wording.pct(best["rate"]["value"], 0),
                "lift": wording.decimal(best["lift"]["value"], 1),
            },
            _at("campaigns:tree"),
            _("See them"),
        )


def _refused(models: list[ModelVersion]) -> Iterator[Hint]:
    for model in models:
        if model.state == ModelVersion.State.REFUSED:
            yield Hint(
                "brain",
                "k6",
                _("%(model)s was not published") % {"model": model_title(model.name)},
                _brief(model.reason),
                _at("models_ml:model-list"),
                _("Compare"),
            )
            return
