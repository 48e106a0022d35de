"""Quarantined lines: kept raw with their reason, handed back as a CSV to mend and send again."""

import csv
import io
from collections.abc import Iterator, Sequence

from django.db import connection

from ingestion.imports import wording
from ingestion.models import ImportJob, Reject
from ingestion.preprocess.faults import Fault
from marketing.core.db import copy_rows

COLUMNS = ("import_job_id", "line", "raw", "code", "field", "message", "remedy")
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


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


def safe_cell(text: str) -> str:
    """A cell that no spreadsheet takes for a formula. Plain numbers stay numbers."""
    if text.lstrip(" ").startswith(_RISKY) and not _is_number(text):
        return "'" + text
    return text


def _is_number(text: str) -> bool:
    body = text.removeprefix("-").removeprefix("+")
    return body.isascii() and body.replace(".", "", 1).isdigit()


def as_csv(*, import_job: ImportJob) -> Iterator[bytes]:
    """The quarantined lines as CSV: line, reason, remedy, and the line as it came."""
    yield "\ufeff".encode() + _line(["line", "field", "reason", "remedy", "raw"])
    rows = Reject.objects.filter(import_job=import_job).order_by("line")
    for reject in rows.iterator(chunk_size=2000):
        yield _line(
            [str(reject.line), reject.field, reject.message, reject.remedy, safe_cell(reject.raw)]
        )


def _line(cells: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n").writerow(cells)
    return out.getvalue().encode()
