"""Receipts of erasures, and a file beside the database from which they can be done again.

A restored backup brings erased people back, and has forgotten the erasures since. The file under
`VAR_DIR/privacy` holds a line for each: when, how, and keyed hashes of the names. Copy it wherever
the backups go, but not into them.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import connection

from ingestion.consent import digest_of
from ingestion.models import Erasure
from marketing.core.personal import Subject

FILE = "erasures.jsonl"


@dataclass(frozen=True)
class Line:
    """One erasure as the file holds it."""

    id: str
    at: datetime
    mode: str
    digests: tuple[str, ...]


def path() -> Path:
    return Path(settings.VAR_DIR) / "privacy" / FILE


def row_of(receipt: Erasure) -> str:
    """The name under which a receipt's sealed names can be opened."""
    return f"ingestion.erasure:{receipt.public_id}"


def digests_of(subject: Subject) -> list[str]:
    """Keyed hashes of each name that is theirs alone; what kind of name it is counts."""
    kinds = {
        "external": subject.external_ids,
        "email": subject.emails,
        "phone": subject.own_phones,
        "device": subject.devices,
    }
    pairs = [(kind, value) for kind, values in kinds.items() for value in values]
    return sorted({digest_of(f"{kind}:{value}").hex() for kind, value in pairs})


def append(receipt: Erasure) -> None:
    """Write one erasure to the file, durably."""
    line = json.dumps(
        {
            "id": str(receipt.public_id),
            "at": receipt.at.isoformat(),
            "mode": receipt.mode,
            "digests": receipt.digests,
        }
    )
    path().parent.mkdir(parents=True, exist_ok=True)
    with path().open("a", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


def holds(receipt: Erasure) -> bool:
    """Whether the file has this erasure."""
    return any(line.id == str(receipt.public_id) for line in lines())


def lines(*, file: Path | None = None) -> Iterator[Line]:
    """The erasures of the file; a last line that a crash cut short is left out."""
    source = file or path()
    if not source.exists():
        return
    for text in source.read_text(encoding="ascii").splitlines():
        try:
            stored = json.loads(text)
        except ValueError:
            continue
        yield Line(
            stored["id"],
            datetime.fromisoformat(stored["at"]),
            stored["mode"],
            tuple(stored["digests"]),
        )


def returned(*, file: Path | None = None) -> list[tuple[int, Line]]:
    """People who are here although they were erased: (our number, the erasure).

    Somebody who came back by themselves was first seen after it, and is left alone.
    """
    known = {line.id: line for line in lines(file=file)}
    for row in Erasure.objects.exclude(replayed=True):
        known.setdefault(
            str(row.public_id), Line(str(row.public_id), row.at, row.mode, tuple(row.digests))
        )
    owners = [(digest, line) for line in known.values() for digest in line.digests]
    if not owners:
        return []
    found: dict[int, Line] = {}
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            "WITH named AS MATERIALIZED ("
            " SELECT customer_id, encode(ingestion_digest(CASE WHEN kind IN"
            "   ('external', 'email', 'phone') THEN kind ELSE 'device' END || ':' || value), 'hex')"
            "   AS digest FROM ingestion_identity WHERE customer_id IS NOT NULL)"
            " SELECT n.customer_id, n.digest, coalesce(m.id, c.id), c.created_at FROM named n"
            " JOIN unnest(%s::text[]) AS e (digest) USING (digest)"
            " JOIN ingestion_customer c ON c.id = n.customer_id"
            " LEFT JOIN ingestion_customer m ON m.id = c.merged_into_id ORDER BY 1",
            [sorted({digest for digest, _line in owners})],
        )
        rows = cursor.fetchall()
        cursor.execute("RESET statement_timeout")
    for _row, digest, number, created_at in rows:
        for owner, line in owners:
            if owner == digest and created_at < line.at:
                found.setdefault(number, line)
    return sorted(found.items(), key=lambda pair: pair[0])


def seal_receipt(receipt: Erasure) -> str:
    """The hash by which a receipt can be told to be unchanged."""
    content = {
        "id": str(receipt.public_id),
        "at": receipt.at.isoformat(),
        "finished_at": receipt.finished_at.isoformat() if receipt.finished_at else None,
        "mode": receipt.mode,
        "by": receipt.actor_label,
        "digests": receipt.digests,
        "counts": receipt.counts,
        "left": receipt.left,
    }
    packed = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(packed.encode()).hexdigest()
