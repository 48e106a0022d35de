"""A column of times is read as its texts are one by one."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.preprocess import moments, values

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ODD = st.sampled_from(
    [
        "",
        " 2026-09-01T00:00:00Z ",
        "2026-09-01T24:00:00Z",
        "2026-02-29T10:00:00Z",
        "2024-02-29T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-00-10T10:00:00Z",
        "2026-04-31T10:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00Z",
        "2026-09-01T10:00:60Z",
        "2026-09-01X10:00:00Z",
        "2026-09-01 10:00:00Z",
        "2026-09-01T10:00:00z",
        "2026-09-01T10:00:00+02:00",
        "2026-09-01T10:00:00-00:00",
        "2026-09-01T10:00:00.5",
        "2026-09-01 10:00",
        "2026-09-01",
        "2030-01-01T00:00:00Z",
        "01/09/2026 10:00:00",
        "٢٠٢٦-09-01T10:00:00Z",
        "1767225600",
        "9999-12-31T23:59:59Z",
        "0000-01-01T00:00:00Z",
    ]
)
PLAIN = st.tuples(
    st.integers(-(3 * 10**8), 19 * 10**8).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    st.sampled_from(["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S+00:00"]),
).map(lambda pair: pair[0].strftime(pair[1]))


@given(
    st.lists(ODD | PLAIN | st.text(max_size=25), max_size=8),
    st.sampled_from(sorted(values.FORMATS)),
    st.sampled_from(["UTC", "Europe/Berlin"]),
    st.sampled_from([None, NOW]),
)
def test_each_text_reads_as_it_does_alone(texts, style, zone, now) -> None:
    found, faults = moments.read(texts, style=style, zone=ZoneInfo(zone), now=now)
    alone = [values.moment(text, style, ZoneInfo(zone), now) for text in texts]
    assert list(zip(found, faults, strict=True)) == alone
    assert found.stamps() == ["" if m is None else m.isoformat() for m, _ in alone]


@pytest.mark.parametrize("text", ["2026-09-01T00:00:00Z", "2026-09-01T23:59:59Z"])
def test_the_months_hold_their_edges(text) -> None:
    found, _ = moments.read([text, text], style="iso", zone=UTC)
    assert [moment.isoformat()[:19] + "Z" for moment in found] == [text, text]
