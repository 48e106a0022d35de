"""An import with its recipe: what the whole file must tell first, then batch by batch.

What a recipe needs beside the rows (rates, limits, medians) is frozen with the import when it first
starts, so that going on after a stop gives the rows that going through would have given.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection

from ingestion.imports import uploads
from ingestion.models import ImportJob, RecipeVersion
from ingestion.preprocess import files
from ingestion.preprocess.faults import Fault
from ingestion.preprocess.recipe import applying, nodes
from ingestion.preprocess.recipe.applying import Context
from ingestion.preprocess.recipe.expressions import Reading
from ingestion.preprocess.recipe.measures import Rates
from ingestion.preprocess.recipe.statistics import Gathering, Statistics
from ingestion.preprocess.recipe.supply import with_named
from ingestion.preprocess.records import Batch
from ingestion.preprocess.texts import Column, Ints
from ingestion.recipes import rates, versions

PREFIX = "recipe:"  # of a rule's id among the findings of an import


@dataclass
class Picked:
    """The rows of a batch that a recipe left, as cleaning sees a batch."""

    whole: Batch
    keep: Ints
    faults: list[Fault]

    @property
    def line(self) -> Ints:
        return self.whole.line[self.keep]

    def raw(self, index: int) -> str:
        return self.whole.raw(int(self.keep[index]))


@dataclass
class Outcome:
    """What a recipe did to one batch."""

    left_out: int = 0
    duplicates: int = 0
    rules: dict[str, Any] = field(default_factory=dict)
    originals: dict[str, dict[str, str]] = field(default_factory=dict)

    def add_to(self, clean: Any) -> None:
        """Count the rows and findings with those of the fixed cleaning."""
        clean.duplicates += self.duplicates
        clean.findings.rules = {**self.rules, **clean.findings.rules}


class Prepared:
    """A recipe ready to be applied to the batches of one import."""

    def __init__(self, recipe: nodes.Recipe, context: Context, header: list[str]) -> None:
        self.recipe, self.context, self.header = recipe, context, header

    def wanted(self, mapping: Mapping[str, int]) -> dict[str, int]:
        """The columns of the file to be read: those that are mapped and those a rule names."""
        return with_named(self.recipe, mapping, self.header)

    def apply(
        self, batch: Any, columns: Mapping[str, Column]
    ) -> tuple[Any, dict[str, Column], Outcome]:
        """A batch and its columns as the fixed cleaning takes them."""
        if not self.recipe.active:
            return batch, dict(columns), Outcome()
        done = applying.apply(self.recipe, columns, batch.line, self.context)
        faults = applying.faults_of(done, batch.line, batch.raw)
        picked = Picked(batch, done.keep, sorted([*batch.faults, *faults], key=lambda f: f.line))
        rules = {
            f"{PREFIX}{id_}": report.as_json()
            for id_, report in done.reports.items()
            if report.rows or report.left_out or report.quarantined or report.duplicate
        }
        return (
            picked,
            done.columns,
            Outcome(done.left_out, done.duplicates, rules, _originals(self.recipe, done.columns)),
        )


def _originals(recipe: nodes.Recipe, columns: Mapping[str, Column]) -> dict[str, dict[str, str]]:
    """Per order what its amounts were in, and the rate."""
    rule = next((r for r in recipe.active if isinstance(r, nodes.Currency)), None)
    if rule is None or "order_id" not in columns or f"rate_{rule.amount}" not in columns:
        return {}
    order, rate = columns["order_id"], columns[f"rate_{rule.amount}"]
    currency = columns[f"original_{rule.currency}"]
    found: dict[str, dict[str, str]] = {}
    used = np.array([bool(text) for text in rate.texts], bool)
    for row in np.flatnonzero(used[rate.codes]).tolist() if len(rate.texts) else []:
        found[" ".join(order.text(row).split())] = {
            "original_currency": currency.text(row).strip(),
            "exchange_rate": rate.text(row),
        }
    return found


def prepare(record: ImportJob, *, check: Callable[[], None] = lambda: None) -> Prepared:
    """The recipe of an import, chosen and frozen when it starts for the first time."""
    if record.recipe_version_id is None and not record.offset:
        record.recipe_version = versions.current(source=record.source, kind=record.kind)
        if record.recipe_version_id:
            record.save(update_fields=["recipe_version"])
    version = record.recipe_version
    frozen = record.options.get("recipe", {})
    if version is not None and frozen.get("version") != version.pk:
        frozen = {}
    prepared, frozen = prepare_version(record, version, frozen, check=check)
    if version is not None and record.options.get("recipe") != frozen:
        record.options["recipe"] = frozen
        record.save(update_fields=["options"])
        if frozen["values"]:
            RecipeVersion.objects.filter(pk=version.pk).update(statistics=frozen["values"])
    return prepared


def try_out(record: ImportJob) -> Prepared:
    """The recipe that an import would use, with nothing written down."""
    version = record.recipe_version or versions.current(source=record.source, kind=record.kind)
    return prepare_version(record, version, {})[0]


def prepare_version(
    record: ImportJob,
    version: RecipeVersion | None,
    frozen: Mapping[str, Any],
    *,
    check: Callable[[], None] = lambda: None,
) -> tuple[Prepared, dict[str, Any]]:
    """A version ready for a file, and what was frozen for it."""
    recipe = versions.recipe_of(version)
    header = list(record.options.get("header", []))
    reading = reading_of(record.options)
    table = frozen["rates"] if frozen else rates.table(source=record.source)
    context = Context(reading, Rates.of(table))
    if version is None or not recipe.active:
        return Prepared(nodes.Recipe(), context, header), {}
    known = Statistics()
    if recipe.needs_file:
        known = _gather(record, recipe, context, header, check)
        if frozen:
            known.values = dict(frozen["values"])
    context = Context(reading, context.rates, known)
    kept = {"version": version.pk, "rates": [list(row) for row in table], "values": known.values}
    return Prepared(recipe, context, header), kept


def reading_of(options: Mapping[str, Any]) -> Reading:
    """How the texts of a file are written."""
    return Reading(
        str(options.get("decimal", ".")),
        str(options.get("date_style", "iso")),
        ZoneInfo(str(options.get("timezone", "UTC"))),
    )


def _gather(
    record: ImportJob,
    recipe: nodes.Recipe,
    context: Context,
    header: list[str],
    check: Callable[[], None],
) -> Statistics:
    into = Gathering(recipe, context.reading)
    wanted = with_named(recipe, record.mapping, header)
    for batch, columns in read_batches(record, wanted):
        check()
        applying.gather(recipe, columns, batch.line, into, context)
    return into.finish()


def read_batches(
    record: ImportJob, wanted: Mapping[str, int], after: int = 0
) -> Iterator[tuple[Any, dict[str, Column]]]:
    """The stored file of an import, batch by batch; the same batches every time."""
    shape = uploads.shape_of(record)
    for batch in files.batches(
        uploads.path_of(record), shape, wanted=list(wanted.values()), after=after
    ):
        yield batch, files.read(batch, shape, wanted)


def keep_originals(*, source_id: int, originals: Mapping[str, Mapping[str, str]]) -> None:
    """Write beside orders what their amounts were in before they were converted."""
    if not originals:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_order o SET attributes = o.attributes || jsonb_build_object("
            "'original_currency', n.currency, 'exchange_rate', n.rate)"
            " FROM unnest(%s::text[], %s::text[], %s::text[]) AS n (number, currency, rate)"
            " WHERE o.source_id = %s AND o.external_id = n.number",
            [
                list(originals),
                [facts["original_currency"] for facts in originals.values()],
                [facts["exchange_rate"] for facts in originals.values()],
                source_id,
            ],
        )
