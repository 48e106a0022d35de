"""Every operation of the API keeps out who may not ask it, and takes nothing it did not name."""

import json
import re
from typing import Any

import pytest
from django.core.cache import cache
from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from campaigns.api.open_doors import OpenView
from marketing.core import auth

pytestmark = pytest.mark.django_db
_UUID = "0b3f6c1e-8d0c-4c53-9d2b-6d7a3a0c7f11"
# Fields of rows that nobody may set by asking for it.
UNASKED = {
    "is_staff": True,
    "is_superuser": True,
    "role": "admin",
    "owner": 1,
    "password": "x",
    "created_at": "2020-01-01T00:00:00Z",
    "__class__": {"__init__": {"__globals__": {}}},
}


def operations() -> list[tuple[str, str, Any]]:
    """(method, an address without unknown places, what the document says) of each operation."""
    document = SchemaGenerator().get_schema(public=True)
    return [
        (method, re.sub(r"\{public_id\}", _UUID, path).replace("{", "").replace("}", ""), told)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
        if path.startswith("/api/v1/")
    ]


def addressed(path: str) -> str:
    """The address with a number wherever the document has a whole number."""
    return re.sub(r"/(\w+_id|version)/", "/1/", path)


def asked(client: APIClient, method: str, path: str, body: Any = None) -> Any:
    kind = "multipart" if path.endswith("/imports/") else "json"
    return client.generic(
        method.upper(),
        addressed(addressed(path)),
        b"" if body is None else json.dumps(body),
        content_type="application/json" if kind == "json" else "multipart/form-data; boundary=x",
    )


def of_programs() -> list[tuple[str, str, Any, str]]:
    found = []
    for method, path, told in operations():
        view = resolve(addressed(addressed(path))).func.view_class  # type: ignore[attr-defined]
        if not issubclass(view, OpenView):
            reads = method == "get" or getattr(view, "reads_only", False)
            found.append((method, path, told, f"{view.scope_noun}:{'read' if reads else 'write'}"))
    return found


def bearer(scopes: list[str]) -> APIClient:
    _key, secret = auth.create_key(name="some", scopes=scopes, user=None)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def test_no_operation_answers_without_a_key_or_with_one_that_is_none() -> None:
    cache.clear()
    wrong = APIClient()
    wrong.credentials(HTTP_AUTHORIZATION="Bearer pk_00000000_" + "A" * 43)
    for method, path, _told, _scope in of_programs():
        for client in (APIClient(), wrong):
            status = asked(client, method, path).status_code
            # A door told too often by one address of keys that are none says so.
            assert status in (401, 429), (method, path, status)
    cache.clear()


def test_every_operation_asks_for_its_own_scope_and_no_other_opens_it() -> None:
    found = of_programs()
    for scope in sorted({scope for *_rest, scope in found}):
        others = bearer([other for other in auth.SCOPES if other != scope])
        for method, path, _told, asks in found:
            if asks == scope:
                answer = asked(others, method, path)
                assert answer.status_code == 403, (method, path, answer.status_code)


def test_no_operation_takes_a_field_that_the_document_does_not_name() -> None:
    all_of_them = bearer(list(auth.SCOPES))
    tried = 0
    for method, path, told, _scope in of_programs():
        if method == "get" or "application/json" not in told.get("requestBody", {}).get(
            "content", {}
        ):
            continue
        for name, value in UNASKED.items():
            answer = asked(all_of_them, method, path, {name: value})
            refused = 400 <= answer.status_code < 500
            # A batch is answered item by item.
            assert refused or answer.json()["counts"] == {"invalid": 1}, (method, path, name)
            tried += 1
    assert tried > 200
