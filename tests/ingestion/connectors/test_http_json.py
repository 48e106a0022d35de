"""An API is read page by page, with patience and within bounds."""

import threading
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from ingestion.connectors import http_json, pulling
from ingestion.models import Connector, Order, Pull
from marketing.core.errors import Invalid, Refused
from tests.ingestion.connectors.conftest import NOW, fetch, run_import, settle_columns

ROWS = [
    {
        "no": f"o{n}",
        "who": {"id": f"p{n % 5}"},
        "at": f"2026-10-{1 + n % 28:02d}T10:00:00Z",
        "sku": "MUG",
        "qty": 1,
        "price": 2.5,
        "changed": f"2026-11-{1 + n // 10:02d}T00:00:00Z",
    }
    for n in range(95)
]
MAPPING = {
    "order_id": "no", "customer_id": "who.id", "placed_at": "at", "sku": "sku",
    "quantity": "qty", "unit_price": "price",
}  # fmt: skip


def answer(body: Any, status: int = 200, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return status, headers, orjson.dumps(body)


def pages_of(rows: list[dict[str, Any]], size: int = 10) -> Callable[..., Any]:
    """A page handler by page number, offset or cursor, whatever is asked for."""

    def page(query: dict[str, str], _headers: dict[str, str]) -> Any:
        found = [row for row in rows if row["changed"] >= query.get("since", "")]
        start = int(
            query.get("offset", query.get("cursor", (int(query.get("page", 1)) - 1) * size))
        )
        part = found[start : start + size]
        more = start + size < len(found)
        return answer({"data": {"items": part}, "paging": {"next": start + size if more else None}})

    return page


def rows_of(given: dict[str, Any]) -> list[str]:
    return [r["no"] for b in http_json.HttpApi(given, now=NOW).pull({}) for r in b.rows]


@pytest.mark.parametrize(
    "settings_",
    [
        {"paging": "page", "page_param": "page"},
        {"paging": "offset", "page_param": "offset"},
        {"paging": "cursor", "page_param": "cursor", "next_path": "paging.next"},
    ],
)
def test_every_way_of_paging_gives_every_row_once(site: Any, settings_: dict[str, str]) -> None:
    site.pages["/orders"] = pages_of(ROWS)
    given = {"url": f"{site.url}/orders", "rows_path": "data.items", **settings_}
    assert rows_of(given) == [row["no"] for row in ROWS]


@pytest.mark.parametrize("where", ["body", "nested", "header", "path"])
def test_links_to_the_next_page_are_found_where_apis_put_them(site: Any, where: str) -> None:
    def page(query: dict[str, str], _headers: dict[str, str]) -> Any:
        n = int(query.get("p", 0))
        target = f"/orders?p={n + 1}" if n < 3 else None
        body: dict[str, Any] = {"orders": ROWS[n * 2 : n * 2 + 2]}
        headers: dict[str, str] = {}
        if where == "body":
            body["next"] = target
        elif where == "nested":
            body["_links"] = {"next": {"href": target}} if target else {}
        elif where == "path":
            body["meta"] = {"pages": [{"after": target}]}
        elif target:
            headers["Link"] = f'</orders?p=0>; rel="first", <{site.url}{target}>; rel="next"'
        return answer(body, **headers)

    site.pages["/orders"] = page
    path = {"next_path": "meta.pages.0.after"} if where == "path" else {}
    assert len(rows_of({"url": f"{site.url}/orders", **path})) == 8


@pytest.mark.parametrize(
    ("given", "name", "value"),
    [
        ({"auth": "bearer"}, "authorization", "Bearer canary-55"),
        ({"auth": "basic", "user": "me"}, "authorization", "Basic bWU6Y2FuYXJ5LTU1"),
        ({"auth": "header", "header": "X-Api-Key"}, "x-api-key", "canary-55"),
        ({"auth": "none"}, "authorization", None),
    ],
)
def test_it_signs_in_as_told(site: Any, given: dict[str, str], name: str, value: Any) -> None:
    site.pages["/orders"] = lambda _q, _h: answer([{"a": 1}])
    http_json.HttpApi({"url": f"{site.url}/orders", "secret": "canary-55", **given}, now=NOW).test()
    assert site.asked[0][2].get(name) == value


def test_only_what_is_new_is_asked_for_the_next_time(
    site: Any, connect: Callable[..., Connector]
) -> None:
    rows = list(ROWS)
    site.pages["/orders"] = lambda q, h: pages_of(rows)(q, h)
    connector = connect(
        "http_json", url=f"{site.url}/orders", rows_path="data.items", paging="page",
        page_param="page", since_param="since", since_field="changed",
    )  # fmt: skip
    record = settle_columns(fetch(connector), "orders", MAPPING)
    assert (record.stored, Order.objects.count()) == (95, 95)
    connector.refresh_from_db()
    assert connector.cursor == {"since": "2026-11-10T00:00:00Z"}
    rows.append({**ROWS[0], "no": "new", "changed": "2026-11-11T00:00:00Z"})
    site.asked.clear()
    record = run_import(fetch(connector).imports.get())
    assert all("since=2026-11-10" in path for _method, path, _headers in site.asked)
    assert (record.received, record.stored, record.duplicate) == (6, 1, 5)


def test_a_server_that_asks_for_patience_gets_it(site: Any) -> None:
    calls: list[float] = []

    def page(_query: dict[str, str], _headers: dict[str, str]) -> Any:
        calls.append(time.monotonic())
        return answer({}, 429, **{"Retry-After": "1"}) if len(calls) == 1 else answer([{"no": 1}])

    site.pages["/orders"] = page
    assert rows_of({"url": f"{site.url}/orders"}) == [1]
    assert calls[1] - calls[0] >= 0.9


def test_a_server_that_asks_for_an_hour_is_asked_again_in_an_hour(
    site: Any, connect: Callable[..., Connector]
) -> None:
    site.pages["/orders"] = lambda _q, _h: answer({}, 429, **{"Retry-After": "3600"})
    connector = connect("http_json", url=f"{site.url}/orders")
    Connector.objects.update(state="active", every_minutes=5)
    pull = fetch(connector)
    connector.refresh_from_db()
    assert (pull.state, connector.failures) == (Pull.State.FAILED, 1)
    assert pull.finished_at is not None
    assert connector.next_at is not None
    assert 3590 <= (connector.next_at - pull.finished_at).total_seconds() <= 3610


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{broken", 200, "sound JSON"),
        (b"", 200, "sound JSON"),
        (b'{"data": 7}', 200, "no list"),
        (b"[" * 100_000, 200, "sound JSON"),
        (b"<html>", 200, "sound JSON"),
        (b"{}", 401, "status 401"),
        (b"{}", 404, "status 404"),
    ],
)
def test_what_is_no_list_of_rows_is_said_in_words(
    site: Any, body: bytes, status: int, said: str
) -> None:
    site.pages["/orders"] = lambda _q, _h: (status, {}, body)
    with pytest.raises(Refused, match=said):
        rows_of({"url": f"{site.url}/orders"})


