"""A body is cut at its limit, whatever it is packed in, and JSON is read strictly."""

import gzip
import io
import json
import zlib

import orjson
import pytest
from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from ingestion.events import bodies
from marketing.core.errors import Refused

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def post(body: bytes, **headers: str):
    return RequestFactory().post("/", body, content_type="application/json", **headers)


def refusal(work) -> tuple[int, str]:
    with pytest.raises(Refused) as found:
        work()
    return found.value.status, found.value.code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'{"a" : 1, "b": 2, "b" :3}', "duplicate_key"),
        (b'{"a":1,"a":1e6}', "duplicate_key"),  # as long as what is read of it
        (b'[{"x":{"a\\u0022:":1,"a\\":":2}}]', "duplicate_key"),
        (b'{"a":NaN}', "not_json"),
        (b'{"a":Infinity}', "not_json"),
        (b'{"a":1e999}', "not_json"),
        (b'{"a":1} x', "not_json"),
        (b'{"a":1', "not_json"),
        (b"", "not_json"),
        (b'"\\ud800"', "not_json"),
        (b"\xff\xfe{\x00}\x00", "not_json"),
        (b'{"a":"\xff"}', "not_json"),
        (b"[" * 100_000 + b"]" * 100_000, "not_json"),
        (b"[" * 600 + b"]" * 600, "too_deep"),
        (b'{"a":' * 600 + b"1" + b"}" * 600, "too_deep"),
    ],
)
def test_what_is_not_strict_json_is_refused_with_400(text, code) -> None:
    assert refusal(lambda: bodies.parse(text)) == (400, code)


@given(VALUES, st.booleans(), st.booleans())
def test_every_strict_text_reads_as_what_it_says(value, spaced, ascii_only) -> None:
    text = json.dumps(value, indent=1 if spaced else None, ensure_ascii=ascii_only)
    assert bodies.parse(text.encode()) == value


@given(st.text(max_size=6), st.text(max_size=6), st.booleans())
def test_a_key_that_comes_twice_is_found_however_it_is_written(key, other, ascii_only) -> None:
    name = json.dumps(key, ensure_ascii=ascii_only)
    text = f'[{{{name}:{json.dumps(other)},"{{":1,{json.dumps(key)} :2}}]'
    if key != "{":
        assert refusal(lambda: bodies.parse(text.encode()))[1] == "duplicate_key"


def test_a_body_is_read_up_to_its_limit_and_no_further() -> None:
    assert bodies.read(post(b"x" * 10), limit=10) == b"x" * 10
    assert refusal(lambda: bodies.read(post(b"x" * 11), limit=10)) == (413, "body_too_large")
    assert bodies.BODY_LIMIT == 512_000


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_a_packed_body_is_unpacked_and_a_bomb_is_cut_off(pack) -> None:
    name = "gzip" if pack is gzip.compress else "deflate"
    small = post(pack(b"[1]"), HTTP_CONTENT_ENCODING=name)
    assert bodies.read(small) == b"[1]"
    bomb = post(pack(b"\0" * 50_000_000), HTTP_CONTENT_ENCODING=name)
    assert refusal(lambda: bodies.read(bomb)) == (413, "body_too_large")
    cut = post(pack(b"[1]" * 99)[:-9], HTTP_CONTENT_ENCODING=name)
    assert refusal(lambda: bodies.read(cut)) == (400, "body_cut_off")
    other = post(b"no archive", HTTP_CONTENT_ENCODING=name)
    assert refusal(lambda: bodies.read(other)) == (400, "bad_encoding")
    assert refusal(lambda: bodies.read(post(b"x", HTTP_CONTENT_ENCODING="br")))[0] == 415


def test_a_body_shorter_than_it_said_is_refused_and_one_in_pieces_is_read() -> None:
    short = post(b"[1]", CONTENT_LENGTH="9")
    short._stream = io.BytesIO(b"[1]")  # the line went dead after three bytes
    assert refusal(lambda: bodies.read(short)) == (400, "body_cut_off")
    pieces = post(b"")
    pieces.META |= {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}
    pieces.META["wsgi.input"] = io.BytesIO(b"[1,2]")
    assert bodies.read(pieces) == b"[1,2]"
    pieces.META["wsgi.input"] = io.BytesIO(b"x" * (bodies.BODY_LIMIT + 1))
    assert refusal(lambda: bodies.read(pieces)) == (413, "body_too_large")


@pytest.mark.parametrize("kind", ["application/xml", "multipart/form-data; boundary=x"])
def test_another_type_of_body_is_refused(kind) -> None:
    request = RequestFactory().generic("POST", "/", b"{}", content_type=kind)
    assert refusal(lambda: bodies.require_json(request)) == (415, "unsupported_media_type")


def test_large_numbers_are_read_without_a_fault() -> None:
    assert bodies.parse(orjson.dumps({"n": 2**63}) + b" ") == {"n": 2**63}
    assert bodies.parse(b'{"n":' + b"9" * 300 + b"}")["n"] == pytest.approx(1e300)
