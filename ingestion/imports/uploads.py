"""Files before they are imported: received, looked at, mapped, started.

A file is kept under a name of our own; the name it came with is only shown.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from ingestion import schemas
from ingestion.imports import matching, rejects, storage, wording
from ingestion.models import ImportJob, Source
from ingestion.preprocess import detect, properties, shape, values
from ingestion.preprocess.faults import Unreadable
from ingestion.recipes import versions
from marketing.core import audit, jobs
from marketing.core.errors import Conflict, Invalid, NotFound, Refused
from marketing.core.models import Job, User

DEFAULT_SOURCE = "Uploads"
FOLDER = storage.FOLDER
_READ_ALIKE = ("timezone", "date_style", "decimal", "currency", "property_kinds", "numbered")
# What a person may choose of how a file is read.
OPTIONS = ("encoding", "delimiter", "has_header", *_READ_ALIKE, "member", "sheet")
BLOCKING = ("duplicate_header", "empty_header", "header_only")


@dataclass(frozen=True)
class Look:
    """What a file is taken for, what may be read with those choices, and what stands in the way."""

    detected: detect.Detected
    kind: str
    mapping: dict[str, int]
    options: dict[str, Any]
    date_styles: list[str]
    suggested: dict[str, tuple[int, str]] = field(default_factory=dict)
    problems: list[tuple[str, str, str]] = field(default_factory=list)  # code, what, what to do

    @property
    def blocked(self) -> bool:
        return any(code in BLOCKING for code, _what, _remedy in self.problems)


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
        kept = {name: mended.options[name] for name in _READ_ALIKE if name in mended.options}
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
        "timezone": chosen.get("timezone", settings.TIME_ZONE),
        "date_style": chosen.get("date_style") or (styles[0] if styles else "iso"),
        "decimal": decimal,
        "currency": chosen.get("currency", settings.DEFAULT_CURRENCY),
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


def look(record: ImportJob, *, again: Mapping[str, Any] | None = None, kind: str = "") -> Look:
    """The first rows with the choices made so far; `again` holds choices to try instead."""
    trial = {**record.options, **(again or {})}
    kind = kind or record.kind
    reread = bool(again)
    try:
        detected = detect.inspect(
            path_of(record),
            encoding=trial["encoding"],
            delimiter=trial["delimiter"],
            has_header=bool(trial["has_header"]),
            member=trial.get("member", ""),
            sheet=trial.get("sheet", ""),
            trusted=record.packed_at is not None,
        )
    except Unreadable as error:
        raise refusal(error) from error
    if not record.options.get("encoding_sure", True) and "encoding" not in (again or {}):
        detected = replace(detected, encoding_sure=False)
    mapping = record.mapping
    before = matching.remembered(header=detected.header, source=record.source)
    suggested = matching.suggest(
        kind=kind, header=detected.header, rows=detected.rows, source=record.source, before=before
    )
    if kind != record.kind or (reread and detected.header != record.options["header"]):
        mapping = matching.plain(suggested)
    options = {
        **trial,
        "property_kinds": _property_kinds(
            record, trial, detected, {**matching.plain(suggested), **mapping}
        ),
        "format": detected.format,
        "member": detected.member,
        "sheet": detected.sheet,
        "header": detected.header,
        "columns": len(detected.header),
    }
    date_column = mapping.get("placed_at", mapping.get("at", -1))
    dates = [row[date_column] for row in detected.rows if 0 <= date_column < len(row)]
    problems = [
        (code, *wording.problem(code, {"detail": detail})) for code, detail in detected.problems
    ]
    return Look(detected, kind, mapping, options, detect.date_styles(dates), suggested, problems)


def _property_kinds(
    record: ImportJob,
    trial: Mapping[str, Any],
    detected: detect.Detected,
    mapping: Mapping[str, int],
) -> dict[str, str]:
    """Guessed kinds, and over them those that were chosen; those are read anew when numbers are."""
    guessed = properties.kinds_of(mapping, detected.rows, str(trial["decimal"]))
    if trial["decimal"] != record.options.get("decimal"):
        return guessed
    chosen = trial.get("property_kinds") or {}
    return {**guessed, **(chosen if isinstance(chosen, dict) else {})}


def default_number(record: ImportJob) -> str:
    """What the lines of this file are numbered behind, if they are: its name."""
    stem = record.original_name.split(".", 1)[0]
    return re.sub(r"[^\w-]+", "-", stem).strip("-")[:60] or "row"


def choose(
    *,
    record: ImportJob,
    kind: str,
    mapping: Mapping[str, int],
    options: Mapping[str, Any],
    source_name: str = "",
    now: datetime,
) -> ImportJob:
    """Take a person's choices. Refused, with nothing changed, if the file does not fit them."""
    _check_waiting(record)
    if kind not in schemas.KINDS:
        raise Invalid(_("There is no import of this kind."), code="unknown_kind", field="kind")
    seen = look(record, again={k: options[k] for k in OPTIONS if k in options}, kind=kind)
    for code, message, remedy in seen.problems:
        if code in BLOCKING:
            raise Invalid(message, code=code, field="file", remedy=remedy)
    _check_options(seen.options)
    header = seen.detected.header
    filled = versions.filled(
        source=target(record, source_name), kind=kind, mapping=mapping, header=header
    )
    if seen.options.get("numbered"):
        filled |= {"customer_id"}
    faults = schemas.check(kind, mapping, len(header), filled)
    if faults:
        code, name = faults[0]
        message, remedy = wording.problem(code, {"field": wording.field(name), "detail": name})
        raise Invalid(message, code=code, field=name, remedy=remedy)
    with transaction.atomic():
        # The file was read meanwhile, and somebody else may have started or deleted the import.
        locked = ImportJob.objects.select_for_update(of=("self",)).filter(pk=record.pk).first()
        if locked is None:
            raise NotFound(_("This import is gone; nothing was changed."), code="import_unknown")
        _check_waiting(locked)
        chosen = ["kind", "mapping", "options", "signature", "state", "source"]
        if (kind, dict(mapping), seen.options) != (locked.kind, locked.mapping, locked.options):
            _stop_trial(locked, now)
            record.trial = {}
            chosen.append("trial")
        record.kind, record.mapping, record.options = kind, dict(mapping), seen.options
        record.options.pop("lines", None)
        record.signature = matching.signature(seen.detected.header)
        record.state = ImportJob.State.MAPPED
        if source_name.strip() and source_name.strip() != record.source.name:
            record.source, _made = Source.objects.get_or_create(
                name=source_name.strip()[:100], defaults={"created_at": now}
            )
        record.save(update_fields=chosen)
    return record


