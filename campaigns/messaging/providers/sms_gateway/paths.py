"""The way to a value in what a gateway says: names and numbers with dots between them."""

from typing import Any


def at(value: Any, path: str) -> Any:
    """What stands there; None where nothing does."""
    for name in path.split("."):
        if isinstance(value, list) and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return value
