"""The OpenAPI document is valid, complete, and the same as the one integrators read in docs/."""

from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from django.urls import URLPattern, get_resolver
from django.urls.resolvers import URLResolver
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import validate

from campaigns.api.open_doors import OpenView
from marketing.core.auth import SCOPES

KEPT = Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def document() -> dict:
    return SchemaGenerator().get_schema(public=True)


def api_patterns() -> list[URLPattern]:
    (api,) = [
        entry
        for entry in get_resolver().url_patterns
        if isinstance(entry, URLResolver) and entry.namespace == "api"
    ]
    return [entry for entry in api.url_patterns if isinstance(entry, URLPattern)]


def test_the_document_is_valid_openapi_3_1(document: dict) -> None:
    assert document["openapi"] == "3.1.0"
    validate(document)


def test_every_address_of_the_api_is_documented(document: dict) -> None:
    of_the_api = [path for path in document["paths"] if path.startswith("/api/v1/")]
    assert len(of_the_api) == len(api_patterns())
    assert set(document["paths"]) - set(of_the_api) == {"/hooks/in/{token}/"}


def test_every_address_asks_for_a_scope_that_exists() -> None:
    nouns = {scope.split(":")[0] for scope in SCOPES}
    unknown = [
        str(entry.pattern)
        for entry in api_patterns()
        # A person's own browser brings a token of the person, which reaches that person alone.
        if not issubclass(entry.callback.view_class, OpenView)  # type: ignore[attr-defined]
        and entry.callback.view_class.scope_noun not in nouns  # type: ignore[attr-defined]
    ]
    assert unknown == []


def test_every_operation_names_the_one_error_shape(document: dict) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            answer = operation["responses"]["default"]["content"]["application/json"]
            assert answer["schema"] == {"$ref": "#/components/schemas/Error"}


def test_the_kept_document_is_the_current_one(tmp_path: Path) -> None:
    """After a wanted change: `manage.py spectacular --file docs/openapi.yaml`."""
    call_command("spectacular", "--file", str(tmp_path / "now.yaml"))
    assert yaml.safe_load(KEPT.read_text()) == yaml.safe_load((tmp_path / "now.yaml").read_text())


@pytest.mark.parametrize("address", ["customers/{external_id}/", "products/{sku}/"])
def test_what_is_put_is_told_to_be_new_or_known(document: dict, address: str) -> None:
    told = document["paths"][f"/api/v1/{address}"]["put"]["responses"]
    assert {"200", "201"} <= set(told)


def test_who_leaves_push_is_told_how_many_browsers_ended(document: dict) -> None:
    told = document["paths"]["/api/v1/push/subscriptions/"]["delete"]["responses"]
    assert set(told) == {"200", "default"}
