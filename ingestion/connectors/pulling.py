"""The job that fetches from a source.

Rows are spooled batch by batch; a batch's cursor is committed once the disk has its rows, so a
worker killed between two loses nothing and doubles nothing: the next one cuts the spool at what was
committed and asks from that cursor on. When all is spooled the import is made and the source's own
cursor moves, in one transaction.
"""

import hashlib
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ingestion.connectors import configuring, mentions, schedule, spool
from ingestion.connectors.base import Batch, File, Kind, Later
from ingestion.imports import choosing, starting, storage, uploads
from ingestion.models import Connector, ImportJob, Pull, PulledFile
from marketing.core import jobs, vault
from marketing.core.errors import Conflict, NotFound, Refused, TooLarge, Unavailable

logger = logging.getLogger(__name__)

_BYTES_LIMIT = 8 << 30  # of one spool
_FILES_LIMIT = 200  # of one fetch; the rest comes with the next
_CARRIED = ("timezone", "date_style", "decimal", "currency")


def run(*, pull_id: int, job: jobs.Running, now: datetime) -> dict[str, Any]:
    """Do or continue one fetch; what it brought as the result."""
    pull = Pull.objects.select_related("connector__source").filter(pk=pull_id).first()
    if pull is None:
        raise NotFound(_("This source is gone; nothing was fetched."), code="pull_unknown")
    if pull.state != Pull.State.OPEN:
        return summary(pull)
    Pull.objects.filter(pk=pull.pk, started_at=None).update(started_at=now)
    secrets: dict[str, str] = {}
    try:
        secrets = configuring.secrets_of(pull.connector)
        kind = configuring.open_up(pull.connector, now=now, check=job.check)
        job.step(1, gettext_lazy("Fetching"), unit="rows")
        {"rows": _fetch_rows, "files": _fetch_files, "mentions": _fetch_mentions}[kind.gives](
            pull, kind, job, now
        )
    except jobs.Cancelled:
        if not job.lost:
            schedule.close(pull=pull, error="", now=timezone.now())
            spool.discard(pull.path)
        raise
    except Exception as error:
        if isinstance(error, OperationalError):  # our own database: the job is taken up again
            raise
        _fail(pull, error, secrets)
    return summary(pull)


def summary(pull: Pull) -> dict[str, Any]:
    """What a fetch brought."""
    pull.refresh_from_db()
    return {"rows": pull.rows, "imports": [str(i.public_id) for i in pull.imports.all()]}


def _fail(pull: Pull, error: Exception, secrets: dict[str, str]) -> None:
    """Close the fetch and end its job with words that hold no secret."""
    moment = timezone.now()
    if isinstance(error, Refused):
        said, retry_at = str(error), None
        if isinstance(error, Later):
            retry_at = moment + timedelta(seconds=error.seconds)
    else:
        logger.error("fetch %s failed: %s", pull.pk, type(error).__name__)
        said = _("It ended with an error that was not foreseen (%(name)s).") % {
            "name": type(error).__name__
        }
        retry_at = None
    said = vault.redact(said, secrets.values())
    schedule.close(pull=pull, error=said, now=moment, retry_at=retry_at)
    spool.discard(pull.path)
    raise Unavailable(said, code="fetch_failed") from None


# --- rows --------------------------------------------------------------------------------------


def _fetch_rows(pull: Pull, kind: Kind, job: jobs.Running, now: datetime) -> None:
    if not pull.path:
        pull.path = spool.new_path()
        _move(pull, path=pull.path)
    try:
        file = spool.Spool(pull.path, length=pull.bytes)
    except FileNotFoundError:  # the disk was changed: this fetch begins anew
        file = _anew(pull)
    if pull.bytes and not pull.cursor:  # nothing says where to go on
        file.close()
        file = _anew(pull)
    try:
        for batch in kind.pull(pull.cursor):
            job.check()
            if batch.rows:
                file.add(batch.rows)
            _commit(pull, batch, file.length)
            job.progress(pull.rows)
            if file.length > _BYTES_LIMIT:
                if pull.cursor:
                    break  # the next fetch goes on from here
                raise TooLarge(
                    _("This is too much for one fetch. Nothing was stored."),
                    code="fetch_too_large",
                    remedy=_("Name a column that only grows, or ask for less."),
                )
    finally:
        file.close()
    _hand_over(pull, kind.closing(pull.cursor), now)


