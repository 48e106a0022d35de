"""What this app keeps of people: the messages meant for them, as they were sent."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from campaigns.ads import exporting, hashing
from campaigns.messaging import keeping
from campaigns.models import AdExport, MessageBody
from campaigns.reporting import WINDOW
from marketing.core.errors import Refused
from marketing.core.models import Job
from marketing.core.personal import Holding, Place, Retained, Subject

_MINE = "customer_id = ANY(%(ids)s)"
_DAYS = WINDOW.days
# The sums of `reporting.tallies.Tally`, by its names.
_SUMS = {
    "ordered": "reached::int", "buyers": "did::int", "money": "x", "squares": "x * x",
    "cubes": "x * x * x", "before": "y",
    "before_squares": "y * y", "cross": "x * y", "earlier": "near::int",
    "both": "(reached AND near)::int",
}  # fmt: skip


def _sides() -> str:
    """Sums over whom the hash had on each side."""
    return ", ".join(
        part
        for side, who in (("mailed", "drawn"), ("held", "held"))
        for part in (
            f"count(*) FILTER (WHERE {who}) AS {side}",
            *(
                f"coalesce(sum({what}) FILTER (WHERE {who}), 0) AS {side}_{name}"
                for name, what in _SUMS.items()
            ),
        )
    )


# A campaign's report goes on counting people who were erased: the run keeps the sums.
_FORGET = f"""
    WITH gone AS (
        DELETE FROM campaigns_message WHERE {_MINE} RETURNING *),
    meant AS (
        SELECT g.*, g.reason = 'holdout' AS held, spent.*,
               CASE WHEN goal = '' THEN did ELSE acted END AS reached,
               CASE WHEN goal = '' THEN had ELSE acted_before END AS near,
               g.reason <> 'holdout' AND (g.state <> 'skipped' OR g.message_id IS NOT NULL)
                   AS drawn
        FROM gone g JOIN campaigns_run r ON r.id = g.run_id, LATERAL (
            SELECT coalesce(sum(o.total::float8) FILTER (WHERE o.placed_at >= r.started_at), 0)
                       AS x,
                   coalesce(sum(o.total::float8) FILTER (WHERE o.placed_at < r.started_at), 0)
                       AS y,
                   coalesce(bool_or(o.placed_at >= r.started_at AND o.total >= 0), false) AS did,
                   coalesce(bool_or(o.placed_at < r.started_at AND o.total >= 0), false) AS had
            FROM ingestion_order o
            WHERE o.customer_id = g.customer_id AND o.status <> 'cancelled'
              AND o.placed_at >= r.started_at - interval '{_DAYS} days'
              AND o.placed_at < r.started_at + interval '{_DAYS} days') AS spent, LATERAL (
            SELECT coalesce(r.snapshot->>'goal', '') AS goal,
                   coalesce(bool_or(e.at >= r.started_at), false) AS acted,
                   coalesce(bool_or(e.at < r.started_at), false) AS acted_before
            FROM ingestion_event e
            WHERE e.customer_id = g.customer_id AND e.type = r.snapshot->>'goal'
              AND e.at >= r.started_at - interval '{_DAYS} days'
              AND e.at < r.started_at + interval '{_DAYS} days') AS acts),
    sums AS (
        SELECT run_id,
            count(*) FILTER (WHERE state <> 'skipped') AS people,
            count(*) FILTER (WHERE state = 'sent') AS sent,
            count(*) FILTER (WHERE state NOT IN ('queued', 'sending', 'skipped')) AS ended,
            count(opened_at) FILTER (WHERE state <> 'skipped') AS opened,
            count(clicked_at) FILTER (WHERE state <> 'skipped') AS clicked,
            {_sides()}
        FROM meant GROUP BY run_id),
    added AS (
        UPDATE campaigns_run r SET erased = (
            SELECT jsonb_object_agg(
                n.key, n.value::numeric + coalesce((r.erased->>n.key)::numeric, 0))
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
        "campaigns_returned",
        _("News about messages: bounces and complaints"),
        rows=f"message_id IN (SELECT id FROM campaigns_message WHERE {_MINE})",
    ),
    Holding(
        "campaigns_hit",
        _("Openings and clicks on their way in"),
        rows=f"key IN (SELECT message_id FROM campaigns_message WHERE {_MINE})",
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
    Holding(
        "campaigns_choice",
        _("Variants that were chosen for them"),
        rows=_MINE,
        exported=True,
    ),
    Holding(
        "campaigns_adhit",
        _("Ads they saw, clicked and followed"),
        rows=_MINE,
        # Sums of ads go on counting; who it was, and what was known of them, goes.
        erase=f"""UPDATE campaigns_adhit SET customer_id = NULL, learnable = false, country = '',
            recency = 0, orders = 0 WHERE {_MINE}""",
        hidden=("digest", "cause"),
    ),
    Holding(
        "campaigns_adchoice",
        _("Ads that were chosen for them"),
        rows=_MINE,
        erase=f"UPDATE campaigns_adchoice SET customer_id = NULL WHERE {_MINE}",
        hidden=("freed",),
    ),
    Holding(
        "campaigns_seedtest",
        _("Mails written as they would get them, sent to the team's own mailboxes"),
        rows=_MINE,
        exported=False,
        erase=f"UPDATE campaigns_seedtest SET customer_id = NULL WHERE {_MINE}",
    ),
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
    "campaigns_journeyreading": "sums over people of a journey, day by day",
    "campaigns_mailpieces": "what mails of the team's campaigns share",
    "campaigns_untold": "numbers of messages that are being told of",
    "campaigns_journeytally": "how many did not come into a journey, by day",
    "campaigns_journeyheard": "numbers of events that journeys were told of",
    "campaigns_journeycursor": "how far streams were looked at",
    "campaigns_sendingrules": "how often and when the shop writes",
    "campaigns_trial": "how the variants of a campaign share its people",
    "campaigns_variant": "mails that are tried beside each other",
    "campaigns_round": "shares of variants and what was known of them",
    "campaigns_globalholdout": "which share of people is kept out of every campaign",
    "campaigns_spend": "what campaigns cost",
    "campaigns_reading": "sums over people, day by day",
    "campaigns_waiver": "why somebody of the team lets a campaign start; groups, not people",
    "campaigns_savedblock": "parts of mails that the team uses again",
    "campaigns_savedblockversion": "what these parts said before",
    "campaigns_template": "content of the team",
    "campaigns_templateversion": "what content of the team said before",
    "campaigns_approval": "who of the team looked at a campaign before it went out",
    "campaigns_linkcheck": "what answered at the links of a campaign",
    "campaigns_channel": "providers of the team and their settings",
    "campaigns_domain": "domains of the team and their keys",
    "campaigns_returnbox": "mailboxes of the team that returned mail arrives in",
    "campaigns_seedmailbox": "mailboxes of the team that get copies of its mails",
    "campaigns_seedcopy": "where these copies landed",
    "campaigns_segment": "rules of the team",
    "campaigns_segmentsize": "sizes of segments",
    "campaigns_segmentlevel": "how far segments were brought that were brought equally far",
    "campaigns_segmentupkeep": "how far segments were brought",
    "campaigns_personlist": "names and sizes of lists",
    "campaigns_campaign": "campaigns of the team",
    "campaigns_pace": "how fast channels were used",
    "campaigns_run": "sendings and their sums",
    "campaigns_adplacement": "places where ads are shown",
    "campaigns_adcampaign": "campaigns of ads",
    "campaigns_adcampaign_placements": "where campaigns of ads are shown",
    "campaigns_adcreative": "ads of the team",
    "campaigns_adhour": "sums of ads, hour by hour",
    "campaigns_adday": "what ads cost, day by day",
    "campaigns_adpurse": "money of ads that may be promised",
    "campaigns_adround": "shares of creatives and what was known of them",
    "campaigns_adexport": "who of the team took a list for ads, and how many stood on it",
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
    ),
    Retained(
        "ad_hits", _("Single impressions, clicks and conversions of ads"), "campaigns_adhit",
        "at < %(before)s", "at", days=400, least=35,
    ),
    Retained(
        "ad_choices", _("Ads that were chosen, one by one"), "campaigns_adchoice",
        "at < %(before)s", "at", days=90, least=7,
    ),
    Retained(
        "inbox", _("Messages in inboxes on your site or app"), "campaigns_inboxitem",
        "created_at < %(before)s", "t.created_at", days=400, least=30,
    ),
    Retained(
        "segment_sizes", _("Sizes of segments over time"), "campaigns_segmentsize",
        "at < %(before)s", "t.at", days=730, least=90,
    ),
    Retained(
        "journey_steps", _("Single steps of journeys that people left"), "campaigns_journeystep",
        "at < %(before)s AND EXISTS (SELECT FROM campaigns_enrollment e"
        " WHERE e.id = t.enrollment_id AND e.ended_at < %(before)s)",
        "t.at", days=730, least=90,
    ),
]  # fmt: skip


