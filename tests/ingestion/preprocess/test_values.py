"""One text, one typed value, or the reason why not."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.preprocess import codes, countries, titles, values

LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize(
    ("text", "decimal", "number"),
    [
        ("6", ".", 60_000),
        ("2.55", ".", 25_500),
        ("1,234.56", ".", 12_345_600),
        ("1.234,56", ",", 12_345_600),
        ("£3.39", ".", 33_900),
        ("GBP 4", ".", 40_000),
        ("(5.00)", ".", -50_000),
        ("−7", ".", -70_000),
        ("0.001", ".", 10),
        ("0.00005", ".", 0),
        (" 12 345,6 ", ",", 123_456_000),
    ],
)
def test_prices_are_exact_whatever_way_they_are_written(text, decimal, number) -> None:
    assert values.price(text, decimal) == (number, "")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "missing"),
        ("NaN", "not_a_number"),
        ("Infinity", "not_a_number"),
        ("1e999", "not_a_number"),
        ("1,23,4", "not_a_number"),
        ("9" * 5000, "not_a_number"),
        ("9999999999", "number_too_large"),
        ("2.5", "not_whole"),
        ("four", "not_a_number"),
    ],
)
def test_what_is_no_whole_number_says_why(text, code) -> None:
    assert values.integer(text)[1] == code


@given(st.integers(-(2**31) + 1, 2**31 - 1))
def test_every_32_bit_number_is_read_as_itself(number) -> None:
    assert values.integer(str(number)) == (number, "")
    assert values.integer(f"{number:,}") == (number, "")


@pytest.mark.parametrize(
    ("text", "style", "expected"),
    [
        ("2010-12-01 08:26", "iso", datetime(2010, 12, 1, 8, 26, tzinfo=UTC)),
        ("2011-07-01 08:26", "iso", datetime(2011, 7, 1, 7, 26, tzinfo=UTC)),
        ("2011-07-01T08:26:00Z", "iso", datetime(2011, 7, 1, 8, 26, tzinfo=UTC)),
        ("2011-07-01T08:26:00.5+02:00", "iso", datetime(2011, 7, 1, 6, 26, 0, 500_000, UTC)),
        ("01/07/2011 9:05 PM", "dmy", datetime(2011, 7, 1, 20, 5, tzinfo=UTC)),
        ("07/01/2011", "mdy", datetime(2011, 6, 30, 23, 0, tzinfo=UTC)),
        ("31.12.99", "dmy", datetime(1999, 12, 31, tzinfo=UTC)),
        ("1309508760000", "epoch", datetime(2011, 7, 1, 8, 26, tzinfo=UTC)),
        # the hour that the clocks skip moves forward, the one that comes twice is the first
        ("2011-03-27 01:30", "iso", datetime(2011, 3, 27, 1, 30, tzinfo=UTC)),
        ("2011-10-30 01:30", "iso", datetime(2011, 10, 30, 0, 30, tzinfo=UTC)),
    ],
)
def test_moments_are_stored_in_utc(text, style, expected) -> None:
    assert values.moment(text, style, LONDON) == (expected, "")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "missing"),
        ("1900-02-29", "not_a_date"),
        ("0000-00-00", "not_a_date"),
        ("2011-13-01", "not_a_date"),
        ("2011-01-01 24:00", "not_a_date"),
        ("1900-01-01", "date_too_old"),
        ("2999-01-01", "date_in_future"),
        ("soon", "not_a_date"),
    ],
)
def test_impossible_moments_say_why(text, code) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert values.moment(text, "iso", UTC, now) == (None, code)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (" Ada@Example.COM ", "ada@example.com"),
        ("<ben+x@shop.example.com>", "ben+x@shop.example.com"),
        ("jürgen@bücher.example", "jürgen@xn--bcher-kva.example"),
        ("a@b.co.", "a@b.co"),
        ("", ""),
    ],
)
def test_addresses_have_one_form(text, address) -> None:
    assert values.email(text) == (address, "")


@pytest.mark.parametrize(
    "text",
    [
        "a@b@c.de",
        "ada",
        "a@b",
        "a b@c.de",
        "a@c.de\nBcc: x@y.z",
        "x" * 310 + "@example.com",
        "a@[127.0.0.1]",
    ],
)
def test_what_is_no_address_is_refused(text) -> None:
    assert values.email(text) == ("", "bad_email")


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("+44 (20) 7946-0958", "+442079460958"),
        ("0044 20 7946 0958", "+442079460958"),
        ("０２０ 7946 0958", "02079460958"),
        ("", ""),
    ],
)
def test_phone_numbers_keep_their_digits(text, phone) -> None:
    assert values.phone(text) == (phone, "")


@pytest.mark.parametrize("text", ["call me", "12", "+123", "9" * 30])
def test_what_is_no_phone_number_is_refused(text) -> None:
    assert values.phone(text) == ("", "bad_phone")


@pytest.mark.parametrize("text", ["[1]", "{", "NaN", '{"a": NaN}', '{"a": "\\u0000"}', "1"])
def test_only_json_objects_without_nan_are_details(text) -> None:
    assert values.json_object(text) == ("", "not_json")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("United Kingdom", "GB"),
        ("EIRE", "IE"),
        ("RSA", "ZA"),
        ("USA", "US"),
        ("Channel Islands", "JE"),
        ("Czech Republic", "CZ"),
        ("de", "DE"),
        ("DEU", "DE"),
        ("Unspecified", ""),
        ("European Community", ""),
        ("", ""),
        ("Atlantis", None),
        ("中国", "CN"),
    ],
)
def test_countries_become_two_letters_or_are_left_out(name, code) -> None:
    assert countries.code(name) == code


@pytest.mark.parametrize(
    "sku",
    ["POST", "DOT", "C2", "M", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK", "GIFT_0001_20"],
)
def test_postage_fees_corrections_and_vouchers_are_no_goods(sku) -> None:
    assert not codes.is_goods(codes.unify(sku.lower()))


@pytest.mark.parametrize("sku", ["85123A", "DCGS0003", "PADS", "15056BL", "MUG", "SOAP"])
def test_other_codes_are_goods(sku) -> None:
    assert codes.is_goods(sku)


def test_what_an_order_costs_beside_its_goods_is_none_whatever_its_code() -> None:
    services = [
        "Next Day Carriage", "DOTCOM POSTAGE", "PACKING CHARGE", "Bank charges", "Amazon fee",
        "Delivery (2-3 working days)", "UPS Ground shipping", "Free shipping on orders over £50",
        "Credit card surcharge", "P&P", "Gift Voucher £100.00", "Samples", "Versandkosten",
        "次日运费",
    ]  # fmt: skip
    assert [name for name in services if codes.is_goods("23444", name)] == []


def test_a_thing_whose_name_holds_such_a_word_is_goods() -> None:
    things = [
        "FRENCH CARRIAGE LANTERN", "BAROQUE CARRIAGE CLOCK", "Doll carriage", "Delivery van",
        "PIGGY BANK", "Charge card", "Charge 2", "Manual", "Course fee", "Gift card holder",
        "Sample bag", "First class", "包装盒", "",
    ]  # fmt: skip
    assert [name for name in things if not codes.is_goods("23444", name)] == []


def test_names_in_capitals_read_like_names() -> None:
    assert titles.sentence_case("SET OF 3 LED TEA LIGHTS") == "Set of 3 LED tea lights"
    assert titles.sentence_case("WHITE T-LIGHT HOLDER") == "White T-light holder"
    assert titles.sentence_case("Doormat Union Flag") == "Doormat Union Flag"


@pytest.mark.parametrize("text", ["damaged", "?", "", "wrongly coded 23343", "check"])
def test_remarks_about_stock_are_no_names(text) -> None:
    assert titles.is_note(text)
    assert not titles.is_note("DAMASK BAG")


def test_texts_are_tidied_without_losing_letters() -> None:
    assert titles.tidy(" JUMBO  BAG\u200b PINK\t") == "JUMBO BAG PINK"
    assert titles.tidy("Zoe\u0308") == "Zoë"
