"""What people said, when, and which of it counts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from ingestion.consent.words import (
    CHANNELS,
    IMPLIED,
    PURPOSES,
    SAID,
    UNDATED,
)
from ingestion.identity import profile
from ingestion.models import Purpose
from marketing.core.errors import Invalid

_PURPOSES_FOR_SECONDS = 5.0
_purposes: tuple[float, frozenset[str]] = (0.0, frozenset())


@dataclass(frozen=True)
class Answer:
    """What one person said, when, and how we know.

    `dated` is false for a yes whose moment nobody knows: it never undoes a no. `expires_at` ends a
    yes by itself; a yes by the method "implied" yields to anything the person said.
    """

    customer_id: int
    granted: bool
    at: datetime
    proof: dict[str, Any] = field(default_factory=dict)
    method: str = ""
    dated: bool = True
    expires_at: datetime | None = None
    text_id: int | None = None

    @property
    def weight(self) -> int:
        if not self.granted:
            return SAID
        if self.method == "implied":
            return IMPLIED
        return SAID if self.dated else UNDATED


def grant(
    *,
    customer_ids: Sequence[int],
    channel: str = "email",
    purpose: str = "marketing",
    source: str,
    proof: dict[str, Any],
    method: str = "",
    expires_at: datetime | None = None,
    text_id: int | None = None,
    now: datetime,
) -> int:
    """Record that these people agreed; how many answers changed. Proof says how and where."""
    if not proof:
        raise Invalid(
            _("Consent needs proof: when and how the person agreed."), code="proof_missing"
        )
    answers = [
        Answer(i, True, now, proof, method, expires_at=expires_at, text_id=text_id)
        for i in customer_ids
    ]
    return len(record(answers=answers, channel=channel, purpose=purpose, source=source, now=now))


def revoke(
    *,
    customer_ids: Sequence[int],
    channel: str = "email",
    purpose: str = "marketing",
    source: str,
    proof: dict[str, Any] | None = None,
    method: str = "",
    now: datetime,
) -> int:
    """Record that these people said no; how many answers changed."""
    answers = [Answer(i, False, now, proof or {}, method) for i in customer_ids]
    return len(record(answers=answers, channel=channel, purpose=purpose, source=source, now=now))


def is_purpose(slug: str) -> bool:
    """Whether people can be asked for this purpose. Own purposes are read every few seconds."""
    global _purposes
    if slug in PURPOSES:
        return True
    if time.monotonic() - _purposes[0] > _PURPOSES_FOR_SECONDS or slug not in _purposes[1]:
        known = frozenset(Purpose.objects.values_list("slug", flat=True))
        _purposes = (time.monotonic(), known)
    return slug in _purposes[1]


# What a long job stores about somebody merged since it began came after that merge.
_INSERT = """
    INSERT INTO ingestion_consent (customer_id, channel, purpose, granted, at, received_at,
        expires_at, method, weight, text_id, source, proof, current)
    SELECT DISTINCT ON (n.customer_id, n.granted, n.weight, n.at, n.expires_at)
        n.customer_id, %(channel)s, %(purpose)s, n.granted, n.at, greatest(%(now)s, m.at),
        n.expires_at, n.method, n.weight, n.text_id, %(source)s, n.proof, false
    FROM unnest(%(ids)s::bigint[], %(granted)s::bool[], %(at)s::timestamptz[],
            %(expires)s::timestamptz[], %(method)s::text[], %(weight)s::int[],
            %(text)s::bigint[], %(proof)s::jsonb[])
        AS n (customer_id, granted, at, expires_at, method, weight, text_id, proof)
    LEFT JOIN (SELECT kept_id, max(at) AS at FROM ingestion_merge
               WHERE kept_id = ANY(%(known)s) AND undone_at IS NULL GROUP BY kept_id
        ) m ON m.kept_id = n.customer_id
    WHERE NOT EXISTS (
        SELECT 1 FROM ingestion_consent c
        WHERE c.customer_id = n.customer_id AND c.channel = %(channel)s
          AND c.purpose = %(purpose)s AND c.granted = n.granted AND c.weight = n.weight
          AND c.expires_at IS NOT DISTINCT FROM n.expires_at
          AND (c.at = n.at OR n.weight = 1))"""
# A light answer with the earlier end counts, so that nothing lasts longer than the least we know.
_COUNT = """
    WITH best AS (
        SELECT DISTINCT ON (customer_id) id, customer_id, granted, current
        FROM ingestion_consent
        WHERE customer_id = ANY(%(known)s) AND channel = %(channel)s AND purpose = %(purpose)s
        ORDER BY customer_id, weight DESC, at DESC, granted, expires_at NULLS LAST, id),
    retired AS (
        UPDATE ingestion_consent c SET current = false FROM best
        WHERE c.customer_id = best.customer_id AND c.channel = %(channel)s
          AND c.purpose = %(purpose)s AND c.current AND c.id <> best.id
        RETURNING c.customer_id, c.granted)
    SELECT best.id, best.customer_id, retired.granted IS DISTINCT FROM best.granted
    FROM best LEFT JOIN retired USING (customer_id) WHERE NOT best.current"""


def record(
    *,
    answers: Sequence[Answer],
    channel: str = "email",
    purpose: str = "marketing",
    source: str,
    now: datetime | None = None,
) -> set[int]:
    """Keep these answers; whose answer that counts became another.

    A moment that has not come yet is taken as now: nobody can agree in the future. Answers that
    were stored before are not stored again.
    """
    if channel not in CHANNELS or not is_purpose(purpose):
        raise Invalid(_("There is no such channel or purpose."), code="unknown_channel")
    if not answers:
        return set()
    now = now or timezone.now()
    with transaction.atomic():
        today = _hold({answer.customer_id for answer in answers})
        told = [
            _not_ahead(replace(answer, customer_id=today[answer.customer_id]), now)
            for answer in answers
            if answer.customer_id in today
        ]
        return _store(told, channel, purpose, source, now) if told else set()


def _hold(customer_ids: set[int]) -> dict[int, int]:
    """Whom these ids stand for, held: whoever answers for the same person, or merges it, waits."""
    today = profile.standing_for(customer_ids)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT FROM ingestion_customer WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
                [sorted(set(today.values()))],
            )
        waited, today = today, profile.standing_for(customer_ids)
        if waited == today:
            return today


def _store(
    told: Sequence[Answer], channel: str, purpose: str, source: str, now: datetime
) -> set[int]:
    values: dict[str, Any] = {
        "channel": channel,
        "purpose": purpose,
        "source": source[:100],
        "now": now,
        "ids": [answer.customer_id for answer in told],
        "granted": [answer.granted for answer in told],
        "at": [answer.at for answer in told],
        "expires": [answer.expires_at for answer in told],
        "method": [answer.method[:20] for answer in told],
        "weight": [answer.weight for answer in told],
        "text": [answer.text_id for answer in told],
        "proof": [orjson.dumps(answer.proof, default=str).decode() for answer in told],
        "known": sorted({answer.customer_id for answer in told}),
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
        cursor.execute(_COUNT, values)
        counting = cursor.fetchall()
        if counting:
            cursor.execute(
                "UPDATE ingestion_consent SET current = true WHERE id = ANY(%s)",
                [[row[0] for row in counting]],
            )
    return {customer_id for _id, customer_id, differs in counting if differs}


def _not_ahead(answer: Answer, now: datetime) -> Answer:
    if answer.at <= now:
        return answer
    proof = {**answer.proof, "claimed_at": answer.at.isoformat()}
    return Answer(
        answer.customer_id,
        answer.granted,
        now,
        proof,
        answer.method,
        answer.dated,
        answer.expires_at,
        answer.text_id,
    )
