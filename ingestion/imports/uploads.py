"""Files as they come: received, recognised and registered as imports.

A file is kept under a name of our own; the name it came with is only shown.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from ingestion import schemas
from ingestion.imports import matching, rejects, storage, wording
from ingestion.models import ImportJob, Source
from ingestion.preprocess import detect, properties, shape
from ingestion.preprocess.faults import Unreadable
from marketing.core import brand, jobs
from marketing.core.errors import Conflict, Invalid, NotFound, Refused
from marketing.core.models import User

DEFAULT_SOURCE = "Uploads"
FOLDER = storage.FOLDER
READ_ALIKE = ("timezone", "date_style", "decimal", "currency", "property_kinds", "numbered")


def refusal(error: Unreadable) -> Refused:
    """An unreadable file in words."""
    message, remedy = wording.problem(error.code, error.facts)
    kind = NotFound if error.code in ("missing_file", "raw_pruned") else Invalid
    return kind(
        _("%(problem)s Nothing was stored.") % {"problem": message},
        code=error.code,
        field="file",
        remedy=remedy,
    )


def receive(
    *,
    chunks: Iterable[bytes],
    name: str,
    kind: str = "",
    source_name: str = "",
    user: User | None,
    now: datetime,
) -> ImportJob:
    """Keep an uploaded file and look at it. Refused if it is no table or too large."""
    kept = storage.keep(chunks=chunks)
    return take(kept=kept, name=name, kind=kind, source_name=source_name, user=user, now=now)


def take(
    *,
    kept: storage.Kept,
    name: str,
    kind: str = "",
    source_name: str = "",
    user: User | None,
    now: datetime,
) -> ImportJob:
    """Look at a kept file and make an import of it. Refused, the file gone, if it is no table."""
    try:
        return register(
            path=kept.path,
            name=name,
            kind=kind,
            source_name=source_name,
            user=user,
            now=now,
            digest=kept.digest,
            stored=kept.stored,
        )
    except OSError as error:
        kept.drop()
        raise storage.unwritable() from error
    except Refused:
        kept.drop()
        raise


def register(
    *,
    path: Path,
    name: str,
    kind: str = "",
    source_name: str = "",
    is_demo: bool = False,
    user: User | None = None,
    now: datetime,
    digest: str = "",
    stored: str = "",
    options: Mapping[str, Any] | None = None,
) -> ImportJob:
    """Make an import of a file that lies on this machine, with everything that can be guessed.

    `options` win over guesses: timezone, currency, date_style, decimal, encoding, delimiter.
    """
    chosen = dict(options or {})
    try:
        detected = detect.inspect(
            path,
            encoding=chosen.get("encoding", ""),
            delimiter=chosen.get("delimiter", ""),
            member=chosen.get("member", ""),
            sheet=chosen.get("sheet", ""),
        )
    except Unreadable as error:
        raise refusal(error) from error
    mended = rejects.first_import(header=detected.header, rows=detected.rows)
    if mended is not None:
        kind, source_name = mended.kind, mended.source.name
    named = Source.objects.filter(name=source_name.strip()[:100]).first() if source_name else None
    before = matching.remembered(header=detected.header, source=named)
    kind = kind or before.kind or schemas.guess_kind(detected.header)
    if kind not in schemas.KINDS:
        raise Invalid(
            _("There is no import of this kind."),
            code="unknown_kind",
            field="kind",
            remedy=", ".join(schemas.KINDS),
        )
    source = before.source if before.source and not source_name.strip() else None
    if source is None:
        source, _made = Source.objects.get_or_create(
            name=(source_name.strip() or DEFAULT_SOURCE)[:100],
            defaults={"is_demo": is_demo, "created_at": now},
        )
    if mended is not None:
        mapping = rejects.shifted(mended.mapping, again=mended.mends_id is not None)
        kept = {name: mended.options[name] for name in READ_ALIKE if name in mended.options}
    else:
        mapping = matching.plain(
            matching.suggest(
                kind=kind, header=detected.header, rows=detected.rows, source=source, before=before
            )
        )
        kept = before.options
    record = ImportJob(
        source=source,
        kind=kind,
        path=stored or str(path),
        original_name=shown_name(name),
        bytes=path.stat().st_size,
        sha256=digest,
        mapping=mapping,
        mends=mended,
        signature=matching.signature(detected.header),
        created_by=user,
        created_at=now,
        options=_options(detected, mapping, {**kept, **chosen}),
    )
    record.save()
    return record


def shown_name(name: str) -> str:
    """A file name that is safe to show and to send back."""
    text = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    text = "".join(ch for ch in text if unicodedata.category(ch)[0] != "C").strip(" .")
    return (text or "file.csv")[-200:]


def _options(
    detected: detect.Detected, mapping: Mapping[str, int], chosen: Mapping[str, Any]
) -> dict[str, Any]:
    def samples(name: str) -> list[str]:
        index = mapping.get(name, -1)
        return [row[index] for row in detected.rows if 0 <= index < len(row)]

    width = range(len(detected.header))
    columns = [[row[i] for row in detected.rows if i < len(row)] for i in width]
    dates = samples("placed_at") or samples("at") or samples("consent_at")
    styles = detect.date_styles(dates) or _any_style(columns)
    numbers = samples("unit_price") or samples("price") or [t for texts in columns for t in texts]
    decimal = chosen.get("decimal") or detect.decimal_mark(numbers)
    return {
        "format": detected.format,
        "compression": detected.compression,
        "member": detected.member,
        "sheet": detected.sheet,
        "encoding": detected.encoding,
        "encoding_sure": detected.encoding_sure,
        "delimiter": detected.delimiter,
        "has_header": detected.has_header,
        "header": detected.header,
        "columns": len(detected.header),
        "timezone": chosen.get("timezone", brand.now().timezone),
        "date_style": chosen.get("date_style") or (styles[0] if styles else "iso"),
        "decimal": decimal,
        "currency": chosen.get("currency", brand.now().currency),
        "cancel_prefix": chosen.get("cancel_prefix", brand.now().cancel_prefix),
        "property_kinds": {
            **properties.kinds_of(mapping, detected.rows, decimal),
            **chosen.get("property_kinds", {}),
        },
        "numbered": chosen.get("numbered", ""),
    }


def _any_style(columns: list[list[str]]) -> list[str]:
    """The date style of the first column that holds dates, whatever it will be taken for."""
    for texts in columns:
        found = [style for style in detect.date_styles(texts) if style != "epoch"]
        if found:
            return found
    return []


def shape_of(record: ImportJob) -> shape.Shape:
    """How the file of an import is to be read."""
    trusted = record.packed_at is not None or bool(record.options.get("packed"))
    return shape.shape_of(record.options, trusted=trusted)


def is_kept(record: ImportJob) -> bool:
    """Whether the raw file is still there."""
    return bool(record.path) and (Path(settings.MEDIA_ROOT) / record.path).exists()


def path_of(record: ImportJob) -> Path:
    """Where the file lies. Refused when it is gone."""
    if not record.path:
        raise refusal(Unreadable("raw_pruned"))
    path = (
        Path(record.path)
        if record.path.startswith("/")
        else Path(settings.MEDIA_ROOT) / record.path
    )
    if not path.exists():
        raise refusal(Unreadable("missing_file"))
    return path


def discard(record: ImportJob) -> None:
    """Delete the uploaded copy of a file that cannot be read; shipped data stays."""
    if record.path.startswith(f"{FOLDER}/"):
        (Path(settings.MEDIA_ROOT) / record.path).unlink(missing_ok=True)


def check_waiting(record: ImportJob) -> None:
    """Refused once an import was started."""
    waiting = record.state in (ImportJob.State.UPLOADED, ImportJob.State.MAPPED)
    if record.job_id is not None or not waiting:
        raise Conflict(_("This import has already been started."), code="import_started")


def stop_trial(record: ImportJob, now: datetime) -> None:
    """End the dry run of an import, if one goes on."""
    if record.trial_job is not None and record.trial_job.is_open:
        jobs.cancel(job_id=record.trial_job.pk, now=now)
