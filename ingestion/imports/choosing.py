"""How a received file is read: looked at, its columns mapped, choices taken."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from ingestion import schemas
from ingestion.imports import matching, uploads, wording
from ingestion.models import ImportJob, Source
from ingestion.preprocess import detect, properties, values
from ingestion.preprocess.faults import Unreadable
from ingestion.recipes import versions
from marketing.core.errors import Invalid, NotFound

# What a person may choose of how a file is read.
OPTIONS = ("encoding", "delimiter", "has_header", *uploads.READ_ALIKE, "member", "sheet")
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


def look(record: ImportJob, *, again: Mapping[str, Any] | None = None, kind: str = "") -> Look:
    """The first rows with the choices made so far; `again` holds choices to try instead."""
    trial = {**record.options, **(again or {})}
    kind = kind or record.kind
    reread = bool(again)
    try:
        detected = detect.inspect(
            uploads.path_of(record),
            encoding=trial["encoding"],
            delimiter=trial["delimiter"],
            has_header=bool(trial["has_header"]),
            member=trial.get("member", ""),
            sheet=trial.get("sheet", ""),
            trusted=record.packed_at is not None,
        )
    except Unreadable as error:
        raise uploads.refusal(error) from error
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
    uploads.check_waiting(record)
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
        if code == "field_required" and kind == "customers":
            code = "nobody_named"
        message, remedy = wording.problem(code, {"field": wording.field(name), "detail": name})
        raise Invalid(message, code=code, field=name, remedy=remedy)
    with transaction.atomic():
        # The file was read meanwhile, and somebody else may have started or deleted the import.
        locked = ImportJob.objects.select_for_update(of=("self",)).filter(pk=record.pk).first()
        if locked is None:
            raise NotFound(_("This import is gone; nothing was changed."), code="import_unknown")
        uploads.check_waiting(locked)
        chosen = ["kind", "mapping", "options", "signature", "state", "source"]
        if (kind, dict(mapping), seen.options) != (locked.kind, locked.mapping, locked.options):
            uploads.stop_trial(locked, now)
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
