"""What follows from news about a message: delivered, bounced, complained about.

News is matched by our own id or the provider's; it may come before our own mark, twice, or never.
Each piece is kept once under its mark, and acted on once. A mailbox that does not exist is never
written to again; a full one is after SOFT_LIMIT failures in a row within SOFT_DAYS; a refusal of
ours (policy, content) says nothing about the person.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

from django.db import connection, transaction
from psycopg2.extras import execute_values

from campaigns.answers.returned import Cause, Kind, Report
from campaigns.messaging import contents, watching
from campaigns.models import Message, Returned, Run
from campaigns.sending import runs
from ingestion import consent, events
from ingestion.events import claims
from marketing.core.errors import Refused

SOFT_LIMIT = 5
SOFT_DAYS = 30
HARD = Cause.MAILBOX
EARLY, EARLY_A_TIME = timedelta(days=2), 1_000
SOFT = (Cause.FULL, Cause.TEMPORARY, Cause.UNKNOWN)


class News(NamedTuple):
    """One thing somebody says about one message.

    `key` is our message's id, or `ref` the provider's. `mark` names the news where the bringer has
    a name for it; else it is made of what is said.
    """

    kind: str
    at: datetime
    source: str
    key: str = ""
    ref: str = ""
    address: str = ""
    cause: str = Cause.UNKNOWN
    status: str = ""
    text: str = ""
    mark: str = ""


class Told(NamedTuple):
    """How many pieces of news were new, were known already, and named no message of ours."""

    new: int
    known: int
    strange: int


def news_of(report: Report, *, source: str, at: datetime, mark: str = "") -> list[News]:
    """The news in a returned mail, a piece for each recipient that it names."""
    if report.kind == Kind.OTHER and not report.key:
        return []
    told = [
        News(r.kind, at, source, report.key, "", r.address, r.cause, r.status, r.text)
        for r in report.recipients
    ] or [News(report.kind, at, source, report.key, text=report.subject)]
    return [one._replace(mark=f"{mark}:{n}" if mark else "") for n, one in enumerate(told)]


def hear(*, news: Sequence[News], now: datetime) -> Told:
    """Keep and act on news; what was heard before, and what names none of our messages, is noted
    alone.
    """
    if not news:
        return Told(0, 0, 0)
    with transaction.atomic():
        found = _messages(news)
        heard = []
        for one in news:
            message = found.get(one.key) or found.get(f"ref:{one.ref}")
            if message is not None and one.address and not _same(one.address, message.address):
                # A forwarded mail bounces elsewhere: true, but not about the address we wrote to.
                one = one._replace(cause=Cause.UNKNOWN) if one.kind == Kind.BOUNCE else one
            heard.append((one, message))
        fresh = _keep(heard)
        acted = [(one, message) for one, message in fresh if message is not None]
        _act(acted, now)
    _watch_all(acted, now)
    strange = sum(message is None for _one, message in heard)
    return Told(len(fresh), len(heard) - len(fresh), strange)


def _act(acted: Sequence[tuple[News, Message]], now: datetime) -> None:
    _mark(acted)
    _consequences(acted, now)
    _tell(acted, now)


def _watch_all(acted: Sequence[tuple[News, Message]], now: datetime) -> None:
    for run_id in {message.run_id for _one, message in acted}:
        watch(run_id=run_id, now=now)


def _same(one: str, other: str) -> bool:
    return consent.normalise(one) == consent.normalise(other)


def _messages(news: Sequence[News]) -> dict[str, Message]:
    keys = {one.key for one in news if one.key}
    refs = {one.ref for one in news if one.ref}
    found: dict[str, Message] = {}
    if refs:
        for message in Message.objects.filter(provider_ref__in=refs).select_related("run"):
            found[f"ref:{message.provider_ref}"] = message
    if keys:
        for message in Message.objects.filter(message_id__in=keys).select_related("run"):
            found[str(message.message_id)] = message
    return found


def _mark_of(one: News) -> str:
    said = one.mark or "\n".join(
        (one.kind, one.key, one.ref, one.address.lower(), one.cause, one.status)
    )
    return blake2b(f"{one.source}\n{said}".encode(), digest_size=24).hexdigest()


def _keep(
    heard: Sequence[tuple[News, Message | None]],
) -> list[tuple[News, Message | None]]:
    """Write what is new; only that is returned."""
    by_mark = {_mark_of(one): (one, message) for one, message in heard}
    rows = [
        (
            mark,
            message.pk if message else None,
            one.kind,
            one.cause,
            one.status[:12],
            # Words about nobody of ours may name anybody.
            one.text[:400] if message else "",
            one.source[:40],
            one.ref[:200] if message is None else "",
            one.at,
        )
        for mark, (one, message) in by_mark.items()
    ]
    with connection.cursor() as cursor:
        fresh = execute_values(
            cursor,
            "INSERT INTO campaigns_returned"
            " (mark, message_id, kind, cause, status, text, source, ref, at) VALUES %s"
            " ON CONFLICT (mark) DO NOTHING RETURNING mark",
            rows,
            fetch=True,
        )
    return [by_mark[mark] for (mark,) in fresh]


def _mark(acted: Sequence[tuple[News, Message]]) -> None:
    """The first time of each kind on the message's row; a message that arrived was sent."""
    rows: dict[int, dict[str, Any]] = {}
    for one, message in acted:
        row = rows.setdefault(message.pk, dict.fromkeys(("delivered", "bounced", "complained")))
        if one.kind == Kind.BOUNCE:
            row["bounced"], row["cause"] = row["bounced"] or one.at, one.cause
        elif one.kind == Kind.COMPLAINT:
            row["complained"] = row["complained"] or one.at
        elif one.kind == "delivered":
            row["delivered"] = row["delivered"] or one.at
    values = [
        (key, row["delivered"], row["bounced"], row.get("cause", ""), row["complained"])
        for key, row in sorted(rows.items())
        if any(row.values())
    ]
    if not values:
        return
    with connection.cursor() as cursor:
        execute_values(
            cursor,
            """
            UPDATE campaigns_message m SET
                bounced_at = coalesce(m.bounced_at, v.bounced),
                bounce = CASE WHEN m.bounced_at IS NULL THEN v.cause ELSE m.bounce END,
                complained_at = coalesce(m.complained_at, v.complained),
                state = CASE WHEN m.state = 'unknown' THEN 'sent' ELSE m.state END,
                reason = CASE WHEN m.state = 'unknown' THEN '' ELSE m.reason END,
                sent_at = CASE WHEN m.state = 'unknown'
                    THEN coalesce(m.sent_at, v.delivered, v.bounced, v.complained)
                    ELSE m.sent_at END
            FROM (VALUES %s) AS v(id, delivered, bounced, cause, complained) WHERE m.id = v.id""",
            values,
            template="(%s::bigint, %s::timestamptz, %s::timestamptz, %s, %s::timestamptz)",
        )


