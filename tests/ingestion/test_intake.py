"""An event in a small body is read as one in any other: sooner, and not otherwise."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestion import intake
from marketing.core.errors import Invalid

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
# No zero byte: a body that holds one is never called small.
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
names = st.one_of(
    texts, st.sampled_from(["", " tea ", "x" * 100, "x" * 101, "\u00a0"]), st.none(), st.integers()
)
moments = st.one_of(
    st.sampled_from([
        "2026-02-28T10:00:00Z", " 2026-02-28T10:00:00+00:00 ", "2026-02-28T10:00:00+02:00",
        "2026-02-28T10:00:00", "2026-03-01T12:03:00Z", "2026-03-01T13:00:00Z",
        "2027-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2026-02-28", "20260228T100000Z",
        "", "soon",
    ]),
    st.none(),
    st.integers(),
    st.timedeltas(timedelta(days=-2), timedelta(days=2)).map(lambda d: (NOW + d).isoformat()),
)  # fmt: skip
objects = st.one_of(
    st.none(), st.dictionaries(texts, st.one_of(texts, st.integers()), max_size=2), st.just([1])
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "type": names,
        "at": moments,
        "message_id": names,
        "external_id": names,
        "anonymous_id": names,
        "properties": objects,
        "context": objects,
        "sent_at": moments,
        "email": st.sampled_from(["a@example.com", "nobody", None]),
        "device_id": names,
        "colour": st.just("red"),
    },
)


def _read(body: Any, *, small: bool) -> Any:
    try:
        return intake.event(body, now=NOW, small=small)
    except Invalid as fault:
        return fault.code, fault.field, fault.message


@given(body=bodies)
@example(
    body={
        "type": " view ",
        "at": "2026-02-28T10:00:00Z",
        "message_id": " m1 ",
        "external_id": " 7 ",
        "anonymous_id": " a ",
        "properties": {"sku": "tea"},
        "context": {"ip": "10.0.0.1"},
    }
)
@example(body={"type": "view", "at": "2026-02-28T10:00:00Z", "external_id": "7", "properties": {}})
def test_an_event_of_a_small_body_is_read_like_one_of_a_large_body(body: Any) -> None:
    assert _read(body, small=True) == _read(body, small=False)


@pytest.mark.parametrize("body", [None, 7, "event", [], {}])
def test_what_is_no_event_is_refused_in_a_small_body_too(body: Any) -> None:
    assert _read(body, small=True) == _read(body, small=False)
    assert isinstance(_read(body, small=True)[0], str)
