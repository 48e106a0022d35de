"""Pairs that look like one person: what somebody decides about them, and the merge foreseen."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.identity import merging, traits
from ingestion.models import Consent, Customer, Identity, Merge, Twins
from marketing.core import audit, jobs
from marketing.core.db import advisory_lock
from marketing.core.errors import Conflict, NotFound
from marketing.core.models import ApiKey, Job, User

CERTAIN = 90
KIND = "people.compare"


def waiting() -> QuerySet[Twins]:
    """Pairs to decide, the surest first."""
    return Twins.objects.filter(
        state=Twins.State.OPEN, left__merged_into=None, right__merged_into=None
    ).order_by("-score", "id")


def start(*, user: User | None) -> Job | None:
    """Start comparing everybody, unless that is under way."""
    with advisory_lock("people.compare", wait=False) as ours:
        if not ours or Job.objects.filter(kind=KIND, state__in=Job.OPEN).exists():
            return None
        return jobs.start(kind=KIND, title=_("Look for duplicate people"), user=user, steps=2)


def start_certain(*, user: User | None) -> Job:
    """Start merging the pairs that are certain."""
    if not waiting().filter(score__gte=CERTAIN).exists():
        raise Conflict(
            _("There is no pair that is certain; nothing was changed."), code="none_certain"
        )
    title = _("Merge the certain duplicates")
    return jobs.start(kind="people.merge", title=title, user=user, steps=1)


def keep_apart(*, left: int, right: int, actor: User | ApiKey | None, now: datetime) -> None:
    """Remember that two people are not the same."""
    one, other = sorted((left, right))
    if one == other or Customer.objects.filter(pk__in=[one, other]).count() != 2:
        raise NotFound(_("There is no such pair of people."), code="pair_unknown")
    Twins.objects.update_or_create(
        left_id=one,
        right_id=other,
        defaults={
            "state": Twins.State.APART,
            "decided_at": now,
            "decided_by": merging.label(actor),
        },
        create_defaults={
            "score": 0,
            "state": Twins.State.APART,
            "decided_at": now,
            "decided_by": merging.label(actor),
        },
    )
    audit.record(actor=actor, action="people.kept_apart", detail={"left": one, "right": other})


def merge(*, kept: int, gone: int, actor: User | ApiKey | None, now: datetime) -> merging.Merged:
    """Merge two people; if they were suggested, the evidence goes on record."""
    one, other = sorted((kept, gone))
    pair = Twins.objects.filter(left_id=one, right_id=other).first()
    suggested = pair is not None and pair.score > 0
    outcome = merging.merge(
        kept=kept,
        gone=gone,
        actor=actor,
        now=now,
        kind=Merge.Kind.SUGGESTED if suggested else Merge.Kind.PERSON,
        evidence={"score": pair.score, "because": pair.evidence} if pair and suggested else None,
    )
    if pair is not None:
        Twins.objects.filter(pk=pair.pk).update(
            state=Twins.State.MERGED, decided_at=now, decided_by=merging.label(actor)
        )
    return outcome


def undo(*, merge_id: int, actor: User | ApiKey | None, now: datetime) -> int:
    """Undo a merge; the pair is not suggested again."""
    back = merging.undo(merge_id=merge_id, actor=actor, now=now)
    row = Merge.objects.get(pk=merge_id)
    one, other = sorted((row.kept_id, row.gone_id))
    Twins.objects.filter(left_id=one, right_id=other).update(
        state=Twins.State.APART, decided_at=now, decided_by=merging.label(actor)
    )
    return back


def merge_certain(*, job: jobs.Running, now: datetime) -> dict[str, Any]:
    """Merge every pair that is certain, one transaction each; older rows stay."""
    total = waiting().filter(score__gte=CERTAIN).count()
    job.step(1, gettext_lazy("Merging"), total=total, unit="pairs")
    asked = job.created_by_id
    done, actor = 0, User.objects.filter(pk=asked).first() if asked is not None else None
    while (pair := waiting().filter(score__gte=CERTAIN).first()) is not None:
        job.check()
        kept, gone = preferred(pair.left_id, pair.right_id)
        merge(kept=kept, gone=gone, actor=actor, now=now)
        done += 1
        job.progress(done, max(total, done))
    job.log(lambda: _("%(pairs)d pairs were merged. Each can be undone.") % {"pairs": done})
    return {"merged": done}


def preferred(one: int, other: int) -> tuple[int, int]:
    """(who stays, who goes): whoever has a customer number stays, else the older row."""
    numbered = set(
        Customer.objects.filter(pk__in=[one, other])
        .exclude(Q(external_id=None) | Q(external_id=""))
        .values_list("pk", flat=True)
    )
    kept = min((one, other), key=lambda pk: (pk not in numbered, pk))
    return kept, other if kept == one else one


@dataclass(frozen=True)
class Line:
    """One property of both, and what will stand."""

    name: str
    kept: Any
    gone: Any
    after: Any

    @property
    def differs(self) -> bool:
        return bool(self.kept and self.gone and self.kept != self.gone)


@dataclass(frozen=True)
class Preview:
    """What a merge would make of two people."""

    kept: Customer
    gone: Customer
    lines: list[Line]
    names: dict[int, list[Identity]]
    answers: list[Line]


def preview(*, kept: int, gone: int) -> Preview:
    """Both people side by side, and what a merge would leave. Nothing is changed."""
    found = {row.pk: row for row in Customer.objects.filter(pk__in=[kept, gone])}
    if len(found) != 2:
        raise NotFound(_("There is no such pair of people."), code="pair_unknown")
    stays, goes = found[kept], found[gone]
    lines = [_line(name, stays, goes, vars(stays), vars(goes)) for name in traits.COLUMNS]
    more = sorted({*stays.attributes, *goes.attributes})
    lines += [_line(name, stays, goes, stays.attributes, goes.attributes) for name in more]
    number = stays.external_id or goes.external_id
    lines.insert(0, Line("external_id", stays.external_id, goes.external_id, number))
    names: dict[int, list[Identity]] = {kept: [], gone: []}
    for name in Identity.objects.filter(customer_id__in=[kept, gone]).order_by("id")[:200]:
        names[name.customer_id or 0].append(name)
    answers: dict[tuple[str, str], dict[int, bool]] = {}
    for row in Consent.objects.filter(customer_id__in=[kept, gone], current=True):
        answers.setdefault((row.channel, row.purpose), {})[row.customer_id] = row.granted
    return Preview(
        stays,
        goes,
        [line for line in lines if line.kept or line.gone],
        names,
        [
            Line(f"{channel} · {purpose}", said.get(kept), said.get(gone), all(said.values()))
            for (channel, purpose), said in sorted(answers.items())
        ],
    )


def _line(
    name: str, stays: Customer, goes: Customer, kept: dict[str, Any], gone: dict[str, Any]
) -> Line:
    """Of two dated values the later stands; an undated one only if there is no other."""
    left, right = kept.get(name), gone.get(name)
    said = stays.attribute_times.get(name, [0, ""]), goes.attribute_times.get(name, [0, ""])
    if left in (None, "") or right in (None, ""):
        after = left if right in (None, "") else right
    else:
        after = right if (said[1][0], said[1][1]) > (said[0][0], said[0][1]) else left
    return Line(name, left, right, after)