def _consequences(acted: Sequence[tuple[News, Message]], now: datetime) -> None:
    for channel in ("email", "sms"):
        dead = [
            message.address
            for one, message in acted
            if one.kind == Kind.BOUNCE and one.cause == HARD and message.channel == channel
        ]
        if dead:
            consent.suppress(addresses=dead, channel=channel, reason="bounced", now=now)
    angry = [message for one, message in acted if one.kind == Kind.COMPLAINT]
    for message in angry:
        if message.channel not in consent.CHANNELS:
            continue
        consent.revoke(
            customer_ids=[message.customer_id],
            channel=message.channel,
            purpose="marketing",
            source="complaint",
            proof={"message": message.message_id},
            now=now,
        )
        consent.suppress(
            addresses=[message.address], channel=message.channel, reason="complained", now=now
        )
    soft = {
        consent.normalise(message.address)
        for one, message in acted
        if one.kind == Kind.BOUNCE and one.cause in SOFT and message.channel == "email"
    }
    if soft:
        consent.suppress(addresses=_worn_out(soft, now), channel="email", reason="bounced", now=now)


def _worn_out(addresses: set[str], now: datetime) -> list[str]:
    """Those of the addresses whose last SOFT_LIMIT mails all came back."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT a FROM unnest(%(addresses)s::text[]) AS a
            CROSS JOIN LATERAL (
                SELECT count(*) AS mails, count(last.bounced_at) AS bounced FROM (
                    SELECT m.bounced_at FROM campaigns_message m
                    JOIN ingestion_customer c ON c.id = m.customer_id
                    WHERE c.email = a AND m.channel = 'email' AND m.state = 'sent'
                      AND m.sent_at > %(since)s
                    ORDER BY m.sent_at DESC LIMIT %(limit)s) AS last) AS judged
            WHERE judged.mails = %(limit)s AND judged.bounced = %(limit)s""",
            {
                "addresses": sorted(addresses),
                "since": now - timedelta(days=SOFT_DAYS),
                "limit": SOFT_LIMIT,
            },
        )
        return [row[0] for row in cursor.fetchall()]


