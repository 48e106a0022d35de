"""What was taken in a day beside what is there in the end: nothing may be lost, nothing twice."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marketing.soak.shop import FILES, ORDERS

Ask = Callable[..., list[tuple[Any, ...]]]
_EVENTS = "SELECT count(*) FROM ingestion_event WHERE message_id LIKE %s AND (source = 'API') = %s"
_ORDERS = """
    SELECT count(*) FROM ingestion_order o JOIN ingestion_source s ON s.id = o.source_id
    WHERE o.external_id LIKE %s AND s.name = %s"""
_SENT = "SELECT count(*) FROM campaigns_message WHERE state = 'sent' AND channel = 'email'"
_OPENED = "SELECT count(*) FROM campaigns_message WHERE opened_at IS NOT NULL"
_UNENDED = """
    SELECT count(*) FROM campaigns_message WHERE state IN ('queued', 'sending', 'unknown')"""


@dataclass(frozen=True)
class Pair:
    """How many were taken or made, and how many are there."""

    what: str
    taken: int
    there: int

    @property
    def apart(self) -> int:
        """By how many they differ."""
        return abs(self.taken - self.there)


@dataclass(frozen=True)
class Stand:
    """Messages sent, mails that arrived, messages opened and without an end, at some moment."""

    sent: int
    arrived: int
    opened: int
    unended: int


def stand(ask: Ask, mails: Path) -> Stand:
    """How it stands now."""
    arrived = sum(1 for _mail in mails.iterdir()) if mails.exists() else 0
    sent, opened, unended = (int(ask(sql)[0][0]) for sql in (_SENT, _OPENED, _UNENDED))
    return Stand(sent, arrived, opened, unended)


def pairs(*, mark: str, taken: Counter[str], ask: Ask, before: Stand, after: Stand) -> list[Pair]:
    """Each thing that was taken, beside the rows (or mails) that came of it."""

    def rows(sql: str, *given: object) -> int:
        return int(ask(sql, (f"{mark}-%", *given))[0][0])

    return [
        Pair("web events", taken["web events"], rows(_EVENTS, False)),
        Pair("API events", taken["API events"], rows(_EVENTS, True)),
        Pair("orders", taken["orders"], rows(_ORDERS, ORDERS)),
        Pair("orders in files", taken["orders in files"], rows(_ORDERS, FILES)),
        Pair("mails", after.sent - before.sent, after.arrived - before.arrived),
        Pair("mails opened", taken["mails opened"], after.opened - before.opened),
        Pair("messages without an end", before.unended, after.unended),
    ]