def test_an_endless_body_is_cut(site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_json, "_LIMITS", http_json.outbound.Limits(body=100_000))
    site.pages["/orders"] = lambda _q, _h: (200, {}, b'["' + b"x" * 1_000_000 + b'"]')
    with pytest.raises(Refused, match=r"more than 0\.1 MB"):
        rows_of({"url": f"{site.url}/orders"})


def test_pages_in_a_circle_end(site: Any) -> None:
    site.pages["/orders"] = lambda _q, _h: answer({"orders": [{"no": 1}], "next": "/orders?p=1"})
    with pytest.raises(Refused, match="twice"):
        rows_of({"url": f"{site.url}/orders"})


def test_the_next_page_at_another_place_is_not_called_and_gets_no_token(
    site: Any,
    settings,  # type: ignore[no-untyped-def]
) -> None:
    site.pages["/orders"] = lambda _q, _h: answer(
        {"orders": [{"no": 1}], "next": "http://169.254.169.254/latest"}
    )
    with pytest.raises(Refused, match="another place"):
        rows_of({"url": f"{site.url}/orders", "auth": "bearer", "secret": "canary-56"})


@pytest.mark.parametrize(
    "given",
    [
        {"url": "ftp://example.com/"},
        {"url": "https://example.com/", "auth": "bearer"},
        {"url": "https://example.com/", "auth": "header", "header": "A: b", "secret": "x"},
        {"url": "https://example.com/", "auth": "bearer", "secret": "a\r\nX-Evil: 1"},
        {"url": "https://example.com/", "paging": "page"},
        {"url": "https://example.com/?p=abc", "paging": "page", "page_param": "p"},
        {"url": "https://example.com/", "since_param": "since"},
    ],
)
def test_settings_that_cannot_be_right_are_refused_before_any_call(given: dict[str, str]) -> None:
    with pytest.raises(Refused):
        http_json.HttpApi.refuse_nonsense(given)


def test_a_moment_is_later_whatever_its_zone_and_a_number_by_its_size() -> None:
    assert (
        http_json.later("2026-11-01T10:00:00+02:00", "2026-11-01T09:00:00Z")
        == "2026-11-01T09:00:00Z"
    )
    assert http_json.later(9, 10) == 10
    assert http_json.later("b", "a") == "b"
    assert http_json.later(None, 3) == 3
    assert http_json.later(3, None) == 3


def test_stopping_is_heard_while_it_waits(site: Any) -> None:
    site.pages["/orders"] = lambda _q, _h: answer({}, 503, **{"Retry-After": "50"})
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()

    def check() -> None:
        if stop.is_set():
            raise Invalid("stopped")

    begun = time.monotonic()
    with pytest.raises(Invalid, match="stopped"):
        list(http_json.HttpApi({"url": f"{site.url}/orders"}, now=NOW, check=check).pull({}))
    assert time.monotonic() - begun < 10


def test_long_addresses_that_end_alike_are_pages_of_their_own(site: Any) -> None:
    def page(query: dict[str, str], _headers: dict[str, str]) -> Any:
        n = int(query.get("p", 0))
        rest = "fields=id,number,created,changed,person,lines&status=any&limit=250"
        return answer({"orders": [ROWS[n]], "next": f"/orders?p={n + 1}&{rest}" if n < 4 else None})

    site.pages["/orders"] = page
    assert rows_of({"url": f"{site.url}/orders"}) == ["o0", "o1", "o2", "o3", "o4"]


@pytest.mark.parametrize("by", ["pages", "bytes"])
def test_a_fetch_that_was_cut_off_is_gone_on_with_by_the_next(
    site: Any, connect: Callable[..., Connector], monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    site.pages["/orders"] = pages_of(ROWS[::-1])  # newest first, as most answer
    connector = connect(
        "http_json", url=f"{site.url}/orders", rows_path="data.items", paging="page",
        page_param="page", since_param="since", since_field="changed",
    )  # fmt: skip
    if by == "pages":
        monkeypatch.setattr(http_json, "PAGES", 4)
    else:
        monkeypatch.setattr(pulling, "_BYTES_LIMIT", 600)
    fetched = []
    for _turn in range(10):
        fetched.append(fetch(connector).rows)
        connector.refresh_from_db()
        if "page" not in connector.cursor:
            break
    assert sum(fetched) == 95
    assert len(fetched) > 1
    assert connector.cursor == {"since": "2026-11-10T00:00:00Z"}
