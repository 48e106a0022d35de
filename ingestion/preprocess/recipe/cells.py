"""Rules that look at one text at a time. Each distinct text is touched once."""

import re
from collections.abc import Callable
from datetime import UTC
from functools import lru_cache, partial

import numpy as np
import phonenumbers

from ingestion.preprocess import countries, values
from ingestion.preprocess.recipe import nodes
from ingestion.preprocess.recipe.frames import Frame, Report
from ingestion.preprocess.recipe.functions import title

_SPACES = re.compile(r"[\s\u00a0\u202f\u200b]+")
Reader = Callable[[str], tuple[str, bool]]  # the new text, and whether the old could be read


def collapse(text: str) -> str:
    """Runs of spaces as one; spaces that cannot be seen go."""
    return _SPACES.sub(" ", text.replace("\u200b", "")).strip()


def email(text: str) -> tuple[str, bool]:
    """An address in the form in which addresses are compared."""
    found, fault = values.email(text)
    return found, not fault


@lru_cache(maxsize=65_536)
def phone(text: str, country: str) -> tuple[str, bool]:
    """A number in E.164; one without a country prefix is taken for a number of `country`."""
    if not text.strip():
        return "", True
    try:
        found = phonenumbers.parse(text.strip()[:60], country)
    except phonenumbers.NumberParseException:
        return "", False
    if not phonenumbers.is_possible_number(found):
        return "", False
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164), True


def country(text: str) -> tuple[str, bool]:
    """A country's two-letter code."""
    found = countries.code(text)
    return found or "", found is not None


def date(text: str, rule: nodes.Date) -> tuple[str, bool]:
    """A moment in UTC, written so that it reads the same whatever form the file uses."""
    if not text.strip():
        return "", True
    zone = values.zone(rule.zone)
    found, fault = values.moment(text, rule.style, zone or UTC)
    if found is None or fault:
        return "", False
    return found.isoformat(timespec="seconds").replace("+00:00", "Z"), True


def _lookup(text: str, table: dict[str, str]) -> tuple[str, bool]:
    found = table.get(text.strip())
    if found is None:
        found = table.get(text.strip().casefold())
    return (text, False) if found is None else (found, True)


def map_reader(rule: nodes.Map) -> Reader:
    """A table of texts; capitals make no difference where the exact text is not in it."""
    table = {old.casefold(): new for old, new in rule.table} | dict(rule.table)
    return partial(_lookup, table=table)


_CHANGES: dict[type[nodes.Rule], Callable[[nodes.Rule], Callable[[str], str]]] = {
    nodes.Trim: lambda rule: str.strip,
    nodes.Collapse: lambda rule: collapse,
    nodes.Case: lambda rule: {"lower": str.lower, "upper": str.upper, "title": title}[rule.to],  # type: ignore[attr-defined]
}


def change(rule: nodes.Rule, frame: Frame) -> Report:
    """Trim, collapse spaces, change case."""
    report = Report()
    rewrite = _CHANGES[type(rule)](rule)
    for name in rule.columns:  # type: ignore[attr-defined]
        column = frame.column(name)
        frame.replace(name, column.codes, [rewrite(text) for text in column.texts], report)
    return report


def reader_of(rule: nodes.Rule) -> Reader:
    """How a rule reads one text."""
    match rule:
        case nodes.Email():
            return email
        case nodes.Phone():
            return partial(phone, country=rule.country)
        case nodes.Country():
            return country
        case nodes.Date():
            return partial(date, rule=rule)
        case nodes.Map():
            return map_reader(rule)
    raise TypeError(type(rule).__name__)


FAULTS = {
    nodes.Email: "bad_email",
    nodes.Phone: "bad_phone",
    nodes.Country: "unknown_country",
    nodes.Date: "not_a_date",
    nodes.Map: "not_in_table",
}


def normalise(rule: nodes.Rule, frame: Frame) -> Report:
    """Read each text as what it should be; what cannot be read is kept, emptied or set aside."""
    report = Report()
    reader = reader_of(rule)
    names = (rule.column,) if isinstance(rule, nodes.Map) else rule.columns  # type: ignore[attr-defined]
    for name in names:
        apply_reader(frame, name, reader, rule.otherwise, FAULTS[type(rule)], report)  # type: ignore[attr-defined]
    return report


def apply_reader(
    frame: Frame, name: str, reader: Reader, otherwise: str, fault: str, report: Report
) -> None:
    """One column through one reader."""
    column = frame.column(name)
    new, bad = [], []
    for text in column.texts:
        read, right = reader(text)
        # An empty text is no fault of the text: it is missing, and other rules see to that.
        wrong = not right and bool(text.strip())
        bad.append(wrong and otherwise == nodes.QUARANTINE)
        new.append(read if right else "" if wrong and otherwise == nodes.EMPTY else text)
    if any(bad):
        frame.quarantine(np.array(bad, bool)[column.codes], fault, name, report)
    frame.replace(name, column.codes, new, report)
