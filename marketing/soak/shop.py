"""What happens in a shop, through the doors that everybody uses: tags, API, files, pages, mails."""

import email
import email.policy
import re
import threading
import time
import urllib.parse
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from marketing.soak.client import Client
from marketing.soak.opening import CANARIES, CANARY, Ground, Visitor

# How often a second, and by how many threads. In an hour: 43,200 page views with a product each,
# 36,000 events of other systems, 21,600 lists of picks, 7,400 orders (6,000 of them in files),
# twelve campaigns.
RATES = {
    "collect": (12.0, 3),
    "picks": (6.0, 2),
    "batch": (0.5, 1),
    "order": (0.4, 1),
    "customer": (0.2, 1),
    "stored": (0.5, 1),
    "page": (0.5, 1),
    "answered": (2.0, 1),
    "campaign": (1 / 300, 1),
    "file": (1 / 600, 1),
    "canary": (1 / 20, 1),
}
VISITORS, KNOWN = 20_000, 3_000
BATCH, LINES = 20, 2_000
LATE_SECONDS, LAG_PATIENCE = 10.0, 60.0
ORDERS, FILES = "soak", "soak-files"
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
_OPEN = re.compile(r"https?://[^/\s\"]+(/o/[\w-]+\.gif)")
_CLICK = re.compile(r"https?://[^/\s\"]+(/c/[\w-]+/[^\"\s<>]+)")


