"""What the tables of this app keep of people, and how each is emptied of one of them."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _

from ingestion.models import ImportJob, Pull, Refusal, Reject
from ingestion.privacy import exports, quarantine
from marketing.core.personal import Holding, Place, Retained, Subject

State = ImportJob.State
_MINE = "customer_id = ANY(%(ids)s)"
_NAMES = f"SELECT id FROM ingestion_identity WHERE {_MINE}"
_DEVICES = "(customer_id IS NULL AND anonymous_id <> '' AND anonymous_id = ANY(%(devices)s))"
# In the order in which rows may go.
HOLDINGS = [
    Holding("ingestion_importtouch", _("Imports under way"), rows=_MINE, exported=False),
    Holding(
        "ingestion_orderline",
        _("Order lines"),
        rows=_MINE,
        erase="UPDATE ingestion_orderline SET cancels_id = NULL WHERE cancels_id IN"
        f" (SELECT id FROM ingestion_orderline WHERE {_MINE}) AND NOT coalesce({_MINE}, false);"
        f" DELETE FROM ingestion_orderline WHERE {_MINE} OR order_id IN"
        f" (SELECT id FROM ingestion_order WHERE {_MINE})",
        anonymise=f"UPDATE ingestion_orderline SET customer_id = NULL WHERE {_MINE}",
    ),
    Holding(
        "ingestion_order",
        _("Orders"),
        rows=_MINE,
        anonymise=f"UPDATE ingestion_order SET customer_id = NULL WHERE {_MINE}",
    ),
    Holding("ingestion_customerrollup", _("Totals of orders"), rows=_MINE),
    Holding("ingestion_consent", _("Answers about consent"), rows=_MINE),
    Holding(
        "ingestion_confirmation",
        _("Confirmations asked for by mail"),
        rows=f"{_MINE} OR lower(address) = ANY(%(emails)s)",
    ),
    Holding("ingestion_personalexport", _("Copies made for them"), rows=_MINE, hidden=("path",)),
    Holding(
        "ingestion_privacyrequest",
        _("Requests about their data"),
        rows=_MINE,
        erase="UPDATE ingestion_privacyrequest SET note = '', outcome = '', customer_id = NULL"
        f" WHERE {_MINE}",
    ),
    Holding(
        "ingestion_event",
        _("Events"),
        rows=f"{_MINE} OR {_DEVICES} OR identity_id IN ({_NAMES})",
        scrub=("properties", "context"),
    ),
    Holding(
        "ingestion_merge",
        _("Merges with other rows"),
        rows="kept_id = ANY(%(ids)s) OR gone_id = ANY(%(ids)s)",
        examples=("evidence", "moved"),
        # A merge that was undone tells of somebody else.
        hidden=("evidence", "moved"),
    ),
    Holding(
        "ingestion_twins",
        _("Suggested duplicates"),
        rows="left_id = ANY(%(ids)s) OR right_id = ANY(%(ids)s)",
        examples=("evidence",),
        # Who is like them may be somebody else, of whom the evidence tells.
        exported=False,
    ),
    Holding(
        "ingestion_identitylink",
        _("Claims between names"),
        rows=f"stronger_id IN ({_NAMES}) OR weaker_id IN ({_NAMES})",
    ),
    Holding(
        "ingestion_statement",
        _("What was said of them, and when"),
        rows=f"{_MINE} OR identity_id IN ({_NAMES})",
    ),
    Holding(
        "ingestion_refusedname",
        _("Names that join nobody"),
        rows="lower(value) = ANY(%(names)s)",
    ),
    Holding(
        "ingestion_webhookreceipt",
        _("Deliveries of webhooks"),
        rows="names && %(names)s::varchar[]",
        # The row stays, so that the same delivery is not taken again.
        erase="UPDATE ingestion_webhookreceipt SET body = '', names = '{}', message = '',"
        " remedy = '', result = '{}', state = CASE state WHEN 'waiting' THEN 'done' ELSE state END"
        " WHERE names && %(names)s::varchar[]",
        scrub=("message", "result"),
    ),
    Holding(
        "ingestion_webhookthing",
        _("What connected shops say of them"),
        rows="names && %(names)s::varchar[]",
    ),
    Holding(
        "ingestion_identity",
        _("Names they go by"),
        rows=_MINE,
        erase="UPDATE ingestion_identity SET parent_id = NULL, linked_at = NULL WHERE parent_id IN"
        f" ({_NAMES}) AND NOT coalesce({_MINE}, false);"
        f" DELETE FROM ingestion_identity WHERE {_MINE}",
    ),
    Holding(
        "ingestion_customer",
        _("The person"),
        rows="id = ANY(%(ids)s)",
        hidden=("attribute_times", "anchor_id"),
    ),
    # The erasure itself puts a keyed hash in the place of an address.
    Holding(
        "ingestion_suppression",
        _("Addresses nothing is sent to"),
        rows="address = ANY(%(names)s) OR customer_id = ANY(%(ids)s)",
        erase="DELETE FROM ingestion_suppression WHERE customer_id = ANY(%(ids)s)",
        hidden=("added_by_id",),
        scrub=("note",),
    ),
    Holding("ingestion_mention", _("Public mentions"), scrub=("author", "title", "text", "url")),
    Holding(
        "ingestion_importjob",
        _("Reports of imports"),
        scrub=("original_name", "options"),
        examples=("report", "trial"),
    ),
    Holding("ingestion_reject", _("Quarantined lines"), scrub=("message",), exported=False),
    Holding("ingestion_refusal", _("Refused events"), scrub=("message",), exported=False),
    Holding("ingestion_pull", _("Fetches from other systems"), scrub=("error",), exported=False),
    Holding(
        "ingestion_connector",
        _("Connections to other systems"),
        scrub=("last_error", "paused_reason", "cursor"),
        exported=False,
    ),
    Holding("ingestion_pulledfile", _("Fetched files"), scrub=("name", "problem"), exported=False),
    Holding(
        "ingestion_problem",
        _("Examples of problems in the data"),
        examples=("detail", "examples"),
        exported=False,
    ),
    Holding(
        "ingestion_eventproperty",
        _("Examples of event properties"),
        examples=("examples",),
        exported=False,
    ),
    Holding("ingestion_reciperun", _("Examples of cleaning"), examples=("report",), exported=False),
    Holding(
        "ingestion_recipeversion",
        _("Examples in recipes"),
        examples=("statistics",),
        exported=False,
    ),
    Holding("ingestion_drift", _("Changes in events"), examples=("detail",), exported=False),
]
IMPERSONAL = {
    "ingestion_source": "names of sources",
    "ingestion_pull_imports": "which fetch made which import",
    "ingestion_purpose": "purposes of the shop",
    "ingestion_consenttext": "texts of the shop",
    "ingestion_suppresseddigest": "keyed hashes of addresses, kept so that nobody writes to them",
    "ingestion_erasure": "receipts: counts and keyed hashes",
    "ingestion_retentionrule": "how long things are kept",
    "ingestion_retentionrun": "counts of what went",
    "ingestion_tablesize": "sizes of tables",
    "ingestion_recipe": "rules of the team",
    "ingestion_exchangerate": "rates of currencies",
    "ingestion_webhookendpoint": "addresses that shops deliver to",
    "ingestion_eventkey": "hashes of message ids, kept so that an old event is not taken again",
    "ingestion_eventtally": "counts by source",
    "ingestion_inbox": "events that wait for a moment; an erasure waits for them",
    "ingestion_change": "who changed, for minutes; an erased person's number leads to nobody",
    "ingestion_changereader": "up to where changes were read",
    "ingestion_product": "goods",
    "ingestion_measure": "counts by field",
    "ingestion_dayscore": "shares by source",
    "ingestion_expectation": "what the team expects of the data",
    "ingestion_alertrule": "addresses of the team",
    "ingestion_alert": "messages to the team",
    "ingestion_observation": "what a batch of events looked like, until it is counted",
    "ingestion_eventtype": "names of events",
    "ingestion_eventpropertyday": "counts by day",
    "ingestion_eventvolume": "counts by hour",
    "ingestion_eventplan": "what the team expects of events",
    "ingestion_planrules": "rules of the team",
    "ingestion_planbreach": "counts of broken rules",
}


def _raw_files(subject: Subject) -> int:
    """Take the person out of raw files, their quarantined lines and their reports."""
    wanted = {"names": quarantine.phrases(subject), "ids": subject.plain_ids}
    found: dict[int, Any] = import_string("ingestion.imports.archive.lines_about")(**wanted)
    strip = import_string("ingestion.imports.archive.strip")
    return sum(strip(import_job_id=job_id, **wanted) for job_id in sorted(found))


def _quarantined(subject: Subject) -> Iterator[tuple[str, bytes]]:
    for title, table in (("rejects", Reject), ("refusals", Refusal)):
        for row in quarantine.about(table, subject):
            yield f"quarantine/{title}-{row.pk}.txt", row.raw.encode()


def _exports(subject: Subject) -> int:
    """Delete copies made for the person, fetched or not, and those that are being made."""
    folder = Path(settings.MEDIA_ROOT) / "exports"
    gone = 0
    for number in subject.numbers:
        for path in folder.glob(f"{number}-*"):
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _old_raw_files(before: datetime) -> int:
    """Delete raw files of imports that ended before then; their rows and reports stay."""
    gone = 0
    ended = ImportJob.objects.filter(
        finished_at__lt=before,
        path__startswith="imports/",
        state__in=(State.DONE, State.CANCELLED, State.FAILED),
    )
    for record in ended.only("path"):
        (Path(settings.MEDIA_ROOT) / record.path).unlink(missing_ok=True)
        gone += ImportJob.objects.filter(pk=record.pk).update(path="")
    return gone


# Whether a source is well is told from its last fetch, and since when it is not from the last good.
_OLD_FETCH = (
    "created_at < %(before)s AND state <> 'open' AND EXISTS (SELECT FROM ingestion_pull n"
    " WHERE n.connector_id = t.connector_id AND n.id > t.id AND n.state = 'done')"
)


def _old_fetches(before: datetime) -> int:
    """Delete fetches from before then; what they brought in stays."""
    gone = 0
    while True:
        found = Pull.objects.raw(
            f"SELECT id FROM ingestion_pull t WHERE {_OLD_FETCH} LIMIT 1000", {"before": before}
        )
        ids = [pull.pk for pull in found]
        if not ids:
            return gone
        Pull.objects.filter(pk__in=ids).delete()
        gone += len(ids)


RETAINED = [
    Retained(
        "fetches",
        _("Fetches of sources"),
        "ingestion_pull",
        _OLD_FETCH,
        "t.created_at",
        days=180,
        least=7,
        remove=_old_fetches,
    ),
    Retained(
        "receipts",
        _("Deliveries of webhooks"),
        "ingestion_webhookreceipt",
        "received_at < %(before)s AND state <> 'waiting'",
        "t.received_at",
        days=90,
        least=36,
    ),
    Retained(
        "rejects",
        _("Quarantined lines of files"),
        "ingestion_reject",
        "import_job_id IN (SELECT id FROM ingestion_importjob WHERE finished_at < %(before)s)",
        "(SELECT finished_at FROM ingestion_importjob j WHERE j.id = t.import_job_id)",
        days=180,
    ),
    Retained(
        "refusals",
        _("Refused events"),
        "ingestion_refusal",
        "received_at < %(before)s",
        "t.received_at",
        days=90,
    ),
    Retained(
        "raw_files",
        _("Raw files of imports"),
        "ingestion_importjob",
        "finished_at < %(before)s AND path LIKE 'imports/%%'"
        " AND state IN ('done', 'cancelled', 'failed')",
        "t.finished_at",
        days=lambda: max(1, settings.IMPORT_RAW_DAYS),
        size="t.bytes",
        remove=_old_raw_files,
    ),
    Retained(
        "exports",
        _("Copies made for people"),
        "ingestion_personalexport",
        "created_at < %(before)s AND path <> ''",
        "t.created_at",
        days=7,
        size="t.bytes",
        remove=lambda before: exports.prune(now=before + exports.VALID_FOR),
    ),
    Retained(
        "confirmations",
        _("Confirmations asked for by mail"),
        "ingestion_confirmation",
        "asked_at < %(before)s",
        "t.asked_at",
        days=30,
        least=4,
    ),
]
PLACES = [
    Place("raw_files", _("Lines of raw files"), erase=_raw_files),
    Place("quarantine", _("Quarantined rows"), erase=quarantine.erase, export=_quarantined),
    Place("exports", _("Copies made for them"), erase=_exports),
]
