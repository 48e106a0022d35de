"""Long work of the tree explorer: grow a tree for a question."""

from typing import Any

import numpy as np
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from campaigns.models import Segment
from campaigns.segments import compile as compiler
from campaigns.segments import leaves, membership
from marketing.core import jobs
from marketing.core.errors import NotFound
from models_ml import features, queries, registry
from models_ml.explorer import questions, training
from models_ml.models import Exploration, ModelVersion


def train(job: jobs.Running) -> dict[str, Any]:
    """Learn, judge, publish or refuse; a worker that died after storing had done the learning."""
    exploration = Exploration.objects.filter(pk=job.params["exploration"]).first()
    if exploration is None:
        raise NotFound(_("There is no such question any more."), code="exploration_unknown")
    version = (
        ModelVersion.objects.filter(job_id=job.id, name=exploration.name)
        .exclude(state=ModelVersion.State.CANDIDATE)
        .first()
    )
    if version is None:
        now = timezone.now()
        as_of = queries.data_now(now=now)
        # Groups are counted, and segments tested, on the stored numbers.
        features.build(as_of=as_of)
        version = training.train(
            exploration=exploration,
            as_of=as_of,
            now=now,
            members=members,
            defining=_defining(exploration),
            job_id=job.id,
            report=job.step,
        )
    job.set_url(reverse("campaigns:tree-question", args=[exploration.key]))
    job.log(version.verdict)
    return registry.outcome(version) | {"groups": len(version.details["leaves"])}


def members(segment_id: int) -> NDArray[np.int64]:
    """Ids of whoever is in a segment now; NotFound when it is gone."""
    rule = compiler.read(_segment(segment_id).rule)
    return np.fromiter(membership.ids(rule, as_of=queries.as_of()), np.int64)


def _segment(segment_id: int) -> Segment:
    found = Segment.objects.filter(pk=segment_id, state=Segment.State.LIVE).first()
    if found is None:
        raise NotFound(
            _("The segment that is asked about is gone or archived; nothing was changed."),
            code="segment_gone",
            remedy=_("Ask about another segment."),
        )
    return found


def _defining(exploration: Exploration) -> tuple[str, ...]:
    segment = questions.read(exploration.target).segment
    return () if segment is None else leaves.defining(_segment(segment).rule)
