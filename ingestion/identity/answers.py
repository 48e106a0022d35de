"""What merged people agreed to: a no by either is a no, and undoing gives each their own back.

Nobody's answers are moved or changed: what counts for both is added to whoever stays, with the
proof it came from, and goes again with the merge. It stands here rather than with consent because
people are joined on a lower floor; whatever they answer afterwards goes through consent alone.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from datetime import datetime
from itertools import chain
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
    current = _current({*gone, *(move.new for move in selves)})
    theirs = {(row.customer_id, row.channel, row.purpose): row for row in chain(*current.values())}
    added: list[Consent] = []
    for move in selves:
        if move.new == move.customer:
            continue
        for answer in current.get(move.customer, ()):
            place = (move.new, answer.channel, answer.purpose)
            so_far = theirs.get(place)
            if so_far is None or (so_far.granted and not answer.granted):
                theirs[place] = _passed_on(answer, move, so_far, now)
                added.append(theirs[place])
    Consent.objects.bulk_create(added, batch_size=2000)
    count({move.new for move in selves} | set(back_to.values()))


def _passed_on(answer: Consent, move: "SelfMove", so_far: Consent | None, now: datetime) -> Consent:
    """The same answer for the person who stays. A no that meets a yes counts from now on."""
    same = _same(answer, move.new, merged_from=move.customer, answered_at=str(answer.at))
    if so_far is not None:
        same.at = max(now, so_far.at)
        same.weight = 2
    return same


def _same(answer: Consent, customer: int, **proof: Any) -> Consent:
    """The same answer as a new row of another person, which does not count yet."""
    same = copy(answer)
    same.pk = None
    same._state.adding = True
    same.customer_id = customer
    same.current = False
    same.proof = answer.proof | proof
    return same


def _current(customers: Iterable[int]) -> dict[int, list[Consent]]:
    """Customer → the answers that count."""
    found: dict[int, list[Consent]] = {}
    rows = Consent.objects.filter(customer_id__in=list(customers), current=True)
    for row in rows.order_by("id"):
        found.setdefault(row.customer_id, []).append(row)
    return found


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
    added: list[Consent] = []
    kept = _current(back_to.values())
    merged_at: dict[int, Any] = _merged_at(list(back_to))
    for gone, old in back_to.items():
        since = merged_at.get(gone)
        if since is None:
            continue
        added.extend(
            _same(answer, gone, said_while_merged_into=old)
            for answer in kept.get(old, ())
            if not answer.granted and answer.received_at >= since
        )
    Consent.objects.bulk_create(added, batch_size=2000)
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
