"""How fast a channel may be used. A row per channel holds the moment from which the next may go.

Whoever wants to send takes the next slots by moving that moment on, in one durable statement by the
database's clock. Slots are a message apart, so there is no bucket that could be full after a
restart, and what a sender took and lost is never sent: a limit may be missed from below alone.
"""

import math
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connection

from campaigns.models import Channel
from marketing.core import brand

# Slots are taken for so long ahead, and used no later than this after their moment.
SLICE_SECONDS = 0.2
WARM_DAYS, GROWTH = 30, 1.5
DAILY_SLICE = 10
_TAKE = """
    INSERT INTO campaigns_pace AS p (key, free_at, day, used)
    VALUES (%(key)s, clock_timestamp() + %(span)s * interval '1 second', {today}, %(slots)s)
    ON CONFLICT (key) DO UPDATE SET
        free_at = greatest(p.free_at, clock_timestamp()) + %(span)s * interval '1 second',
        day = excluded.day,
        used = CASE WHEN p.day = excluded.day THEN p.used ELSE 0 END + excluded.used
    WHERE (p.free_at IS NULL OR p.free_at <= clock_timestamp() + %(ahead)s * interval '1 second')
      AND (%(most)s IS NULL OR p.day IS DISTINCT FROM excluded.day
           OR p.used + excluded.used <= %(most)s)
    RETURNING extract(epoch FROM p.free_at - clock_timestamp())::float8"""
_TODAY = "(clock_timestamp() AT TIME ZONE %(zone)s)::date"
_LOOK = f"""
    SELECT greatest(extract(epoch FROM p.free_at - clock_timestamp()), 0)::float8,
        %(most)s IS NOT NULL AND p.day = {_TODAY} AND p.used + %(slots)s > %(most)s,
        extract(epoch FROM (({_TODAY} + 1)::timestamp AT TIME ZONE %(zone)s)
                - clock_timestamp())::float8
    FROM campaigns_pace p WHERE p.key = %(key)s"""


def warm_limit(channel: Channel, today: date) -> int | None:
    """How many messages a channel that is being warmed up may send today; None for no limit."""
    if not channel.warmup_per_day or channel.warmup_since is None:
        return None
    day = (today - channel.warmup_since).days
    if day < 0 or day >= WARM_DAYS:
        return None
    return int(channel.warmup_per_day * GROWTH**day)


@dataclass
class Allowance:
    """The limit of one row, shared by the threads of a sender under their own lock.

    `rate` None means no limit a second, `most` None no limit today.
    """

    key: str
    rate: float | None
    most: int | None = None
    slots: deque[float] = field(default_factory=deque)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> tuple[bool, float]:
        """Whether a slot was taken, and the seconds until it; or until one can be asked for again.

        Infinity when there is none left today.
        """
        with self.guard:
            now = time.monotonic()
            while self.slots and self.slots[0] < now - SLICE_SECONDS:
                self.slots.popleft()  # too late: it would go beside the next one
            if not self.slots and (wait := self._ask()) > 0:
                return False, wait
            return True, max(self.slots.popleft() - time.monotonic(), 0.0)

    def put_back(self) -> None:
        """A slot that was taken and not used, for whoever asks next."""
        with self.guard:
            self.slots.appendleft(time.monotonic())

    def until_tomorrow(self) -> float:
        """Seconds until the next day's share begins."""
        with connection.cursor() as cursor:
            cursor.execute(_LOOK, self._values(1))
            row = cursor.fetchone()
        return float(row[2]) if row else 0.0

    def _values(self, slots: int) -> dict[str, Any]:
        return {
            "key": self.key,
            "span": slots / self.rate if self.rate else 0.0,
            "slots": slots,
            "ahead": SLICE_SECONDS,
            "most": self.most,
            "zone": brand.now().timezone,
        }

    def _ask(self) -> float:
        """Take the next slots; seconds to wait when there are none yet."""
        slots = math.ceil(self.rate * SLICE_SECONDS) if self.rate else DAILY_SLICE
        if self.most is not None:
            slots = min(slots, self.most)
        if not slots:
            return math.inf
        with connection.cursor() as cursor:
            for wanted in dict.fromkeys((slots, 1)):  # the last ones of a day one by one
                values = self._values(wanted)
                asked = time.monotonic()
                cursor.execute(_TAKE.format(today=_TODAY), values)
                row = cursor.fetchone()
                if row is not None:
                    apart = 1 / self.rate if self.rate else 0.0
                    first = asked + float(row[0]) - wanted * apart
                    self.slots.extend(first + n * apart for n in range(wanted))
                    return 0.0
            cursor.execute(_LOOK, values)
            row = cursor.fetchone()
        if row is None:
            return 0.05
        wait, spent, _tomorrow = row
        return math.inf if spent else max(float(wait), 0.01)


def domain_of(address: str) -> str:
    """What stands behind the last @, in small letters."""
    return address.rpartition("@")[2].lower()
