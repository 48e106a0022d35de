"""Lists of people from files: kept under a name, and read in by a job (`campaigns.jobs.lists`)."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.models import PersonList, Segment
from campaigns.segments import compile as compiler
from campaigns.segments.nodes import lists_in
from campaigns.segments.terms import RuleFault
from ingestion import schemas
from ingestion.imports import storage, uploads
from ingestion.preprocess import detect
from ingestion.preprocess.faults import Unreadable
from marketing.core import audit, jobs
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import ApiKey, Job, User

# The columns of a file by which people can be told, the surest first.
NAMES = ("customer_id", "email", "phone")


def receive(
    *,
    chunks: Iterable[bytes],
    file_name: str,
    name: str,
    user: User,
    person_list: PersonList | None = None,
    column: str = "",
    now: datetime,
) -> tuple[PersonList, Job]:
    """Keep a file of people and start reading it into a new list, or anew into `person_list`.

    `column` is the title of the one that names the people; it is guessed if not said.
    """
    name = name.strip()
    if not name or len(name) > 120 or "\x00" in name:
        raise Invalid(
            _("Give the list a name of at most 120 characters."), code="bad_name", field="name"
        )
    if person_list and (job := readings(lists=[person_list]).get(person_list.pk)) and job.is_open:
        raise Conflict(
            _("“%(name)s” is still being read, so nothing was changed.") % {"name": name},
            code="list_being_read",
            remedy=_("Wait until it is read, then upload the file again."),
        )
    kept = storage.keep(chunks=chunks)
    try:
        found = detect.inspect(kept.path)
        chosen = column_of(header=found.header, rows=found.rows, column=column)
    except Unreadable as error:
        kept.drop()
        raise uploads.refusal(error) from error
    except Invalid:
        kept.drop()
        raise
    with transaction.atomic():
        person_list = person_list or PersonList(created_by=user, created_at=now)
        person_list.name = name
        person_list.file_name = uploads.shown_name(file_name)
        person_list.updated_at = now
        person_list.save()
        job = jobs.start(
            kind="list.load",
            title=_("Read the list %(name)s") % {"name": name},
            params={
                "list": person_list.pk,
                "file": kept.stored,
                "column": chosen,
                "options": {
                    "format": found.format,
                    "encoding": found.encoding,
                    "delimiter": found.delimiter,
                    "has_header": found.has_header,
                    "header": found.header,
                    "member": found.member,
                    "sheet": found.sheet,
                },
            },
            user=user,
            steps=2,
        )
        audit.record(actor=user, action="list.received", obj=person_list)
    return person_list, job


def column_of(*, header: Sequence[str], rows: Sequence[Sequence[str]], column: str = "") -> int:
    """The place of the column that names the people; Invalid when none does."""
    if column:
        if column not in header:
            raise Invalid(
                _("The file has no column called “%(name)s”.") % {"name": column[:80]},
                code="no_such_column",
                field="column",
            )
        return list(header).index(column)
    if len(header) == 1:
        return 0
    known = schemas.suggest("customers", header)
    for name in NAMES:
        if name in known:
            return known[name]
    for place in range(len(header)):
        texts = [row[place] for row in rows if place < len(row) and row[place]]
        if texts and sum("@" in text for text in texts) > 0.8 * len(texts):
            return place
    raise Invalid(
        _("No column of the file names people."),
        code="no_names",
        field="file",
        remedy=_("Give it a column called email or customer_id."),
    )


def remove(*, person_list: PersonList, actor: User | ApiKey | None) -> None:
    """Delete a list; refused while a live segment asks about it."""
    if users := used_by(person_list):
        raise Conflict(
            _("“%(name)s” is still used by %(users)s, so it was not deleted.")
            % {"name": person_list.name, "users": ", ".join(users[:5])},
            code="list_in_use",
            remedy=_("Change or archive those segments first."),
        )
    with transaction.atomic():
        audit.record(actor=actor, action="list.deleted", obj=person_list)
        person_list.delete()


def readings(*, lists: Sequence[PersonList]) -> dict[int, Job]:
    """The newest job that read each list."""
    found = Job.objects.filter(kind="list.load", params__list__in=[one.pk for one in lists])
    return {job.params["list"]: job for job in found.order_by("id")}


def used_by(person_list: PersonList) -> list[str]:
    """Names of the live segments whose rule asks about the list."""
    return [segment.name for segment in uses(lists=[person_list]).get(person_list.pk, [])]


def uses(*, lists: Sequence[PersonList]) -> dict[int, list[Segment]]:
    """By list, the live segments whose rule asks about it."""
    wanted = {one.pk for one in lists}
    found: dict[int, list[Segment]] = {}
    for segment in Segment.objects.filter(state=Segment.State.LIVE).only("name", "rule"):
        for number in _lists(segment.rule) & wanted:
            found.setdefault(number, []).append(segment)
    return found


def _lists(rule: object) -> set[int]:
    try:
        return lists_in(compiler.read(rule))
    except RuleFault:
        return set()
