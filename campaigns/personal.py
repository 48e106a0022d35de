"""What this app keeps of people: the messages meant for them, as they were sent."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from campaigns.messaging import bodies, contents
from campaigns.models import MessageBody
from campaigns.reporting import WINDOW
from marketing.core.personal import Holding, Place, Retained, Subject

_MINE = "customer_id = ANY(%(ids)s)"
_DAYS = WINDOW.days
# A campaign's report goes on counting people who were erased: the run keeps the sums.
_FORGET = f"""
    WITH gone AS (
        DELETE FROM campaigns_message WHERE {_MINE} RETURNING *),
    meant AS (
        SELECT g.*, g.reason = 'holdout' AS held, EXISTS (
            SELECT 1 FROM ingestion_order o WHERE o.customer_id = g.customer_id
              AND o.status <> 'cancelled' AND o.placed_at >= r.started_at
              AND o.placed_at < r.started_at + interval '{_DAYS} days') AS ordered
        FROM gone g JOIN campaigns_run r ON r.id = g.run_id),
    sums AS (
        SELECT run_id,
            count(*) FILTER (WHERE state <> 'skipped') AS people,
            count(*) FILTER (WHERE state = 'sent') AS sent,
            count(*) FILTER (WHERE state NOT IN ('queued', 'sending', 'skipped')) AS ended,
            count(opened_at) FILTER (WHERE state <> 'skipped') AS opened,
            count(clicked_at) FILTER (WHERE state <> 'skipped') AS clicked,
            count(*) FILTER (WHERE state <> 'skipped' AND NOT held) AS mailed,
            count(*) FILTER (WHERE state <> 'skipped' AND NOT held AND ordered) AS mailed_ordered,
            count(*) FILTER (WHERE held) AS held,
            count(*) FILTER (WHERE held AND ordered) AS held_ordered
        FROM meant GROUP BY run_id),
    added AS (
        UPDATE campaigns_run r SET erased = (
            SELECT jsonb_object_agg(n.key, n.value::int + coalesce((r.erased->>n.key)::int, 0))
            FROM jsonb_each_text(to_jsonb(s) - 'run_id') AS n)
        FROM sums s WHERE r.id = s.run_id RETURNING 1)
    SELECT id FROM gone"""

# Whoever keeps members from moves must learn that somebody is gone. A move is written in its turn,
# for which an erasure would wait: the note is followed within seconds, with the number alone.
_LEAVE = f"""
    WITH gone AS (
        DELETE FROM campaigns_segmentmember WHERE {_MINE} RETURNING segment_id, customer_id)
    SELECT ingestion_note('erased', segment_id::text, ARRAY[customer_id]) FROM gone"""

HOLDINGS = [
    Holding(
        "campaigns_messagebody",
        _("Mails as they were sent"),
        rows=f"message_id IN (SELECT id FROM campaigns_message WHERE {_MINE})",
        exported=False,
    ),
    Holding(
        "campaigns_message",
        _("Messages"),
        rows=_MINE,
        erase=_FORGET,
        hidden=("fence", "owner", "lease_until", "next_try_at", "first_try_at", "handed_at"),
    ),
    Holding("campaigns_inboxitem", _("Messages in their inbox"), rows=_MINE),
    Holding(
        "campaigns_pushsubscription",
        _("Browsers that may be notified"),
        rows=f"({_MINE} OR anonymous_id IN (SELECT value FROM ingestion_identity"
        f" WHERE kind = 'anonymous' AND {_MINE}))",
        hidden=("auth", "p256dh"),
    ),
    Holding(
        "campaigns_journeystep",
        _("Steps they took in journeys"),
        rows=f"enrollment_id IN (SELECT id FROM campaigns_enrollment WHERE {_MINE})",
    ),
    Holding(
        "campaigns_enrollment",
        _("Journeys they entered"),
        rows=_MINE,
        hidden=("key", "wake_at"),
    ),
    Holding("campaigns_turn", _("Whose messages are being counted"), rows=_MINE, exported=False),
    Holding("campaigns_personlistmember", _("Lists of people"), rows=_MINE),
    Holding("campaigns_segmentmember", _("Segments they are in"), rows=_MINE, erase=_LEAVE),
    Holding(
        "campaigns_segmentmove",
        _("Segments they entered and left"),
        rows=f"{_MINE} AND cause <> 'erased'",
    ),
]
IMPERSONAL = {
    "campaigns_journey": "journeys that the team draws",
    "campaigns_journeyversion": "journeys as they were published",
    "campaigns_journeytally": "how many did not come into a journey, by day",
    "campaigns_journeycursor": "how far streams were looked at",
    "campaigns_sendingrules": "how often and when the shop writes",
    "campaigns_waiver": "why somebody of the team lets a campaign start; groups, not people",
    "campaigns_template": "content of the team",
    "campaigns_channel": "providers of the team and their settings",
    "campaigns_domain": "domains of the team and their keys",
    "campaigns_segment": "rules of the team",
    "campaigns_segmentsize": "sizes of segments",
    "campaigns_segmentupkeep": "how far segments were brought",
    "campaigns_personlist": "names and sizes of lists",
    "campaigns_campaign": "campaigns of the team",
    "campaigns_run": "sendings and their sums",
}

RETAINED = [
    Retained(
        "message_bodies",
        _("Mails as they were sent"),
        "campaigns_messagebody",
        "message_id IN (SELECT id FROM campaigns_message WHERE sent_at < %(before)s)",
        "(SELECT sent_at FROM campaigns_message m WHERE m.id = t.message_id)",
        days=730,
        least=30,
    )
]


def _mails(subject: Subject) -> Iterator[tuple[str, bytes]]:
    """Every mail as it was handed to the server."""
    kept = MessageBody.objects.filter(message__customer_id__in=subject.numbers)
    for body in kept.select_related("message__run").order_by("pk").iterator(chunk_size=50):
        message = body.message
        common = contents.shared(message.run.snapshot, step=message.step, variant=message.variant)
        yield f"mails/{body.pk}.eml", bodies.unpack(bytes(body.mime), common)


def _caught(subject: Subject) -> int:
    """Delete mails to the person that the built-in mail catcher took."""
    gone = 0
    for path in Path(settings.MAIL_DIR).glob("*/*.eml"):
        if subject.is_named_in(path.read_bytes().decode("utf-8", "replace")):
            path.unlink(missing_ok=True)
            gone += 1
    return gone


PLACES = [
    Place("mails", _("Mails as they were sent"), export=_mails),
    Place("caught_mails", _("Mails in the mail catcher"), erase=_caught),
]
