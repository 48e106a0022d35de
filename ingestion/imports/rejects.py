"""Quarantined lines: kept raw with their reason, handed back as a CSV to mend and send again."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from django.db import connection

from ingestion.imports import wording
from ingestion.models import ImportJob, Reject
from ingestion.preprocess import rawlines
from ingestion.preprocess.faults import Fault
from marketing.core.cells import plain_cell, safe_cell
from marketing.core.db import copy_rows

COLUMNS = ("import_job_id", "line", "raw", "code", "field", "message", "remedy")
LEAD = ("import", "line", "field", "reason", "remedy", "raw")  # columns before those of the file
LINE = LEAD.index("line")
RAW_MARK = "import_raw"  # heads the first column where no cell was made harmless


def store(*, import_job_id: int, faults: Sequence[Fault]) -> None:
    """Keep these lines inside the caller's transaction."""
    if not faults:
        return

    def row(fault: Fault) -> bytes:
        message, remedy = wording.fault(fault.code, fault.field, fault.facts)
        cells = (
            str(import_job_id),
            str(fault.line),
            fault.raw,
            fault.code,
            fault.field,
            message,
            remedy,
        )
        return ("\t".join(_escaped(cell) for cell in cells) + "\n").encode("utf-8", "replace")

    with connection.cursor() as cursor:
        copy_rows(cursor, "ingestion_reject", COLUMNS, (row(fault) for fault in faults))


def _escaped(text: str) -> str:
    text = text.replace("\0", "\\x00").replace("\\", "\\\\").replace("\t", "\\t")
    return text.replace("\n", "\\n").replace("\r", "\\r")


def as_csv(*, import_job: ImportJob, spreadsheet: bool = True) -> Iterator[bytes]:
    """The quarantined lines as CSV: what is wrong with each, and its columns, to be mended.

    `spreadsheet`: cells that a spreadsheet would run are made harmless; else all is as it came.
    """
    lead = [LEAD[0] if spreadsheet else RAW_MARK, *LEAD[1:]]
    header = list(import_job.options.get("header", []))
    own = len(LEAD) if import_job.mends_id else 0
    shown = safe_cell if spreadsheet else str
    yield "\ufeff".encode() + _line([*lead, *map(shown, header[own:])])
    rows = Reject.objects.filter(import_job=import_job, mended_by=None).order_by("line")
    for reject in rows.iterator(chunk_size=2000):
        cells = rawlines.cells(reject.raw, import_job.options)[own : len(header)]
        about = [str(import_job.public_id), str(reject.line), reject.field, reject.message]
        yield _line([shown(cell) for cell in (*about, reject.remedy, reject.raw, *cells)])


def _line(cells: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode("utf-8", "replace")


def first_import(*, header: Sequence[str], rows: Sequence[Sequence[str]]) -> ImportJob | None:
    """The import whose mended lines these are; None for every other file."""
    own = len(LEAD)
    if len(header) <= own or header[0] not in (LEAD[0], RAW_MARK) or not rows:
        return None
    if list(header[1:own]) != list(LEAD[1:]):
        return None
    try:
        public_id = UUID(rows[0][0].strip())
    except ValueError:
        return None
    found = ImportJob.objects.select_related("source", "mends").filter(public_id=public_id).first()
    if found is None or found.source.is_demo:
        return None
    theirs = found.options.get("header", [])
    same = [plain_cell(name) for name in header[own:]] == theirs[own if found.mends_id else 0 :]
    return found if same else None


def shifted(mapping: Mapping[str, int], *, again: bool = False) -> dict[str, int]:
    """The columns of the first file, where they stand in the file of mended lines."""
    return {name: index + (0 if again else len(LEAD)) for name, index in mapping.items()}


def is_safe(header: Sequence[str]) -> bool:
    """Whether the cells of a file of mended lines had been made harmless."""
    return bool(header) and header[0] == LEAD[0]


def mend(*, import_job: ImportJob, lines: Sequence[int]) -> int:
    """These lines of the first import are in now; how many are newly so."""
    found = Reject.objects.filter(
        import_job_id=import_job.mends_id, line__in=list(lines), mended_by=None
    )
    return found.update(mended_by=import_job)
