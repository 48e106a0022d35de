"""One batch through all rules of a recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ingestion.preprocess.faults import Fault
from ingestion.preprocess.recipe import cells, measures, nodes, rows
from ingestion.preprocess.recipe.expressions import Reading
from ingestion.preprocess.recipe.frames import Frame, Report
from ingestion.preprocess.recipe.measures import Rates
from ingestion.preprocess.recipe.statistics import Gathering, Statistics
from ingestion.preprocess.texts import Column, Flags, Ints


@dataclass(frozen=True)
class Context:
    """What rules need beside the rows: how texts are written, rates, and figures of the file.

    `statistics` None: the file was not looked at as a whole, so what needs that looks at the rows
    at hand (duplicates) or is left out (limits, medians).
    """

    reading: Reading = field(default_factory=Reading)
    rates: Rates = field(default_factory=Rates)
    statistics: Statistics | None = None


@dataclass
class Applied:
    """The columns with the rows that are left, and where the others went."""

    columns: dict[str, Column]
    keep: Ints  # positions of the rows that are left
    left_out: int
    duplicates: int
    faults: dict[int, tuple[str, str, str]]  # row → code, column, text
    reports: dict[str, Report]


def apply(
    recipe: nodes.Recipe, columns: Mapping[str, Column], lines: Ints, context: Context
) -> Applied:
    """All rules, in order. Every row is kept, left out, a duplicate or a fault; none is lost."""
    frame = Frame(dict(columns), lines)
    reports = {rule.id: _one(rule, frame, context) for rule in recipe.active}
    keep = np.flatnonzero(frame.alive)
    return Applied(
        columns=frame.columns
        if len(keep) == frame.rows
        else {name: take(column, frame.alive) for name, column in frame.columns.items()},
        keep=keep,
        left_out=frame.left_out,
        duplicates=frame.duplicates,
        faults=frame.faults,
        reports=reports,
    )


def gather(
    recipe: nodes.Recipe,
    columns: Mapping[str, Column],
    lines: Ints,
    into: Gathering,
    context: Context,
) -> None:
    """Look at one batch for the figures that rules need from the whole file."""
    frame = Frame(dict(columns), lines)
    for rule in recipe.active:
        into.look(rule, frame)
        if not nodes.needs_file(rule):
            _one(rule, frame, context)


def take(column: Column, keep: Flags) -> Column:
    """A column with these rows only, and only the texts that they use."""
    used, codes = np.unique(column.codes[keep], return_inverse=True)
    return Column(codes.astype(np.int64), [column.texts[code] for code in used.tolist()])


def faults_of(applied: Applied, lines: Ints, raw: Any) -> list[Fault]:
    """The rows set aside as faults; `raw` gives a row's text by its position."""
    return [
        Fault(int(lines[row]), raw(row), code, name, {"value": value})
        for row, (code, name, value) in sorted(applied.faults.items())
    ]


def _one(rule: nodes.Rule, frame: Frame, context: Context) -> Report:
    reading, known = context.reading, context.statistics
    match rule:
        case nodes.Trim() | nodes.Collapse() | nodes.Case():
            return cells.change(rule, frame)
        case nodes.Email() | nodes.Phone() | nodes.Country() | nodes.Date() | nodes.Map():
            return cells.normalise(rule, frame)
        case nodes.Units():
            return measures.units(rule, frame, reading)
        case nodes.Currency():
            return measures.convert(rule, frame, reading, context.rates)
        case nodes.Outliers():
            return measures.outliers(
                rule, frame, reading, known.values.get(rule.id) if known else None
            )
        case nodes.Impute():
            return measures.impute(rule, frame, known.values.get(rule.id) if known else None)
        case nodes.Deduplicate():
            return rows.deduplicate(rule, frame, known.twice.get(rule.id) if known else None)
        case nodes.Fill():
            return rows.fill(rule, frame)
        case nodes.Split():
            return rows.split(rule, frame)
        case nodes.Rename():
            return rows.rename(rule, frame)
        case nodes.Derive():
            return rows.derive(rule, frame, reading)
        case nodes.DropRows():
            return rows.drop_rows(rule, frame, reading)
        case nodes.DropColumns():
            return rows.drop_columns(rule, frame)
    raise TypeError(type(rule).__name__)
