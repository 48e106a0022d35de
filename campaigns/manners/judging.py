"""May these messages go now? Caps across everything that is sent, and quiet hours, in two queries.

Called inside the transaction that claims: the first statement locks one row a person, in order, so
that whoever claims the same person at the same moment waits until this claim is committed and then
counts it; the second, which therefore sees it, counts. What is on its way, sent, or of unknown end
counts; what was refused, failed or given back does not.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from django.db import connection

from campaigns.manners import clocks
from campaigns.manners.rules import Cap, Rules, read
from marketing.core import brand

CAPPED, TOO_LATE, QUIET = "capped", "too_late", "quiet"
# Nothing without an end of its own is put off for longer than this.
PATIENCE = timedelta(days=3)

Asked = tuple[int, int, str, str, str]

# A row that is there is locked without being written; one that is not is made, which locks it too.
_HOLD = """
    WITH house AS (SELECT caps, quiet FROM campaigns_sendingrules WHERE id = 1),
    held AS (
        INSERT INTO campaigns_turn (customer_id)
        SELECT wanted.id FROM unnest(%s::bigint[]) AS wanted(id), house
        WHERE jsonb_array_length(house.caps) > 0 ORDER BY wanted.id
        ON CONFLICT (customer_id) DO UPDATE SET customer_id = excluded.customer_id WHERE false)
    SELECT caps::text, quiet::text FROM house"""
_LOOK = """
    WITH mine AS MATERIALIZED (
        SELECT id, customer_id, run_id, step, variant, expires_at FROM campaigns_message
        WHERE id = ANY(%s)),
    hurry AS MATERIALIZED (
        SELECT r.id, coalesce(r.snapshot->>'urgent' = 'true', false) AS whole,
            ARRAY(SELECT c.key FROM jsonb_each(coalesce(r.snapshot->'contents', '{}')) AS c
                  WHERE c.value->>'urgent' = 'true') AS keys
        FROM campaigns_run r WHERE r.id IN (SELECT run_id FROM mine))
    SELECT mine.id, mine.expires_at, coalesce(campaigns_zone(c.timezone, c.country), ''),
        hurry.whole OR (CASE WHEN mine.step = '' THEN mine.variant
                        ELSE mine.step || ':' || mine.variant END) = ANY(hurry.keys),
        past.channels, past.moments
    FROM mine JOIN hurry ON hurry.id = mine.run_id
    JOIN ingestion_customer c ON c.id = mine.customer_id
    CROSS JOIN LATERAL (
        SELECT array_agg(m.channel) AS channels,
            array_agg(extract(epoch FROM m.claimed_at)::float8) AS moments
        FROM campaigns_message m
        WHERE m.customer_id = mine.customer_id AND m.claimed_at > %s
          AND m.state IN ('sending', 'sent', 'unknown')) AS past"""


@dataclass(frozen=True, slots=True)
class Refused:
    """It is not sent, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Later:
    """It may not go before this moment, and why."""

    until: datetime
    reason: str


Verdict = Refused | Later


def judge(*, messages: Sequence[Asked], now: datetime) -> dict[int, Verdict]:
    """Verdicts on those of (id, customer, channel, address, purpose) that may not go now.

    Whoever is not in the answer may go, in the order given: earlier ones count against later ones.
    Must be called in the transaction that marks them as being sent.
    """
    if not messages:
        return {}
    people = sorted({message[1] for message in messages})
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, [people])
        kept = cursor.fetchone()
        rules = read(*map(orjson.loads, kept)) if kept else Rules()
        if rules.none:
            return {}
        since = now - rules.window if rules.caps else now + timedelta(days=1)
        cursor.execute(_LOOK, [[message[0] for message in messages], since])
        known = {row[0]: row[1:] for row in cursor.fetchall()}
    past: dict[int, list[tuple[str, float]]] = defaultdict(list)
    begun: set[int] = set()
    verdicts: dict[int, Verdict] = {}
    for message, customer, channel, _address, _purpose in messages:
        if message not in known:
            continue
        expires, zone, urgent, channels, moments = known[message]
        if customer not in begun:
            begun.add(customer)
            past[customer] += zip(channels or (), moments or (), strict=True)
        if not urgent:
            verdict = _verdict(rules, channel, zone, past[customer], expires, now)
            if verdict is not None:
                verdicts[message] = verdict
                continue
        past[customer].append((channel, now.timestamp()))
    return verdicts


def _verdict(
    rules: Rules,
    channel: str,
    zone: str,
    past: Sequence[tuple[str, float]],
    expires: datetime | None,
    now: datetime,
) -> Verdict | None:
    if expires is not None and expires <= now:
        return Refused(TOO_LATE)
    room = max((room_from(cap, channel, past, now) for cap in rules.caps), default=now)
    reason = CAPPED if room > now else QUIET
    if hours := rules.quiet.get(channel):
        room = clocks.allowed(clocks.zone_called(zone, brand.now().timezone), hours, room)
    if room <= now:
        return None
    if room >= (now + PATIENCE if expires is None else expires):
        return Refused(CAPPED if reason == CAPPED else TOO_LATE)
    return Later(room, reason)


def room_from(cap: Cap, channel: str, past: Sequence[tuple[str, float]], now: datetime) -> datetime:
    """The first moment at which a cap lets one more message of this channel through."""
    if not cap.counts(channel):
        return now
    since = (now - cap.window).timestamp()
    within = sorted(at for kind, at in past if at > since and cap.counts(kind))
    over = len(within) - cap.most
    if over < 0:
        return now
    return datetime.fromtimestamp(within[over], UTC) + cap.window
