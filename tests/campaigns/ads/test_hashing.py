"""Files for ad networks: values made alike as each network says, then hashed."""

import csv
import hashlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.ads import hashing
from campaigns.ads.hashing import LAYOUTS, Known


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


ADA = Known(
    email=" Ada.Lovelace+Shop@Gmail.COM ",
    phone="+44 20 7183 8750",
    first_name="  Ada  Augusta ",
    last_name="O'Brien-Lovelace",
    country="gb",
    postcode="WC2H  8LG",
)


def test_google_gets_plain_headers_and_small_letters_without_extra_spaces():
    header, row = LAYOUTS["google"].header, LAYOUTS["google"].row(ADA)
    assert header == ("Email", "Phone", "First Name", "Last Name", "Country", "Zip")
    assert row == (
        sha("ada.lovelace+shop@gmail.com"),
        sha("+442071838750"),
        sha("ada augusta"),
        sha("o'brien-lovelace"),
        "GB",
        "WC2H 8LG",
    )


def test_google_gets_no_name_that_it_could_not_place():
    row = LAYOUTS["google"].row(ADA._replace(postcode=""))
    assert row[2:] == ("", "", "", "")


def test_what_stands_plainly_is_a_formula_for_no_spreadsheet():
    row = LAYOUTS["google"].row(ADA._replace(postcode="=1+1", country="@x"))
    assert row[4:] == ("'@X", "'=1+1")


def test_meta_gets_numbers_without_a_plus_and_names_without_punctuation():
    assert LAYOUTS["meta"].header == ("email", "phone", "fn", "ln", "country")
    assert LAYOUTS["meta"].row(ADA) == (
        sha("ada.lovelace+shop@gmail.com"),
        sha("442071838750"),
        sha("ada augusta"),
        sha("obrienlovelace"),
        sha("gb"),
    )


def test_tiktok_gets_addresses_without_what_follows_a_plus():
    assert LAYOUTS["tiktok"].header == ("Email_SHA256", "Phone_SHA256")
    assert LAYOUTS["tiktok"].row(ADA) == (sha("ada.lovelace@gmail.com"), sha("442071838750"))


def test_tiktoks_own_examples_come_out_as_it_prints_them():
    row = LAYOUTS["tiktok"].row(Known(email="JaneDoe@gmail.com ", phone="+374 93-828222"))
    assert row == (
        "d6117306485ed0e50afab3ac871e98f81699151f30281527d63ff5f233656c69",
        "65b7e6dcf6f4310f8d7cbfbd78289a753062fb054d6664fb9aaac5df66a422d4",
    )


def test_letters_of_other_scripts_stay_as_they_are():
    row = LAYOUTS["meta"].row(Known(email="z@x.org", first_name="Zoë", last_name="佐藤"))
    assert row[2:4] == (sha("zoë"), sha("佐藤"))


@pytest.mark.parametrize("phone", ["02071838750", "", "+", "+0207", "+44", "call me"])
def test_a_number_whose_country_nobody_knows_is_left_out(phone):
    assert hashing.e164(phone) == ""
    assert LAYOUTS["meta"].row(Known(phone=phone))[1] == ""


def test_somebody_without_a_usable_name_is_left_out_of_the_file():
    people = [Known(email="a@x.org"), Known(email="not an address", phone="123"), Known()]
    chunks = list(hashing.lines(people, layout=LAYOUTS["google"]))
    assert sum(n for _chunk, n in chunks) == 1
    rows = list(csv.reader(io.StringIO(b"".join(c for c, _n in chunks).decode())))
    assert rows[1:] == [[sha("a@x.org"), "", "", "", "", ""]]


def test_a_list_of_nobody_has_its_header():
    (chunk, n) = next(hashing.lines([], layout=LAYOUTS["tiktok"]))
    assert (chunk, n) == (b"Email_SHA256,Phone_SHA256\r\n", 0)


_TEXT = st.text(max_size=30)


@given(st.builds(Known, *[_TEXT] * 6), st.sampled_from(sorted(LAYOUTS)))
def test_no_address_number_or_name_ever_leaves_unhashed(known, name):
    layout = LAYOUTS[name]
    row = layout.row(known)
    assert len(row) == len(layout.header)
    hashed = row[:4] if name == "google" else row
    assert all(cell == "" or (len(cell) == 64 and set(cell) <= set("0123456789abcdef"))
               for cell in hashed)  # fmt: skip


@given(st.emails(), st.sampled_from(["", " ", "\t"]))
def test_writing_an_address_differently_changes_no_hash(address, space):
    one = LAYOUTS["google"].row(Known(email=address))
    assert LAYOUTS["google"].row(Known(email=f"{space}{address.upper()}{space}".lower())) == one
