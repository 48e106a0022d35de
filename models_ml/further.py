"""Engines that read sequences go on from their weights when enough new purchases came.

A training from nothing takes its time; between two of them the live weights learn a little more.
The new time is cut in two: the weights as they were, and what the first half made of them, answer
for what people bought in the second. Where the further weights are worse they are kept as not
published and the old ones serve; else they learn the second half too and are published. A blend and
a ranker take such members over when that is no harm to them either.
"""

import shutil
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from marketing.core import jobs
from marketing.core.db import advisory_lock
from marketing.core.models import Job
from models_ml import catalog, choosing, interactions, queries, registry, sittings
from models_ml.algorithms import artifacts, metrics
from models_ml.algorithms.data import Array, Interactions, Truth, truth_of
from models_ml.models import ModelVersion

KIND, WHOLLY = "recommenders.further", "recommenders.train"
EVERY = timedelta(hours=20)
# New purchases from which on there is something to learn: so many, and this part of the old ones.
LEAST, SHARE = 100, 0.005
LEAST_PEOPLE = 30
SEED = 20111209
ENTRIES = tuple(entry for entry in catalog.CATALOG if entry.by_epochs)


def due(*, now: datetime) -> bool:
    """Whether a live engine lacks enough purchases, once a night, beside no other training."""
    if Job.objects.filter(kind__in=(KIND, WHOLLY), state__in=Job.OPEN).exists():
        return False
    if Job.objects.filter(kind=KIND, created_at__gt=now - EVERY).exists():
        return False
    live = [version for entry in ENTRIES if (version := registry.live(entry.name)) is not None]
    as_of = queries.data_now(now=now)
    return any(
        version.data_until is not None
        and interactions.count(since=version.data_until, until=as_of) >= least(version)
        for version in live
    )


def least(version: ModelVersion) -> float:
    """New purchases that this version waits for."""
    return max(LEAST, SHARE * version.rows)


def start_if_due(*, now: datetime) -> Job | None:
    """Start the job once, if it is due."""
    with advisory_lock("recommenders.further", wait=False) as ours:
        if not ours or not due(now=now):
            return None
        title = _("Let engines learn from new purchases")
        return jobs.start(kind=KIND, title=title, steps=1 + len(ENTRIES))


def learn(
    *,
    version: ModelVersion,
    data: Interactions,
    as_of: datetime,
    now: datetime,
    job_id: int | None = None,
) -> ModelVersion | None:
    """A version that learned further on `data`, the whole history before `as_of`: published, or
    refused where it was worse than the live one.

    None where too little is new, or too few people bought something new in its second half.
    """
    began = time.monotonic()
    entry = catalog.BY_NAME[version.name]
    parts = _cut(version, data)
    if parts is None:
        return None
    before, judging, cut = parts
    facts = interactions.facts(*entry.reads, as_of=cut)
    champion = _read(version).answer_for(before, **facts)
    further = _read(version).learn_further(
        before, keep=sittings.keep(job_id=job_id, name=entry.name, part=choosing.JUDGED), **facts
    )
    theirs, ours = (_judged(model, judging) for model in (champion, further))
    told = _compared(ours, theirs, cut)
    worse = told["difference"]["mean"] < 0
    if not worse:
        further = _read(version).learn_further(
            data,
            keep=sittings.keep(job_id=job_id, name=entry.name, part=choosing.WHOLE),
            **interactions.facts(*entry.reads, as_of=as_of),
        )
    span = data.span
    made = registry.save(
        name=entry.name,
        algorithm=entry.engine,
        write=further.save,
        params=version.params,
        # What was judged on the exam are the weights that these went on from.
        metrics=version.metrics,
        baseline=version.baseline,
        data_from=version.data_from,
        data_until=version.data_until if worse else _moment(span[1]),
        rows=version.rows if worse else len(data),
        seed=version.seed,
        seconds=round(time.monotonic() - began, 2),
        details=dict(version.details)
        | {
            "further": {
                "from": version.version,
                "new": int((data.at > _second(version.data_until)).sum()),
                **told,
            }
        },
        job_id=job_id,
        now=now,
    )
    worse_by = gettext_noop(
        "What it learned from new purchases made it worse: NDCG@10 %(ours).4f against "
        "%(theirs).4f on the %(n)d people who then bought something new."
    )
    return _settled(made, told, worse_by)


