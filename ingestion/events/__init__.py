"""The stream of events: each taken once, stored with its person, by month.

    incoming     one call on its way in, and the bytes by which it is known
    bodies       request bodies: sizes, gzip, strict JSON
    clock        what a device says about time, on our clock
    claims       the ledger of message ids: stored, duplicate or conflict
    bulk         the same ledger for tens of thousands of ids of a file at once
    inbox        accept: the door for live events, durable before the answer
    writing      requests that arrive together share a statement and a flush of the disk
    nudging      tell a worker that the inbox holds something
    draining     drain: from the inbox to the event table, exactly once
    tasks        the drain as a task, on a queue of its own
    storing      claimed events → people → COPY into the months
    recording    record: the synchronous path of our own callers and of files
    refusals     what could not be stored, kept with a reason and a remedy
    tallies      ledger: received = stored + duplicate + quarantined, per source
    partitions   the months: made, listed, dropped, thinned

The pair (source, message id) is unique. The same id with the same content is a duplicate; with
other content it is a conflict, and neither changes what is stored. An event without an id is known
by its content.
"""

from ingestion.events.draining import drain
from ingestion.events.inbox import accept, waiting
from ingestion.events.incoming import (
    CONFLICT,
    DUPLICATE,
    EVENT_LIMIT,
    NOTHING,
    STORED,
    Incoming,
)
from ingestion.events.partitions import ensure_months
from ingestion.events.recording import record
from ingestion.events.refusals import Rejected
from ingestion.events.storing import COLUMNS
from ingestion.events.tallies import Ledger, ledger, ledgers

__all__ = [
    "COLUMNS",
    "CONFLICT",
    "DUPLICATE",
    "EVENT_LIMIT",
    "NOTHING",
    "STORED",
    "Incoming",
    "Ledger",
    "Rejected",
    "accept",
    "drain",
    "ensure_months",
    "ledger",
    "ledgers",
    "record",
    "waiting",
]
