"""Whatever any operation of the API is sent, it answers as its document says, never by a fault."""

import pytest
from django.core.cache import cache
from django.db import transaction
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from ingestion.models import Customer, Identity
from marketing.core import auth
from tests import factories
from tests.browser.addresses import all_pages
from tests.core.any_request import Asked, Maker

pytestmark = pytest.mark.django_db
EACH = 20
SEED = 11


def register_everybody() -> None:
    """The names of the people in the shop's rows, as every door would have kept them."""
    Identity.objects.bulk_create(
        (
            Identity(kind=kind, value=value, customer=person)
            for person in Customer.objects.all()
            for kind, value in (("external", person.external_id), ("email", person.email))
            if value
        ),
        ignore_conflicts=True,
    )


def test_no_request_to_any_operation_is_answered_by_a_fault() -> None:
    cache.clear()
    all_pages(factories.shop())  # something of everything
    register_everybody()
    document = SchemaGenerator().get_schema(public=True)
    operations = [
        (method, path, told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
        if path.startswith("/api/v1/")
    ]
    _key, secret = auth.create_key(name="any", scopes=list(auth.SCOPES), user=None)
    client = APIClient(headers={"Authorization": f"Bearer {secret}"})
    maker = Maker(document, SEED)
    faults: dict[str, str] = {}
    statuses: dict[str, set[int]] = {}

    def ask(asked: Asked, name: str) -> None:
        try:
            with transaction.atomic():
                answer = client.generic(
                    asked.method.upper(), asked.path, asked.body, content_type=asked.kind
                )
        except (Exception, pytest.fail.Exception) as wrong:
            faults.setdefault(f"{name}: {type(wrong).__name__} {str(wrong)[:300]}", str(asked))
            return
        statuses.setdefault(name, set()).add(answer.status_code)
        if answer.status_code >= 500:
            faults.setdefault(f"{name}: {answer.status_code}", str(asked))
        if answer.status_code == 200 and "json" in answer["Content-Type"]:
            maker.heed(answer.json())

    for path in document["paths"]:  # lists first: what they name is asked for next
        if "{" not in path and "get" in document["paths"][path]:
            answer = client.get(path)
            rows = answer.json().get("data") if answer.status_code == 200 else None
            maker.heed(rows)
            for row in rows if isinstance(rows, list) else ():
                known = maker.seen[path.rstrip("/").rsplit("/", 1)[1] + "/"]
                for name in ("id", "key", "slug", "external_id", "sku", "public_id"):
                    if row.get(name) is not None:
                        known.append(row[name])
                        break
    for method, path, told in sorted(operations, key=lambda one: one[0] != "get"):
        with transaction.atomic():
            for _ in range(EACH):
                ask(maker.request(method, path, told), f"{method} {path}")
            if method != "get":
                collection = path.split("{")[0]
                if "get" in document["paths"].get(collection, ()):
                    ask(Asked("get", collection, b"", "application/json"), f"get {collection}")
            transaction.set_rollback(True)
    assert faults == {}
    answered = {name for name, found in statuses.items() if any(one < 300 for one in found)}
    assert len(answered) > len(operations) * 0.6, sorted(set(statuses) - answered)
    cache.clear()
