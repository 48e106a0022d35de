"""How one file is to be read, as the options of its import say. Light: pages use it, too."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Shape:
    """How one file is to be read."""

    format: str = "csv"
    encoding: str = "utf-8"
    delimiter: str = ","
    has_header: bool = True
    header: list[str] = field(default_factory=list)
    member: str = ""
    sheet: str = ""
    trusted: bool = False  # packed by ourselves: not held to be a bomb for being dull

    @property
    def width(self) -> int:
        return len(self.header)


def shape_of(options: Mapping[str, Any], *, trusted: bool = False) -> Shape:
    """The options of an import as a shape."""
    return Shape(
        format=options.get("format", "csv"),
        encoding=options["encoding"],
        delimiter=options["delimiter"],
        has_header=bool(options["has_header"]),
        header=list(options["header"]),
        member=options.get("member", ""),
        sheet=options.get("sheet", ""),
        trusted=trusted,
    )
