"""A list of people comes in as a file and can be asked about in rules."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from campaigns.models import PersonList, Segment
from campaigns.segments import compile as compiler
from campaigns.segments import definitions, lists, membership, preview, upkeep
from campaigns.segments.terms import RuleFault
from ingestion.models import Customer, Identity
from marketing.core import jobs
from marketing.core.errors import Conflict, Invalid, Refused
from marketing.core.models import Job
from tests import factories

pytestmark = pytest.mark.django_db


def bring(data: bytes, **values: Any) -> tuple[PersonList, Job]:
    told = {"file_name": "fair.csv", "name": "Fair", "now": factories.NOW, **values}
    made, job = lists.receive(chunks=[data], user=factories.user(), **told)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    made.refresh_from_db()
    return made, job


def on(made: PersonList) -> set[str]:
    rule = compiler.read({"in_list": made.pk})
    return set(membership.members(rule).values_list("first_name", flat=True))


def kept() -> list[Path]:
    return list((Path(settings.MEDIA_ROOT) / "imports").glob("*"))


def test_people_are_found_by_address_by_number_and_by_phone() -> None:
    factories.customer("ada", external_id="10001")
    factories.customer("ben", external_id="10002")
    cleo = factories.customer("cleo", phone="+442079460958")
    Identity.objects.create(customer=cleo, kind="phone", value=cleo.phone)
    factories.customer("dot")
    before = kept()
    made, job = bring(
        b"who\n ADA@Example.com\n10002\n+44 20 7946 0958\nnobody@example.com\n10002\n\n"
    )
    assert job.state == "done"
    assert (made.rows, made.people, made.unknown) == (4, 3, 1)
    assert on(made) == {"Ada", "Ben", "Cleo"}
    assert kept() == before


def test_the_column_is_found_by_its_title_by_its_texts_or_named() -> None:
    factories.customer("ada", external_id="7")
    factories.customer("ben", external_id="8")
    for data, column in (
        (b"note;Customer ID\nx;7\n", ""),
        (b"note;contact\nx;ada@example.com\n", ""),
        (b"ada;ben\n7;8\n", "ada"),
    ):
        made, _job = bring(data, column=column)
        assert on(made) == {"Ada"}


def test_a_new_file_takes_the_place_of_the_old_one() -> None:
    factories.customer("ada")
    factories.customer("ben")
    made, _job = bring(b"email\nada@example.com\n")
    again, _job = bring(b"email\nben@example.com\n", person_list=made, name="Fair 2")
    assert again == made
    assert again.name == "Fair 2"
    assert on(made) == {"Ben"}


def test_somebody_who_was_merged_stands_on_the_list_as_who_they_are_today() -> None:
    ada = factories.customer("ada")
    was = Customer.every.create(merged_into=ada)
    Identity.objects.create(customer=ada, kind="email", value="lovelace@example.com")
    made, _job = bring(b"email\nlovelace@example.com\nada@example.com\n")
    assert (made.people, made.unknown) == (1, 0)
    assert on(made) == {"Ada"}
    made.members.all().delete()
    made.members.create(customer=was)
    assert on(made) == {"Ada"}


@pytest.mark.parametrize(
    ("data", "values", "code"),
    [
        (b"a,b\n1,2\n", {}, "no_names"),
        (b"a,b\n1,2\n", {"column": "c"}, "no_such_column"),
        (b"", {}, "empty_file"),
        (b"email\nx@example.com\n", {"name": " "}, "bad_name"),
    ],
)
def test_a_file_that_names_nobody_is_refused_and_not_kept(
    data: bytes, values: dict[str, Any], code: str
) -> None:
    before = kept()
    with pytest.raises(Refused) as caught:
        bring(data, **values)
    assert caught.value.code == code
    assert kept() == before
    assert not PersonList.objects.exists()


def test_a_file_that_vanished_is_said_so() -> None:
    told = {"file_name": "a.csv", "name": "A", "now": factories.NOW, "user": factories.user()}
    _made, job = lists.receive(chunks=[b"email\na@example.com\n"], **told)  # type: ignore[arg-type]
    (Path(settings.MEDIA_ROOT) / job.params["file"]).unlink()
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    assert "The file is gone" in job.error


def test_a_list_that_a_segment_asks_about_is_not_deleted() -> None:
    made = PersonList.objects.create(name="Fair")
    segment = factories.segment("Visitors", {"not": {"in_list": made.pk}})
    with pytest.raises(Conflict, match="still used by Visitors"):
        lists.remove(person_list=made, actor=None)
    segment.state = "archived"
    segment.save()
    lists.remove(person_list=made, actor=None)
    assert not PersonList.objects.exists()


def test_a_list_that_was_never_read_is_not_taken_for_an_empty_one() -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben")
    told = {"file_name": "a.csv", "name": "Fair", "now": factories.NOW, "user": factories.user()}
    made, job = lists.receive(chunks=[b"email\nada@example.com\n"], **told)  # type: ignore[arg-type]
    asked = {"not": {"in_list": made.pk}}
    segment = definitions.save(name="Others", rule=asked, actor=None)
    naming = factories.segment("Naming", {"in_segment": segment.pk})
    for rule in (asked, naming.rule):
        node = compiler.read(rule)
        for ask in (membership.count, membership.sample, preview.look):
            with pytest.raises(RuleFault, match="list “Fair” is not read yet") as caught:
                ask(node)
            assert caught.value.code == "list_not_read"
    both = [segment, naming]
    assert membership.of_person(customer_id=ben.pk, segments=both[:1]) == set()
    upkeep.refresh(now=factories.NOW)
    segment = Segment.objects.get(pk=segment.pk)
    assert segment.size is None
    assert "not read yet" in definitions.trouble(segment)
    with pytest.raises(Conflict, match="still being read"):
        lists.receive(chunks=[b"email\nx@example.com\n"], person_list=made, **told)  # type: ignore[arg-type]
    jobs.run(job_id=job.pk)
    upkeep.refresh(now=factories.NOW)
    for one in both:
        one.refresh_from_db()
        assert set(one.members.values_list("customer", flat=True)) == {ben.pk}
        assert definitions.trouble(Segment.objects.get(pk=one.pk)) == ""
    assert membership.of_person(customer_id=ben.pk, segments=both[:1]) == {segment.pk}
    assert membership.of_person(customer_id=ada.pk, segments=both[:1]) == set()


def test_lists_are_uploaded_replaced_and_deleted_on_their_page(client: Client) -> None:
    factories.customer("ada")
    factories.customer("ben")
    client.force_login(factories.user())

    def upload(url: str, name: str, data: bytes) -> str:
        file = SimpleUploadedFile("fair.csv", data)
        answer = client.post(url, {"name": name, "file": file}, follow=True)
        for job in Job.objects.filter(kind="list.load", state="queued"):
            jobs.run(job_id=job.pk)
        return answer.content.decode()

    assert "is being read" in upload("/segments/lists/add/", "Fair", b"email\nada@example.com\n")
    made = PersonList.objects.get()
    there = f"/segments/lists/{made.pk}"
    upload(f"{there}/replace/", "Fair 2027", b"email\nben@example.com\n")
    assert on(made) == {"Ben"}
    assert "No column of the file" in upload(f"{there}/replace/", "Fair 2027", b"a,b\n1,2\n")
    segment = factories.segment("Guests", {"in_list": made.pk})
    text = client.get("/segments/lists/").content.decode()
    assert "Fair 2027" in text
    assert f'href="/segments/{segment.pk}/"' in text
    refused = client.post(f"{there}/remove/", follow=True).content.decode()
    assert "still used by Guests" in refused
    segment.state = "archived"
    segment.save()
    client.post(f"{there}/remove/")
    assert not PersonList.objects.exists()
    client.force_login(factories.user("analyst"))
    assert "Upload a list" not in client.get("/segments/lists/").content.decode()
    assert client.post("/segments/lists/add/").status_code == 403


def test_a_name_is_asked_for() -> None:
    with pytest.raises(Invalid, match="at most 120"):
        bring(b"email\na@example.com\n", name="x" * 121)
