"""A way of sorting people: made, renamed, its groups named, archived."""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from marketing.core import audit, jobs
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import ApiKey, Job, User
from models_ml import registry
from models_ml.clusters import facts
from models_ml.features.compiler import Population
from models_ml.models import Clustering, ModelVersion
from models_ml.predictions import definitions

TRAIN, ASSIGN = "clusters.train", "clusters.assign"
STEPS = 5
RETRAIN = timedelta(days=30)
FEWEST, MOST = 2, 10
LONGEST_NAME = 80
RESERVED = {"new"}
State = Clustering.State


def get(*, key: str) -> Clustering:
    """The clustering of this key; NotFound."""
    found = Clustering.objects.filter(key=key).first()
    if found is None:
        raise NotFound(_("There are no such clusters."), code="clustering_unknown")
    return found


def create(
    *,
    title: str,
    chosen: Any = None,
    method: str = Clustering.Method.KMEANS,
    who: str = "buyers",
    wanted: int | None = None,
    actor: User | ApiKey | None = None,
    now: datetime | None = None,
) -> Clustering:
    """Store a way of sorting people by the facts `chosen`. Invalid names the field at fault."""
    now = now or timezone.now()
    names = list(facts.usual(who=who)) if chosen is None else facts.check(chosen)
    if method not in Clustering.Method.values:
        raise Invalid(_("Choose k-means or a mixture."), code="method_invalid", field="method")
    if who not in definitions.WHO:
        raise Invalid(_("Choose buyers or everyone."), code="who_invalid", field="who")
    if wanted is not None and not FEWEST <= wanted <= MOST:
        raise Invalid(
            _("The number of groups is 2 to 10, or left to the data."),
            code="wanted_invalid", field="wanted",
        )  # fmt: skip
    made = Clustering(
        title=_title(title), method=method, facts=names, population={"who": who}, wanted=wanted,
        created_by=actor if isinstance(actor, User) else getattr(actor, "created_by", None),
        created_at=now, updated_at=now,
    )  # fmt: skip
    with transaction.atomic():
        made.key = _free_key(made.title)
        made.save(force_insert=True)
        audit.record(actor=actor, action="clustering.created", obj=made)
    return made


def name_group(
    *, clustering: Clustering, number: int, name: str, actor: User | ApiKey | None, now: datetime
) -> None:
    """Call a group something; an empty name goes back to the suggested one."""
    name = name.strip()
    if len(name) > LONGEST_NAME or "\x00" in name:
        raise Invalid(
            _("Give the group a name of at most %(most)d characters.") % {"most": LONGEST_NAME},
            code="name_invalid",
            field="name",
        )
    with transaction.atomic():
        row = Clustering.objects.select_for_update().get(pk=clustering.pk)
        if not 1 <= number <= row.newest:
            raise NotFound(_("There is no such group; nothing was changed."), code="group_unknown")
        names = {key: value for key, value in row.names.items() if key != str(number)}
        row.names = names | ({str(number): name} if name else {})
        row.updated_at = now
        row.save(update_fields=["names", "updated_at"])
        audit.record(
            actor=actor, action="clustering.group_named", obj=row, detail={"number": number}
        )
    clustering.names = row.names


def archive(*, clustering: Clustering, actor: User | ApiKey | None, now: datetime) -> None:
    """Take it off the page and find no more; segments keep reading the groups as they are."""
    with transaction.atomic():
        clustering.state, clustering.updated_at = State.ARCHIVED, now
        clustering.save(update_fields=["state", "updated_at"])
        audit.record(actor=actor, action="clustering.archived", obj=clustering)


def start(*, clustering: Clustering, user: User | None = None) -> Job:
    """Queue a search for groups; Conflict while one is open or when it is archived."""
    if clustering.state != State.ACTIVE:
        raise Conflict(
            _("These clusters are archived; nothing was started."), code="clustering_archived"
        )
    if open_job(clustering=clustering) is not None:
        raise Conflict(
            _("Groups are being looked for already."),
            code="already_training",
            remedy=_("Wait until it has ended, or stop it on the page of jobs."),
        )
    return jobs.start(
        kind=TRAIN,
        title=_("Find clusters: %(title)s") % {"title": clustering.title},
        params={"clustering": clustering.pk},
        user=user,
        steps=STEPS,
    )


def follow_numbers(*, now: datetime) -> int:
    """Sort everyone again where clusters are in use, and look for new ones where those are old.

    How many jobs were started.
    """
    started = 0
    for clustering in Clustering.objects.filter(state=State.ACTIVE):
        version = registry.live(clustering.name)
        if version is None or open_job(clustering=clustering) is not None:
            continue
        if now - version.trained_at > RETRAIN:
            start(clustering=clustering)
            started += 1
        elif open_job(clustering=clustering, kind=ASSIGN) is None:
            jobs.start(
                kind=ASSIGN,
                title=_("Sort people into clusters: %(title)s") % {"title": clustering.title},
                params={"clustering": clustering.pk},
            )
            started += 1
    return started


def open_job(*, clustering: Clustering, kind: str = TRAIN) -> Job | None:
    rows = Job.objects.filter(kind=kind, params__clustering=clustering.pk, state__in=Job.OPEN)
    return rows.order_by("-id").first()


def open_jobs() -> list[Job]:
    """Searches for groups that have not ended."""
    return list(Job.objects.filter(kind=TRAIN, state__in=Job.OPEN).order_by("-id")[:5])


def population_of(clustering: Clustering) -> Population:
    return definitions.read_population(clustering.population)


def shown(clustering: Clustering) -> ModelVersion | None:
    """The version to look at: the live one, else the newest, though it was refused."""
    live = registry.live(clustering.name)
    rows = ModelVersion.objects.filter(name=clustering.name)
    return live or rows.exclude(state=ModelVersion.State.CANDIDATE).order_by("-version").first()


def _title(title: Any) -> str:
    title = title.strip() if isinstance(title, str) else ""
    if not title or len(title) > 120 or "\x00" in title:
        raise Invalid(
            _("Give the clusters a name of at most 120 characters."),
            code="title_invalid",
            field="title",
        )
    return title


def _free_key(title: str) -> str:
    wanted = slugify(title)[:40].strip("-") or "clusters"
    rows = Clustering.objects.filter(key__startswith=wanted)
    taken = RESERVED | set(rows.values_list("key", flat=True))
    if wanted not in taken:
        return wanted
    return next(f"{wanted}-{n}" for n in range(2, 10_000) if f"{wanted}-{n}" not in taken)
