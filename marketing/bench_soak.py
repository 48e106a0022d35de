"""A day of a shop's work in an hour: whether memory and queues stay level.

The whole platform runs as for a person, in a folder of its own. Visitors look and buy, a segment
follows them, pages are read, and every minute a campaign goes to the segment. Memory is that of
each process with its children, queues are what /metrics says. `ratio` is the limit over our value.
"""

import json
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from random import Random
from typing import Any

import psutil
from django.conf import settings

from marketing import benchmarks

Line = dict[str, Any]
SECONDS = {"small": 300, "full": 3600}
# A busy day of the demo's shop: 4,000 people, 1,500 orders, 70,000 views, in an hour.
PEOPLE = 4_000
EVENTS_A_SECOND, ORDERS_A_SECOND = 20, 0.4
LOOK_SECONDS, CAMPAIGN_SECONDS = 5.0, 60.0
# Growth from the middle to the end of the time, as a share; and rows that may wait at the end.
MOST_GROWTH, MOST_WAITING = 0.10, 1_000
_SETTINGS = "marketing.settings"
_TEMPLATE = """
import django
django.setup()
from campaigns.models import Template
print(Template.objects.create(
    name="Soak", subject="New things", html="<p>Hello</p>", text="Hello"
).pk)
"""
QUEUES = ("perennial_queue_tasks", "perennial_inbox_requests", "perennial_outbox_rows")


def soak(size: str = "small") -> list[Line]:
    """Growth of the processes' memory over the second half, in MB an hour, and what waits."""
    with benchmarks._platform(demo=False) as platform:
        platform.start("Ctrl-C stops everything", 300)
        shop = _Shop(platform)
        shop.open()
        memory: dict[str, list[tuple[float, float]]] = {}
        waiting: list[float] = []
        began = time.monotonic()
        looked = 0.0
        while (now := time.monotonic() - began) < SECONDS[size]:
            shop.live_one_second()
            if now - looked >= LOOK_SECONDS:
                looked = now
                for name, megabytes in _memory(platform).items():
                    memory.setdefault(name, []).append((now, megabytes))
                waiting.append(shop.waiting())
        return [*_grown(memory), _waited(waiting), shop.told()]


