"""Long work of lists: read a file of names and find whom they stand for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.models import PersonList
from ingestion.identity.names import EMAIL, EXTERNAL, PHONE
from ingestion.imports import uploads
from ingestion.preprocess import files, shape, values
from ingestion.preprocess.columns import escape
from ingestion.preprocess.faults import Unreadable
from marketing.core import bus, db, jobs
from marketing.core.errors import Invalid, NotFound

# A name found twice is one person; somebody who was merged is whoever they are today.
_FIND = """
INSERT INTO campaigns_personlistmember (list_id, customer_id)
SELECT DISTINCT %(list)s::bigint, coalesce(c.merged_into_id, c.id)
FROM list_name n
JOIN ingestion_identity i ON i.kind = n.kind AND i.value = n.value AND NOT i.refused
JOIN ingestion_customer c ON c.id = i.customer_id
"""
_UNKNOWN = """
SELECT count(*) FROM (
    SELECT n.place FROM list_name n
    LEFT JOIN ingestion_identity i
        ON i.kind = n.kind AND i.value = n.value AND i.customer_id IS NOT NULL AND NOT i.refused
    GROUP BY n.place HAVING count(i.id) = 0) AS missing
"""


def load(job: jobs.Running) -> dict[str, Any]:
    """Put everybody whom the file names on the list, instead of who was on it before."""
    path = Path(settings.MEDIA_ROOT) / job.params["file"]
    person_list = PersonList.objects.filter(pk=job.params["list"]).first()
    if person_list is None:
        path.unlink(missing_ok=True)
        raise NotFound(_("There is no such list any more."), code="list_unknown")
    if not path.exists():
        raise Invalid(_("The file is gone. Upload it again."), code="missing_file")
    job.step(1, gettext_lazy("Reading names"))
    try:
        rows, lines = _names(job, path)
    except Unreadable as error:
        path.unlink(missing_ok=True)
        raise uploads.refusal(error) from error
    job.step(2, gettext_lazy("Finding whom they stand for"))
    people, unknown = _fill(person_list.pk, lines)
    counts = {"rows": rows, "people": people, "unknown": unknown}
    now = timezone.now()
    PersonList.objects.filter(pk=person_list.pk).update(**counts, updated_at=now, read_at=now)
    bus.announce("list.read")
    path.unlink(missing_ok=True)
    return counts


def _names(job: jobs.Running, path: Path) -> tuple[int, list[bytes]]:
    """How many different names the file holds, and what each may be, as lines for COPY."""
    column = job.params["column"]
    told = shape.shape_of(job.params["options"])
    known: set[str] = set()
    chunks: list[bytes] = []
    for batch in files.batches(path, told, wanted=[column]):
        lines = []
        for text in files.read(batch, told, {"name": column})["name"].texts:
            name = text.strip()
            if name and name not in known:
                known.add(name)
                place = len(known)
                lines += [f"{place}\t{kind}\t{escape(value)}\n" for kind, value in readings(name)]
        chunks.append("".join(lines).encode())
        job.progress(len(known))
    return len(known), chunks


def _fill(list_id: int, lines: list[bytes]) -> tuple[int, int]:
    """Who is on the list from now on: how many people, and how many names nobody goes by.

    All at once, so that a rule finds the old people or the new ones. Nothing is reported from here:
    the row of the job must stay free for its heartbeat.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "CREATE TEMPORARY TABLE list_name (place bigint, kind text, value text) ON COMMIT DROP"
        )
        db.copy_rows(cursor, "list_name", ("place", "kind", "value"), lines)
        cursor.execute("ANALYZE list_name")
        cursor.execute("DELETE FROM campaigns_personlistmember WHERE list_id = %s", [list_id])
        cursor.execute(_FIND, {"list": list_id})
        people: int = cursor.rowcount
        cursor.execute(_UNKNOWN)
        unknown: int = cursor.fetchone()[0]
        cursor.execute("DROP TABLE list_name")
        cursor.execute("ANALYZE campaigns_personlistmember")
    return people, unknown


def readings(name: str) -> Iterator[tuple[str, str]]:
    """The names that a text can be: an address, a number to call, or the shop's own number."""
    if "@" in name:
        address, fault = values.email(name)
        if not fault:
            yield EMAIL, address
    if len(name) <= 100:
        yield EXTERNAL, name
    if name.startswith("+"):
        number, fault = values.phone(name)
        if not fault:
            yield PHONE, number
