"""Rows that were refused, kept as they came: whose are they?"""

import csv
from collections.abc import Iterator
from typing import Any

import orjson
from django.db import connection, models

from ingestion.models import ImportJob, Refusal, Reject
from marketing.core.personal import Subject

_BATCH = 2_000
_ID_WORDS = ("id", "customer", "user", "email", "mail", "phone", "person")


def phrases(subject: Subject) -> list[str]:
    """What a line that is about the person says: their names, and first and last name together."""
    pairs = [
        f"{one}{between}{other}"
        for first, last in subject.full_names
        for one, other in ((first, last), (last, first))
        for between in (" ", ",", ", ", ";", "\t")
        if len(first) + len(last) > 4
    ]
    found = (*subject.emails, *subject.phones, *subject.external_ids, *subject.devices, *pairs)
    return [name for name in found if name]


def about(table: type[models.Model], subject: Subject) -> Iterator[Any]:
    """The rejected or refused rows that tell of this person."""
    names = [name for name in subject.names if len(name) > 1]
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {table._meta.db_table} t WHERE raw ~* %(text)s"
            " OR EXISTS (SELECT 1 FROM unnest(%(names)s::text[]) n"
            "            WHERE position(n IN lower(t.raw)) > 0) ORDER BY id",
            {"text": subject.expression or "(?!)", "names": names},
        )
        candidates = [row[0] for row in cursor.fetchall()]
    mapped: dict[int, tuple[str, list[int]]] = {}
    for start in range(0, len(candidates), _BATCH):
        rows: Any = table._default_manager.filter(pk__in=candidates[start : start + _BATCH])
        for row in rows:
            if subject.is_named_in(row.raw) or _is_named_in_fields(row, subject, mapped):
                yield row


def _is_named_in_fields(
    row: Any, subject: Subject, mapped: dict[int, tuple[str, list[int]]]
) -> bool:
    """Whether a field that holds ids holds one of theirs, for names too short to search for."""
    if isinstance(row, Refusal):
        try:
            body = orjson.loads(row.raw)
        except orjson.JSONDecodeError:
            return False
        return subject.is_named_by(_ids_in(body))
    if row.import_job_id not in mapped:
        mapped[row.import_job_id] = _id_columns(ImportJob.objects.get(pk=row.import_job_id))
    delimiter, columns = mapped[row.import_job_id]
    if row.raw.lstrip().startswith("{"):
        try:
            return subject.is_named_by(_ids_in(orjson.loads(row.raw)))
        except orjson.JSONDecodeError:
            return False
    fields = next(csv.reader([row.raw], delimiter=delimiter), [])
    return subject.is_named_by(fields[i] for i in columns if i < len(fields))


def _id_columns(record: ImportJob) -> tuple[str, list[int]]:
    delimiter = record.options.get("delimiter") or ","
    columns = [
        place
        for name, place in record.mapping.items()
        if isinstance(place, int) and any(word in name for word in _ID_WORDS)
    ]
    return (delimiter if len(delimiter) == 1 else ","), columns


def _ids_in(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _ids_in(inner, str(key).lower())
    elif isinstance(value, list):
        for inner in value:
            yield from _ids_in(inner, name)
    elif isinstance(value, (str, int)) and any(word in name for word in _ID_WORDS):
        yield str(value)


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