class Shop:
    """`entered(segment, person)` tells whether somebody stands in a segment, for the canaries."""

    def __init__(
        self,
        client: Client,
        visitor: Visitor,
        ground: Ground,
        mails: Path,
        entered: Callable[[int, str], bool],
    ) -> None:
        self._client, self._visitor, self._ground = client, visitor, ground
        self._mails, self._entered = mails, entered
        self._numbers = count(1)
        self._unread: deque[str] = deque()
        self._seen = max((mail.name for mail in mails.iterdir()), default="")
        self._canaries = count()
        self.lags: list[float] = []
        self.broken: dict[str, str] = {}

    def live(self, seconds: float) -> None:
        """Everybody does what they do, at their own rate, until the time is over."""
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=self._act, args=(kind, hands / rate, number, until))
            for kind, (rate, hands) in RATES.items()
            for number in range(hands)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _act(self, kind: str, every: float, number: int, until: float) -> None:
        draw = Random(f"{kind} {number}")
        act = getattr(self, f"do_{kind}")
        # Not all at once; and what is rare comes when somebody has looked at something already.
        due = time.monotonic() + min(every, 60.0) * (0.5 + draw.random() / 2)
        while due < until:
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                act(draw)
            except Exception as error:
                self.broken.setdefault(kind, repr(error)[:500])
                self._client.book.add("broken")
            due += every
            if due < time.monotonic() - LATE_SECONDS:  # what was due meanwhile is not made up for
                self._client.book.add("late")
                due = time.monotonic()

    def _number(self) -> str:
        return f"{self._ground.mark}-{next(self._numbers)}"

    def do_collect(self, draw: Random) -> None:
        """A page and a product, as the tag of a website tells them."""
        who = draw.randrange(VISITORS)
        now = datetime.now(UTC).isoformat()
        names: dict[str, Any] = {"anonymousId": f"visitor-{who}", "timestamp": now}
        people = self._ground.people
        if who < KNOWN:
            names["userId"] = people[who % len(people)]
        event = "Product Added" if draw.random() < 0.1 else "Product Viewed"
        calls = [
            {"type": "page", "messageId": self._number(), **names, "properties": {"path": "/p"}},
            {
                "type": "track", "event": event, "messageId": self._number(), **names,
                "properties": {"sku": draw.choice(self._ground.products)},
            },
        ]  # fmt: skip
        body = {"writeKey": self._ground.write_key, "batch": calls, "sentAt": now}
        told = self._client.post("collect", "/v1/batch", body, public=True)
        self._client.book.add("web events", told["stored"])
        self._client.book.add("rejected", len(told["rejected"]))

    def do_picks(self, draw: Random) -> None:
        asked = {
            "writeKey": self._ground.write_key,
            "placement": "home",
            "anonymousId": f"visitor-{draw.randrange(VISITORS)}",
        }
        self._client.post("picks", "/r/picks", asked, public=True)

    def do_batch(self, draw: Random) -> None:
        now = datetime.now(UTC).isoformat()
        events = [
            {
                "type": "view", "message_id": self._number(), "at": now,
                "external_id": draw.choice(self._ground.people),
                "properties": {"sku": draw.choice(self._ground.products)},
            }
            for _n in range(BATCH)
        ]  # fmt: skip
        told = self._client.post("events", "/api/v1/events/", events)
        self._client.book.add("API events", told["counts"].get("stored", 0))

    def do_order(self, draw: Random) -> None:
        line = {"sku": draw.choice(self._ground.products), "quantity": 1, "unit_price": "9.50"}
        order = {
            "source": ORDERS,
            "external_id": self._number(),
            "placed_at": datetime.now(UTC).isoformat(),
            "currency": "GBP",
            "customer": {"external_id": draw.choice(self._ground.people)},
            "lines": [line],
        }
        self._client.post("orders", "/api/v1/orders/", order)
        self._client.book.add("orders")

    def do_customer(self, draw: Random) -> None:
        plan = draw.choice(["silver", "gold"])
        changed = {"external_id": draw.choice(self._ground.people), "attributes": {"plan": plan}}
        self._client.post("customers", "/api/v1/customers/", changed)

    def do_stored(self, draw: Random) -> None:
        who = urllib.parse.quote(draw.choice(self._ground.people))
        self._client.ask("stored picks", f"/api/v1/customers/{who}/recommendations/?limit=3")

    def do_page(self, draw: Random) -> None:
        """Somebody of the team looks at a page."""
        path = draw.choice(self._ground.pages)
        began = time.perf_counter()
        status, text = self._visitor.page(path)
        taken = 1000 * (time.perf_counter() - began)
        self._client.book.note("pages", status, taken, f"{path} {text}".encode())

    def do_answered(self, draw: Random) -> None:
        """Somebody opens a mail; every fifth follows a link of it."""
        if not self._unread:
            names = sorted(path.name for path in self._mails.iterdir() if path.name > self._seen)
            self._seen = max([self._seen, *names])
            self._unread.extend(names[:: draw.choice([1, 2, 3])])
            if not self._unread:
                return
        raw = (self._mails / self._unread.popleft()).read_bytes()
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        html = mail.get_body(("html",))
        text = html.get_content() if html is not None else ""
        headers = {"User-Agent": AGENT}
        if found := _OPEN.search(text):
            status, _body = self._client.ask("opened", found[1], headers=headers, public=True)
            self._client.book.add("mails opened", int(status == 200))
        if draw.random() < 0.2 and (found := _CLICK.search(text)):
            self._client.ask(
                "clicked", found[1].replace("&amp;", "&"), headers=headers, public=True
            )

    def do_campaign(self, draw: Random) -> None:
        values = {
            "name": f"Soak {self._number()}",
            "segment_id": self._ground.audience,
            "template_id": self._ground.template,
        }
        made = self._client.post("campaigns", "/api/v1/campaigns/", values)
        self._client.post("campaigns", f"/api/v1/campaigns/{made['id']}/start/", {})
        self._client.book.add("campaigns")

    def do_file(self, draw: Random) -> None:
        """The orders of another system, as a file."""
        day = datetime.now(UTC).replace(microsecond=0).isoformat()
        rows = ["order,date,customer,sku,quantity,price"]
        for _order in range(LINES // 2):
            order, who = self._number(), draw.choice(self._ground.people)
            goods = draw.sample(self._ground.products, 2)
            rows += [f"{order},{day},{who},{sku},1,4.50" for sku in goods]
        fields = {"kind": "orders", "source": FILES, "options": '{"currency": "GBP"}'}
        body, kind = _form(fields, "\n".join(rows).encode())
        self._client.post("imports", "/api/v1/imports/", body, headers={"Content-Type": kind})
        self._client.book.add("orders in files", LINES // 2)

    def do_canary(self, draw: Random) -> None:
        """Seconds from a person's event to their place in a segment."""
        who = f"{self._ground.mark}-{next(self._canaries) % CANARIES}"
        event = {"type": CANARY, "message_id": self._number(), "external_id": who}
        event["at"] = datetime.now(UTC).isoformat()
        began = time.monotonic()
        self._client.post("events", "/api/v1/events/", event)
        self._client.book.add("API events")
        while not self._entered(self._ground.canary, who):
            if time.monotonic() - began > LAG_PATIENCE:
                break
            time.sleep(0.05)
        self.lags.append(time.monotonic() - began)


def _form(fields: dict[str, str], file: bytes) -> tuple[bytes, str]:
    """A form with a file as it goes over the wire, and its content type."""
    border = "soak-border"
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    head = 'Content-Disposition: form-data; name="file"; filename="orders.csv"'
    parts.append(f"--{border}\r\n{head}\r\nContent-Type: text/csv\r\n\r\n")
    body = "".join(parts).encode() + file + f"\r\n--{border}--\r\n".encode()
    return body, f"multipart/form-data; boundary={border}"
