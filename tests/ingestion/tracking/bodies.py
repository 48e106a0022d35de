"""Bodies of all kinds: random bytes, odd JSON, and good bodies with something changed in them."""

import gzip
import json
from typing import Any

from hypothesis import strategies as st

NAMES = st.sampled_from(
    [
        "type",
        "event",
        "userId",
        "anonymousId",
        "previousId",
        "groupId",
        "messageId",
        "timestamp",
        "originalTimestamp",
        "sentAt",
        "properties",
        "traits",
        "context",
        "integrations",
        "batch",
        "writeKey",
        "name",
        "category",
        "email",
        "phone",
        "address",
        "country",
        "firstName",
        "language",
        "timezone",
        "order_id",
        "products",
        "sku",
        "product_id",
        "quantity",
        "price",
        "currency",
        "shipping",
        "device",
        "id",
        "external_id",
        "anonymous_id",
        "message_id",
        "device_id",
        "at",
        "sent_at",
        "items",
        "__proto__",
        "$set",
        "a.b",
        "a__b",
        '"; DROP TABLE x; --',
        "",
        "x" * 1000,
    ]
)
WORDS = st.sampled_from(
    [
        "identify",
        "track",
        "page",
        "screen",
        "group",
        "alias",
        "Order Completed",
        "Order Refunded",
        "Product Viewed",
        "2026-11-01T10:00:00Z",
        "2026-11-01",
        "0000-00-00",
        "9999-12-31T23:59:59.999999Z",
        "0001-01-01T00:00:00+14:00",
        "2026-11-01T24:00:00",
        "+292277026596-12-04",
        "1e999",
        "NaN",
        "ada@example.com",
        "a@b",
        "a\r\nBcc: c@d.de@x",
        "+44 20 7946 0958",
        "٠١٢٣٤٥٦٧٨٩",
        "GB",
        "Atlantis",
        "GBP",
        "undefined",
        "null",
        "Europe/London",
        "../../etc/passwd",
        "\ud7ff\ue000\uffff",
        "\U0010ffff" * 40,
        "\u202eabc",
        "\x00",
        "%s%d{0}",
        "\\N",
        "\t\n\r\\",
        "",
    ]
)
NUMBERS = st.one_of(
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -1, 2**31, 2**63, -(2**63) - 1, 10**40, 1e308, -0.0, 5e-324]),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.text(max_size=40))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.one_of(NAMES, st.text(max_size=12)), inner, max_size=6),
    ),
    max_leaves=25,
)
GOOD: list[dict[str, Any]] = [
    {
        "type": "identify",
        "userId": "7",
        "messageId": "m1",
        "timestamp": "2026-11-01T10:00:00Z",
        "traits": {
            "email": "ada@example.com",
            "phone": "+442079460958",
            "firstName": "Ada",
            "address": {"city": "London", "country": "GB"},
        },
    },
    {
        "type": "track",
        "event": "Order Completed",
        "anonymousId": "a1",
        "messageId": "m2",
        "properties": {
            "order_id": "1001",
            "currency": "GBP",
            "shipping": 4,
            "products": [{"sku": "T1", "quantity": 2, "price": "9.50"}],
        },
    },
    {"type": "track", "event": "Order Refunded", "userId": "7", "properties": {"order_id": "1"}},
    {"type": "page", "anonymousId": "a1", "name": "Home", "context": {"ip": "203.0.113.9"}},
    {"type": "group", "userId": "7", "groupId": "g", "traits": {"size": 3}},
    {"type": "alias", "userId": "7", "previousId": "a1"},
    {
        "type": "page_view",
        "external_id": "7",
        "message_id": "m3",
        "at": "2026-11-01T10:00:00Z",
        "properties": {"path": "/"},
    },
]


def _put(body: dict[str, Any], names: list[str], value: Any) -> dict[str, Any]:
    """A copy with one place changed, however deep."""
    copy = json.loads(json.dumps(body))
    place: Any = copy
    for name in names[:-1]:
        inner = place.get(name) if isinstance(place, dict) else None
        if isinstance(inner, list) and inner:
            inner = inner[0]
        if not isinstance(inner, dict):
            break
        place = inner
    if isinstance(place, dict):
        place[names[-1]] = value
    return copy


GOOD_NAMES = ["identify", "track", "page", "screen", "group", "alias"]
MUTATED = st.builds(_put, st.sampled_from(GOOD), st.lists(NAMES, min_size=1, max_size=3), VALUES)
FRESH = st.builds(
    lambda body, number: {**body, "messageId": f"m{number}"}, MUTATED, st.integers(0, 10**9)
)
CALLS = st.one_of(MUTATED, FRESH, FRESH, FRESH, VALUES)


@st.composite
def _text(draw: Any) -> bytes:
    """JSON as it is, nested deep, cut, doubled or with some bytes of it changed."""
    shape = draw(st.integers(0, 19))
    if shape == 0:
        return draw(st.binary(max_size=200))
    if shape == 1:
        depth = draw(st.integers(1, 3_000))
        opening, closing = draw(st.sampled_from([(b"[", b"]"), (b'{"a":', b"}")]))
        return (
            b'{"userId":"7","event":"x","properties":{"p":'
            + (opening * depth + b"1" + closing * depth)
            + b"}}"
        )
    calls = draw(st.lists(CALLS, min_size=1, max_size=6))
    body: Any = calls[0] if draw(st.booleans()) else {"batch": calls, "sentAt": draw(LEAVES)}
    if draw(st.integers(0, 9)) == 0:
        body = calls
    text = json.dumps(body, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    if shape == 2 and text:
        cut = draw(st.integers(0, len(text) - 1))
        return text[:cut]
    if shape == 3:
        for _ in range(draw(st.integers(1, 6))):
            place = draw(st.integers(0, len(text) - 1))
            text = text[:place] + draw(st.binary(min_size=1, max_size=2)) + text[place + 1 :]
    return text


@st.composite
def requests(draw: Any) -> tuple[str, bytes, dict[str, str]]:
    """A call's name, a body and headers."""
    body = draw(_text())
    fitting = [name for name in GOOD_NAMES if f'"type": "{name}"'.encode() in body]
    if body.startswith(b'{"batch"'):
        fitting = ["batch"]
    call = draw(st.sampled_from(fitting * 20 + [*GOOD_NAMES, "batch", "t", "b", "import"]))
    headers: dict[str, str] = {}
    packing = draw(st.integers(0, 9))
    if packing == 0:
        body, headers["HTTP_CONTENT_ENCODING"] = gzip.compress(body), "gzip"
    elif packing == 1:
        headers["HTTP_CONTENT_ENCODING"] = draw(st.sampled_from(["gzip", "br", "", "identity"]))
    if draw(st.integers(0, 9)) == 0:
        headers["HTTP_AUTHORIZATION"] = draw(
            st.one_of(
                st.sampled_from(["", "Basic", "Basic !!!", "Basic //8=", "Bearer x", "Basic OjA="]),
                st.binary(max_size=20).map(lambda b: "Basic " + b.decode("latin-1")),
            )
        )
    return call, body, headers