def target(record: ImportJob, source_name: str) -> Source | None:
    """The source that an import goes to, where that is already there."""
    name = source_name.strip()[:100]
    if not name or name == record.source.name:
        return record.source
    return Source.objects.filter(name=name).first()


def _check_waiting(record: ImportJob) -> None:
    waiting = record.state in (ImportJob.State.UPLOADED, ImportJob.State.MAPPED)
    if record.job_id is not None or not waiting:
        raise Conflict(_("This import has already been started."), code="import_started")


def _check_options(options: Mapping[str, Any]) -> None:
    wrong = [
        ("timezone", values.zone(str(options["timezone"])) is None),
        ("date_style", options["date_style"] not in values.FORMATS),
        ("decimal", options["decimal"] not in (".", ",")),
        ("delimiter", options["delimiter"] not in detect.DELIMITERS),
        ("encoding", options["encoding"] not in detect.ENCODINGS),
        ("currency", not re.fullmatch(r"[A-Z]{3}", str(options["currency"]))),
        ("numbered", not re.fullmatch(r"[\w.-]{0,60}", str(options.get("numbered", "")))),
    ]
    kinds = options.get("property_kinds", {})
    good = isinstance(kinds, dict) and all(kind in properties.KINDS for kind in kinds.values())
    wrong.append(("property_kinds", not good))
    for name, is_wrong in wrong:
        if is_wrong:
            raise Invalid(
                _("“%(value)s” cannot be used here.") % {"value": str(options[name])[:40]},
                code="bad_option",
                field=name,
                remedy=_("Choose one from the list."),
            )


def forget(*, record: ImportJob, user: User | None = None, now: datetime) -> None:
    """Delete an upload that was never started, with its file."""
    with transaction.atomic():
        locked = ImportJob.objects.select_for_update(of=("self",)).get(pk=record.pk)
        if locked.job_id is not None:
            raise Conflict(_("This import has already been started."), code="import_started")
        _stop_trial(locked, now)
        audit.record(actor=user, action="import.discarded", obj=locked, detail={})
        discard(locked)
        locked.delete()


def try_out(
    *, record: ImportJob, rows: int | None = None, user: User | None = None, now: datetime
) -> Job:
    """Queue a dry run of the first `rows` rows, or of all. One at a time: the newest counts."""
    with transaction.atomic():
        locked = ImportJob.objects.select_for_update(of=("self",)).get(pk=record.pk)
        if locked.job_id is not None:
            raise Conflict(_("This import has already been started."), code="import_started")
        _stop_trial(locked, now)
        job = jobs.start(
            kind="import.try",
            title=_("Dry run of %(name)s") % {"name": locked.original_name},
            params={"import_id": locked.pk, "rows": rows},
            user=user,
            result_url=reverse("ingestion:import-map", args=[locked.public_id]),
        )
        locked.trial, locked.trial_job = {}, job
        locked.save(update_fields=["trial", "trial_job"])
    record.trial, record.trial_job = {}, job
    return job


def _stop_trial(record: ImportJob, now: datetime) -> None:
    if record.trial_job is not None and record.trial_job.is_open:
        jobs.cancel(job_id=record.trial_job.pk, now=now)


def start(*, record: ImportJob, user: User | None = None, now: datetime) -> Job:
    """Queue the import. A second start gives back the job of the first."""
    with transaction.atomic():
        locked = ImportJob.objects.select_for_update().select_related("source").get(pk=record.pk)
        if locked.job is not None:
            return locked.job
        if locked.state == ImportJob.State.UPLOADED:
            choose(
                record=locked,
                kind=locked.kind,
                mapping=locked.mapping,
                options=locked.options,
                now=now,
            )
        _stop_trial(locked, now)
        job = jobs.start(
            kind="import.run",
            title=_("Import %(name)s") % {"name": locked.original_name},
            params={"import_id": locked.pk},
            user=user,
            steps=2,
            result_url=reverse("ingestion:import-detail", args=[locked.public_id]),
        )
        locked.job = record.job = job
        locked.save(update_fields=["job"])
        header = locked.options["header"]
        if locked.mends_id is None:
            locked.source.mapping[locked.kind] = {
                name: header[index] for name, index in locked.mapping.items()
            }
            locked.source.save(update_fields=["mapping"])
        audit.record(actor=user, action="import.started", obj=locked, detail={"kind": locked.kind})
    return job
