"""How soon picks are answered: live for a visit, and stored ones; and how soon a look counts.

Over HTTP behind the web server that ships, at a steady rate, on a database of its own.
"""

import statistics
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection
from django.utils import timezone

from ingestion.benchmarks import sending, serving
from ingestion.events import partitions
from marketing.core import auth
from marketing.core.errors import Refused
from recommendations import build
from recommendations.models import LinkSet, Placement, RecommendationSet

PRODUCTS, LINKS, EVENTS = 20_000, 30, 12
PEOPLE = {"small": 20_000, "full": 200_000}
RATE, SECONDS = 200, {"small": 10, "full": 60}
LOOKS = 20
CONNECTIONS = 16
LIVE_LIMIT, STORED_LIMIT = 20.0, 8.0
FRESH_LIMIT = 1.0
SLUG = "bench-home"

Line = dict[str, Any]

_FILL = """
INSERT INTO ingestion_product (sku, name, category, price, currency, url, image_url, active,
    is_goods, attributes, stock, created_at)
SELECT 'BENCH' || n, 'Thing ' || n, 'Shelf ' || n %% 200, 5 + n %% 90, 'GBP',
    'https://shop.example/' || n, 'https://shop.example/' || n || '.jpg', true, true,
    jsonb_build_object('brand', 'Maker ' || n %% 300), CASE WHEN n %% 20 = 0 THEN 0 ELSE 50 END,
    now() - n * interval '1 hour' FROM generate_series(1, %(products)s) AS n;
INSERT INTO ingestion_customer (external_id, first_name, last_name, phone, country, language,
    timezone, attributes, is_demo, created_at, updated_at)
SELECT 'bench-' || n, '', '', '', '', '', '', '{}', false, now(), now()
FROM generate_series(1, %(people)s) AS n;
INSERT INTO ingestion_identity (customer_id, kind, value, source, at)
SELECT id, 'external', external_id, '', now() FROM ingestion_customer
WHERE external_id LIKE 'bench-%%';
INSERT INTO recommendations_productlink (set_id, product_id, kind, rank, other_id, score, count)
SELECT %(links)s, p.id, k.kind, r, first.id + (p.id * 31 + r * r * 97 + length(k.kind) * 7)
    %% %(products)s, 1.0 / (1 + r), 40 - r
FROM ingestion_product p, (SELECT min(id) AS id FROM ingestion_product WHERE sku LIKE 'BENCH%%')
    AS first, unnest(ARRAY['seen', 'bought', 'together', 'next']) AS k (kind),
    generate_series(1, %(each)s) AS r
WHERE p.sku LIKE 'BENCH%%';
INSERT INTO recommendations_picklist (set_id, customer_id, products, scores, whys, anchors)
SELECT %(set)s, c.id, array_agg(first.id + (c.id * 13 + r * 101) %% %(products)s ORDER BY r),
    array_agg((1.0 / r)::real ORDER BY r), array_agg(1::smallint ORDER BY r),
    array_agg(first.id + (c.id * 7 + r * 31) %% %(products)s ORDER BY r)
FROM ingestion_customer c, (SELECT min(id) AS id FROM ingestion_product WHERE sku LIKE 'BENCH%%')
    AS first, generate_series(1, 10) AS r
WHERE c.external_id LIKE 'bench-%%' GROUP BY c.id ORDER BY c.id;
INSERT INTO ingestion_event (at, received_at, customer_id, type, properties, source, message_id)
SELECT %(now)s - (c.id %% 1000 + r * 40) * interval '1 minute', now(), c.id,
    (ARRAY['view', 'cart', 'page', 'view'])[1 + r %% 4],
    jsonb_build_object('sku', 'BENCH' || 1 + (c.id * 7 + r * 211) %% %(products)s), 'bench',
    c.id || '-' || r
FROM ingestion_customer c, generate_series(1, %(events)s) AS r
WHERE c.external_id LIKE 'bench-%%';
"""


@contextmanager
def _shop(size: str) -> Iterator[str]:
    """Products with links, people with a stored set and a visit each; the secret of an API key."""
    now = timezone.now()
    partitions.ensure({((now - timedelta(days=d)).year, (now - timedelta(days=d)).month)
                       for d in range(0, 40, 10)})  # fmt: skip
    place = build.default_placement()
    home, _made = Placement.objects.get_or_create(
        slug=SLUG, defaults={"name": "Home", "kind": Placement.Kind.HOME, "size": 10}
    )
    chosen = RecommendationSet.objects.create(
        placement=place, engine="als", state="complete", serving=True
    )
    links = LinkSet.objects.create(made_at=now)
    with connection.cursor() as cursor:
        cursor.execute(
            _FILL,
            {
                "products": PRODUCTS, "people": PEOPLE[size], "links": links.pk, "each": LINKS,
                "set": chosen.pk, "now": now, "events": EVENTS,
            },
        )  # fmt: skip
        cursor.execute("SELECT id FROM ingestion_product WHERE sku LIKE 'BENCH%' LIMIT 200")
        links.popular = {"all": [key for (key,) in cursor.fetchall()], "by_category": {}}
        links.complete = True
        links.save()
        cursor.execute("VACUUM ANALYZE")
    key, secret = auth.create_key(
        name="bench", scopes=["recommendations:read", "events:write"], user=None
    )
    try:
        yield secret
    finally:
        key.delete()
        build.clear(placement=place)
        home.delete()
        with connection.cursor() as cursor:
            cursor.execute(
                "TRUNCATE recommendations_productlink, recommendations_linkset, ingestion_customer,"
                " ingestion_identity, ingestion_product, ingestion_event, ingestion_eventkey"
                " CASCADE"
            )


