"""What the page of columns shows: what was recognised, fields, first rows, and the dry run."""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion import schemas
from ingestion.imports import choosing, matching, wording
from ingestion.models import ImportJob, Source
from ingestion.preprocess import detect, preview, properties, values
from ingestion.preprocess.recipe.expressions import Reading
from ingestion.preprocess.recipe.nodes import Recipe
from ingestion.recipes import samples, versions

PREVIEW = 8
TRY_ROWS = 10_000
ENCODINGS = {
    "utf-8": "UTF-8",
    "cp1252": "Windows-1252",
    "utf-16-le": "UTF-16 LE",
    "utf-16-be": "UTF-16 BE",
    "gb18030": "GB 18030",
    "shift_jis": "Shift JIS",
    "euc_kr": "EUC-KR",
    "big5": "Big5",
    "iso8859_2": "ISO 8859-2",
    "cp1250": "Windows-1250",
    "cp1251": "Windows-1251",
}
FORMATS: dict[str, Any] = {
    "csv": gettext_lazy("Separated text"),
    "jsonl": gettext_lazy("JSON Lines"),
    "parquet": gettext_lazy("Parquet"),
    "xlsx": gettext_lazy("Spreadsheet"),
}
_PACKED = {"gz": "gzip", "xz": "xz", "zip": "zip"}
_FOUND: dict[str, Any] = {
    matching.REMEMBERED: gettext_lazy("as last time"),
    matching.NAMED: gettext_lazy("by name"),
    matching.ALIAS: gettext_lazy("by a similar name"),
    matching.CONTENT: gettext_lazy("by its values"),
}
# Stands in for the facts of a fault where only its kind is told.
ANY = dict.fromkeys(("value", "found", "expected", "megabytes", "byte", "encoding"), "…")


def chosen(request: HttpRequest, record: ImportJob) -> tuple[dict[str, Any], dict[str, int]]:
    """Reading choices and mapping from a posted form."""
    post = request.POST
    names = (
        "encoding", "delimiter", "timezone", "date_style", "decimal", "currency", "member", "sheet",
    )  # fmt: skip
    options: dict[str, Any] = {name: post[name] for name in names if post.get(name)}
    if options.get("delimiter") == "tab":
        options["delimiter"] = "\t"
    if "currency" in options:
        options["currency"] = options["currency"].strip().upper()
    if record.options.get("format", "csv") in ("csv", "xlsx"):
        options["has_header"] = "has_header" in post
    mapping = {
        field.name: int(column)
        for field in schemas.KINDS.get(post.get("kind", record.kind), ())
        if (column := post.get(f"column-{field.name}", "")).isdecimal()
    }
    header, taken = record.options["header"], set(mapping.values())
    kept = [int(text) for text in post.getlist("keep") if text.isdecimal()]
    mapping |= {
        properties.field_of(header[index]): index
        for index in kept
        if index < len(header) and index not in taken
    }
    options["property_kinds"] = {
        header[index]: post[f"keep-{index}"]
        for index in range(len(header))
        if post.get(f"keep-{index}")
    }
    options["numbered"] = choosing.default_number(record) if "numbered" in post else ""
    return options, mapping


