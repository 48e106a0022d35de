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
