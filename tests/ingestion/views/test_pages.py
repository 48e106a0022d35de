"""Pages of the data: each renders in few questions, and an import walks from file to report."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from ingestion.models import ImportJob, OrderLine
from marketing.core import jobs
from marketing.core.models import Job
from tests import factories

pytestmark = pytest.mark.django_db
CONTENT = (
    b"InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
    b"1,A1,TEAPOT,2,2011-01-05 10:00,3.50,7,EIRE\n1,A1,TEAPOT,2,2011-01-05 10:00,3.50,7,EIRE\n"
    b"2,A1,TEAPOT,x,2011-01-05 10:00,3.50,7,EIRE\n"
)


@pytest.fixture
def marketer(client: Client) -> Client:
    client.force_login(factories.user("marketer"))
    return client


def upload(client: Client, content: bytes = CONTENT, name: str = "orders.csv"):
    return client.post(
        reverse("ingestion:import-new"),
        {"file": SimpleUploadedFile(name, content), "source": "till"},
    )


def mapped(record: ImportJob) -> dict[str, str]:
    columns = {f"column-{name}": str(index) for name, index in record.mapping.items()}
    return {
        "kind": record.kind,
        "has_header": "on",
        "source": "till",
        "was": record.kind,
        **columns,
    }


def test_an_import_walks_from_file_to_report(marketer, django_assert_max_num_queries) -> None:
    answer = upload(marketer)
    record = ImportJob.objects.get()
    assert answer["Location"] == reverse("ingestion:import-map", args=[record.public_id])
    page = marketer.get(answer["Location"]).content.decode()
    assert "TEAPOT" in page
    assert '<option value="1" selected>StockCode</option>' in page
    answer = marketer.post(reverse("ingestion:import-map", args=[record.public_id]), mapped(record))
    detail = reverse("ingestion:import-detail", args=[record.public_id])
    assert answer["Location"] == detail
    assert "data-poll" in marketer.get(detail).content.decode()
    jobs.run(job_id=Job.objects.get().pk)
    with django_assert_max_num_queries(20):
        page = marketer.get(
            reverse("ingestion:import-live", args=[record.public_id])
        ).content.decode()
    assert "data-poll" not in page
    assert "Exact duplicates" in page
    assert "Quantity: “x” is not a number." in page
    assert "EIRE" in page
    csv = b"".join(
        marketer.get(reverse("ingestion:import-rejects", args=[record.public_id])).streaming_content
    )
    assert b"2,A1,TEAPOT,x" in csv
    assert OrderLine.objects.count() == 1


@pytest.mark.parametrize(
    ("content", "words"), [(b"", "is empty"), (b"\x89PNG\r\n", "a picture"), (None, "No file")]
)
def test_a_file_that_is_no_table_is_refused_on_the_page(marketer, content, words) -> None:
    data = {} if content is None else {"file": SimpleUploadedFile("x.csv", content)}
    answer = marketer.post(reverse("ingestion:import-new"), data)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert ImportJob.objects.count() == 0


def test_a_header_with_twins_shows_why_it_cannot_start(marketer) -> None:
    answer = upload(marketer, b"order,Order,sku,qty,date,price\n1,1,A,2,2011-01-05,3\n")
    page = marketer.get(answer["Location"]).content.decode()
    assert "Several columns are named order." in page
    assert 'type="submit" disabled' in page


def test_other_reading_choices_are_tried_without_storing_them(marketer) -> None:
    upload(marketer, "name;größe\nA;1\n".encode("cp1252"))
    record = ImportJob.objects.get()
    before = dict(record.options)
    answer = marketer.post(
        reverse("ingestion:import-preview", args=[record.public_id]),
        {**mapped(record), "delimiter": ",", "encoding": "utf-8"},
        headers={"HX-Request": "true"},
    )
    assert "Only one column was found" in answer.content.decode()
    record.refresh_from_db()
    assert record.options == before


def test_a_missing_column_is_told_and_nothing_starts(marketer) -> None:
    upload(marketer)
    record = ImportJob.objects.get()
    answer = marketer.post(
        reverse("ingestion:import-map", args=[record.public_id]),
        {**mapped(record), "column-sku": ""},
    )
    assert answer.status_code == 422
    assert "Choose a column for Product code." in answer.content.decode()
    assert Job.objects.count() == 0


def test_people_are_found_and_paged(marketer, django_assert_max_num_queries) -> None:
    people = [factories.customer(f"person{n}") for n in range(120)]
    for number, person in enumerate(people[:60]):
        factories.order(person, days_ago=number)
    seen: list[str] = []
    url = reverse("ingestion:customer-list")
    while url:
        with django_assert_max_num_queries(20):
            answer = marketer.get(url)
        seen += [row.email for row in answer.context["rows"]]
        url = (
            f"{reverse('ingestion:customer-list')}?after={answer.context['next']}"
            if answer.context["next"]
            else ""
        )
    assert len(seen) == len(set(seen)) == 120
    assert seen[:2] == [people[0].email, people[1].email]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=ada", ["ada"]),
        ("q=ben%40exam", ["ben"]),
        ("q=%25", []),
        ("q=_", []),
        ("country=FR", ["cleo"]),
        ("reach=no", ["cleo"]),
        ("reach=yes&order=new", ["ben", "ada"]),
        ("after=zzzz", ["cleo", "ben", "ada"]),
    ],
)
def test_search_filters_and_forged_cursors(marketer, query, found) -> None:
    factories.customer("ada")
    factories.customer("ben")
    factories.customer("cleo", country="FR", consent=None)
    answer = marketer.get(f"{reverse('ingestion:customer-list')}?{query}")
    assert [row.first_name.lower() for row in answer.context["rows"]] == found


@pytest.mark.parametrize("order", ["recent", "revenue", "orders", "new"])
def test_every_order_pages_to_the_end(marketer, order) -> None:
    for n in range(55):
        person = factories.customer(f"p{n}")
        if n % 2:
            factories.order(person, days_ago=n % 5)
    url, seen = f"{reverse('ingestion:customer-list')}?order={order}", []
    while url:
        answer = marketer.get(url)
        seen += [row.pk for row in answer.context["rows"]]
        following = answer.context["next"]
        url = (
            f"{reverse('ingestion:customer-list')}?order={order}&after={following}"
            if following
            else ""
        )
    assert len(seen) == len(set(seen)) == 55


@pytest.mark.parametrize(
    "name",
    [
        "import-list",
        "import-new",
        "quality-home",
        "schema-list",
        "event-stream",
        "product-list",
        "customer-list",
    ],
)
def test_each_page_renders_empty_and_filled(marketer, django_assert_max_num_queries, name) -> None:
    marketer.get(reverse("ingestion:import-list"))
    for _ in range(2):
        with django_assert_max_num_queries(20):
            answer = marketer.get(reverse(f"ingestion:{name}"))
        assert answer.status_code == 200
        upload(marketer)
        factories.order(factories.customer())


def test_an_analyst_looks_but_does_not_import(client) -> None:
    client.force_login(factories.user("analyst"))
    assert client.get(reverse("ingestion:import-list")).status_code == 200
    assert client.get(reverse("ingestion:import-new")).status_code == 403
    assert upload(client).status_code == 403
    assert ImportJob.objects.count() == 0


def test_names_are_shown_as_text(marketer) -> None:
    factories.customer("x", first_name="<script>alert(1)</script>")
    page = marketer.get(reverse("ingestion:customer-list")).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
