"""JSON paths and mappings: any text and any delivery is refused in words or read exactly.

FUZZ_EXAMPLES=10000000 goes on until it is stopped.
"""

import json
import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingestion.preprocess import paths

LONG = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "200")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
BODY = {"a.b": {"c": "1"}, "items": [{"sku": "x", "tags": ["p", "q"]}, {"sku": "y"}], "n": "2"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("n", "2"),
        ("$", BODY),
        ("@", BODY),
        ("", BODY),
        ("$.items[1].sku", "y"),
        ("items[-1].sku", "y"),
        ("items[0].tags[1]", "q"),
        ('["a.b"].c', "1"),
        ('$["a.b"]["c"]', "1"),
        ("=EUR", "EUR"),
        ("=", ""),
        ("items[9].sku", None),
        ("items.sku", None),
        ("n.x", None),
    ],
)
def test_paths(path, found):
    assert paths.find(paths.parse_path(path, "x"), BODY, BODY) == found


@pytest.mark.parametrize(
    "path", ["a..b", ".a", "a.", "a[", "a[x]", "a]b", "a[0]b", '["a"', "[]", "a[999999]", "$a b["]
)
def test_what_is_no_path_is_refused(path):
    with pytest.raises(paths.Faulty):
        paths.parse_path(path, "x")


def test_numbers_keep_every_digit():
    body = paths.parse_body(b'{"a": 0.10, "b": 12345678901234567890.123456789, "c": 1e3}')
    assert body == {"a": "0.10", "b": "12345678901234567890.123456789", "c": "1e3"}


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("2", "2"),
        ("-0", "-0"),
        ("0.10", "0.10"),
        ("1e3", "1e3"),
        ("123456.7890123456", '"123456.7890123456"'),
        ("9223372036854775807", "9223372036854775807"),
        ("12345678901234567890", '"12345678901234567890"'),
        ("1e999", '"1e999"'),
    ],
)
def test_numbers_inside_of_an_object_stay_numbers_where_no_digit_is_lost(number, kept):
    body = paths.parse_body(f'{{"a": {{"n": [{number}], "t": "7"}}}}'.encode())
    assert paths.cell(body["a"]) == f'{{"n":[{kept}],"t":"7"}}'
    assert paths.cell(body["a"]["n"][0]) == number


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"\xff",
        b"NaN",
        b'{"a": Infinity}',
        b'"\\ud800"',
        b'"\\u0000"',
        b"[" * 100_000,
        b"{} x",
        b'{"a": ' * 50_000,
    ],
)
def test_what_is_no_json_is_refused(raw):
    with pytest.raises(paths.Faulty):
        paths.parse_body(raw)


def test_a_long_number_is_a_text_like_any_other():
    assert paths.parse_body(b"9" * 10_000) == "9" * 10_000


def test_too_many_rows_are_refused():
    mapping = paths.parse_mapping({"list": "", "fields": {}})
    with pytest.raises(paths.Faulty):
        paths.rows_of(mapping, [{}] * (paths.MOST_ROWS + 1))


KEYS = st.sampled_from(["a", "b", "a.b", "items", "", "é", "0", '"', "[", "__proto__"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
PATHS = st.one_of(
    st.text(max_size=30),
    st.lists(
        st.sampled_from(
            ["a", "b", ".", "[0]", "[-1]", '["a.b"]', "$", "@", "items", "=", "é", "["]
        ),
        max_size=8,
    ).map("".join),
)
MAPPINGS = (
    st.fixed_dictionaries(
        {"list": PATHS, "fields": st.dictionaries(st.text(max_size=8), PATHS | JSON, max_size=4)}
    )
    | JSON
)


@LONG
@given(PATHS)
@example("$")
def test_any_text_is_a_path_or_refused(text):
    try:
        path = paths.parse_path(text, "x")
    except paths.Faulty:
        return
    assert len(path.steps) <= paths.DEEPEST
    paths.cell(paths.find(path, BODY, BODY)).encode()


@LONG
@given(MAPPINGS, JSON)
def test_any_mapping_reads_any_delivery_or_is_refused(body, delivery):
    try:
        mapping = paths.parse_mapping(body)
        rows = paths.rows_of(mapping, delivery)
    except paths.Faulty:
        return
    for row in rows:
        assert set(row) == set(mapping.fields)
        assert all(isinstance(text, str) for text in row.values())


@LONG
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_json_or_refused_and_can_be_stored(raw):
    try:
        body = paths.parse_body(raw)
    except paths.Faulty:
        return
    packed = json.dumps(body, ensure_ascii=False)
    packed.encode()
    assert "\\u0000" not in packed
    suggested = paths.suggest(body, {"sku": ("sku", "a"), "email": ("b",)})
    mapping = paths.parse_mapping(suggested)
    if body is not None:
        assert len(paths.rows_of(mapping, body)) >= 0