def context(request: HttpRequest, record: ImportJob) -> dict[str, Any]:
    """What the mapping page shows: fields with their columns and samples, choices, first rows."""
    again: dict[str, Any] = {}
    mapping: dict[str, int] = {}
    kind = record.kind
    if request.method == "POST":
        again, mapping = chosen(request, record)
        kind = request.POST.get("kind", kind)
        kind = kind if kind in schemas.KINDS else record.kind
    seen = choosing.look(record, again=again, kind=kind)
    same = seen.detected.header == record.options["header"] and kind == request.POST.get(
        "was", kind
    )
    mapping = mapping if mapping and same else seen.mapping
    mapping = {name: i for name, i in mapping.items() if i < len(seen.detected.header)}
    columns = _columns(seen.detected)
    source = choosing.target(record, request.POST.get("source", ""))
    version = versions.current(source=source, kind=kind) if source else None
    recipe = versions.recipe_of(version)
    header = seen.detected.header
    filled = versions.filled(source=source, kind=kind, mapping=mapping, header=header)
    fields = _fields(seen, kind, mapping, columns, filled)
    return {
        "look": seen,
        "kind": kind,
        "kinds": ImportJob.Kind.choices,
        "chips": _chips(seen, columns),
        "fields": fields,
        "lacking": any(row["needed"] and row["column"] < 0 for row in fields),
        "recipe_source": source,
        "columns": columns,
        "left_out": [c["name"] for c in columns if c["index"] not in mapping.values()],
        "others": _others(seen, kind, mapping, columns),
        "property_kinds": PROPERTY_KINDS,
        "nameless": kind in properties.FILES
        and not any(name in mapping for name in schemas.ONE_OF[kind]),
        "numbered": seen.options.get("numbered", ""),
        **_preview(seen, kind, mapping, filled, recipe, source),
        "encodings": [(name, ENCODINGS[name]) for name in detect.ENCODINGS],
        "delimiters": DELIMITERS,
        "delimiter": "tab" if seen.options["delimiter"] == "\t" else seen.options["delimiter"],
        "styles": list(values.FORMATS.items()),
        "unclear_date": len(seen.date_styles) > 1,
        "decimals": DECIMALS,
        "source_name": request.POST.get("source", record.source.name),
        "sources": Source.objects.filter(is_demo=False).order_by("name"),
    }


DELIMITERS: list[tuple[str, Any]] = [
    (",", gettext_lazy("Comma ,")),
    (";", gettext_lazy("Semicolon ;")),
    ("tab", gettext_lazy("Tab")),
    ("|", gettext_lazy("Bar |")),
]
DECIMALS: list[tuple[str, Any]] = [
    (".", gettext_lazy("Point: 1,234.56")),
    (",", gettext_lazy("Comma: 1.234,56")),
]


PROPERTY_KINDS: list[tuple[str, Any]] = [
    (properties.NUMBER, gettext_lazy("a number")),
    (properties.TEXT, gettext_lazy("a text")),
    (properties.DAY, gettext_lazy("a day")),
    (properties.YES_NO, gettext_lazy("yes or no")),
]


