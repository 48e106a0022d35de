"""How many creatives are chosen a second, and what a list for a network takes of memory.

Needs a database of its own. The sides of each ratio run in turn, so that a busy machine slows them
alike.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from multiprocessing import get_context
from typing import Any

from django.conf import settings
from django.db import connection, connections
from django.utils import timezone

from campaigns.ads import choosing, defining, exporting, permission, steering
from campaigns.ads.choosing import Viewer
from campaigns.benchmarks import rendering as benchmarks
from campaigns.models import AdCampaign, AdChoice, AdExport, Segment
from marketing.core import auth
from marketing.core.errors import Refused
from models_ml.benchmarks.data import pace

CHOICES = {"small": 4_000, "full": 40_000}
PEOPLE = {"small": 100_000, "full": 1_000_000}
LISTS = {"small": 3, "full": 2}
PROCESSES, THREADS = 2, 8
_ROW = """
INSERT INTO campaigns_adchoice (key, at, ad_id, creative_id, placement_id, customer_id, day, chance,
    price, reason, shown, freed)
SELECT %(key)s, %(now)s, %(ad)s, %(creative)s, %(place)s, NULL, %(day)s, 0.5, 0.001, 'fixed', false,
    false"""
# One row for the whole day: whoever chooses waits until everybody before is on disk.
_QUEUED = f"""
WITH paid AS (
    UPDATE campaigns_adday SET promised = promised + 0.001
    WHERE ad_id = %(ad)s AND day = %(day)s AND spent + promised + 0.001 <= cap RETURNING 1)
{_ROW} FROM paid"""


def choice(size: str = "small") -> dict[str, Any]:
    """Sixteen who ask at once for creatives of one campaign; beside them the row alone is written,
    and beside that with the money of the day in one row.
    """
    n = CHOICES[size]
    ad = _advert()
    sides: dict[str, list[float]] = {"ours": [], "row": [], "queued": []}
    waits: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(benchmarks.RUNS + 1):
        for side in sides:
            seconds, took = _at_once(side, n)
            if turn:  # the first turn warms
                sides[side].append(n / seconds)
                waits[side] += took
    made = AdChoice.objects.filter(ad=ad).count()
    if made != n * len(sides) * (benchmarks.RUNS + 1):
        raise Refused(f"not every choice was made once: {made}")
    line = pace("ads.choice", "choices/s", n, sides["ours"], sides["row"], "the choice's row alone")
    queued = statistics.median(sides["queued"])
    return line | {
        "at_once": PROCESSES * THREADS,
        **_percentiles(waits["ours"]),
        "row": _percentiles(waits["row"]),
        "one_row_a_day": {"value": round(queued, 1), **_percentiles(waits["queued"])},
    }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    found = statistics.quantiles(seconds, n=100)
    return {"p50_ms": round(1e3 * found[49], 2), "p99_ms": round(1e3 * found[98], 2)}


def _advert() -> AdCampaign:
    """A campaign whose money lasts, shown all day."""
    now = timezone.now()
    defining.save_placement(key="bench", values={"name": "Bench"}, actor=None, now=now)
    values = {
        "name": "Bench", "budget": "100000000", "price": "1", "placements": ["bench"],
        "starts_on": (now - timedelta(days=1)).date(), "ends_on": (now + timedelta(days=2)).date(),
    }  # fmt: skip
    defining.save(key="bench", values=values, actor=None, now=now)
    for creative in ("one", "two"):
        defining.save_creative(
            ad_key="bench", key=creative, values={"name": creative}, actor=None, now=now
        )
    made = defining.move(key="bench", to="start", actor=None, now=now)
    AdCampaign.objects.filter(pk=made.pk).update(pace={**made.pace, "chance": 1.0})
    return made


def _at_once(side: str, n: int) -> tuple[float, list[float]]:
    """Seconds for n choices by processes of several threads each, and those of each choice."""
    connection.close()
    each = n // PROCESSES
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("fork")) as pool:
        found = list(pool.map(_several, [(side, each)] * PROCESSES))
    return max(seconds for seconds, _waits in found), [
        w for _seconds, waits in found for w in waits
    ]


def _several(asked: tuple[str, int]) -> tuple[float, list[float]]:
    side, n = asked
    choosing.forget()
    choosing.policy(now=timezone.now())
    with ThreadPoolExecutor(THREADS, initializer=connection.ensure_connection) as pool:
        list(pool.map(_nothing, range(THREADS)))  # every thread has its connection
        began = time.perf_counter()
        waits = list(pool.map(_one, [(side, n // THREADS)] * THREADS))
        seconds = time.perf_counter() - began
    return seconds, [wait for some in waits for wait in some]


def _nothing(_number: int) -> None:
    time.sleep(0.05)


def _one(asked: tuple[str, int]) -> list[float]:
    side, n = asked
    now = timezone.now()
    ad = AdCampaign.objects.get(key="bench")
    creative, place = ad.creatives.earliest("pk"), ad.placements.get()
    values: dict[str, Any] = {"now": now, "ad": ad.pk, "creative": creative.pk, "place": place.pk}
    values["day"] = steering.today_of(ad, now)
    waits = []
    for _time in range(n):
        began = time.perf_counter()
        if side == "ours":
            choosing.choose(placement="bench", who=Viewer(), now=now)
        else:
            with connection.cursor() as cursor:
                cursor.execute(_ROW if side == "row" else _QUEUED, {**values, "key": uuid.uuid4()})
        waits.append(time.perf_counter() - began)
    connections.close_all()
    return waits


def export(size: str = "small") -> dict[str, Any]:
    """A list of everybody who agreed, hashed for Meta, in a process of its own; memory beside that
    of a tenth of the people, and the rate beside reading and hashing by hand.
    """
    n = PEOPLE[size]
    _plant(n)
    everybody = Segment.objects.create(name="Everybody", rule={"all": []})
    few = Segment.objects.create(
        name="Few",
        rule={"field": "customer.first_name", "op": "starts_with", "value": "Person1"},
    )
    hand, ours, peaks, small = [], [], [], []
    for turn in range(LISTS[size]):
        told = _written(everybody)
        if told["people"] != n:
            raise Refused(f"{told['people']} of {n} people stand on the list")
        ours.append(n / told["seconds"])
        peaks.append(told["memory_mb"])
        hand.append(n / _by_hand())
        if not turn:
            small.append(_written(few))
    line = pace("ads.export", "people/s", n, ours, hand, "read and hashed by hand")
    return line | {
        "memory_mb": max(peaks),
        "memory_mb_of_fewer": small[0]["memory_mb"],
        "fewer": small[0]["people"],
        "bytes": told["bytes"],
    }


def _plant(n: int) -> None:
    now = timezone.now()
    permission.add_purpose(user=None, now=now)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO ingestion_customer (external_id, email, phone, first_name, last_name,
                country, language, timezone, attributes, is_demo, created_at, updated_at)
            SELECT 'bench' || n, 'bench' || n || '@example.com', '', 'Person' || n, 'Bench', 'GB',
                '', '', '{"zip": "N1 9GU"}', false, now(), now()
            FROM generate_series(1, %s) AS n""",
            [n],
        )
        cursor.execute(
            """
            INSERT INTO ingestion_consent (customer_id, channel, purpose, granted, at, received_at,
                source, proof, current)
            SELECT id, 'email', %s, true, now() - interval '1 day', now(), 'bench', '{}', true
            FROM ingestion_customer""",
            [permission.PURPOSE],
        )
        cursor.execute("VACUUM ANALYZE ingestion_customer, ingestion_consent")


def _by_hand() -> float:
    """Seconds to read the same columns through a cursor of the server and hash them."""
    done = _aside("by_hand")
    return float(done["seconds"])


def _written(segment: Segment) -> dict[str, Any]:
    user = auth.without_password(login="bench-ads")
    made = exporting.start(
        segment_id=segment.pk, format=AdExport.Format.META, user=user, now=timezone.now()
    )
    connection.close()
    return _aside("written", str(made.pk))


def _aside(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "campaigns.benchmarks.ads_process", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "marketing.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Refused(f"the list was not written: {done.stderr[-1000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


WORKLOADS: dict[str, Callable[[str], dict[str, Any]]] = {
    "ads.choice": choice,
    "ads.export": export,
}
