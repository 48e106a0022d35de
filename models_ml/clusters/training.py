"""From facts to groups: found, judged, kept under the numbers they had; everyone is sorted."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from threadpoolctl import threadpool_limits

from marketing.core.errors import Invalid, Refused
from marketing.core.wording import Words
from models_ml import queries, registry
from models_ml.algorithms import artifacts
from models_ml.algorithms.clusters import choosing, matching, scaling
from models_ml.algorithms.clusters.choosing import Choice
from models_ml.algorithms.clusters.fitted import Groups
from models_ml.algorithms.clusters.scaling import Scaler
from models_ml.clusters import facts, membership, profiles
from models_ml.clusters.membership import Sorting
from models_ml.models import Clustering, ModelVersion

SEED = 20111209
LEAST_PEOPLE = 50
SUGGESTED = 3

Report = Callable[[int, Words], None]


def train(
    *,
    clustering: Clustering,
    now: datetime,
    job_id: int | None = None,
    report: Report = lambda step, label: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> ModelVersion:
    """Find groups as of the data's now, publish them if they are any, else keep the reason.

    What kept groups from being looked for at all is noted on the clustering and raised; whoever is
    in a group stays there.
    """
    try:
        with threadpool_limits(limits=1):
            version = _train(clustering, now, job_id, report, progress)
    except Refused as refusal:
        _note(clustering, {
            "code": refusal.code, "message": refusal.message,
            "remedy": refusal.remedy or "", "at": now.isoformat(),
        })  # fmt: skip
        raise
    _note(clustering, {})
    return version


def _note(clustering: Clustering, trouble: dict[str, Any]) -> None:
    Clustering.objects.filter(pk=clustering.pk).update(trouble=trouble)
    clustering.trouble = trouble


def _train(
    clustering: Clustering,
    now: datetime,
    job_id: int | None,
    report: Report,
    progress: Callable[[int, int], None],
) -> ModelVersion:
    began, as_of = time.monotonic(), queries.data_now(now=now)
    report(1, gettext_lazy("Reading the facts of everyone"))
    person, names, x = membership.read_facts(clustering=clustering, as_of=as_of)
    _check_people(len(person))
    chosen = [names.index(name) for name in clustering.facts]
    scaler, left = scaling.learn(x[:, chosen], clustering.facts, facts.logs(clustering.facts))
    _check_facts(scaler)
    z = scaler.apply(x[:, [names.index(name) for name in scaler.names]])
    report(2, gettext_lazy("Trying two to ten groups"))
    choice = choosing.choose(
        z,
        kind=clustering.method,
        seed=SEED,
        counts=choosing.COUNTS,
        wanted=clustering.wanted,
        report=progress,
    )
    report(3, gettext_lazy("Finding the groups and what sets them apart"))
    groups = choosing.find(z, kind=clustering.method, count=choice.count or 1, seed=SEED)
    before = _before(clustering)
    matched = matching.match((before[1].scaler, before[1].groups), (scaler, groups)) if (
        before and choice.count
    ) else None  # fmt: skip
    numbers, newest = _numbers(clustering, groups, matched, before)
    sorting = Sorting(scaler, groups, numbers)
    place, chance = groups.assign(z)
    described = profiles.describe(names=names, x=x, place=place, chance=chance)
    for one, number in zip(described, numbers, strict=True):
        one |= {"number": int(number), "suggested": _suggested(one["traits"])}
    report(4, gettext_lazy("Storing the version"))
    taken = choice.chosen
    version = registry.save(
        name=clustering.name,
        algorithm=str(clustering.method),
        write=sorting.write,
        params={"facts": clustering.facts, "wanted": clustering.wanted, "groups": choice.count},
        metrics={} if taken is None else {
            "silhouette": round(taken.silhouette, 5), "stability": round(taken.stability, 5),
            "gap": round(taken.gap, 5),
        },
        baseline={},
        details={
            "kind": "clusters",
            "method": clustering.method,
            "as_of": as_of.isoformat(),
            "tried": [one.as_json() for one in choice.tried],
            "count": choice.count,
            "one_bic": None if choice.one_bic is None else round(choice.one_bic, 1),
            "sampled": choice.sampled,
            "known": _known(clustering.facts, x[:, chosen]),
            "left_out": [
                {"fact": one.name, "why": one.why, "known": round(one.known, 4)} for one in left
            ],
            "facts": list(scaler.names),
            "groups": described,
            "moved": _moved(clustering, before, matched, numbers, person, numbers[place]),
        },
        data_from=None,
        data_until=as_of,
        rows=len(person),
        seed=SEED,
        seconds=round(time.monotonic() - began, 2),
        job_id=job_id,
        now=now,
    )  # fmt: skip
    if choice.count is None:
        return registry.refuse(version=version, why=lambda: _why_none(clustering, choice))
    Clustering.objects.filter(pk=clustering.pk).update(newest=newest)
    clustering.newest = newest
    return registry.promote(version=version)


def sorting_of(*, clustering: Clustering, names: list[str], x: np.ndarray, count: int) -> Sorting:
    """So many groups of these people, without asking whether they stand."""
    chosen = [names.index(name) for name in clustering.facts]
    scaler, _left = scaling.learn(x[:, chosen], clustering.facts, facts.logs(clustering.facts))
    z = scaler.apply(x[:, [names.index(name) for name in scaler.names]])
    groups = choosing.find(z, kind=clustering.method, count=count, seed=SEED)
    return Sorting(scaler, groups, np.arange(1, count + 1))


def _check_people(people: int) -> None:
    if not people:
        raise Invalid(
            _("There is nobody to sort: no one has ordered yet, or everyone refused profiling."),
            code="nobody",
            remedy=_("Import orders, or sort everyone by what they do. Nothing was changed."),
        )
    if people < LEAST_PEOPLE:
        raise Invalid(
            _("%(people)d people are too few: groups among so few would be chance.")
            % {"people": people},
            code="too_few_people",
            remedy=_("At least %(least)d are needed. Nothing was changed.")
            % {"least": LEAST_PEOPLE},
        )


def _check_facts(scaler: Scaler) -> None:
    if not scaler.names:
        raise Invalid(
            _("By these facts everyone is the same, or nothing is known of most people."),
            code="nothing_differs",
            remedy=_("Choose facts in which people differ. Nothing was changed."),
        )


def _before(clustering: Clustering) -> tuple[ModelVersion, Sorting] | None:
    version = registry.live(clustering.name)
    if version is None:
        return None
    try:
        return version, registry.load(version, membership.read_sorting)
    except (artifacts.Damaged, OSError):  # there is nothing to go on from
        return None


def _numbers(
    clustering: Clustering,
    groups: Groups,
    matched: matching.Match | None,
    before: tuple[ModelVersion, Sorting] | None,
) -> tuple[np.ndarray, int]:
    """The number of each group: that of the group it goes on from, else one never used."""
    newest, found = clustering.newest, []
    for place in range(groups.count):
        was = matched.before[place] if matched else None
        if was is None or before is None:
            newest += 1
            found.append(newest)
        else:
            found.append(int(before[1].numbers[was]))
    return np.array(found, dtype=np.int64), newest


def _moved(
    clustering: Clustering,
    before: tuple[ModelVersion, Sorting] | None,
    matched: matching.Match | None,
    numbers: np.ndarray,
    person: np.ndarray,
    now_in: np.ndarray,
) -> dict[str, Any] | None:
    """Which groups went on, came and went, and how many people went from which to which."""
    if before is None or matched is None:
        return None
    ids, was_in = membership.of_people(clustering=clustering)
    _both, first, second = np.intersect1d(ids, person, return_indices=True)
    pairs, counts = np.unique(
        np.column_stack([was_in[first], now_in[second]]), axis=0, return_counts=True
    )
    kept = [int(n) for n, was in zip(numbers, matched.before, strict=True) if was is not None]
    same = int((was_in[first] == now_in[second]).sum())
    return {
        "version": before[0].version,
        "people": len(first),
        "stayed": same,
        "gone": sorted({int(n) for n in before[1].numbers} - set(kept)),
        "came": sorted({int(n) for n in numbers} - set(kept)),
        "drifted": {
            str(int(n)): round(share, 3)
            for n, share in zip(numbers, matched.moved, strict=True)
            if share is not None
        },
        "flows": [[int(a), int(b), int(n)] for (a, b), n in zip(pairs, counts, strict=True)],
    }


def _known(names: list[str], x: np.ndarray) -> dict[str, float]:
    return {name: round(float(np.isfinite(x[:, d]).mean()), 4) for d, name in enumerate(names)}


def _suggested(traits: list[dict[str, Any]]) -> list[list[str]]:
    """The facts a group may be named after: those by which it stands apart, and to which side."""
    apart = [one for one in traits if abs(one["apart"]) >= profiles.APART]
    return [[one["fact"], "high" if one["apart"] > 0 else "low"] for one in apart[:SUGGESTED]]


def _why_none(clustering: Clustering, choice: Choice) -> str:
    if clustering.wanted is not None:
        return _(
            "%(count)d groups were asked for, and they do not hold: drawn anew the people fall into"
            " other groups, or one group cut in pieces is as tight. Let the data choose the number."
        ) % {"count": clustering.wanted}
    if not choice.tried:
        return _("There are too few people for groups of a useful size.")
    if not any(choosing.NO_GAP not in one.against for one in choice.tried):
        return _(
            "People are one group by these facts: cut in two to ten, they are no tighter than one"
            " group of the same spread cut in pieces would be. Other facts may tell more."
        )
    return _(
        "No number of groups held: with people drawn anew they fall into other groups, or a group"
        " is too small. By these facts it is better to treat people as one group."
    )