def _anew(pull: Pull) -> spool.Spool:
    _move(pull, cursor=pull.connector.cursor, rows=0, bytes=0)
    return spool.Spool(pull.path, length=0)


def _commit(pull: Pull, batch: Batch, length: int) -> None:
    _move(pull, cursor=batch.cursor, rows=pull.rows + len(batch.rows), bytes=length)


def _move(pull: Pull, **changes: Any) -> None:
    """Note progress, unless another worker did so since: then this one may write no more."""
    mine = Pull.objects.filter(pk=pull.pk, steps=pull.steps, state=Pull.State.OPEN)
    if not mine.update(steps=pull.steps + 1, **changes):
        raise Conflict(_("Another worker went on with this fetch."), code="pull_taken")
    pull.steps += 1
    for name, value in changes.items():
        setattr(pull, name, value)


def _hand_over(pull: Pull, cursor: dict[str, Any], now: datetime) -> None:
    """Make an import of the spool and move the source's cursor, or do neither."""
    digest = _digest(pull) if pull.rows else ""
    repeated = bool(digest) and digest == pull.connector.cursor.get("digest") and not cursor
    with transaction.atomic():
        connector = _succeeded(pull, cursor or {"digest": digest}, now)
        if pull.rows and not repeated:
            record = uploads.register(
                path=spool.place(pull.path),
                name=f"{connector.source.name} {now:%Y-%m-%d %H.%M}.jsonl.gz",
                kind=_usual_kind(connector),
                source_name=connector.source.name,
                user=connector.created_by,
                now=now,
                digest=digest,
                stored=pull.path,
            )
            pull.imports.add(record)
            _start(record, connector, now)
    if not pull.rows or repeated:
        spool.discard(pull.path)


def _digest(pull: Pull) -> str:
    found = hashlib.sha256()
    with spool.place(pull.path).open("rb") as file:
        while piece := file.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def _succeeded(pull: Pull, cursor: dict[str, Any], now: datetime) -> Connector:
    """Close the fetch as done, inside the transaction that keeps what it brought."""
    connector = (
        Connector.objects.select_for_update(of=("self",))
        .select_related("source", "created_by")
        .get(pk=pull.connector_id)
    )
    mine = Pull.objects.filter(pk=pull.pk, steps=pull.steps, state=Pull.State.OPEN)
    if not mine.update(state=Pull.State.DONE, finished_at=timezone.now(), steps=pull.steps + 1):
        raise Conflict(_("Another worker went on with this fetch."), code="pull_taken")
    pull.steps += 1
    connector.cursor, connector.failures, connector.last_error = cursor, 0, ""
    if connector.next_at is None:
        connector.next_at = schedule.following(connector, now=now)
    connector.save(update_fields=["cursor", "failures", "last_error", "next_at"])
    return connector


def _usual_kind(connector: Connector) -> str:
    """What the rows of this source were taken for the last time; empty to guess."""
    known = connector.source.mapping
    last = (
        ImportJob.objects.filter(source=connector.source, kind__in=known, job__isnull=False)
        .order_by("-id")
        .values_list("kind", flat=True)
        .first()
    )
    return last or ""


def _start(record: ImportJob, connector: Connector, now: datetime) -> None:
    """Start an import whose columns are known; one whose are not waits for a person."""
    names = connector.source.mapping.get(record.kind)
    if not names or connector.state == Connector.State.DRAFT:
        return
    last = (
        ImportJob.objects.filter(source=connector.source, kind=record.kind, job__isnull=False)
        .order_by("-id")
        .first()
    )
    header = record.options["header"]
    mapping = {name: header.index(column) for name, column in names.items() if column in header}
    carried = {n: last.options[n] for n in _CARRIED if n in last.options} if last else {}
    try:
        with transaction.atomic():
            choosing.choose(
                record=record,
                kind=record.kind,
                mapping=mapping,
                options={**record.options, **carried},
                now=now,
            )
            starting.start(record=record, user=connector.created_by, now=now)
    except Refused as refusal:  # a column is gone: the import waits, and the page says why
        record.report = {**record.report, "waiting": str(refusal)}
        record.save(update_fields=["report"])


