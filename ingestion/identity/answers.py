"""What merged people agreed to: a no by either is a no, and undoing gives each their own back.

Nobody's answers are moved or changed: what counts for both is added to whoever stays, with the
proof it came from, and goes again with the merge. It stands here rather than with consent because
people are joined on a lower floor; whatever they answer afterwards goes through consent alone.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection

from ingestion.models import Consent

if TYPE_CHECKING:
    from ingestion.identity.moves import SelfMove

_COUNT = """
WITH best AS (
    SELECT DISTINCT ON (customer_id, channel, purpose) id FROM ingestion_consent
    WHERE customer_id = ANY(%(ids)s)
    ORDER BY customer_id, channel, purpose, weight DESC, at DESC, granted,
             expires_at NULLS LAST, id
), retired AS (
    UPDATE ingestion_consent SET current = false
    WHERE customer_id = ANY(%(ids)s) AND current AND id NOT IN (SELECT id FROM best)
)
SELECT c.id FROM ingestion_consent c JOIN best USING (id) WHERE NOT c.current
"""


def follow(selves: "Sequence[SelfMove]", *, now: datetime) -> None:
    """Add what merged people answered to those who stand for them, and take back what parted."""
    if not selves:
        return
    gone = [move.customer for move in selves]
    _take_back(gone)
    back_to = {move.customer: move.old for move in selves if move.new == move.customer}
    _say_no_to_both(back_to, now)
    own = _current(gone)
    theirs = _current({move.new for move in selves})
    added: list[Consent] = []
    for move in selves:
        if move.new == move.customer:
            continue
        for (customer, channel, purpose), answer in own.items():
            if customer != move.customer:
                continue
            place = (move.new, channel, purpose)
            so_far = theirs.get(place)
            if so_far is None or (so_far.granted and not answer.granted):
                copy = _copy(answer, move, so_far, now)
                theirs[place] = copy
                added.append(copy)
    Consent.objects.bulk_create(added, batch_size=2000)
    count({move.new for move in selves} | set(back_to.values()))


def _copy(answer: Consent, move: "SelfMove", so_far: Consent | None, now: datetime) -> Consent:
    """The same answer for the person who stays. A no that meets a yes counts from now on."""
    copy = Consent.objects.get(pk=answer.pk) if answer.pk else answer
    copy.pk = None
    copy._state.adding = True
    copy.customer_id = move.new
    copy.current = False
    copy.proof = {**answer.proof, "merged_from": move.customer, "answered_at": str(answer.at)}
    if so_far is not None:
        copy.at = max(now, so_far.at)
        copy.weight = 2
    return copy


def _current(customers: Iterable[int]) -> dict[tuple[int, str, str], Consent]:
    rows = Consent.objects.filter(customer_id__in=list(customers), current=True)
    return {(row.customer_id, row.channel, row.purpose): row for row in rows}


def _take_back(gone: Sequence[int]) -> None:
    """Remove what these merged people had added to whoever stood for them so far."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM ingestion_consent c USING ingestion_customer p"
            " WHERE p.id = ANY(%s) AND c.proof ->> 'merged_from' = p.id::text"
            " AND c.customer_id IN (SELECT kept_id FROM ingestion_merge WHERE gone_id = p.id"
            "                       UNION SELECT p.merged_into_id)",
            [list(gone)],
        )


def _say_no_to_both(back_to: dict[int, int], now: datetime) -> None:
    """A no that was said while two were one may have been either's: it stays with both."""
    if not back_to:
        return
    added = []
    kept = _current(back_to.values())
    merged_at: dict[int, Any] = _merged_at(list(back_to))
    for gone, old in back_to.items():
        for (customer, _channel, _purpose), answer in kept.items():
            since = merged_at.get(gone)
            if customer != old or answer.granted or since is None or answer.received_at < since:
                continue
            copy = Consent.objects.get(pk=answer.pk)
            copy.pk = None
            copy._state.adding = True
            copy.customer_id = gone
            copy.current = False
            copy.proof = {**answer.proof, "said_while_merged_into": old}
            added.append(copy)
    Consent.objects.bulk_create(added)
    count(back_to)


def _merged_at(gone: list[int]) -> dict[int, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT gone_id, max(at) FROM ingestion_merge WHERE gone_id = ANY(%s) GROUP BY 1",
            [gone],
        )
        return dict(cursor.fetchall())


def count(customers: Iterable[int]) -> None:
    """Mark the answer that counts, by the order that consent keeps."""
    ids: list[Any] = sorted(customers)
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, {"ids": ids})
        counting = [row[0] for row in cursor.fetchall()]
        if counting:
            cursor.execute(
                "UPDATE ingestion_consent SET current = true WHERE id = ANY(%s)", [counting]
            )