def _post(port: int, secret: str, asked: dict[str, Any], path: str) -> bytes:
    return sending.request(port=port, path=path, body=orjson.dumps(asked), secret=secret)


def _get(port: int, secret: str, number: int) -> bytes:
    return (
        f"GET /api/v1/customers/bench-{number}/recommendations/ HTTP/1.1\r\n"
        f"Host: {sending.HOST}:{port}\r\nAuthorization: Bearer {secret}\r\n\r\n"
    ).encode()


LIVE = "/api/v1/recommendations/live/"


def recs_live(*, size: str = "small") -> list[Line]:
    """Picks for visits at 200 requests a second, each of another person with a visit of their own;
    and how soon after an event is answered the next picks are other ones."""
    count, people = RATE * SECONDS[size], PEOPLE[size]
    with _shop(size) as secret, serving.web(serving.PLATFORM) as port:
        asked = [
            {"placement": SLUG, "external_id": f"bench-{1 + n * 7919 % people}"}
            for n in range(count + 600)
        ]
        loads = [_post(port, secret, one, LIVE) for one in asked]
        _run(loads[count:], port, RATE / 2)  # both processes have seen everything once
        before = serving.processor_seconds()
        sent = _run(loads[:count], port, RATE)
        spent = _spent(before, count)
        with serving.worker():
            _fresh(port, secret, LOOKS)  # the worker is awake after the first
            waits = [_fresh(port, secret, n) for n in range(LOOKS)]
    return [
        _line("recs.live", sent, LIVE_LIMIT) | spent,
        {
            "name": "recs.live.fresh",
            "value": round(statistics.median(waits), 3),
            "unit": "s",
            "n": len(waits),
            "limit": {"what": "at most", "value": FRESH_LIMIT},
            "peer": None,
            "ratio": round(FRESH_LIMIT / max(waits), 2),
            "runs": 1,
            "spread": 0.0,
            "slowest": round(max(waits), 3),
        },
    ]


def recs_stored(*, size: str = "small") -> list[Line]:
    """Everybody's stored picks by person, at 200 requests a second."""
    count, people = RATE * SECONDS[size], PEOPLE[size]
    with _shop(size) as secret, serving.web(serving.PLATFORM) as port:
        loads = [_get(port, secret, 1 + n * 7919 % people) for n in range(count + 600)]
        _run(loads[count:], port, RATE / 2)
        before = serving.processor_seconds()
        sent = _run(loads[:count], port, RATE)
        spent = _spent(before, count)
    return [_line("recs.stored", sent, STORED_LIMIT) | spent]


def _spent(before: dict[str, float], count: int) -> dict[str, Any]:
    """Processor time of a request, which a busy machine does not change as it does waiting."""
    after = serving.processor_seconds()
    return {
        "processor_ms": {
            name: round(1_000 * (after[name] - before.get(name, 0.0)) / count, 2) for name in after
        }
    }


def _run(loads: list[bytes], port: int, rate: float) -> sending.Sent:
    sent = sending.send(loads, port=port, connections=CONNECTIONS, per_second=rate)
    if set(sent.statuses) != {200}:
        raise Refused(f"the server answered {sent.statuses}")
    return sent


def _fresh(port: int, secret: str, number: int) -> float:
    """Seconds from the answer to an event until a visitor's picks are other ones."""
    visitor = uuid.uuid4().hex
    asked = {"placement": SLUG, "anonymous_id": visitor}
    before = _ask(port, secret, asked, LIVE)
    event = {
        "type": "view", "anonymous_id": visitor, "message_id": visitor,
        "at": timezone.now().isoformat(), "properties": {"sku": f"BENCH{1 + number * 37}"},
    }  # fmt: skip
    _ask(port, secret, event, "/api/v1/events/")
    began = time.perf_counter()
    while time.perf_counter() - began < 10:
        if _ask(port, secret, asked, LIVE) != before:
            return time.perf_counter() - began
        time.sleep(0.01)
    raise Refused("the picks did not change")


def _ask(port: int, secret: str, asked: dict[str, Any], path: str) -> bytes:
    request = urllib.request.Request(
        f"http://{sending.HOST}:{port}{path}", orjson.dumps(asked),
        {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read())


def _line(name: str, sent: sending.Sent, limit: float) -> Line:
    steps = statistics.quantiles(sent.latencies, n=100)
    p99 = 1_000 * steps[98]
    return {
        "name": name,
        "value": round(p99, 2),
        "unit": f"ms, 99th of 100 at {RATE} requests/s",
        "n": len(sent.latencies),
        "limit": {"what": "at most", "value": limit},
        "peer": None,
        "ratio": round(limit / p99, 2),
        "runs": 1,
        "spread": 0.0,
        "median_ms": round(1_000 * steps[49], 2),
        "p95_ms": round(1_000 * steps[94], 2),
        "client_late_p99_ms": round(1_000 * statistics.quantiles(sent.late, n=100)[98], 2),
    }


WORKLOADS = {"recs.live": recs_live, "recs.stored": recs_stored}