class _Shop:
    """Whatever happens in a shop, through the API alone."""

    def __init__(self, platform: benchmarks._Platform) -> None:
        self._address = platform.address
        self._environment = platform.environment
        self._servers = {
            name: (platform.var / file).read_text().strip()
            for name, file in (("DATABASE_URL", "postgres.url"), ("REDIS_URL", "valkey.url"))
        }
        self._key = json.loads((platform.var / "demo.json").read_text())["api_key"]
        self._draw = Random(7)
        self._visitor = benchmarks._sign_in(platform)
        self._number = 0
        self._segment = 0
        self._template = 0
        self._next_campaign = 30.0
        self._campaigns = 0
        self._began = time.monotonic()

    def open(self) -> None:
        """People, products and a segment of who looked at something in the last day."""
        for first in range(0, PEOPLE, 1000):
            self._post("customers/", [_person(n) for n in range(first, first + 1000)])
        self._post("products/", [_product(n) for n in range(200)])
        rule = {"did": "product_viewed", "at_least": 1, "days": 1}
        self._segment = self._post("segments/", {"name": "Looked today", "rule": rule})["id"]
        self._template = self._make_template()

    def _make_template(self) -> int:
        """A plain mail; the API has none to make."""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _TEMPLATE],
            cwd=settings.BASE_DIR,
            env={**self._environment, **self._servers, "DJANGO_SETTINGS_MODULE": _SETTINGS},
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stdout)

    def live_one_second(self) -> None:
        """Send what happens in a second, read a page, and wait for the rest of it."""
        began = time.monotonic()
        self._post("events/", [self._event() for _n in range(EVENTS_A_SECOND)])
        if self._draw.random() < ORDERS_A_SECOND:
            self._post("orders/", [self._order()])
        self._visitor.open(self._address + self._draw.choice(benchmarks.PAGES)).read()
        if began - self._began > self._next_campaign:
            self._next_campaign += CAMPAIGN_SECONDS
            self._send_campaign()
        time.sleep(max(0.0, 1.0 - (time.monotonic() - began)))

    def waiting(self) -> float:
        """Rows and tasks that nobody has dealt with."""
        lines = self._get("/metrics").splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(QUEUES))

    def told(self) -> Line:
        """How much of it there was."""
        unit = "things sent in"
        return benchmarks._line("soak.load", unit, [self._number], self._number, self._campaigns)

    def _event(self) -> dict[str, Any]:
        self._number += 1
        return {
            "type": "product_viewed",
            "message_id": f"soak-{self._number}",
            "external_id": f"p-{self._draw.randrange(PEOPLE)}",
            "at": datetime.now(UTC).isoformat(),
            "properties": {"sku": f"S-{self._draw.randrange(200)}"},
        }

    def _order(self) -> dict[str, Any]:
        self._number += 1
        line = {"sku": f"S-{self._draw.randrange(200)}", "quantity": 1, "unit_price": "9.50"}
        return {
            "source": "shop",
            "external_id": f"O-{self._number}",
            "placed_at": datetime.now(UTC).isoformat(),
            "currency": "GBP",
            "customer": {"external_id": f"p-{self._draw.randrange(PEOPLE)}"},
            "lines": [line],
        }

    def _send_campaign(self) -> None:
        self._campaigns += 1
        made = self._post(
            "campaigns/",
            {
                "name": f"Soak {self._campaigns}",
                "segment_id": self._segment,
                "template_id": self._template,
            },
        )
        self._post(f"campaigns/{made['id']}/start/", {})

    def _post(self, path: str, body: Any) -> Any:
        return json.loads(self._get(f"/api/v1/{path}", json.dumps(body).encode()))

    def _get(self, path: str, body: bytes | None = None) -> str:
        headers = {"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"}
        asked = urllib.request.Request(self._address + path, data=body, headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{path} answered {error.code}: {error.read()[:500]!r}") from error


def _person(number: int) -> dict[str, Any]:
    return {
        "external_id": f"p-{number}",
        "email": f"p{number}@example.com",
        "country": "United Kingdom",
        "consent": {"email": {"granted": True, "proof": {"form": "soak"}}},
    }


def _product(number: int) -> dict[str, Any]:
    price = f"{5 + number % 40}.50"
    return {"sku": f"S-{number}", "name": f"Thing {number}", "price": price, "currency": "GBP"}


def _memory(platform: benchmarks._Platform) -> dict[str, float]:
    """Megabytes that each program holds by itself, its children included."""
    assert platform.process is not None
    found: dict[str, float] = {}
    for child in psutil.Process(platform.process.pid).children():
        try:
            name = _name(child.cmdline())
            tree = [child, *child.children(recursive=True)]
            held = sum(process.memory_full_info().uss for process in tree) / 1e6
        except psutil.Error:
            continue
        if name:
            found[name] = found.get(name, 0.0) + held
    return found


def _name(words: list[str]) -> str:
    if "perennial-web" in " ".join(words) or "granian" in words:
        return "web"
    if "-Q" in words:
        return f"worker-{words[words.index('-Q') + 1]}"
    return next((word for word in ("beat", "mailcatcher") if word in words), "")


def _grown(memory: dict[str, list[tuple[float, float]]]) -> list[Line]:
    lines = []
    for name, looks in sorted(memory.items()):
        half = looks[len(looks) // 2 :]
        hours, held = [at / 3600 for at, _mb in half], [mb for _at, mb in half]
        slope = statistics.linear_regression(hours, held).slope if len(half) > 2 else 0.0
        level = statistics.median(held)
        limit = MOST_GROWTH * level / max(hours[-1] - hours[0], 1e-9)
        lines.append(
            {
                "name": f"soak.memory.{name}",
                "value": round(slope, 1),
                "unit": "MB an hour",
                "n": len(half),
                "limit": {"what": "at most", "value": round(limit, 1)},
                "peer": None,
                "ratio": round(limit / max(slope, limit / 100), 2),
                "level": round(level, 1),
                "runs": 1,
                "spread": round((max(held) - min(held)) / level, 3),
            }
        )
    return lines


def _waited(waiting: list[float]) -> Line:
    last = waiting[-max(len(waiting) // 4, 1) :]
    line = benchmarks._line(
        "soak.waiting", "rows", [max(statistics.median(last), 1)], MOST_WAITING, len(waiting)
    )
    return line | {"first": statistics.median(waiting[: len(last)]), "most": max(waiting)}


WORKLOADS = {"soak": soak}
