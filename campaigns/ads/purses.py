"""The money of a day in several purses, so that nobody who chooses waits for anybody else.

A choice takes its price from any purse that nobody holds at that moment. What lies in purses counts
as promised, so a day is locked only when a purse is filled, once in many choices, and nothing is
lost when a process dies: the money is in rows. The last of it is gathered from all purses, so that
a day can be spent to the end.

Locks are taken in one order everywhere: choices, then days, then purses.
"""

from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import Any

from django.db import connection, transaction

from campaigns.ads import pacing

PURSES = 16
# For so many choices a purse is filled at once, or for a part of what is left when that is less.
FILLED_FOR = 64
CENT = Decimal("0.000001")
_PEEK = """
SELECT d.cap - d.spent, d.promised, coalesce((SELECT sum(p.money) FROM campaigns_adpurse p
    WHERE p.ad_id = d.ad_id AND p.day = d.day), 0)
FROM campaigns_adday d WHERE d.ad_id = %s AND d.day = %s AND d.cap IS NOT NULL"""
_LOCK = """
SELECT cap - spent, promised FROM campaigns_adday
WHERE ad_id = %s AND day = %s AND cap IS NOT NULL FOR UPDATE"""
_EMPTY = """
WITH held AS (
    SELECT slot, money FROM campaigns_adpurse WHERE ad_id = %(ad)s AND day = %(day)s AND money > 0
    ORDER BY slot FOR UPDATE),
emptied AS (
    UPDATE campaigns_adpurse p SET money = 0 FROM held
    WHERE p.ad_id = %(ad)s AND p.day = %(day)s AND p.slot = held.slot)
SELECT coalesce(sum(money), 0) FROM held"""
_FILL = """
INSERT INTO campaigns_adpurse AS p (ad_id, day, slot, money) VALUES (%s, %s, %s, %s)
ON CONFLICT (ad_id, day, slot) DO UPDATE SET money = p.money + excluded.money"""
_PROMISE = "UPDATE campaigns_adday SET promised = promised + %s WHERE ad_id = %s AND day = %s"
_CLOSE = """
WITH old AS (DELETE FROM campaigns_adpurse WHERE day < %s RETURNING ad_id, day, money),
sums AS (SELECT ad_id, day, sum(money) AS money FROM old GROUP BY 1, 2 ORDER BY 1, 2)
UPDATE campaigns_adday d SET promised = greatest(d.promised - s.money, 0)
FROM sums s WHERE d.ad_id = s.ad_id AND d.day = s.day"""


def fill(
    *, ad_id: int, day: date, slot: int, price: Decimal, click: Decimal | None,
    late: Decimal = Decimal(0),
) -> bool:  # fmt: skip
    """Put money for at least one choice into a purse, or False where the day holds no more.

    `click` is what a click costs where clicks are paid for, `late` what clicks on impressions whose
    price is not kept any more may still cost. Called within a transaction, whose end lets the day
    go.
    """
    # A day that is spent is asked for all the time: that locks nothing.
    seen = _row(_PEEK, [ad_id, day])
    if seen is None:
        return False
    if pacing.promisable(left=seen[0], click=click) - late - seen[1] + seen[2] < price:
        return False
    locked = _row(_LOCK, [ad_id, day])
    if locked is None:
        return False
    room = pacing.promisable(left=locked[0], click=click) - late - locked[1]
    back = Decimal(0)
    if room < price * FILLED_FOR:
        back = _row(_EMPTY, {"ad": ad_id, "day": day})[0]
        room += back
    money = min(price * FILLED_FOR, max(price, room / (2 * PURSES)))
    money = money.quantize(CENT, ROUND_DOWN) if room >= price else Decimal(0)
    with connection.cursor() as cursor:
        cursor.execute(_PROMISE, [money - back, ad_id, day])
        if money:
            cursor.execute(_FILL, [ad_id, day, slot, money])
    return bool(money)


def gather(*, ad_id: int, day: date) -> None:
    """Take back what lies in the purses of a day, whose row is locked first."""
    with transaction.atomic():
        if _row(_LOCK, [ad_id, day]) is None:
            return
        back = _row(_EMPTY, {"ad": ad_id, "day": day})[0]
        with connection.cursor() as cursor:
            cursor.execute(_PROMISE, [-back, ad_id, day])


def close(*, before: date) -> None:
    """Take back what lies in the purses of days that are over, and put those purses away."""
    with connection.cursor() as cursor:
        cursor.execute(_CLOSE, [before])


def promised(*, ad_id: int, day: date) -> Decimal:
    """What is promised to choices that are neither shown nor given up."""
    found = _row(_PEEK, [ad_id, day])
    return found[1] - found[2] if found else Decimal(0)


def _row(sql: str, values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()
