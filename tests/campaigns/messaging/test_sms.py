"""A text costs what the phone network counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.messaging import sms


@pytest.mark.parametrize(
    ("text", "alphabet", "units", "parts", "left"),
    [
        ("", "GSM-7", 0, 0, 160),
        ("a" * 160, "GSM-7", 160, 1, 0),
        ("a" * 161, "GSM-7", 161, 2, 145),
        ("a" * 306, "GSM-7", 306, 2, 0),
        ("a" * 307, "GSM-7", 307, 3, 152),
        ("€" * 80, "GSM-7", 160, 1, 0),
        ("€" * 81, "GSM-7", 162, 2, 143),
        ("a" * 152 + "€" + "a" * 20, "GSM-7", 174, 2, 131),
        ("é" * 160, "GSM-7", 160, 1, 0),
        ("ê" * 70, "UCS-2", 70, 1, 0),
        ("ê" * 71, "UCS-2", 71, 2, 63),
        ("你" * 134, "UCS-2", 134, 2, 0),
        ("😀" * 35, "UCS-2", 70, 1, 0),
        ("😀" * 36, "UCS-2", 72, 2, 61),
        ("one\r\ntwo", "GSM-7", 7, 1, 153),
    ],
)
def test_a_text_is_counted_as_a_network_counts_it(text, alphabet, units, parts, left):
    assert sms.count(text)[:4] == (alphabet, units, parts, left)


def test_a_character_that_needs_two_places_is_never_cut_between_two_parts():
    assert sms.count("a" * 152 + "€" + "a" * 153)[2] == 3  # 307 units would fit no better
    assert sms.count("你" * 66 + "😀" + "你" * 20)[1:3] == (88, 2)


def test_the_characters_that_make_a_text_dear_are_named():
    assert sms.count("Grüße – “hello”").odd == "–“”"


@given(st.text(max_size=700))
def test_a_text_always_fits_its_parts_and_needs_all_of_them(text):
    found = sms.count(text)
    whole, each = (160, 153) if found.alphabet == "GSM-7" else (70, 67)
    if found.parts <= 1:
        assert found.units + found.left == whole
    else:
        assert found.units > whole
        assert (found.parts - 1) * (each - 1) < found.units <= found.parts * each
