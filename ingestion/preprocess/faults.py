"""How reading says no: a whole file that cannot be read, or one line that cannot be kept."""

import dataclasses
from dataclasses import dataclass
from typing import Any

RAW_LIMIT = 10_000  # characters of a broken line that are kept


class Unreadable(Exception):
    """The file as a whole cannot be imported. `code` and `facts` are put into words elsewhere."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts


@dataclass(frozen=True)
class Fault:
    """One line that cannot be kept: its number in the file (from 1), its text, and why."""

    line: int
    raw: str
    code: str
    field: str = ""
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)


def show(raw: bytes) -> str:
    """A broken line as text for people and PostgreSQL: undecodable bytes and NUL made visible."""
    text = raw[: RAW_LIMIT * 4].decode("utf-8", "backslashreplace")[:RAW_LIMIT]
    return text.replace("\0", "\\x00").rstrip("\n")
