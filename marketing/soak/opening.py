"""What is set up before a day begins, as an integrator and somebody of the team would."""

import re
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any

from marketing.soak.client import Client

CANARIES = 400
CANARY = "soak_canary"
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
_KEY = re.compile(r'value="(wk_[^"]+)"')
_LINK = re.compile(r'<a[^>]+href="(/[a-z/-]*)"')
_NOT_LOOKED_AT = {"/logout/", "/admin/", "/api/docs/"}
_REACHED = {"reach": "email", "purpose": "marketing"}


class Visitor:
    """Somebody of the team who is signed in."""

    def __init__(self, opener: urllib.request.OpenerDirector, address: str) -> None:
        self._opener, self._address = opener, address

    def page(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
        """Status and text of a page; with `form`, of what came of sending it."""
        address = self._address + path
        body = None if form is None else urllib.parse.urlencode(form).encode()
        asked = urllib.request.Request(address, body, {"Referer": address})
        try:
            with self._opener.open(asked, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(errors="replace")
        except OSError as error:
            return 0, repr(error)


@dataclass(frozen=True)
class Ground:
    """What the day needs: a mark on all that is sent, the tag's key, people and products, segments,
    a template, pages."""

    mark: str
    write_key: str
    people: list[str]
    products: list[str]
    audience: int
    canary: int
    template: int
    pages: list[str]


def prepare(client: Client, visitor: Visitor) -> Ground:
    """A tag, a placement, two segments, a journey; and people who only tell how late it is."""
    mark = f"soak-{time.time_ns():x}"
    people = client.get("opening", "/api/v1/customers/?limit=1000")["data"]
    products = client.get("opening", "/api/v1/products/?limit=1000")["data"]
    template = client.get("opening", "/api/v1/templates/")["data"][0]["id"]
    place = {"name": "Home page", "kind": "home"}
    client.post("opening", "/api/v1/recommendations/placements/home/", place, method="PUT")
    canaries = [{"external_id": f"{mark}-{n}", "first_name": "Canary"} for n in range(CANARIES)]
    client.post("opening", "/api/v1/customers/", canaries)
    _publish(client, template)
    looked = {"did": "view", "at_least": 1, "days": 1}
    lately = {"field": "traits.recency_days", "op": "<=", "value": 60}
    return Ground(
        mark=mark,
        write_key=_make_tag(visitor, mark),
        people=[one["external_id"] for one in people if one["external_id"]],
        products=[one["sku"] for one in products],
        audience=_segment(client, "Looked today, bought lately", {"all": [looked, lately]}),
        canary=_segment(client, "Canaries", {"did": CANARY, "at_least": 1, "days": 1}),
        template=template,
        pages=sorted(set(_LINK.findall(visitor.page("/")[1])) - _NOT_LOOKED_AT),
    )


def _segment(client: Client, name: str, rule: dict[str, Any]) -> int:
    return int(client.post("opening", "/api/v1/segments/", {"name": name, "rule": rule})["id"])


def _publish(client: Client, template: int) -> None:
    """A basket that was left; a minute's wait stands for the hour."""
    nodes = {
        "start": {"kind": "event", "event": "cart", "next": "wait"},
        "wait": {"kind": "wait_for", "for": {"minutes": 1}, "next": "asked"},
        "asked": {
            "kind": "split_rule",
            "label": "Bought?",
            "rule": {"bought": {"any": True}, "days": 1},
            "branches": [
                {"key": "yes", "label": "Bought"},
                {"key": "no", "label": "Not yet", "next": "mail"},
            ],
        },
        "mail": {"kind": "send", "channel": "email", "template": template, "label": "Basket"},
    }
    drawing = {"start": "start", "nodes": nodes, "entry": {"again": "always", "rule": _REACHED}}
    given = {"name": "Basket left", "definition": drawing}
    made = client.post("opening", "/api/v1/journeys/", given)
    client.post("opening", f"/api/v1/journeys/{made['id']}/publish/", {})


def _make_tag(visitor: Visitor, name: str) -> str:
    path = "/data/tracking/new/"
    token = _TOKEN.search(visitor.page(path)[1])
    form = {"name": name, "csrfmiddlewaretoken": token.group(1) if token else ""}
    found = _KEY.search(visitor.page(path, form)[1])
    if found is None:
        raise RuntimeError("the page of the new web source shows no write key")
    return found.group(1)
