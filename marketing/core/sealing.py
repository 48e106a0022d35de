"""The chain over the audit trail: whoever changes, adds or removes an entry behind it is found out.

Entries are not sealed as they are written, which would make every deed wait for the one before:
a task takes what is new into the chain every half minute. Each link digests its entry and the link
before it with a key that the database does not hold (Schneier and Kelsey, "Secure audit logs to
support computer forensics", 1999, without their evolving keys). Whoever holds the database and the
key can write another chain; its head, kept elsewhere, tells even that.
"""

import hashlib
import hmac
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _

from marketing.core import audit
from marketing.core.models import AuditCheck, AuditEntry, AuditSeal

logger = logging.getLogger(__name__)

LOCK = 7_368_422  # any number, the same for every worker of an installation
BATCH = 2_000
START = bytes(32)
# No transaction lasts longer, so whatever is older and not in the chain was put there past it.
_LATEST = timedelta(days=1)
_SETTLED = timedelta(minutes=10)
_FIELDS = "e.id, e.at, e.actor_label, e.action, e.object_type, e.object_id"
_TEXTS = "e.object_label, e.detail::text, e.erased_at"


@dataclass
class Found:
    """What a look over the trail found. `fault` is empty, or one of FAULTS for `entry`."""

    since: datetime | None = None
    until: datetime | None = None
    links: int = 0
    waiting: int = 0
    erased: int = 0
    let_go: int = 0
    head: str = ""
    fault: str = ""
    entry: int | None = None


def explain(fault: str, entry: int | None) -> str:
    """A fault in words; empty for none."""
    told = {
        "gap": _("Links of the chain before entry %(entry)s are missing."),
        "link": _("The link of entry %(entry)s was changed."),
        "key": _(
            "Entry %(entry)s was sealed with a key that is not here. Name the SECRET_KEY of that "
            "time in SECRET_KEY_FALLBACKS, or its AUDIT_KEY."
        ),
        "gone": _("Entry %(entry)s was removed."),
        "changed": _("Entry %(entry)s was changed."),
        "added": _("Entry %(entry)s was added behind the chain, or with another time."),
        "head": _(
            "The chain does not lead to the head that was kept: its end was cut or rewritten."
        ),
    }
    return told[fault] % {"entry": entry} if fault else ""


# --- digests -----------------------------------------------------------------------------------


def _keys() -> dict[str, bytes]:
    """Every key by its name, the present one first."""
    return {hashlib.sha256(key).hexdigest()[:8]: key for key in settings.AUDIT_KEYS}


def _digest(key: bytes, *parts: Any) -> bytes:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hmac.digest(key, text.encode(), "sha256")


def _deed(key: bytes, entry: tuple[Any, ...]) -> bytes:
    number, at, *words = entry
    return _digest(key, number, _moment(at), *words)


def _told(key: bytes, label: str, detail: str) -> bytes:
    # jsonb has one order of keys and one way of writing each value, whoever reads it.
    return _digest(key, label, detail)


def _link(
    key: bytes, before: bytes, n: int, entry: int, at: datetime, erased_at: datetime | None,
    deed: bytes, told: bytes,
) -> bytes:  # fmt: skip
    erased = _moment(erased_at) if erased_at else ""
    return _digest(key, before.hex(), n, entry, _moment(at), erased, deed.hex(), told.hex())


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


# --- sealing -----------------------------------------------------------------------------------


def seal() -> int:
    """Take every entry that is new, or was erased from, into the chain; how many."""
    done = 0
    while True:
        with transaction.atomic():
            added = _seal_batch()
        done += added
        if added < BATCH:
            if done:
                # A collector of logs that keeps it elsewhere holds the proof against a new chain.
                logger.info("audit trail sealed, head %s", head())
            return done


def _seal_batch() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute("SELECT n, chain FROM core_auditseal ORDER BY n DESC LIMIT 1")
        n, chain = cursor.fetchone() or (0, START)
        cursor.execute(
            f"""
            WITH newest AS (
                SELECT coalesce((SELECT least(at, clock_timestamp()) FROM core_auditseal
                    WHERE erased_at IS NULL ORDER BY n DESC LIMIT 1), '-infinity') AS at)
            SELECT {_FIELDS}, {_TEXTS} FROM core_auditentry e, newest
            WHERE (e.at >= newest.at - make_interval(secs => %s) OR e.erased_at IS NOT NULL)
            AND NOT EXISTS (
                SELECT FROM core_auditseal s WHERE s.entry = e.id
                AND s.erased_at IS NOT DISTINCT FROM e.erased_at)
            ORDER BY e.id LIMIT {BATCH}
            """,
            [_LATEST.total_seconds()],
        )
        rows = cursor.fetchall()
        cursor.execute("SELECT clock_timestamp()")
        sealed_at = cursor.fetchone()[0]
    name, key = next(iter(_keys().items()))
    chain, links = bytes(chain), []
    for row in rows:
        entry, (label, detail, erased_at) = row[:6], row[6:]
        n += 1
        deed, told = _deed(key, entry), _told(key, label, detail)
        chain = _link(key, chain, n, row[0], row[1], erased_at, deed, told)
        links.append(
            AuditSeal(
                n=n, entry=row[0], at=row[1], deed=deed, told=told, chain=chain, key=name,
                erased_at=erased_at, sealed_at=sealed_at,
            )
        )  # fmt: skip
    AuditSeal.objects.bulk_create(links)
    return len(links)


