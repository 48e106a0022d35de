"""Columns of a people's file that no field takes are kept as properties of people."""

import pytest

from ingestion.imports import choosing, starting, uploads
from ingestion.models import Customer, ImportJob
from marketing.core.errors import Invalid
from tests.ingestion.conftest import NOW

CLUB = (
    b"ID;Year_Birth;Education;Income;Joined;Parking;Postcode\n"
    b"5524;1957;Graduation;58138,50;04/09/2012;true;01067\n"
    b"2174;1954;PhD;;08/03/2014;false;04109\n"
    b"4141;1965;Graduation;unknown;21/08/2013;;10115\n"
)
LINES = b"churn,tenure,contract\nNo,1,Month-to-month\nYes,34,One year\nNo,1,Month-to-month\n"


def receive(content: bytes, name: str = "club.csv") -> ImportJob:
    return uploads.receive(chunks=[content], name=name, user=None, now=NOW)


def test_a_file_about_nothing_we_know_is_taken_for_people_with_properties(db) -> None:
    record = receive(CLUB)
    assert record.kind == "customers"
    assert record.mapping == {
        "customer_id": 0,
        "attributes.Year_Birth": 1,
        "attributes.Education": 2,
        "attributes.Income": 3,
        "attributes.Joined": 4,
        "attributes.Parking": 5,
        "attributes.Postcode": 6,
    }
    assert record.options["property_kinds"] == {
        "Year_Birth": "number",
        "Education": "text",
        "Income": "text",  # not every first value is a number; whoever imports may say it is
        "Joined": "day",
        "Parking": "yes_no",
        "Postcode": "text",  # as a number it would lose its zero
    }


def test_properties_are_stored_by_their_kind_and_what_is_not_of_it_is_told(bring) -> None:
    record = bring(
        CLUB,
        kind="customers",
        date_style="dmy",
        decimal=",",
        property_kinds={
            "Year_Birth": "number",
            "Education": "text",
            "Income": "number",
            "Joined": "day",
            "Parking": "yes_no",
            "Postcode": "text",
        },
    )
    assert (record.received, record.stored, record.quarantined) == (3, 3, 0)
    kept = dict(Customer.objects.values_list("external_id", "attributes"))
    assert kept["5524"] == {
        "Year_Birth": 1957,
        "Education": "Graduation",
        "Income": 58138.5,
        "Joined": "2012-09-04",
        "Parking": True,
        "Postcode": "01067",
    }
    assert [name for name in ("2174", "4141") if "Income" in kept[name]] == []
    unread = record.report["rules"]["property_unread"]
    assert (unread["rows"], unread["examples"][0]) == (
        1,
        {"line": 4, "before": {"Income": "unknown"}, "after": {"Income": ""}},
    )


def test_the_same_file_again_tells_nothing_new_and_a_changed_property_does(bring) -> None:
    bring(CLUB, kind="customers")
    again = bring(CLUB, kind="customers")
    assert (again.stored, again.duplicate) == (0, 3)
    changed = bring(CLUB.replace(b"PhD", b"Master"), kind="customers")
    assert (changed.stored, changed.duplicate) == (1, 2)
    assert Customer.objects.get(external_id="2174").attributes["Education"] == "Master"


def test_what_was_left_out_of_such_a_file_stays_left_out_the_next_time(bring) -> None:
    record = receive(CLUB)
    few = {"customer_id": 0, "attributes.Income": 3}
    choosing.choose(record=record, kind="customers", mapping=few, options=record.options, now=NOW)
    starting.start(record=record, now=NOW)
    assert receive(CLUB, "next.csv").mapping == {"customer_id": 0, "attributes.Income": 3}


def test_an_agreement_that_was_left_out_is_not_guessed_the_next_time(bring) -> None:
    content = CLUB.replace(b"Parking", b"Newsletter")
    record = receive(content)
    assert record.mapping["subscribed"] == 5
    few = {"customer_id": 0, "attributes.Income": 3}
    choosing.choose(record=record, kind="customers", mapping=few, options=record.options, now=NOW)
    starting.start(record=record, now=NOW)
    assert receive(content, "next.csv").mapping == few


def test_lines_that_name_nobody_are_refused_or_numbered_as_the_person_chooses(bring) -> None:
    with pytest.raises(Invalid) as refused:
        bring(LINES, kind="customers")
    assert refused.value.field == "customer_id"
    record = bring(LINES, kind="customers", numbered="telco")
    assert (record.stored, record.duplicate) == (3, 0)
    found = dict(Customer.objects.values_list("external_id", "attributes"))
    assert found["telco-3"] == {"churn": "Yes", "tenure": 34, "contract": "One year"}
    again = bring(LINES, kind="customers", numbered="telco")
    assert (again.stored, again.duplicate) == (0, 3)


@pytest.mark.parametrize("field", ["attributes.", "attributes.Email", "attributes." + "x" * 101])
def test_a_property_needs_a_name_of_its_own(bring, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        bring(CLUB, kind="customers", mapping={field: "Income"})
    assert refused.value.code == "unknown_field"


def test_a_kind_that_there_is_not_is_refused(bring) -> None:
    with pytest.raises(Invalid) as refused:
        bring(CLUB, kind="customers", property_kinds={"Income": "money"})
    assert refused.value.field == "property_kinds"
