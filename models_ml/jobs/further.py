"""Long work: engines that read sequences learn from what was bought since."""

from functools import partial
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from marketing.core import bus, jobs
from models_ml import catalog, further, interactions, queries, registry, sittings
from models_ml.models import ModelVersion


def learn(job: jobs.Running) -> dict[str, Any]:
    """Let each live engine learn further; publish what is not worse, and let blends take it over.

    Called again after a crash it keeps what was stored, and goes on with what was cut off.
    """
    now = timezone.now()
    job.set_url(reverse("recommendations:home"))
    job.step(1, gettext_lazy("Reading who bought what"), unit="purchases")
    as_of = sittings.as_of(job_id=job.id, now=queries.data_now(now=now))
    data = interactions.read(as_of=as_of)
    job.progress(len(data), len(data))
    stored = {
        one.name: one
        for one in ModelVersion.objects.filter(job_id=job.id).exclude(state="candidate")
    }
    made: dict[str, ModelVersion] = {}
    for number, entry in enumerate(further.ENTRIES, start=2):
        job.step(
            number,
            partial(_about, gettext_noop("Learning further: %(engine)s"), entry),
            unit="engines",
        )
        version = stored.get(entry.name)
        live = registry.live(entry.name)
        if version is None and live is not None:
            version = further.learn(version=live, data=data, as_of=as_of, now=now, job_id=job.id)
        job.progress(1, 1)
        if version is None:
            job.log(
                partial(_about, gettext_noop("%(engine)s has too little new to learn from."), entry)
            )
            continue
        made[entry.engine] = version
        job.log(version.verdict)
    renewed = {engine: one for engine, one in made.items() if one.state == "live"}
    for entry in catalog.CATALOG:
        if (entry.members or entry.ranks) and entry.name not in stored:
            whole = further.pass_on(
                name=entry.name, renewed=renewed, data=data, now=now, job_id=job.id
            )
            if whole is not None:
                job.log(whole.verdict)
    sittings.finish(job_id=job.id)
    if renewed:
        bus.announce("recommenders.trained", job_id=job.id)
    return {engine: {"version": one.version, "state": one.state} for engine, one in made.items()}


def _about(words: str, entry: catalog.Entry) -> str:
    return _(words) % {"engine": entry.title}
