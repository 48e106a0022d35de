"""Rules about numbers: units, currencies, outliers, and filling gaps."""

import bisect
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import numpy as np

from ingestion.preprocess import values
from ingestion.preprocess.recipe import cells, nodes
from ingestion.preprocess.recipe.expressions import Reading
from ingestion.preprocess.recipe.frames import Frame, Report
from ingestion.preprocess.recipe.functions import rounded

_AMOUNT = re.compile(r"\s*([-+−]?[\d.,'\s\u00a0\u202f]*\d)\s*([^\W\d_]{0,10})\.?\s*")
_SPELLED = {"gr": "g", "gram": "g", "grams": "g", "kilo": "kg", "kgs": "kg", "pcs": "piece"}
_SPELLED |= {"pc": "piece", "pieces": "piece", "dz": "dozen", "doz": "dozen", "pairs": "pair"}
_SPELLED |= {
    "lbs": "lb",
    "litre": "l",
    "liter": "l",
    "litres": "l",
    "inch": "in",
    "dozens": "dozen",
}
_PLACES = Decimal(6)


@dataclass(frozen=True)
class Rates:
    """What one unit of a currency was worth in another, by day."""

    table: Mapping[tuple[str, str], tuple[tuple[date, Decimal], ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[Sequence[str]]) -> "Rates":
        """From rows of (currency, into, day, rate) as JSON keeps them."""
        table: dict[tuple[str, str], list[tuple[date, Decimal]]] = {}
        for currency, into, day, rate in rows:
            entry = (date.fromisoformat(day), Decimal(rate))
            table.setdefault((currency, into), []).append(entry)
        return cls({key: tuple(sorted(entries)) for key, entries in table.items()})

    def find(self, currency: str, into: str, day: date | None) -> Decimal | None:
        """The latest rate of that day or before; without a day the latest of all."""
        if currency == into:
            return Decimal(1)
        entries = self.table.get((currency, into), ())
        if day is None:
            return entries[-1][1] if entries else None
        place = bisect.bisect_right(entries, day, key=lambda entry: entry[0])
        return entries[place - 1][1] if place else None


def units(rule: nodes.Units, frame: Frame, reading: Reading) -> Report:
    """Amounts with a unit as plain numbers of one unit: 0.5 kg → 500."""
    group = next(group for group in nodes.UNITS.values() if rule.to in group)
    report = Report()

    def read(text: str) -> tuple[str, bool]:
        found = _AMOUNT.fullmatch(text)
        number = reading.number(found.group(1)) if found else None
        if found is None or number is None:
            return text, False
        name = found.group(2).lower()
        unit = _SPELLED.get(name, name) or rule.usual or rule.to
        if unit not in group:
            return text, False
        made = number * Decimal(group[unit]) / Decimal(group[rule.to])
        kept = rounded(made, _PLACES, ROUND_HALF_EVEN)
        return (text, False) if kept is None else (reading.write(kept), True)

    cells.apply_reader(frame, rule.column, read, rule.otherwise, "unknown_unit", report)
    return report


def convert(rule: nodes.Currency, frame: Frame, reading: Reading, rates: Rates) -> Report:
    """Amounts in one currency, by the rate of the row's day; what they were is kept beside them."""
    report = Report()
    names = (rule.amount, rule.currency, *((rule.date,) if rule.date else ()))
    codes, combinations = frame.combine(names)
    amounts, currencies, unknown, used = [], [], [], []
    for amount, currency, *day in combinations:
        code, fault = values.currency(currency)
        number = reading.number(amount)
        rate = None
        if not fault and number is not None:
            moment = reading.moment(day[0]) if day else None
            if code in ("", rule.to):
                rate = Decimal(1)
            elif not day or moment is not None:
                rate = rates.find(code, rule.to, moment.date() if moment else None)
        unknown.append(rate is None and bool(currency.strip()) and number is not None)
        known = rate is not None and number is not None
        used.append(reading.write(rate) if known and code not in ("", rule.to) else "")
        made = rounded(number * rate, Decimal(4)) if known else None  # type: ignore[operator]
        amounts.append(amount if made is None or rate == 1 else reading.write(made))
        currencies.append(rule.to if known else currency)
    missing = np.array(unknown, bool)[codes] if unknown else np.zeros(frame.rows, bool)
    if rule.otherwise == nodes.QUARANTINE and missing.any():
        frame.quarantine(missing, "no_rate", rule.currency, report)
    for position, name in enumerate((rule.amount, rule.currency)):
        originals = [combination[position] for combination in combinations]
        frame.make(f"original_{name}", codes, originals, Report())
    frame.make(f"rate_{rule.amount}", codes, used, Report())
    frame.replace(rule.amount, codes, amounts, report)
    told = Report()
    frame.replace(rule.currency, codes, currencies, told)
    report.rows = max(report.rows, told.rows)
    for shown in report.examples:
        row = int(np.searchsorted(frame.lines, shown["line"]))
        if shown["after"]:
            shown["before"][rule.currency] = frame.column(f"original_{rule.currency}").text(row)
            shown["after"][rule.currency] = frame.column(rule.currency).text(row)
    return report


def outliers(
    rule: nodes.Outliers, frame: Frame, reading: Reading, limits: Mapping[str, str] | None
) -> Report:
    """Numbers outside of what is usual: flagged, moved to the limit, or set aside."""
    report = Report()
    if not limits:
        report.note = "too_few"
        return report
    low, high = Decimal(limits["low"]), Decimal(limits["high"])
    report.note = f"{low:f} … {high:f}"
    column = frame.column(rule.column)
    numbers = [reading.number(text) for text in column.texts]
    out = [number is not None and not low <= number <= high for number in numbers]
    far = np.array(out, bool)[column.codes] if out else np.zeros(frame.rows, bool)
    if rule.action == nodes.QUARANTINE:
        frame.quarantine(far, "outlier", rule.column, report)
    elif rule.action == "clip":
        clipped = [
            reading.write(min(max(number, low), high)) if wrong and number is not None else text
            for text, number, wrong in zip(column.texts, numbers, out, strict=True)
        ]
        frame.replace(rule.column, column.codes, clipped, report)
    else:
        name = f"{rule.column}_outlier"
        frame.columns.setdefault(name, frame.column(""))
        frame.replace(name, column.codes, ["yes" if wrong else "" for wrong in out], report)
        for shown in report.examples:
            row = int(np.searchsorted(frame.lines, shown["line"]))
            shown["before"] = {rule.column: column.text(row)}
    return report


def impute(rule: nodes.Impute, frame: Frame, known: Mapping[str, Any] | None) -> Report:
    """Fill gaps with what is usual, of the same group where there is one; every gap is counted."""
    report = Report()
    known = {"": rule.value} if rule.method == "constant" else known or {}
    usual = known.get("", "")
    if not usual:
        report.note = "too_few"
    names = (rule.column, *((rule.group,) if rule.group else ()))
    codes, combinations = frame.combine(names)
    texts = [
        text if text.strip() else str(known.get("=" + group[0], usual) if group else usual)
        for text, *group in combinations
    ]
    frame.replace(rule.column, codes, texts, report)
    return report
