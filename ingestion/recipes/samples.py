"""A recipe tried on the first rows of what came last, for the editor. Stores nothing.

Serves the web process: no pandas and no pyarrow here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ingestion import schemas
from ingestion.imports import uploads
from ingestion.models import ImportJob, RecipeVersion, Source, WebhookReceipt
from ingestion.preprocess import detect, paths
from ingestion.preprocess.faults import Unreadable
from ingestion.preprocess.recipe import applying, nodes, supply
from ingestion.preprocess.recipe.applying import Context
from ingestion.preprocess.recipe.expressions import Reading
from ingestion.preprocess.recipe.frames import Report
from ingestion.preprocess.recipe.measures import Rates
from ingestion.preprocess.recipe.statistics import Gathering
from ingestion.preprocess.texts import Column, column_of
from ingestion.preprocess.values import zone
from ingestion.recipes import fixed as standing
from ingestion.recipes import rates, versions

DELIVERIES = 50


@dataclass
class Sample:
    """Rows to try a recipe on: their columns, where they came from, and the other columns."""

    columns: dict[str, Column] = field(default_factory=dict)
    rows: int = 0
    name: str = ""
    record: ImportJob | None = None
    others: list[str] = field(default_factory=list)
    reading: Reading = field(default_factory=Reading)

    @property
    def names(self) -> list[str]:
        return list(self.columns)


@dataclass
class Tried:
    """What each rule did to the sample, and how many rows were left."""

    reports: dict[str, Report] = field(default_factory=dict)
    left: int = 0
    columns: list[str] = field(default_factory=list)


def take(*, source: Source, kind: str) -> Sample:
    """The first rows of the newest file of this kind, else of the newest deliveries."""
    record = versions.latest_import(source=source, kind=kind)
    found = _of_file(record) if record is not None else None
    return found or _of_deliveries(source, kind) or Sample()


def _of_file(record: ImportJob) -> Sample | None:
    if not uploads.is_kept(record):
        return None
    options = record.options
    try:
        detected = detect.inspect(
            uploads.path_of(record),
            encoding=options.get("encoding", ""),
            delimiter=options.get("delimiter", ""),
            has_header=bool(options.get("has_header", True)),
            member=options.get("member", ""),
            sheet=options.get("sheet", ""),
            trusted=True,
        )
    except (Unreadable, OSError):
        return None
    width = len(detected.header)
    rows = [row for row in detected.rows if len(row) == width]
    place = {name: index for name, index in record.mapping.items() if index < width}
    mapped = set(place.values())
    others = [name for i, name in enumerate(detected.header) if i not in mapped]
    for name in others:
        place.setdefault(name, detected.header.index(name))
    reading = Reading(
        str(options.get("decimal", ".")),
        str(options.get("date_style", "iso")),
        zone(str(options.get("timezone", "UTC"))) or Reading().zone,
    )
    columns = {name: column_of(row[index] for row in rows) for name, index in place.items()}
    return Sample(columns, len(rows), record.original_name, record, others, reading)


def _of_deliveries(source: Source, kind: str) -> Sample | None:
    endpoint = getattr(source, "webhook", None)
    if endpoint is None or endpoint.kind != kind or not endpoint.mapping.get("fields"):
        return None
    bodies = WebhookReceipt.objects.filter(endpoint=endpoint).values_list("body", flat=True)
    mapping = paths.parse_mapping(endpoint.mapping)
    rows: list[dict[str, str]] = []
    for body in bodies[:DELIVERIES]:
        try:
            rows += paths.rows_of(mapping, paths.parse_body(bytes(body)))
        except paths.Faulty:
            continue
    columns = {name: column_of(row[name] for row in rows) for name in mapping.fields}
    return Sample(columns, len(rows), source.name)


def known_columns(*, kind: str, sample: Sample) -> list[str]:
    """The names that rules may use: what the sample has, then the other fields of the kind."""
    fields = [f.name for f in schemas.KINDS[kind]]
    names = [name for name in fields if name in sample.columns]
    names += [name for name in sample.columns if name not in names]
    return names or fields


def run(*, recipe: nodes.Recipe, source: Source, sample: Sample) -> Tried:
    """The rules on the sample, which stands for the whole file."""
    if not sample.rows:
        return Tried(columns=sample.names)
    lines = np.arange(2, sample.rows + 2, dtype=np.int64)
    table = Rates.of(rates.table(source=source))
    context = Context(sample.reading, table)
    if recipe.needs_file:
        gathering = Gathering(recipe, sample.reading)
        applying.gather(recipe, sample.columns, lines, gathering, context)
        context = Context(sample.reading, table, gathering.finish())
    done = applying.apply(recipe, sample.columns, lines, context)
    return Tried(done.reports, len(done.keep), list(done.columns))


@dataclass(frozen=True)
class Line:
    """One row after the rules: its texts, or None and, where it is set aside, why."""

    texts: dict[str, str] | None
    fault: tuple[str, str, str] | None = None  # code, column, text


def follow(
    *,
    recipe: nodes.Recipe,
    source: Source | None,
    mapping: Mapping[str, int],
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    reading: Reading,
) -> list[Line]:
    """What becomes of each of a few rows. Rules that need the whole file look at these alone."""
    places = supply.with_named(recipe, mapping, header)
    columns = {
        name: column_of(row[place] if place < len(row) else "" for row in rows)
        for name, place in places.items()
    }
    table = rates.table(source=source) if source is not None else []
    context = Context(reading, Rates.of(table))
    done = applying.apply(recipe, columns, np.arange(1, len(rows) + 1), context)
    lines = [Line(None, done.faults.get(row)) for row in range(len(rows))]
    for place, row in enumerate(done.keep.tolist()):
        lines[row] = Line({name: column.text(place) for name, column in done.columns.items()})
    return lines


def fixed(*, kind: str, record: ImportJob | None) -> list[dict[str, Any]]:
    """The cleaning that is always done, with the rows that it met in the newest file."""
    rules: Mapping[str, Any] = record.report.get("rules", {}) if record is not None else {}
    return [
        {
            "title": title,
            "text": text,
            "rows": sum(rules.get(code, {}).get("rows", 0) for code in codes) if codes else None,
        }
        for codes, title, text in standing.RULES[kind]
    ]


def counts(version: RecipeVersion | None) -> int:
    """How many rules of a version are on."""
    return len(versions.recipe_of(version).active)
