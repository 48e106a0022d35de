"""Rules that look at several columns, or at whole rows."""

import numpy as np

from ingestion.preprocess.recipe import expressions, nodes
from ingestion.preprocess.recipe.expressions import Reading
from ingestion.preprocess.recipe.frames import Frame, Report
from ingestion.preprocess.texts import Ints


def derive(rule: nodes.Derive, frame: Frame, reading: Reading) -> Report:
    """A column from an expression over others."""
    report = Report()
    names = expressions.names_of(rule.node)
    codes, combinations = frame.combine(names)
    evaluate = expressions.compile_(rule.node, names, reading)
    texts = [reading.write(evaluate(row)) for row in combinations]
    if rule.column not in frame.columns:
        frame.columns[rule.column] = frame.column("")
    frame.replace(rule.column, codes, texts, report)
    if report.examples and names:
        _beside(report, frame, names)
    return report


def _beside(report: Report, frame: Frame, names: tuple[str, ...]) -> None:
    """Let examples show what the new text was made of."""
    for shown in report.examples:
        before = frame.shown(int(np.searchsorted(frame.lines, shown["line"])), names)
        shown["before"] = {name: text[:200] for name, text in before.items()} | shown["before"]


def drop_rows(rule: nodes.DropRows, frame: Frame, reading: Reading) -> Report:
    """Leave out the rows for which the test says yes."""
    report = Report()
    names = expressions.names_of(rule.node)
    codes, combinations = frame.combine(names)
    test = expressions.compile_(rule.node, names, reading)
    met = np.array([test(row) is True for row in combinations], bool)
    if met.any():
        frame.drop(met[codes], report, names)
    return report


def drop_columns(rule: nodes.DropColumns, frame: Frame) -> Report:
    """Take columns out; a field that was filled from one is empty from here on."""
    report = Report()
    for name in rule.columns:
        column = frame.columns.pop(name, None)
        if column is not None and len(column.texts):
            filled = np.array([bool(text) for text in column.texts], bool)[column.codes]
            report.rows += int((filled & frame.alive).sum())
    return report


def split(rule: nodes.Split, frame: Frame) -> Report:
    """One text into several columns; the last takes what is left."""
    report = Report()
    column = frame.column(rule.column)
    pieces = [text.split(rule.separator, len(rule.into) - 1) for text in column.texts]
    for index, name in enumerate(rule.into):
        texts = [part[index].strip() if index < len(part) else "" for part in pieces]
        if name not in frame.columns:
            frame.columns[name] = frame.column("")
        part_report = Report()
        frame.replace(name, column.codes, texts, part_report)
        if index == 0:
            report = part_report
            if rule.column != name:
                _beside(report, frame, (rule.column,))
    return report


def rename(rule: nodes.Rename, frame: Frame) -> Report:
    """A column under another name; the old name is gone."""
    report = Report()
    column = frame.columns.pop(rule.column, None)
    if column is not None:
        frame.columns[rule.to] = column
        report.rows = int(frame.alive.sum())
    return report


def fill(rule: nodes.Fill, frame: Frame) -> Report:
    """Empty texts from another column of the same row, or with one text for all."""
    report = Report()
    if not rule.other:
        column = frame.column(rule.column)
        texts = [text if text.strip() else rule.value for text in column.texts]
        frame.replace(rule.column, column.codes, texts, report)
        return report
    codes, pairs = frame.combine((rule.column, rule.other))
    texts = [text if text.strip() else (other or rule.value) for text, other in pairs]
    frame.replace(rule.column, codes, texts, report)
    return report


def deduplicate(rule: nodes.Deduplicate, frame: Frame, twice: Ints | None) -> Report:
    """Leave out rows whose fields equal those of another row of the file.

    `twice` holds the lines to leave out, known from the whole file; without a file only the rows
    at hand are compared.
    """
    report = Report()
    if twice is not None:
        frame.drop_twice(np.isin(frame.lines, twice), report, rule.columns)
        return report
    codes, _ = frame.combine(rule.columns)
    rows = np.flatnonzero(frame.alive)
    order = rows if rule.keep == "first" else rows[::-1]
    _, first = np.unique(codes[order], return_index=True)
    again = np.ones(frame.rows, bool)
    again[order[first]] = False
    frame.drop_twice(again, report, rule.columns)
    return report
