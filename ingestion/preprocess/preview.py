"""The first rows as they will be stored: the readers of the import, one text at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from ingestion import schemas
from ingestion.preprocess import codes, countries, properties, titles, values


@dataclass(frozen=True)
class Cell:
    """What a text becomes. `fault` is a code when the row would be set aside for it."""

    raw: str
    shown: str
    fault: str = ""

    @property
    def changed(self) -> bool:
        return not self.fault and self.shown != self.raw


def rows(
    kind: str,
    raw: Sequence[Sequence[str]],
    mapping: Mapping[str, int],
    options: Mapping[str, Any],
) -> list[list[Cell]]:
    """Each row as the cells of its mapped fields in their order, then of its properties."""
    fields = [f for f in schemas.KINDS[kind] if f.name in mapping]
    fields += [schemas.Field(n, "property") for n in mapping if properties.may_be(kind, n)]
    return [
        [
            _cell(f, row[mapping[f.name]] if mapping[f.name] < len(row) else "", options)
            for f in fields
        ]
        for row in raw
    ]


def _cell(field: schemas.Field, raw: str, options: Mapping[str, Any]) -> Cell:
    text = raw.strip()
    if not text:
        return Cell(raw, "", "missing" if field.required else "")
    shown, fault = _read(field, text, options)
    return Cell(raw, shown, fault)


def _read(field: schemas.Field, text: str, options: Mapping[str, Any]) -> tuple[str, str]:
    kind = field.kind
    zone = values.zone(str(options.get("timezone", "UTC"))) or ZoneInfo("UTC")
    if kind == "property":
        name = properties.name_of(field.name) or ""
        # One that is not of its kind is left empty, and the row goes in.
        found, _fault = properties.read(
            text,
            options.get("property_kinds", {}).get(name, properties.TEXT),
            decimal=str(options.get("decimal", ".")),
            date_style=str(options.get("date_style", "iso")),
            zone=zone,
        )
        return "" if found is None else str(found), ""
    if kind == "moment":
        moment, fault = values.moment(text, str(options.get("date_style", "iso")), zone)
        return (f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""), fault
    if kind == "decimal":
        price, fault = values.price(text, str(options.get("decimal", ".")))
        return (f"{price / 10_000:.4f}".rstrip("0").rstrip("."), "") if not fault else ("", fault)
    if kind == "integer":
        number, fault = values.integer(text, str(options.get("decimal", ".")))
        return ("" if fault else str(number)), fault
    if kind == "flag":
        answer, fault = values.flag(text)
        return {True: "yes", False: "no", None: ""}[answer], fault
    if kind == "country":
        return countries.code(text) or "", ""
    if kind == "sku":
        return codes.unify(text), ""
    readers = {
        "email": values.email,
        "phone": values.phone,
        "currency": values.currency,
        "json": values.json_object,
    }
    if kind in readers:
        told, fault = readers[kind](text)
        return str(told), fault
    return titles.tidy(text)[: field.limit], ""