# --- files -------------------------------------------------------------------------------------


def _fetch_files(pull: Pull, kind: Kind, job: jobs.Running, now: datetime) -> None:
    known = set(pull.connector.files.values_list("name", "version"))
    taken = left = 0
    for file in kind.files():
        job.check()
        if (file.name[:700], file.version) in known:
            continue
        if taken >= _FILES_LIMIT:
            left += 1
            continue
        if _take(pull, file, job, now):
            taken += 1
            job.progress(taken)
    with transaction.atomic():
        _succeeded(pull, {}, now)
    if left:
        job.log(
            lambda: (
                ngettext(
                    "%(n)d file waits for the next fetch.",
                    "%(n)d files wait for the next fetch.",
                    left,
                )
                % {"n": left}
            )
        )


def _take(pull: Pull, file: File, job: jobs.Running, now: datetime) -> bool:
    """Copy one file here and make an import of it, once for each of its versions; whether it was.

    It is copied before the transaction begins: a long download would outlive any.
    """
    connector = pull.connector
    kept: storage.Kept | None = None
    version, problem = file.version[:200], ""
    try:
        kept = storage.keep(chunks=_heard(file, job))
    except Refused as refusal:
        if isinstance(refusal, Unavailable):  # the place, not the file: try again later
            raise
        problem = str(refusal)[:600]  # this version will never be taken
    if not version:  # the place does not say when a file changed, so its content says it
        before = PulledFile.objects.filter(connector=connector, name=file.name[:700])
        newest = before.order_by("-id").values_list("version", flat=True).first() or ""
        mark = kept.digest if kept else "refused"
        if newest.startswith(f"{mark}|"):
            if kept:
                kept.drop()
            return False
        version = f"{mark}|{now.isoformat()}"
    try:
        _keep(pull, file, version, kept, problem, now)
    except IntegrityError:  # another worker took it
        if kept:
            kept.drop()
        return False
    except BaseException:
        if kept:
            kept.drop()
        raise
    return True


def _heard(file: File, job: jobs.Running) -> Iterator[bytes]:
    """The pieces of a file, hearing a stop between two."""
    for piece in file.chunks():
        job.check()
        yield piece


def _keep(
    pull: Pull, file: File, version: str, kept: storage.Kept | None, problem: str, now: datetime
) -> None:
    connector = pull.connector
    with transaction.atomic():
        seen = PulledFile.objects.create(
            connector=connector, name=file.name[:700], version=version, problem=problem, at=now
        )
        if kept:
            try:
                with transaction.atomic():
                    record = uploads.take(
                        kept=kept,
                        name=file.name,
                        source_name=connector.source.name,
                        user=connector.created_by,
                        now=now,
                    )
            except Refused as refusal:
                if isinstance(refusal, Unavailable):  # our disk, not the file
                    raise
                seen.problem = str(refusal)[:600]  # this version will never be a table
            else:
                seen.import_job = record
                pull.imports.add(record)
                _start(record, connector, now)
            seen.save(update_fields=["problem", "import_job"])
        _move(pull, rows=pull.rows + 1, bytes=pull.bytes + (kept.size if kept else file.size))


# --- mentions ----------------------------------------------------------------------------------


def _fetch_mentions(pull: Pull, kind: Kind, job: jobs.Running, now: datetime) -> None:
    news = kind.news(pull.connector.cursor)
    job.check()
    with transaction.atomic():
        new = sum(mentions.store(found=news.found, source=pull.connector.source, now=now))
        seen = len(news.found)
        _move(pull, rows=seen, received=seen, stored=new, duplicate=seen - new)
        _succeeded(pull, news.cursor, now)