def head() -> str:
    """The end of the chain as `number:digest`, to be kept elsewhere; empty before the first."""
    last = AuditSeal.objects.order_by("-n").only("n", "chain").first()
    return f"{last.n}:{bytes(last.chain).hex()}" if last else ""


# --- looking over it ---------------------------------------------------------------------------


def verify(*, head: str = "") -> Found:
    """Read the whole trail against its chain, up to the first fault.

    `head` is one that was kept: then the chain must still lead through it.
    """
    found = Found()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            border = _let_go_before(cursor)
        fault = _walk(found, border, head)
        if not fault:
            fault = _left_over(found)
    found.fault, found.entry = fault or ("", None)
    return found


def _let_go_before(cursor: Any) -> datetime | None:
    """Up to when retention removed entries."""
    cursor.execute(
        "SELECT max((detail->>'before')::timestamptz) FROM core_auditentry"
        " WHERE action = %s AND actor_id IS NULL",
        [audit.LET_GO],
    )
    before: datetime | None = cursor.fetchone()[0]
    return before


def _links() -> Iterator[tuple[Any, ...]]:
    with connection.chunked_cursor() as cursor:
        cursor.execute(
            f"""
            SELECT s.n, s.entry, s.at, s.erased_at, s.deed, s.told, s.chain, s.key, s.sealed_at,
                NOT EXISTS (SELECT FROM core_auditseal l WHERE l.entry = s.entry AND l.n > s.n),
                {_FIELDS}, {_TEXTS}
            FROM core_auditseal s LEFT JOIN core_auditentry e ON e.id = s.entry ORDER BY s.n
            """
        )
        while rows := cursor.fetchmany(2_000):
            yield from rows


@dataclass
class _Head:
    """A head that was kept, and whether the chain led through it."""

    text: str
    met: bool = field(default=False)

    def meet(self, n: int, chain: bytes) -> None:
        self.met = self.met or self.text == f"{n}:{chain.hex()}"


def _walk(found: Found, border: datetime | None, kept: str) -> tuple[str, int | None] | None:
    keys, chain, wanted = _keys(), START, _Head(kept.strip().lower())
    for row in _links():
        n, entry, at, erased_at = row[:4]
        deed, told, link = (bytes(part) for part in row[4:7])
        key = keys.get(row[7])
        if n != found.links + 1:
            return "gap", entry
        if key is None:
            return "key", entry
        chain = _link(key, chain, n, entry, at, erased_at, deed, told)
        if not hmac.compare_digest(chain, link):
            return "link", entry
        found.links, found.until = n, row[8]
        found.since = min(filter(None, (found.since, at)))
        wanted.meet(n, chain)
        if row[10] is None:
            if border is None or at >= border:
                return "gone", entry
            found.let_go += row[9]
            continue
        label, detail, erased_now = row[16:19]
        found.erased += bool(row[9] and erased_now)
        texts_stand = not row[9] or erased_now != erased_at or told == _told(key, label, detail)
        if deed != _deed(key, row[10:16]) or not texts_stand or (erased_at and not erased_now):
            return "changed", entry
    found.head = f"{found.links}:{chain.hex()}" if found.links else ""
    return None if wanted.met or not kept else ("head", None)


def _left_over(found: Found) -> tuple[str, int] | None:
    """An entry that no link covers though the chain is past it; counts those that wait."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), min(e.id) FILTER (WHERE e.at < %s) FROM core_auditentry e"
            " WHERE NOT EXISTS (SELECT FROM core_auditseal s WHERE s.entry = e.id)",
            [found.until - _SETTLED if found.until else datetime(1970, 1, 1, tzinfo=UTC)],
        )
        found.waiting, added = cursor.fetchone()
    return ("added", added) if added else None


def check(*, now: datetime) -> Found:
    """Look over the trail and keep what was found, for the page of the trail."""
    seal()
    found = verify()
    AuditCheck.objects.update_or_create(
        id=1,
        defaults={
            "at": now, "since": found.since, "links": found.links, "waiting": found.waiting,
            "erased": found.erased, "let_go": found.let_go, "head": found.head,
            "fault": found.fault, "fault_entry": found.entry,
        },
    )  # fmt: skip
    if found.fault:
        logger.error("audit trail: %s", explain(found.fault, found.entry))
    return found


def entries_of(*, action: str = "", actor: str = "", text: str = "") -> Any:
    """Entries by the beginning of their action, who did it, and what it was done to."""
    rows = AuditEntry.objects.all()
    if action:
        rows = rows.filter(action__startswith=action)
    if actor:
        rows = rows.filter(actor_label__icontains=actor)
    return rows.filter(object_label__icontains=text) if text else rows
