"""What cleaning does to order lines, rule by rule, with no row lost."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingestion.preprocess import columns, orders, outliers, records
from ingestion.preprocess.orders import ADJUSTMENT, FEE, PRODUCT, RETURN

HEAD = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
MAPPING = {
    "order_id": 0,
    "sku": 1,
    "description": 2,
    "quantity": 3,
    "placed_at": 4,
    "unit_price": 5,
    "customer_id": 6,
    "country": 7,
}
WHEN = "2011-07-01 09:00"


def row(
    order="536365",
    sku="85123A",
    text="WHITE HOLDER",
    quantity="6",
    at=WHEN,
    price="2.55",
    who="17850",
    country="United Kingdom",
) -> str:
    return ",".join([order, sku, text, quantity, at, price, who, country]) + "\n"


def cleaned(batch, *rows: str, **options):
    found, texts = batch(HEAD + "".join(rows), MAPPING)
    return orders.clean(found, texts, orders.Options(**{"timezone": "Europe/London", **options}))


def rules(clean) -> dict[str, int]:
    return {name: entry["rows"] for name, entry in clean.findings.rules.items()}


def test_a_plain_line_is_kept_exactly(batch) -> None:
    clean = cleaned(batch, row())
    assert (clean.faults, clean.duplicates, len(clean)) == ([], 0, 1)
    assert clean.orders == ["536365"]
    assert clean.skus == ["85123A"]
    assert (clean.quantity[0], clean.price[0], clean.cents[0], clean.kind[0]) == (
        6,
        25_500,
        1530,
        PRODUCT,
    )
    assert clean.placed[0].isoformat() == "2011-07-01T08:00:00+00:00"
    assert [person.external_id for person in clean.people] == ["17850"]
    assert clean.people[0].country == "GB"


def test_a_credit_note_is_cancelled_and_its_lines_are_returns(batch) -> None:
    clean = cleaned(batch, row("C536379", quantity="-6"), row())
    assert clean.kind.tolist() == [RETURN, PRODUCT]
    assert dict(zip(clean.orders, clean.order_cancelled.tolist(), strict=True)) == {
        "C536379": True,
        "536365": False,
    }
    assert rules(clean)["cancellations"] == 1


def test_an_order_number_that_only_begins_with_the_letter_is_no_credit_note(batch) -> None:
    clean = cleaned(batch, row("CHRISTMAS-1"))
    assert clean.order_cancelled.tolist() == [False]


def test_rows_without_a_customer_are_guest_orders(batch) -> None:
    clean = cleaned(batch, row(who=""), row("536366"))
    assert clean.person_of_order.tolist() == [-1, 0]
    assert rules(clean)["missing_customer"] == 1


def test_customer_numbers_from_a_spreadsheet_lose_their_point_zero(batch) -> None:
    assert [p.external_id for p in cleaned(batch, row(who="17850.0")).people] == ["17850"]


def test_an_exact_duplicate_is_counted_and_left_out_once(batch) -> None:
    clean = cleaned(batch, row(), row(), row(), row(quantity="7"))
    assert (len(clean), clean.duplicates) == (2, 2)
    assert clean.line.tolist() == [2, 5]
    assert rules(clean)["exact_duplicates"] == 2


def test_rows_that_differ_only_in_spelling_are_duplicates(batch) -> None:
    clean = cleaned(batch, row(sku="85123a", text="WHITE  HOLDER"), row())
    assert (len(clean), clean.duplicates) == (1, 1)


def test_fees_and_zero_prices_are_kept_apart_from_sales(batch) -> None:
    clean = cleaned(
        batch,
        row(sku="POST"),
        row(price="0"),
        row(sku="m", price="0"),
        row(quantity="-80", price="0"),
    )
    assert clean.kind.tolist() == [FEE, ADJUSTMENT, FEE, ADJUSTMENT]
    assert rules(clean)["not_goods"] == 2
    assert rules(clean)["zero_price"] == 3
    assert rules(clean)["stock_corrections"] == 1


def test_a_code_is_no_goods_when_its_lines_say_so_and_a_remark_takes_no_product_away(batch) -> None:
    clean = cleaned(
        batch,
        row(sku="23444", text="Next Day Carriage", price="15"),
        row(sku="23444", text="", price="15"),
        row(text="WHITE HOLDER"),
        row(text="samples", price="0", quantity="-6"),
    )
    assert clean.kind.tolist() == [FEE, FEE, PRODUCT, ADJUSTMENT]
    assert dict(zip(clean.skus, clean.goods.tolist(), strict=True)) == {
        "23444": False,
        "85123A": True,
    }


def test_a_negative_price_is_refused(batch) -> None:
    clean = cleaned(
        batch, row("A563186", "B", "Adjust bad debt", "1", WHEN, "-11062.06", ""), row()
    )
    assert [(f.line, f.code, f.field) for f in clean.faults] == [
        (2, "negative_price", "unit_price")
    ]
    assert clean.faults[0].raw.startswith("A563186,B,Adjust bad debt")
    assert rules(clean)["negative_price"] == 1
    assert len(clean) == 1


def test_what_cannot_be_read_is_refused_with_its_field_and_value(batch) -> None:
    clean = cleaned(
        batch,
        row(order=""),
        row(sku=""),
        row(quantity="many"),
        row(quantity="0"),
        row(at="31/12/2011"),
        row(price="free"),
        row(quantity="2147483647", price="99999999"),
        row(),
    )
    assert [(f.line, f.code, f.field) for f in clean.faults] == [
        (2, "missing", "order_id"),
        (3, "missing", "sku"),
        (4, "not_a_number", "quantity"),
        (5, "zero_quantity", "quantity"),
        (6, "not_a_date", "placed_at"),
        (7, "not_a_number", "unit_price"),
        (8, "number_too_large", "unit_price"),
    ]
    assert clean.faults[2].facts == {"value": "many"}
    assert clean.line.tolist() == [9]


def test_countries_and_codes_are_unified_and_told(batch) -> None:
    clean = cleaned(
        batch,
        row("1", country="EIRE"),
        row("2", country="Unspecified"),
        row("3", country="RSA", sku="15056bl"),
    )
    assert clean.order_country == ["IE", "", "ZA"]
    assert clean.skus == ["85123A", "15056BL"]
    found = clean.findings.rules
    assert (found["country_normalised"]["rows"], found["country_unknown"]["rows"]) == (2, 1)
    assert found["country_normalised"]["examples"][0] == {
        "line": 2,
        "before": {"country": "EIRE"},
        "after": {"country": "IE"},
    }
    assert found["code_case"]["examples"] == [
        {"line": 4, "before": {"sku": "15056bl"}, "after": {"sku": "15056BL"}}
    ]


def test_decimal_commas_and_day_first_dates_are_read_as_told(batch) -> None:
    clean = cleaned(
        batch, row(at="01/07/2011 09:00", price='"1.234,50"'), date_style="dmy", decimal=","
    )
    assert (clean.price[0], clean.placed[0].isoformat()) == (
        12_345_000,
        "2011-07-01T08:00:00+00:00",
    )


def test_the_order_takes_the_moment_and_person_of_its_first_line(batch) -> None:
    clean = cleaned(batch, row(at="2011-07-01 09:00"), row(sku="X1", at="2011-07-01 09:01"))
    assert clean.orders == ["536365"]
    assert clean.order_placed[0].minute == 0
    assert sorted(moment.minute for moment in clean.placed) == [0, 1]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["1", "2", "C3", ""]),
            st.sampled_from(["A1", "a1", "POST", ""]),
            st.sampled_from(["1", "-1", "0", "x"]),
            st.sampled_from(["1.00", "0", "-2", "?"]),
            st.sampled_from(["7", ""]),
        ),
        min_size=1,
        max_size=40,
    )
)
def test_every_row_is_kept_or_duplicate_or_refused(tmp_path_factory, picks) -> None:
    content = HEAD + "".join(row(o, s, "T", q, WHEN, p, w) for o, s, q, p, w in picks)
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    path.write_text(content)
    (found,) = records.scan(path, encoding="utf-8", delimiter=",", columns=8, header=True)
    texts = columns.read(found, delimiter=",", columns=8, mapping=MAPPING)
    clean = orders.clean(found, texts, orders.Options())
    assert len(clean) + clean.duplicates + len(clean.faults) == len(picks)
    assert sorted([*clean.line.tolist(), *(f.line for f in clean.faults)]) == sorted(
        set(clean.line.tolist()) | {f.line for f in clean.faults}
    )


def test_a_few_huge_values_do_not_move_the_limit() -> None:
    usual = {float(n): 1000 // n for n in range(1, 40)}
    limit = outliers.upper_limit(usual)
    assert limit is not None
    assert 100 < limit < 74_215
    assert outliers.upper_limit({**usual, 80_995.0: 2, 74_215.0: 2}) == limit
    assert outliers.upper_limit({1.0: 50}) is None


def test_line_numbers_count_within_each_order() -> None:
    from ingestion.imports.orders import line_numbers

    assert line_numbers(np.array([0, 1, 0, 0, 2, 1])).tolist() == [1, 1, 2, 3, 1, 2]
