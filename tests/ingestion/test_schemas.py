"""Columns are recognised by their names, and a wrong mapping is told by field."""

import pytest

from ingestion import schemas

RETAIL = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
]


def test_the_columns_of_a_shop_export_are_recognised() -> None:
    assert schemas.suggest("orders", RETAIL) == {
        "order_id": 0,
        "placed_at": 4,
        "sku": 1,
        "quantity": 3,
        "unit_price": 5,
        "description": 2,
        "customer_id": 6,
        "country": 7,
    }


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        (RETAIL, "orders"),
        (["Email", "First Name", "Last Name", "Accepts Marketing"], "customers"),
        (["sku", "title", "price", "image link"], "products"),
        (["event", "timestamp", "user id", "properties"], "events"),
        (["ID", "Year_Birth", "Education", "Income", "Recency"], "customers"),
        (["churn", "tenure", "contract", "monthly_charges"], "customers"),
    ],
)
def test_the_kind_follows_from_the_columns(header, kind) -> None:
    assert schemas.guess_kind(header) == kind


@pytest.mark.parametrize("name", ["Customer ID", "customer_id", "CUSTOMER-ID", "  CustomerID "])
def test_spelling_of_a_header_does_not_matter(name) -> None:
    assert schemas.fold(name) == "customerid"


def test_a_column_is_used_for_one_field_only() -> None:
    found = schemas.suggest("customers", ["customer"])
    assert list(found.values()) == [0]


def test_a_wrong_mapping_names_the_field() -> None:
    good = schemas.suggest("orders", RETAIL)
    assert schemas.check("orders", good, 8) == []
    assert schemas.check("orders", {**good, "sku": 9}, 8) == [("no_such_column", "sku")]
    assert schemas.check("orders", {**good, "email": 0}, 8) == [("column_used_twice", "email")]
    assert schemas.check("orders", {**good, "shoe_size": 7}, 8)[0] == ("unknown_field", "shoe_size")
    del good["sku"]
    assert schemas.check("orders", good, 8) == [("field_required", "sku")]
    assert schemas.check("customers", {"first_name": 0}, 8) == [("field_required", "customer_id")]


def test_a_field_that_something_else_fills_needs_no_column() -> None:
    mapping = schemas.suggest("orders", RETAIL)
    del mapping["sku"]
    assert schemas.check("orders", mapping, 8, {"sku"}) == []
    assert schemas.check("orders", mapping, 8, {"email"}) == [("field_required", "sku")]
    assert schemas.check("customers", {"first_name": 0}, 8, {"email"}) == []
