"""Raw files: kept for a while after their import, packed, so that cleaning can run on them again.

Every row that mentions a person can be found and taken out. A line of text becomes an empty line,
so the numbers of the other lines stay; a file of another format is written anew as CSV. Loads the
readers, so only workers import it.
"""

import gzip
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from ingestion.imports import uploads
from ingestion.models import ImportJob, RecipeRun, Reject
from ingestion.preprocess import files, packing, parquet, reading
from ingestion.preprocess.faults import show
from ingestion.preprocess.records import Batch
from ingestion.privacy import quarantine, retention
from marketing.core.errors import Conflict

LEVEL = 1  # of gzip: most of the gain for a tenth of the time
WAITING_DAYS = 7
STALE = timedelta(days=1)
_WAITING = (ImportJob.State.UPLOADED, ImportJob.State.MAPPED)
_ENDED = (ImportJob.State.DONE, ImportJob.State.CANCELLED, ImportJob.State.FAILED)


@dataclass(frozen=True)
class Mention:
    """A row that names somebody: which record of the file it is, and its lines."""

    record: int
    first: int
    last: int


def pack_due(*, limit: int = 20, now: datetime) -> int:
    """Pack the raw files of imports that are done; how many were packed."""
    rows = ImportJob.objects.filter(
        state=ImportJob.State.DONE, packed_at=None, path__startswith=f"{uploads.FOLDER}/"
    )
    packed = 0
    for record in rows.order_by("id")[:limit]:
        path = Path(settings.MEDIA_ROOT) / record.path
        if path.exists() and not packing.kind_of_file(path):
            _pack(path)
        packed += ImportJob.objects.filter(pk=record.pk).update(packed_at=now)
    return packed


def _pack(path: Path) -> None:
    """Replace a file by its packed self under the same name; whoever reads it goes on reading."""
    with (
        _replacing(path) as made,
        path.open("rb") as plain,
        gzip.open(made, "wb", compresslevel=LEVEL) as out,
    ):
        shutil.copyfileobj(plain, out, 1 << 20)


class _replacing:
    """A file beside `path` that takes its place when all went well, and is gone otherwise."""

    def __init__(self, path: Path) -> None:
        self.path, self.made = path, path.with_name(f"unpacked-{uuid.uuid4().hex}")

    def __enter__(self) -> Path:
        return self.made

    def __exit__(self, kind: object, *_facts: object) -> None:
        if kind is not None:
            self.made.unlink(missing_ok=True)
            return
        with self.made.open("rb") as file:
            os.fsync(file.fileno())
        self.made.replace(self.path)


def prune(*, now: datetime) -> int:
    """Delete raw files kept long enough, uploads never started, and what crashes left behind."""
    days = retention.days_for("raw_files")
    ended = ImportJob.objects.none()
    if days is not None:
        ended = ImportJob.objects.filter(
            state__in=_ENDED,
            finished_at__lt=now - timedelta(days=days),
            path__startswith=f"{uploads.FOLDER}/",
        )
    forgotten = ImportJob.objects.filter(
        Q(state__in=_WAITING), job=None, created_at__lt=now - timedelta(days=WAITING_DAYS)
    )
    folder = Path(settings.MEDIA_ROOT)
    gone = 0
    for record in ended:
        (folder / record.path).unlink(missing_ok=True)
        gone += ImportJob.objects.filter(pk=record.pk).update(path="")
    for record in forgotten:
        if record.path.startswith(f"{uploads.FOLDER}/"):
            (folder / record.path).unlink(missing_ok=True)
        record.delete()
        gone += 1
    return gone + _sweep(folder / uploads.FOLDER, now)


def _sweep(folder: Path, now: datetime) -> int:
    if not folder.exists():
        return 0
    known = set(ImportJob.objects.exclude(path="").values_list("path", flat=True))
    border = (now - STALE).timestamp()
    stray = [
        path
        for path in folder.iterdir()
        if path.is_file()
        and f"{uploads.FOLDER}/{path.name}" not in known
        and str(path) not in known
        and path.stat().st_mtime < border
    ]
    for path in stray:
        path.unlink(missing_ok=True)
    return len(stray)


def pattern_of(names: Sequence[str]) -> re.Pattern[str]:
    """What finds a person's addresses, numbers and ids in a line, as wholes.

    A phone number is found however its digits are spaced.
    """
    found = []
    for name in filter(None, (name.strip() for name in names)):
        digits = name.removeprefix("+")
        if name.startswith("+") and digits.isdigit():
            found.append(r"\+?" + r"[\s().\-/]*".join(digits))
        else:
            found.append(re.escape(name))
    body = "|".join(found) or r"(?!)"
    return re.compile(rf"(?<![\w@.+-])(?:{body})(?![\w@]|[.-]\w)", re.IGNORECASE)


class _Search:
    """Finds a person in the lines of one import.

    `ids` may be any other number as well, so they count only where a line holds its person.
    """

    def __init__(self, record: ImportJob, names: Sequence[str], ids: Sequence[str]) -> None:
        self.record, self.ids = record, ids
        self.sure = pattern_of(names)
        self.perhaps = pattern_of([*names, *ids])
        self.quick = re.compile(self.perhaps.pattern.encode(), re.IGNORECASE)

    def finds(self, raw: str) -> bool:
        if self.sure.search(raw):
            return True
        return (
            bool(self.ids)
            and self.perhaps.search(raw) is not None
            and quarantine.has_id(raw=raw, record=self.record, ids=self.ids)
        )


