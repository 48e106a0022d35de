"""Kept lines are given back and emptied for the person they are about, and for nobody else."""

import json
from pathlib import Path

import pytest
from django.conf import settings

from ingestion.imports import archive
from ingestion.models import Customer, ImportJob, Refusal, Reject
from ingestion.preprocess import packing
from ingestion.privacy import holdings, quarantine, subjects
from marketing.core.personal import Subject
from tests import factories
from tests.ingestion.imports.test_formats import FORMATS, HEAD, ROWS

pytestmark = pytest.mark.django_db
PHONE = "+442079460000"


def text_of(record: ImportJob) -> str:
    with packing.unpacked(Path(settings.MEDIA_ROOT) / record.path) as file:
        return file.read_text()


def subject_of(person: Customer) -> Subject:
    found = subjects.of_customer(person.pk)
    assert found is not None
    return found


def test_a_phone_of_the_family_and_a_small_number_take_no_line_of_others(bring) -> None:
    lines = (
        "id,email,first name,phone,accepts marketing\n"
        f"7,ada@example.com,Ada,{PHONE},no\n"
        f"8,bob@example.com,Bob,{PHONE},no\n"
        "9,cleo@example.com,7,,no\n"
    )
    record = bring(lines.encode(), kind="customers")
    ada = Customer.objects.get(external_id="7")
    Customer.objects.filter(external_id__in=["7", "8"]).update(phone=PHONE)
    assert holdings._raw_files(subject_of(ada)) == 1
    record.refresh_from_db()
    head, gone, *others = text_of(record).split("\n")
    assert (gone, others) == ("", lines.split("\n")[2:])
    assert head == lines.split("\n")[0]


def test_a_small_number_is_found_where_an_order_holds_its_customer(bring) -> None:
    lines = (
        "order,sku,qty,date,price,customer\n"
        "7,A,7,2011-01-05,7,8\n"
        "8,7,1,2011-01-05,3.50,7\n"
        "9,A,x,2011-01-05,3.50,7\n"
        "7,A,x,2011-01-05,3.50,8\n"
    )
    record = bring(lines.encode())
    person = Subject(numbers=(1,), external_ids=("7",))
    assert [row.line for row in quarantine.about(Reject, person)] == [4]
    assert holdings._raw_files(person) == 2
    assert quarantine.erase(person) == 0  # its line was emptied with the file
    record.refresh_from_db()
    other, also_other = lines.split("\n")[1], lines.split("\n")[4]
    assert text_of(record).split("\n")[1:] == [other, "", "", also_other, ""]
    assert sorted(Reject.objects.values_list("line", "raw")) == [(4, ""), (5, also_other)]


@pytest.mark.parametrize("form", ["comma", "jsonl", "parquet", "xlsx", "semicolon"])
def test_plain_numbers_are_compared_with_the_customer_of_every_format(bring, form: str) -> None:
    record = bring(FORMATS[form](), timezone="UTC")
    assert archive.lines_about(names=[], ids=["3", "1", "2"]) == {}
    customer = HEAD.index("customer")
    mine = [row for row in ROWS if row[customer] == "17850"]
    assert len(archive.lines_about(names=[], ids=["17850"])[record.pk]) == len(mine)


@pytest.mark.parametrize(
    ("raw", "theirs"),
    [
        ({"user_id": "7"}, True),
        ({"userId": 7}, True),
        ({"customer": {"id": 7}}, True),
        ({"customer": "7"}, True),
        ({"previous_id": "7"}, True),
        ({"batch": [{"user_id": "8"}, {"user_id": "7"}]}, True),
        ({"user_id": "8", "properties": {"product_id": "7", "order_id": 7}}, False),
        ({"user_id": "8", "properties": {"product": {"id": 7}, "paid": "7"}}, False),
        ({"user_id": "8", "message_id": "7", "id": "7"}, False),
        ({"user_id": "77"}, False),
    ],
)
def test_a_refused_event_is_theirs_by_the_number_of_its_person_alone(
    raw: dict, theirs: bool
) -> None:
    person = Subject(numbers=(1,), external_ids=("7",))
    Refusal.objects.create(source="w", door="api", code="c", message="m", raw=json.dumps(raw))
    assert quarantine.erase(person) == int(theirs)
    assert Refusal.objects.exists() is not theirs


def test_a_refused_event_of_a_family_member_stays() -> None:
    ada = factories.customer("ada", phone=PHONE)
    factories.customer("zoe", phone=PHONE)
    raw = json.dumps({"email": "zoe@example.com", "phone": PHONE})
    Refusal.objects.create(source="w", door="api", code="c", message="m", raw=raw)
    assert quarantine.erase(subject_of(ada)) == 0
    assert Refusal.objects.get().raw == raw
