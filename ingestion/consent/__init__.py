"""The only answer to 'may we?': consent that people gave or took back, and suppressed addresses.

Answers are only added. Which one counts depends on the answers alone, never on the order in which
they came: the firmest kind of knowledge first (see `Consent.weight`), then the latest moment, and
at the same moment a no. A suppression outlives the person and any later consent, until somebody
lifts it by hand or the person confirms by mail that they want to hear from us again.

    words        channels, purposes, reasons, methods
    answers      what people said, when, and which of it counts
    addresses    the list of addresses that nothing may be sent to
    asking       whether we may, as SQL about many people at once
"""

from ingestion.consent.addresses import (
    digest_of,
    is_suppressed,
    known_as,
    lift,
    normalise,
    suppress,
    suppressed,
    veil,
)
from ingestion.consent.answers import Answer, grant, is_purpose, record, revoke
from ingestion.consent.asking import (
    agreed,
    barred,
    barred_everywhere,
    judged,
    mailable,
    may_mail,
    objects_to_profiling,
    open_to,
    unprofiled,
)
from ingestion.consent.words import (
    ADDRESSES,
    CHANNELS,
    EVERY,
    LABELS_MOST,
    METHODS,
    PURPOSES,
    REASONS,
    address_sql,
)

__all__ = [
    "ADDRESSES",
    "CHANNELS",
    "EVERY",
    "LABELS_MOST",
    "METHODS",
    "PURPOSES",
    "REASONS",
    "Answer",
    "address_sql",
    "agreed",
    "barred",
    "barred_everywhere",
    "digest_of",
    "grant",
    "is_purpose",
    "is_suppressed",
    "judged",
    "known_as",
    "lift",
    "mailable",
    "may_mail",
    "normalise",
    "objects_to_profiling",
    "open_to",
    "record",
    "revoke",
    "suppress",
    "suppressed",
    "unprofiled",
    "veil",
]
