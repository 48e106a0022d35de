"""An integrator sends a file, gets a job, and reads the ledger."""

import json

from django.core.files.uploadedfile import SimpleUploadedFile

from ingestion.models import ImportJob, OrderLine, Source
from ingestion.recipes import versions
from marketing.core import jobs
from marketing.core.models import Job
from tests.ingestion.conftest import NOW

CONTENT = b"no,code,n,when,price\n1,A,2,05/01/2011 10:00,3.50\n2,A,x,05/01/2011 10:00,3.50\n"
MAPPING = {"order_id": "no", "sku": "code", "quantity": "n", "placed_at": "when", "unit_price": 4}


def send(api, content: bytes = CONTENT, **fields):
    file = SimpleUploadedFile("orders.csv", content, content_type="text/csv")
    return api.post("/api/v1/imports/", {"file": file, **fields}, format="multipart")


def test_a_file_is_accepted_with_the_address_of_its_job(api) -> None:
    answer = send(
        api,
        kind="orders",
        source="till",
        mapping=json.dumps(MAPPING),
        options=json.dumps({"date_style": "dmy", "timezone": "Europe/London"}),
    )
    assert answer.status_code == 202, answer.json()
    body = answer.json()
    job = Job.objects.get()
    assert answer.headers["Location"] == body["job"]["url"] == f"/api/v1/jobs/{job.public_id}/"
    jobs.run(job_id=job.pk)
    ended = api.get(body["import"]["url"]).json()
    assert [
        ended[name] for name in ("state", "received", "stored", "duplicate", "quarantined")
    ] == ["done", 2, 1, 0, 1]
    assert ended["mapping"]["sku"] == "code"
    assert OrderLine.objects.get().placed_at.isoformat() == "2011-01-05T10:00:00+00:00"
    rejects = api.get(f"{body['import']['url']}rejects/").json()["data"]
    assert [(r["line"], r["field"], r["code"]) for r in rejects] == [
        (3, "quantity", "not_a_number")
    ]
    assert api.get("/api/v1/imports/").json()["data"][0]["id"] == body["import"]["id"]


def test_a_wrong_request_is_refused_and_leaves_nothing(api) -> None:
    for fields, field in [
        ({"mapping": "{"}, "mapping"),
        ({"mapping": json.dumps({**MAPPING, "sku": "none"})}, "mapping.sku"),
        ({"mapping": json.dumps(MAPPING), "options": json.dumps({"speed": 9})}, "options.speed"),
        ({"kind": "shoes"}, "kind"),
        ({"kind": "orders"}, "order_id"),
    ]:
        answer = send(api, **fields)
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    assert send(api, b"").json()["error"]["code"] in ("empty_file", "invalid", "file_missing")
    assert (ImportJob.objects.count(), Job.objects.count()) == (0, 0)
    missing = api.post("/api/v1/imports/", {}, format="multipart")
    assert missing.json()["error"]["code"] == "file_missing"


def test_a_file_without_a_needed_column_goes_in_by_the_recipe_of_its_source(api) -> None:
    content = b"no,code,when,price\n1,A,2011-01-05 10:00,3.50\n"
    mapping = json.dumps({"order_id": "no", "sku": "code", "placed_at": "when", "unit_price": 3})
    answer = send(api, content, kind="orders", source="till", mapping=mapping)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "quantity"
    rule = {"id": "n", "rule": "fill", "column": "quantity", "value": "3"}
    source = Source.objects.create(name="till")
    versions.save(source=source, kind="orders", body={"rules": [rule]}, user=None, now=NOW)
    answer = send(api, content, kind="orders", source="till", mapping=mapping)
    assert answer.status_code == 202, answer.json()
    jobs.run(job_id=Job.objects.get().pk)
    assert OrderLine.objects.get().quantity == 3