def pass_on(
    *,
    name: str,
    renewed: Mapping[str, ModelVersion],
    data: Interactions,
    now: datetime,
    job_id: int | None = None,
) -> ModelVersion | None:
    """Let a live blend (or ranker) go on with members that learned further, weighed as they were.

    It is judged as they were, by what the first half of the new time made of them; where it got
    worse it is kept as not published. None where it is not live or has none of them.
    """
    version = registry.live(name)
    if version is None:
        return None
    old = registry.folder(version)
    artifacts.check(old)
    inside = Path("blend") if catalog.BY_NAME[name].ranks else Path()
    having = {engine: one for engine, one in renewed.items() if (old / inside / engine).is_dir()}
    if not having:
        return None
    plain = shutil.ignore_patterns(artifacts.MANIFEST)

    def write(folder: Path) -> None:
        shutil.copytree(old, folder, ignore=plain, dirs_exist_ok=True)
        for engine, member in having.items():
            shutil.rmtree(folder / inside / engine)
            shutil.copytree(registry.folder(member), folder / inside / engine, ignore=plain)

    told = _beside(version, having, data, job_id)
    made = registry.save(
        name=name,
        algorithm=version.algorithm,
        write=write,
        params=version.params,
        metrics=version.metrics,
        baseline=version.baseline,
        data_from=version.data_from,
        data_until=version.data_until,
        rows=version.rows,
        seed=version.seed,
        details=dict(version.details)
        | {
            "further": {
                "from": version.version,
                "members": {engine: one.version for engine, one in having.items()},
                **told,
            }
        },
        job_id=job_id,
        now=now,
    )
    worse_by = gettext_noop(
        "What its members learned from new purchases made it worse: NDCG@10 %(ours).4f "
        "against %(theirs).4f on the %(n)d people who then bought something new."
    )
    return _settled(made, told, worse_by)


def _beside(
    version: ModelVersion,
    having: Mapping[str, ModelVersion],
    data: Interactions,
    job_id: int | None,
) -> dict[str, Any]:
    """How a blend (or ranker) answers for the second half of the new time, with its members as the
    first half made them beside those that it has."""
    entry = catalog.BY_NAME[version.name]
    were = {
        engine: ModelVersion.objects.get(name=one.name, version=one.details["further"]["from"])
        for engine, one in having.items()
    }
    parts = {engine: part for engine, one in were.items() if (part := _cut(one, data)) is not None}
    before, judging, cut = max(parts.values(), key=lambda part: part[2])
    model = entry.read()(registry.folder(version))
    blend = model.blend if entry.ranks else model
    place = registry.folder(version) / ("blend" if entry.ranks else "")
    champions, further = {}, {}
    for engine, (known, _judging, until) in parts.items():
        member = catalog.BY_NAME[were[engine].name]
        reads, facts = member.reads, interactions.facts(*member.reads, as_of=cut)
        held = import_string(member.estimator).load(place / engine)
        champions[engine] = held.answer_for(before, **facts)
        # What the job keeps of this training is its end, so this reads rather than learns.
        learned = _read(were[engine]).learn_further(
            known,
            keep=sittings.keep(job_id=job_id, name=member.name, part=choosing.JUDGED),
            **interactions.facts(*reads, as_of=until),
        )
        further[engine] = learned.answer_for(before, **facts)
    blend.members.update(champions)
    theirs = _judged(model, judging)
    blend.members.update(further)
    ours = _judged(model, judging)
    return _compared(ours, theirs, cut)


def _compared(ours: metrics.Ranking, theirs: metrics.Ranking, cut: datetime) -> dict[str, Any]:
    """What is told of two that answered for the same people."""
    return {
        "cut": cut.isoformat(),
        "people": len(ours.ndcg),
        "ndcg@10": round(float(ours.ndcg.mean()), 6),
        "ndcg@10_before": round(float(theirs.ndcg.mean()), 6),
        "difference": metrics.paired_difference(ours.ndcg, theirs.ndcg, seed=SEED).as_dict(),
    }


def _settled(made: ModelVersion, told: Mapping[str, Any], worse_by: str) -> ModelVersion:
    """Published where it is no worse; else refused, in the words of `worse_by`."""
    if told["difference"]["mean"] >= 0:
        return registry.promote(version=made)
    figures = {"ours": told["ndcg@10"], "theirs": told["ndcg@10_before"], "n": told["people"]}
    return registry.refuse(version=made, why=lambda: _(worse_by) % figures)


def _cut(version: ModelVersion, data: Interactions) -> tuple[Interactions, Truth, datetime] | None:
    """What came before the middle of the new purchases, what people bought after it, and when."""
    if version.data_until is None:
        return None
    new = np.sort(data.at[data.at > _second(version.data_until)])
    if len(new) < least(version):
        return None
    cut = new[len(new) // 2]
    before = data.between(stop=cut)
    judging = truth_of(data.between(start=cut), before, skip_seen=True)
    if len(judging.users) < LEAST_PEOPLE:
        return None
    return before, judging, _moment(cut)


def _judged(model: Any, truth: Truth) -> metrics.Ranking:
    return metrics.ranking(truth, model.recommend(truth.users, 10)[0], 10)


def _read(version: ModelVersion) -> Any:
    """The weights by what can learn, which may not be what serves."""
    place = registry.folder(version)
    artifacts.check(place)
    return import_string(catalog.BY_NAME[version.name].estimator).load(place)


def _second(moment: datetime | None) -> Any:
    assert moment is not None
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "s")


def _moment(value: Array | Any) -> datetime:
    return datetime.fromtimestamp(int(value.astype("datetime64[s]").astype("int64")), tz=UTC)