def lines_about(*, names: Sequence[str], ids: Sequence[str] = ()) -> dict[int, list[Mention]]:
    """Import → its rows that mention any of these names, over all raw files that are kept.

    `ids` are looked for only where a row holds its person.
    """
    found: dict[int, list[Mention]] = {}
    kept = ImportJob.objects.exclude(path="").exclude(source__is_demo=True)
    for record in kept.order_by("id"):
        search = _Search(record, names, ids)
        if uploads.is_kept(record) and (mentions := list(_mentions(record, search))):
            found[record.pk] = mentions
    return found


def _mentions(record: ImportJob, search: _Search) -> Iterator[Mention]:
    shape = uploads.shape_of(record)
    base = 0
    for batch in files.batches(uploads.path_of(record), shape):
        lines = np.sort(np.concatenate([batch.line, [fault.line for fault in batch.faults]]))
        for first, last in _in_batch(batch, search):
            yield Mention(base + int(np.searchsorted(lines, first)), first, last)
        base += batch.received


def _in_batch(batch: Batch, search: _Search) -> list[tuple[int, int]]:
    found = [
        (fault.line, fault.line + fault.raw.count("\n"))
        for fault in batch.faults
        if search.finds(fault.raw)
    ]
    if batch.raws is not None:
        rows = [(int(line), i) for i, line in enumerate(batch.line)]
        found += [(line, line) for line, i in rows if search.finds(batch.raw(i))]
    elif search.quick.search(batch.data):
        for i, line in enumerate(batch.line.tolist()):
            raw = batch.data[int(batch.start[i]) : int(batch.start[i + 1])]
            if search.finds(raw.decode("utf-8", "replace")):
                found.append((line, line + raw.rstrip(b"\n").count(b"\n")))
    return sorted(found)


def strip(*, import_job_id: int, names: Sequence[str], ids: Sequence[str] = ()) -> int:
    """Take a person out of one import: raw file, quarantined lines, examples; rows taken out.

    Refused while the import runs, is tried or is run again.
    """
    with transaction.atomic():
        record = ImportJob.objects.select_for_update(of=("self",)).get(pk=import_job_id)
        again = RecipeRun.objects.select_for_update(of=("self",)).filter(
            import_job=record, finished_at=None
        )
        unfinished = again.first()
        readers = [record.job, record.trial_job, unfinished.job if unfinished else None]
        if any(job is not None and job.is_open for job in readers):
            raise Conflict(
                _("The import “%(name)s” is still running, so its file was left as it is.")
                % {"name": record.original_name},
                code="import_running",
                remedy=_("Wait until it has ended or stop it, then try again."),
            )
        search = _Search(record, names, ids)
        mentions = list(_mentions(record, search)) if uploads.is_kept(record) else []
        if mentions:
            _rewrite(record, mentions)
            rows: list[ImportJob | RecipeRun] = [record, *([unfinished] if unfinished else [])]
            for row in rows:
                row.offset -= sum(mention.record < row.offset for mention in mentions)
        _forget(record, search)
        record.save(update_fields=["options", "offset", "report", "trial"])
        if unfinished is not None:
            unfinished.save(update_fields=["offset"])
    return len(mentions)


def _rewrite(record: ImportJob, mentions: Sequence[Mention]) -> None:
    path, shape = uploads.path_of(record), uploads.shape_of(record)
    with _replacing(path) as made, gzip.open(made, "wb", compresslevel=LEVEL) as out:
        if shape.format in ("csv", "jsonl"):
            gone = {n for m in mentions for n in range(m.first, m.last + 1)}
            line = 1
            for block in reading.blocks(
                path, encoding=shape.encoding, member=shape.member, trusted=True
            ):
                out.write(reading.GONE * (block.first_line - line))  # lines too long to be read
                line = last = block.first_line + block.data.count(b"\n")
                if any(block.first_line <= n < last for n in gone):
                    parts = enumerate(block.data.split(b"\n"), block.first_line)
                    block.data = b"\n".join(b"" if n in gone else part for n, part in parts)
                out.write(block.data)
        else:
            rows = {mention.first for mention in mentions}
            out.write((parquet.csv_line(shape.header) + "\n").encode())
            for batch in files.batches(path, shape, wanted=range(shape.width)):
                for i, line in enumerate(batch.line.tolist()):
                    if line not in rows:
                        out.write((batch.raw(i) + "\n").encode())
            record.options |= {"format": "csv", "delimiter": ",", "has_header": True}
    record.options |= {"encoding": "utf-8", "member": "", "sheet": "", "packed": True}


def _forget(record: ImportJob, search: _Search) -> None:
    """Take the person's texts out of the quarantine and out of what the reports show."""
    mine = [
        row.pk
        for row in Reject.objects.filter(import_job=record).iterator(chunk_size=2000)
        if search.finds(row.raw) or search.sure.search(row.message)
    ]
    Reject.objects.filter(pk__in=mine).update(raw="", message=_("Erased on request."), remedy="")
    for report in (record.report, record.trial):
        for rule in report.get("rules", {}).values():
            rule["examples"] = [
                example
                for example in rule.get("examples", [])
                if not search.sure.search(show(orjson.dumps(example)))
            ]
