"""The demo's main job, driven from rows."""

from datetime import datetime


def advance(*, now: datetime) -> None:
    """Start the next step when the one before it is done."""