def _others(
    seen: choosing.Look, kind: str, mapping: dict[str, int], columns: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The columns that no field takes and that may be kept as properties."""
    taken = {index for name, index in mapping.items() if properties.name_of(name) is None}
    kinds = seen.options.get("property_kinds", {})
    return [
        {
            **column,
            "kept": properties.field_of(column["name"]) in mapping,
            "kind": kinds.get(column["name"], properties.TEXT),
        }
        for column in columns
        if column["index"] not in taken
        and properties.may_be(kind, properties.field_of(column["name"]))
    ]


def _columns(found: detect.Detected) -> list[dict[str, Any]]:
    return [
        {
            "index": i,
            "name": name,
            "sample": next((r[i] for r in found.rows if i < len(r) and r[i].strip()), ""),
        }
        for i, name in enumerate(found.header)
    ]


def _chips(seen: choosing.Look, columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was recognised, each with the control that changes it."""
    found, options = seen.detected, seen.options
    packed = _PACKED.get(found.compression)
    name = str(FORMATS[found.format])
    chips: list[dict[str, Any]] = [
        {"label": _("Format"), "value": f"{name} ({packed})" if packed else name, "control": ""}
    ]
    if found.members:
        chips.append({"label": _("File"), "value": found.member, "control": "member"})
    if found.sheets:
        chips.append({"label": _("Sheet"), "value": found.sheet, "control": "sheet"})
    if found.format in ("csv", "jsonl"):
        name = ENCODINGS.get(found.encoding, found.encoding)
        unsure = not found.encoding_sure
        chips.append(
            {"label": _("Encoding"), "value": name, "control": "encoding", "unsure": unsure}
        )
    if found.format == "csv":
        mark = "tab" if found.delimiter == "\t" else found.delimiter
        words = dict(DELIMITERS)
        chips.append(
            {"label": _("Delimiter"), "value": str(words.get(mark, mark)), "control": "delimiter"}
        )
    chips += [
        {"label": _("Columns"), "value": str(len(columns)), "control": ""},
        {
            "label": _("Dates"),
            "value": values.FORMATS.get(options["date_style"], ""),
            "control": "date_style",
            "unsure": len(seen.date_styles) > 1,
        },
        {
            "label": _("Decimal mark"),
            "value": _("Comma") if options["decimal"] == "," else _("Point"),
            "control": "decimal",
        },
    ]
    return chips


def _fields(
    seen: choosing.Look,
    kind: str,
    mapping: dict[str, int],
    columns: list[dict[str, Any]],
    filled: Collection[str],
) -> list[dict[str, Any]]:
    made = []
    for field in schemas.KINDS[kind]:
        index = mapping.get(field.name, -1)
        suggested, how = seen.suggested.get(field.name, (-1, ""))
        is_ours = index >= 0 and index == suggested
        made.append(
            {
                "field": field,
                "label": wording.field(field.name),
                "column": index,
                "needed": field.required and field.name not in filled,
                "filled": field.name in filled,
                "sample": columns[index]["sample"] if index >= 0 else "",
                "sure": matching.SURE.get(how) if is_ours else None,
                "how": _FOUND.get(how, "") if is_ours else "",
            }
        )
    return made


def _preview(
    seen: choosing.Look,
    kind: str,
    mapping: dict[str, int],
    filled: Collection[str],
    recipe: Recipe,
    source: Source | None,
) -> dict[str, Any]:
    """The first rows as they will be stored, each beside the line it comes from."""
    found = seen.detected
    raw = found.rows[:PREVIEW]
    names = [f.name for f in schemas.KINDS[kind] if f.name in mapping or f.name in filled]
    names += [name for name in mapping if properties.may_be(kind, name)]
    lines = samples.follow(
        recipe=recipe,
        source=source,
        mapping=mapping,
        header=found.header,
        rows=raw,
        reading=Reading(
            str(seen.options["decimal"]),
            str(seen.options["date_style"]),
            values.zone(str(seen.options["timezone"])) or Reading().zone,
        ),
    )
    shown = []
    for number, (row, line) in enumerate(zip(raw, lines, strict=True)):
        came = [row[mapping[n]] if mapping.get(n, len(row)) < len(row) else "" for n in names]
        cells, fault = _cells(kind, names, came, line, seen.options)
        text = found.lines[number] if number < len(found.lines) else " · ".join(row)
        shown.append({"cells": cells, "line": text, "fault": fault})
    return {"preview_head": [wording.field(name) for name in names], "preview": shown}


def _cells(
    kind: str, names: list[str], came: list[str], line: samples.Line, options: dict[str, Any]
) -> tuple[list[preview.Cell], str]:
    """One row as it will be stored, or empty and why."""
    if line.texts is None:
        cells = [preview.Cell(text, "") for text in came]
        if line.fault is None:
            return cells, _("The recipe leaves this row out.")
        code, name, value = line.fault
        return cells, wording.fault(code, name, {**ANY, "value": value[:80]})[0]
    texts = [line.texts.get(name, "") for name in names]
    places = {name: place for place, name in enumerate(names)}
    read = preview.rows(kind, [texts], places, options)[0]
    cells = [replace(cell, raw=text) for cell, text in zip(read, came, strict=True)]
    faults = [
        wording.fault(cell.fault, name, {**ANY, "value": text[:80]})[0]
        for cell, name, text in zip(read, names, texts, strict=True)
        if cell.fault
    ]
    return cells, faults[0] if faults else ""


def trial(record: ImportJob) -> dict[str, Any]:
    """The dry run of an import as its panel shows it."""
    job = record.trial_job
    return {
        "record": record,
        "trial": record.trial,
        "trial_warned": record.trial.get("rules", {}).get("plan_warned"),
        "trial_job": job,
        "trial_open": job is not None and job.is_open,
        "try_rows": TRY_ROWS,
    }
