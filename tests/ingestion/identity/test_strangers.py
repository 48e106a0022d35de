"""Thousands of new people of one name each are made at once, the same ones as one by one."""

from typing import Any

import pytest

from ingestion.identity import identify
from ingestion.identity.identify import NOBODY, Person
from ingestion.models import Customer, Identity, RefusedName
from tests.ingestion.conftest import NOW

pytestmark = pytest.mark.django_db
MANY = [f"C{number}" for number in range(600)]
ODD = ["a\\b", "tab\there", "line\nend", "Zoë", "\\N", "null", "-", "unknown"]


def met(values: list[str]) -> list[Any]:
    nothing = [""] * len(values)
    return identify.met_by_one(names=[values, nothing, nothing], source="shop", now=NOW)


def stored() -> tuple[list[Any], list[Any], list[Any]]:
    def rows(model: Any, order: str, *left_out: str) -> list[Any]:
        names = [f.attname for f in model._meta.concrete_fields if f.attname not in left_out]
        return list(model.objects.order_by(order).values(*names))

    people = rows(Customer, "external_id", "id")
    found = rows(Identity, "value", "id", "customer_id")
    return people, found, rows(RefusedName, "value", "id")


def test_they_are_who_they_would_be_one_by_one() -> None:
    people = [Person(external_id=value) for value in MANY + ODD]
    identify.locate(people=people, source="shop", now=NOW)
    expected = stored()
    for model in (Identity, Customer, RefusedName):
        model.objects.all().delete()
    found = met(MANY + ODD)
    assert stored() == expected
    owners = dict(Identity.objects.values_list("value", "customer_id"))
    assert owners == dict(Customer.objects.values_list("external_id", "id"))
    keys = dict(Identity.objects.values_list("value", "id"))
    for value, one in zip(MANY + ODD, found, strict=True):
        barred = value in ("null", "-", "unknown")
        assert one == (NOBODY if barred else (owners[value], keys[value]))


def test_a_name_that_is_stored_already_leaves_all_of_them_to_the_careful_way() -> None:
    identify.locate(people=[Person(external_id="C7")], source="shop", now=NOW)
    assert met(MANY) == [None] * len(MANY)
    assert Customer.objects.count() == Identity.objects.count() == 1
    found = identify.locate(
        people=[Person(external_id=value) for value in MANY], source="shop", now=NOW
    )
    assert len({one.customer_id for one in found}) == len(MANY)


def test_a_few_and_those_with_another_kind_of_name_are_left_as_well() -> None:
    assert met(MANY[:20]) == [None] * 20
    addresses = [f"{value}@example.com" for value in MANY]
    nothing = [""] * len(MANY)
    names = [nothing, addresses, nothing]
    assert identify.met_by_one(names=names, source="shop", now=NOW) == [None] * len(MANY)
    assert not Customer.objects.exists()
