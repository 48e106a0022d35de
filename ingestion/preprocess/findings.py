"""What each rule of cleaning did: rows, examples before and after, summed over batches."""

from collections.abc import Mapping
from typing import Any

EXAMPLES = 5

Report = dict[str, Any]


class Findings:
    """Counts and examples of one batch, kept in the order in which rules first spoke."""

    def __init__(self) -> None:
        self.rules: dict[str, Report] = {}

    def add(self, rule: str, rows: int, examples: list[Report] | None = None, **facts: Any) -> None:
        """`rows` more rows that the rule met; each example is {line, before, after}."""
        if not rows:
            return
        entry = self.rules.setdefault(rule, {"rows": 0, "examples": []})
        entry["rows"] += int(rows)
        entry["examples"] = [*entry["examples"], *(examples or [])][:EXAMPLES]
        entry.update(facts)


def example(line: int, before: Mapping[str, Any], after: Mapping[str, Any]) -> Report:
    """One row before and after a rule, with the number of its line."""
    return {"line": int(line), "before": dict(before), "after": dict(after)}


def merge(total: Report, more: Mapping[str, Report]) -> Report:
    """The findings of a further batch added to those so far: {rule: {rows, examples}}."""
    merged = {name: dict(entry) for name, entry in total.items()}
    for name, entry in more.items():
        so_far = merged.get(name, {"rows": 0, "examples": []})
        merged[name] = {
            **entry,
            "rows": so_far["rows"] + entry["rows"],
            "examples": [*so_far["examples"], *entry["examples"]][:EXAMPLES],
        }
    return merged
