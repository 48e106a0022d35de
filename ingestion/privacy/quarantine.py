"""Kept lines, such as rows that were refused: whose are they?"""

import re
from collections.abc import Collection, Iterator
from typing import Any

import orjson
from django.db import connection, models

from ingestion.models import ImportJob, Refusal, Reject
from ingestion.preprocess import rawlines
from marketing.core.personal import Subject

_BATCH = 2_000
# Columns of a file in which a person's id may stand, as its mapping calls them.
_COLUMNS = ("customer_id", "email", "phone", "anonymous_id")
_ADDRESSES = ("email", "mail", "phone")
_PEOPLE = (
    *("customer", "user", "person", "visitor", "anonymous", "external", "previous", "device"),
    *("distinct", "member", "contact", "subscriber", "client"),
)


def phrases(subject: Subject) -> list[str]:
    """What a line that is about the person says: their names, and first and last name together.

    Ids that may be any other number are not among them: see `Subject.plain_ids`.
    """
    pairs = [
        f"{one}{between}{other}"
        for first, last in subject.full_names
        for one, other in ((first, last), (last, first))
        for between in (" ", ",", ", ", ";", "\t")
        if len(first) + len(last) > 4
    ]
    plain = set(subject.plain_ids)
    ids = (name for name in (*subject.external_ids, *subject.devices) if name not in plain)
    found = (*subject.emails, *subject.own_phones, *ids, *pairs)
    return [name for name in found if name]


def has_id(*, raw: str, record: ImportJob, ids: Collection[str]) -> bool:
    """Whether a line of an import holds one of these ids where it holds its person."""
    wanted = {name.lower() for name in ids}
    return any(cell.strip().lower() in wanted for cell in _person_cells(raw, record))


def _person_cells(raw: str, record: ImportJob) -> Iterator[str]:
    cells = rawlines.cells(raw, record.options)
    for name in _COLUMNS:
        place = record.mapping.get(name)
        if isinstance(place, int) and place < len(cells):
            yield cells[place]


def about(table: type[models.Model], subject: Subject) -> Iterator[Any]:
    """The rejected or refused rows that tell of this person."""
    plain = {name.lower() for name in subject.plain_ids}
    short = "|".join(sorted(map(re.escape, plain)))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {table._meta.db_table} t WHERE raw ~* %(text)s OR raw ~* %(plain)s"
            " OR EXISTS (SELECT 1 FROM unnest(%(names)s::text[]) n"
            "            WHERE position(n IN lower(t.raw)) > 0) ORDER BY id",
            {
                "text": subject.expression or "(?!)",
                "plain": f"(?<![0-9a-z])({short})(?![0-9a-z])" if short else "(?!)",
                "names": [name for name in subject.names if name not in plain],
            },
        )
        candidates = [row[0] for row in cursor.fetchall()]
    imports: dict[int, ImportJob] = {}
    for start in range(0, len(candidates), _BATCH):
        rows: Any = table._default_manager.filter(pk__in=candidates[start : start + _BATCH])
        for row in rows:
            if subject.is_named_in(row.raw) or _is_named_in_fields(row, subject, imports):
                yield row


def _is_named_in_fields(row: Any, subject: Subject, imports: dict[int, ImportJob]) -> bool:
    """Whether a field that holds ids holds one of theirs, for names too short to search for."""
    if isinstance(row, Refusal):
        try:
            body = orjson.loads(row.raw)
        except orjson.JSONDecodeError:
            return False
        return subject.is_named_by(_ids_in(body))
    if row.import_job_id not in imports:
        imports[row.import_job_id] = ImportJob.objects.get(pk=row.import_job_id)
    return subject.is_named_by(_person_cells(row.raw, imports[row.import_job_id]))


def _ids_in(value: Any, inside: str = "", name: str = "") -> Iterator[str]:
    """What stands for a person in an object; `inside` and `name` are the names that led here."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _ids_in(inner, name, str(key).lower())
    elif isinstance(value, list):
        for inner in value:
            yield from _ids_in(inner, inside, name)
    elif isinstance(value, (str, int)) and _is_of_person(inside, name):
        yield str(value)


def _is_of_person(inside: str, name: str) -> bool:
    """Whether a field holds a person's id: other things have short numbers, too."""
    if any(word in name for word in _ADDRESSES) or name in _PEOPLE:
        return True
    told = inside if name in ("id", "key") else name
    return name.endswith(("id", "key", "number")) and any(word in told for word in _PEOPLE)


def erase(subject: Subject) -> int:
    """Empty the quarantined rows of this person: why they were refused stays, what came goes."""
    gone = 0
    for table in (Reject, Refusal):
        ids = [row.pk for row in about(table, subject)]
        for start in range(0, len(ids), _BATCH):
            rows = table._default_manager.filter(pk__in=ids[start : start + _BATCH])
            if table is Refusal:
                gone += rows.delete()[0]
            else:
                gone += rows.update(raw="", message="", remedy="")
    return gone
