"""The newest that was said about each thing. What comes late or twice changes nothing.

Of two sayings the later one counts; of two at one moment the one of higher rank, then the one whose
content sorts higher, so that any order of arrival ends the same. What is gone stays gone until its
shop says that it is back; as neither of the two comes with its moment, the one that came later
counts. A refund does not change, so of it the first moment is kept.
"""

import hashlib
from typing import Any

import orjson
from django.db import connection

from ingestion.models import WebhookThing
from ingestion.webhooks.said import PRODUCT, Said

_KEEP = """
INSERT INTO ingestion_webhookthing AS t (source_id, kind, external_id, parent, changed_at, rank,
    digest, gone, body, names)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s::varchar[])
ON CONFLICT (source_id, kind, external_id) DO UPDATE SET
    parent = coalesce(nullif(excluded.parent, ''), t.parent),
    changed_at = CASE WHEN t.kind = 'refund' THEN least(t.changed_at, excluded.changed_at)
                      ELSE excluded.changed_at END,
    rank = excluded.rank, digest = excluded.digest, gone = excluded.gone,
    body = CASE WHEN excluded.gone THEN t.body ELSE excluded.body END,
    names = coalesce((SELECT array_agg(DISTINCT n)
        FROM unnest(t.names || excluded.names) n), '{}')
WHERE CASE WHEN t.gone THEN %s >= t.changed_at
    WHEN excluded.gone THEN true
    WHEN t.kind = 'refund' THEN excluded.changed_at < t.changed_at
        OR (excluded.rank, excluded.digest) > (t.rank, t.digest)
    ELSE (excluded.changed_at, excluded.rank, excluded.digest) > (t.changed_at, t.rank, t.digest)
    END
RETURNING id
"""


def keep(*, source_id: int, said: Said) -> bool:
    """Keep what was said if it is newer than what is kept; whether it was."""
    body = orjson.dumps(said.body, option=orjson.OPT_SORT_KEYS)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(7322, hashtext(%s))", [_lock(source_id, said)])
        cursor.execute(
            _KEEP,
            [
                source_id,
                said.kind,
                said.external_id,
                said.parent,
                said.changed_at,
                said.rank,
                hashlib.sha256(body).hexdigest(),
                said.gone,
                body.decode(),
                sorted(set(said.names)),
                said.back_at,
            ],
        )
        newer = cursor.fetchone() is not None
        if said.kind == PRODUCT and not said.gone:
            _remember_codes(cursor, source_id, said)
    return newer


def _lock(source_id: int, said: Said) -> str:
    return f"{source_id}:{said.parent or said.external_id}"


def _remember_codes(cursor: Any, source_id: int, said: Said) -> None:
    """Codes that a product ever had: those it has no longer are not on sale."""
    cursor.execute(
        "UPDATE ingestion_webhookthing SET names = coalesce((SELECT array_agg(DISTINCT n)"
        " FROM unnest(names || %s::varchar[]) n), '{}')"
        " WHERE source_id = %s AND kind = %s AND external_id = %s",
        [[item["sku"] for item in said.body["items"]], source_id, PRODUCT, said.external_id],
    )


def of_order(*, source_id: int, external_id: str) -> tuple[WebhookThing | None, list[WebhookThing]]:
    """The order as it was said last, and its refunds in the order of their numbers."""
    rows = WebhookThing.objects.filter(source_id=source_id)
    order = rows.filter(kind="order", external_id=external_id).first()
    return order, list(rows.filter(kind="refund", parent=external_id).order_by("external_id"))
