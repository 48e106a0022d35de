"""Posts and articles about the business, each kept once per source."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from ingestion.models import Source

_TEXT_LIMIT = 20_000


@dataclass(frozen=True)
class Found:
    """A mention as it came. `external_id` is the other side's name for it."""

    external_id: str
    published_at: datetime
    author: str = ""
    title: str = ""
    text: str = ""
    url: str = ""
    language: str = ""


def name_of(external_id: str) -> str:
    """An id that fits its column; one too long is replaced by its digest."""
    if len(external_id) <= 200:
        return external_id
    return "sha256:" + hashlib.sha256(external_id.encode()).hexdigest()


_INSERT = """
INSERT INTO ingestion_mention
    (source_id, external_id, author, title, text, url, language, published_at, received_at)
SELECT %(source)s, given.*, %(now)s
FROM unnest(%(ids)s::text[], %(authors)s::text[], %(titles)s::text[], %(texts)s::text[],
    %(urls)s::text[], %(languages)s::text[], %(moments)s::timestamptz[])
    AS given (external_id, author, title, text, url, language, published_at)
ON CONFLICT (source_id, external_id) DO NOTHING
RETURNING external_id
"""


def store(*, found: Sequence[Found], source: Source, now: datetime) -> list[bool]:
    """Keep new mentions; for each that came, whether it was new. One statement for all."""
    first: dict[str, Found] = {}
    for item in found:
        first.setdefault(name_of(item.external_id), item)
    if not first:
        return []
    items = list(first.values())
    with connection.cursor() as cursor:
        cursor.execute(
            _INSERT,
            {
                "source": source.pk,
                "now": now,
                "ids": list(first),
                "authors": [item.author[:200] for item in items],
                "titles": [item.title[:300] for item in items],
                "texts": [item.text[:_TEXT_LIMIT] for item in items],
                "urls": [item.url[:1000] for item in items],
                "languages": [item.language[:10] for item in items],
                "moments": [min(item.published_at, now) for item in items],
            },
        )
        new = {row[0] for row in cursor.fetchall()}
    told = []
    for item in found:
        name = name_of(item.external_id)
        told.append(name in new)
        new.discard(name)  # the same one twice in a batch is new once
    return told
