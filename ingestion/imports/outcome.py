"""What storing one chunk came to."""

from dataclasses import dataclass, field
from typing import Any

from ingestion.preprocess.faults import Fault


@dataclass(frozen=True)
class Stored:
    """Rows stored, rows that were there already, people touched, and late findings."""

    stored: int = 0
    duplicate: int = 0
    customer_ids: list[int] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)


def conflict(line: int, raw: str, message_id: str) -> Fault:
    """A line whose message number stands for something else already."""
    return Fault(line, raw, "conflict", "message_id", {"value": message_id})


def together(first: Stored, second: Stored) -> Stored:
    """What two parts of one chunk came to."""
    return Stored(
        stored=first.stored + second.stored,
        duplicate=first.duplicate + second.duplicate,
        customer_ids=[*first.customer_ids, *second.customer_ids],
        faults=[*first.faults, *second.faults],
        rules={**first.rules, **second.rules},
    )
