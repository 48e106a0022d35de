"""Columns with the rows that are still in, and what each rule did to them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ingestion.preprocess.findings import EXAMPLES
from ingestion.preprocess.texts import Column, Flags, Ints

_LOOKED_AT = 50_000  # changed rows in which examples are sought


@dataclass
class Report:
    """What one rule did: rows it changed, left out, set aside or could not answer, and examples."""

    rows: int = 0
    left_out: int = 0
    quarantined: int = 0
    duplicate: int = 0
    note: str = ""
    examples: list[dict[str, Any]] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """For the report of an import; counts of zero are left away."""
        body: dict[str, Any] = {"rows": self.rows, "examples": self.examples}
        for name in ("left_out", "quarantined", "duplicate", "note"):
            if value := getattr(self, name):
                body[name] = value
        return body


class Frame:
    """Columns of one batch. Rows are never moved: `alive` says which are still in."""

    def __init__(self, columns: dict[str, Column], lines: Ints) -> None:
        self.columns = dict(columns)
        self.lines = lines
        self.rows = len(lines)
        self.alive: Flags = np.ones(self.rows, bool)
        self.left_out = 0
        self.duplicates = 0
        self.faults: dict[int, tuple[str, str, str]] = {}  # row → code, field, value

    def column(self, name: str) -> Column:
        """A column; one that the file does not have is empty."""
        found = self.columns.get(name)
        if found is None:
            found = Column(np.zeros(self.rows, np.int64), [""] if self.rows else [])
        return found

    def combine(self, names: Sequence[str]) -> tuple[Ints, list[tuple[str, ...]]]:
        """Codes over the distinct combinations of texts of several columns, and those."""
        columns = [self.column(name) for name in names]
        if not columns:
            return np.zeros(self.rows, np.int64), [()] if self.rows else []
        codes = columns[0].codes
        for column in columns[1:]:
            joined = codes * (len(column.texts) + 1) + column.codes
            _, codes = np.unique(joined, return_inverse=True)
        _, first, codes = np.unique(codes, return_index=True, return_inverse=True)
        found = [tuple(column.text(row) for column in columns) for row in first.tolist()]
        return codes.astype(np.int64), found

    def replace(self, name: str, codes: Ints, texts: Sequence[str], report: Report) -> None:
        """Put new texts into a column, and count and show the living rows that change by it."""
        before = self.column(name)
        if codes is before.codes:
            differs = [a != b for a, b in zip(before.texts, texts, strict=True)]
            changed = np.array(differs, bool)[codes] if len(differs) else np.zeros(0, bool)
        else:
            pairs = codes * (len(before.texts) + 1) + before.codes
            distinct, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
            per_pair = [texts[codes[row]] != before.text(row) for row in first.tolist()]
            changed = np.array(per_pair, bool)[inverse] if len(distinct) else np.zeros(0, bool)
        changed &= self.alive
        count = int(changed.sum())
        if count:
            report.rows += count
            after = Column(codes, list(texts))
            self._show(
                report,
                np.flatnonzero(changed),
                lambda row: ({name: before.text(row)}, {name: after.text(row)}),
            )
        self.columns[name] = merged(Column(codes, list(texts)))

    def make(self, name: str, codes: Ints, texts: Sequence[str], report: Report) -> None:
        """Put texts into a column of their own; rows with a text count as changed."""
        if name in self.columns:
            self.replace(name, codes, texts, report)
            return
        self.columns[name] = merged(Column(codes, list(texts)))

    def drop(self, rows: Flags, report: Report, names: Sequence[str]) -> None:
        """Leave rows out: a rule says they do not belong."""
        gone = rows & self.alive
        report.left_out += int(gone.sum())
        self.left_out += int(gone.sum())
        self._show(report, np.flatnonzero(gone), lambda row: (self.shown(row, names), {}))
        self.alive &= ~gone

    def drop_twice(self, rows: Flags, report: Report, names: Sequence[str]) -> None:
        """Leave rows out that say what another row says."""
        gone = rows & self.alive
        report.duplicate += int(gone.sum())
        self.duplicates += int(gone.sum())
        self._show(report, np.flatnonzero(gone), lambda row: (self.shown(row, names), {}))
        self.alive &= ~gone

    def quarantine(self, rows: Flags, code: str, name: str, report: Report) -> None:
        """Set rows aside with the reason and the text it was about."""
        gone = rows & self.alive
        where = np.flatnonzero(gone)
        column = self.column(name)
        for row in where.tolist():
            self.faults[row] = (code, name, column.text(row)[:80])
        report.quarantined += len(where)
        self._show(report, where, lambda row: ({name: column.text(row)}, {}))
        self.alive &= ~gone

    def shown(self, row: int, names: Sequence[str]) -> dict[str, str]:
        """A row's texts in these columns."""
        return {name: self.columns[name].text(row) for name in names if name in self.columns}

    def _show(
        self,
        report: Report,
        rows: Ints,
        say: Callable[[int], tuple[dict[str, str], dict[str, str]]],
    ) -> None:
        """Add examples, each different from the others."""
        seen = {repr((e["before"], e["after"])) for e in report.examples}
        for row in rows[:_LOOKED_AT].tolist():
            if len(report.examples) >= EXAMPLES:
                return
            before, after = say(row)
            if (key := repr((before, after))) not in seen:
                seen.add(key)
                report.examples.append(
                    {"line": int(self.lines[row]), "before": _short(before), "after": _short(after)}
                )


def _short(pairs: dict[str, str]) -> dict[str, str]:
    return {name: text[:200] for name, text in pairs.items()}


def merged(column: Column) -> Column:
    """Equal texts under one code, so that the next rule touches each once."""
    index: dict[str, int] = {}
    codes = [index.setdefault(text, len(index)) for text in column.texts]
    if len(index) == len(column.texts):
        return column
    return Column(np.array(codes, np.int64)[column.codes], list(index))
