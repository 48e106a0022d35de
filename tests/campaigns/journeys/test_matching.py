"""A property as a test on an event sees it."""

import pytest

from campaigns.journeys.matching import as_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("mug", "mug"),
        (3, "3"),
        (True, "true"),
        (10**30, "1" + "0" * 30),
        ({"n": 2**70}, '{"n":1180591620717411303424}'),
    ],
)
def test_a_number_of_any_length_is_read_as_it_is_kept(value: object, text: str) -> None:
    assert as_text(value) == text