def _mails(subject: Subject) -> Iterator[tuple[str, bytes]]:
    """Every mail as it was handed to the server."""
    kept = MessageBody.objects.filter(message__customer_id__in=subject.numbers)
    for body in kept.order_by("pk").iterator(chunk_size=50):
        yield f"mails/{body.pk}.eml", keeping.read(body)


def _caught(subject: Subject) -> int:
    """Delete mails to the person that the built-in mail catcher took."""
    gone = 0
    for path in Path(settings.MAIL_DIR).glob("*/*.eml"):
        if subject.is_named_in(path.read_bytes().decode("utf-8", "replace")):
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _exported(subject: Subject) -> int:
    """Delete lists for ads on which a hash of the person's address or number stands."""
    marks = set()
    for layout in hashing.LAYOUTS.values():
        known = [hashing.Known(email=email) for email in subject.emails]
        known += [hashing.Known(phone=phone) for phone in subject.phones]
        marks |= {cell.encode() for one in known for cell in layout.row(one) if cell}
    # What is being written may have read them before they went: it is looked through another time.
    writing = AdExport.objects.filter(job__state__in=Job.OPEN).exists()
    gone = 0
    for export in AdExport.objects.filter(state=AdExport.State.READY):
        path = Path(settings.MEDIA_ROOT) / export.file
        if not path.exists():
            continue
        with path.open("rb") as lines:
            if any(mark in line for line in lines for mark in marks):
                gone += exporting.drop(AdExport.objects.filter(pk=export.pk))
    if writing:
        raise Refused(str(_("The list is being written.")), code="list_being_written")
    return gone


PLACES = [
    Place("ad_lists", _("Lists for ad networks"), erase=_exported),
    Place("mails", _("Mails as they were sent"), export=_mails),
    Place("caught_mails", _("Mails in the mail catcher"), erase=_caught),
]
