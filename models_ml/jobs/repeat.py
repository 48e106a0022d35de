"""Long work about who orders again: everybody's numbers, and the tree that is trained on them."""

from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import bus, jobs
from models_ml import features, queries, registry, repeat
from models_ml.algorithms.tree import Params
from models_ml.models import ModelVersion


def build_features(job: jobs.Running) -> dict[str, Any]:
    """Numbers of everyone as of the data's now, then the live tree's word on them."""
    as_of = queries.data_now(now=timezone.now())
    job.step(
        1, gettext_lazy("Counting orders, intervals and returns of every person"), unit="people"
    )
    people = features.build(as_of=as_of)
    job.progress(people, people)
    job.step(2, gettext_lazy("Scoring people with the live tree"), unit="people")
    scored = repeat.score()
    job.log(
        lambda: (
            _("%(people)d people counted as of %(moment)s, %(scored)d scored.")
            % {"people": people, "moment": f"{as_of:%Y-%m-%d %H:%M}", "scored": scored}
        )
    )
    bus.announce("features.built")
    return {"people": people, "scored": scored, "as_of": as_of.isoformat()}


def train_tree(job: jobs.Running) -> dict[str, Any]:
    """Train the tree as asked (`depth`, `min_leaf`), publish it if worth it, score everyone."""
    version = (
        ModelVersion.objects.filter(job_id=job.id, name=repeat.NAME)
        .exclude(state="candidate")
        .first()
    )
    if version is None:  # a worker that died after storing had done the work
        given = {
            name: int(job.params[name]) for name in ("depth", "min_leaf") if name in job.params
        }
        now = timezone.now()
        version = repeat.train(
            as_of=queries.data_now(now=now),
            now=now,
            params=Params(**given),
            job_id=job.id,
            report=job.step,
        )
    job.set_url(reverse("models_ml:model-detail", args=[version.pk]))
    job.step(5, gettext_lazy("Scoring people with the live tree"), unit="people")
    features.build(as_of=queries.data_now(now=timezone.now()))
    scored = repeat.score()
    bus.announce("features.built")
    job.log(version.verdict)
    return registry.outcome(version) | {"scored": scored}