_TYPES = {Kind.BOUNCE: "bounced", Kind.COMPLAINT: "complained", "delivered": "delivered"}


def _tell(acted: Sequence[tuple[News, Message]], now: datetime) -> None:
    """Put the news in the person's stream, once a message and kind."""
    told: dict[str, events.Incoming] = {}
    for one, message in acted:
        word = _TYPES.get(one.kind)
        if word is None:
            continue
        name = f"{word}:{message.message_id}"
        told.setdefault(
            name,
            events.Incoming(
                type=f"{message.channel}_{word}",
                at=min(one.at, now),
                message_id=name,
                customer_id=message.customer_id,
                properties={
                    **contents.about(message.run, message.step),
                    **({"cause": one.cause, "status": one.status} if word == "bounced" else {}),
                },
            ),
        )
    known = claims.taken(source="campaigns", message_ids=told)
    new = [event for name, event in told.items() if name not in known]
    events.record(batch=new, source="campaigns", now=now)


def reconcile(*, now: datetime) -> int:
    """Act on news that came before our own mark told us the provider's name; how many could be.

    A provider can be faster than the transaction that keeps its answer.
    """
    with transaction.atomic():
        early = list(
            Returned.objects.select_for_update(skip_locked=True)
            .filter(message=None, at__gte=now - EARLY)
            .exclude(ref="")
            .filter(ref__in=Message.objects.exclude(provider_ref="").values("provider_ref"))
            .order_by("pk")[:EARLY_A_TIME]
        )
        news = [
            News(row.kind, row.at, row.source, ref=row.ref, cause=row.cause, text=row.text)
            for row in early
        ]
        found = _messages(news)
        acted = [(one, found[f"ref:{one.ref}"]) for one in news]
        for row, (_one, message) in zip(early, acted, strict=True):
            row.message, row.ref = message, ""
        Returned.objects.bulk_update(early, ["message", "ref"])
        _act(acted, now)
    _watch_all(acted, now)
    return len(acted)


def watch(*, run_id: int, now: datetime) -> bool:
    """Pause a run whose mails bounce or are complained about too often; True when it did."""
    run = Run.objects.filter(pk=run_id, state=Run.State.RUNNING).first()
    reason = watching.came_back(run) if run is not None else ""
    if not reason:
        return False
    try:
        runs.halt(run_id=run_id, now=now, reason=reason)
    except Refused:  # somebody was faster
        return False
    return True


def totals(*, since: datetime) -> dict[str, int]:
    """How much of each kind came since then."""
    kinds = Returned.objects.filter(at__gte=since).values_list("kind", flat=True)
    return dict(Counter(kinds))
