"""A kept line of a file → its columns, as well as they can be told apart."""

import csv
import io
from collections.abc import Mapping
from typing import Any

from ingestion.preprocess import jsonlines


def cells(raw: str, options: Mapping[str, Any]) -> list[str]:
    """The columns of a line; `options` are those of its import."""
    header = options.get("header", [])
    if options.get("format") == "jsonl":
        try:
            value = jsonlines.parse(raw.encode())
        except jsonlines.Broken:
            return [""] * len(header)
        return [jsonlines.pick(value, name) for name in header]
    delimiter = options.get("delimiter", ",")
    is_text = options.get("format", "csv") == "csv"
    try:
        lines = io.StringIO(raw, newline="")
        found = next(csv.reader(lines, delimiter=delimiter if is_text else ","), [])
    except csv.Error:
        found = raw.split(delimiter)
    return found + [""] * (len(header) - len(found))
