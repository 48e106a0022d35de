"""Sources and mentions by API: an item is stored once, and each refusal names its field."""

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from ingestion.models import Connector, Mention, Source
from tests.ingestion.connectors.conftest import connect, fetch, site

__all__ = ["connect", "site"]  # fixtures
MENTIONS = "/api/v1/mentions/"


def mention(**values: Any) -> dict[str, Any]:
    return {
        "source": "Social",
        "external_id": "post-1",
        "author": "@ada",
        "text": "Lovely mugs",
        "url": "https://social.example.com/1",
        "language": "en",
        "published_at": "2026-11-20T10:00:00Z",
        **values,
    }


def test_a_batch_of_mentions_is_stored_once(api: APIClient) -> None:
    batch = [mention(), mention(external_id="post-2"), mention()]
    first = api.post(MENTIONS, batch, format="json").json()
    assert first["counts"] == {"stored": 2, "duplicate": 1}
    assert api.post(MENTIONS, batch, format="json").json()["counts"] == {"duplicate": 3}
    assert Mention.objects.count() == 2
    listed = api.get(f"{MENTIONS}?source=Social&limit=1").json()
    assert listed["data"][0]["external_id"] == "post-2"
    assert listed["data"][0]["sentiment"] is None
    assert listed["next"]
    assert api.get(f"{MENTIONS}?source=Other").json()["data"] == []


def test_the_same_id_of_two_sources_is_two_mentions(api: APIClient) -> None:
    assert api.post(MENTIONS, mention(), format="json").status_code == 201
    assert api.post(MENTIONS, mention(source="Other"), format="json").status_code == 201
    assert api.post(MENTIONS, mention(), format="json").status_code == 200


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"external_id": ""}, "external_id"),
        ({"external_id": "x" * 501}, "external_id"),
        ({"text": "", "title": ""}, "text"),
        ({"text": 5}, "text"),
        ({"text": "a\0b"}, "text"),
        ({"url": "javascript:alert(1)"}, "url"),
        ({"published_at": "yesterday"}, "published_at"),
        ({"published_at": "2026-11-20T10:00:00"}, "published_at"),
        ({"published_at": "0001-01-01T00:00:00Z"}, "published_at"),
        ({"published_at": "9999-01-01T00:00:00Z"}, "published_at"),
        ({"sentiment": 1}, "sentiment"),
    ],
)
def test_what_is_wrong_with_a_mention_names_its_field(
    api: APIClient, values: dict[str, Any], field: str
) -> None:
    answer = api.post(MENTIONS, mention(**values), format="json")
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    many = api.post(MENTIONS, [mention(**values), mention()], format="json").json()
    assert many["counts"] == {"invalid": 1, "stored": 1}


@pytest.mark.parametrize("body", [{}, [], "x", 5, None, [[]], {"items": []}])
def test_a_body_that_is_no_mention_is_refused(api: APIClient, body: Any) -> None:
    answer = api.post(MENTIONS, body, format="json")
    assert answer.status_code in (200, 400, 422)
    assert Mention.objects.count() == 0


def test_a_feed_is_not_written_to_from_outside(api: APIClient) -> None:
    Source.objects.create(name="press", kind="connector")
    assert api.post(MENTIONS, mention(source="press"), format="json").status_code == 409
    assert Mention.objects.count() == 0


def test_a_source_tells_its_health_and_its_fetches(
    api: APIClient, site: Any, connect: Callable[..., Connector]
) -> None:
    connector = connect("feed", "press", url=f"{site.url}/feed")
    fetch(connector)
    listed = api.get("/api/v1/sources/").json()["data"]
    assert [(row["name"], row["health"]) for row in listed] == [("press", "failing")]
    assert "status 404" in listed[0]["message"]
    pulls = reverse("api:pull-list", args=[connector.source_id])
    assert api.get(pulls).json()["data"][0]["state"] == "failed"
    begun = api.post(pulls)
    assert begun.status_code == 202
    assert begun.json()["job"]["kind"] == "source.pull"
    assert api.post(pulls).status_code == 409
    assert api.get("/api/v1/sources/999999/").status_code == 404
    assert api.post("/api/v1/sources/999999/pulls/").status_code == 404


def test_settings_change_by_api_and_the_rest_stays(
    api: APIClient, site: Any, connect: Callable[..., Connector]
) -> None:
    connector = connect("http_json", url=f"{site.url}/a", rows_path="data")
    url = reverse("api:source-detail", args=[connector.source_id])
    answer = api.patch(
        url, {"name": "new", "settings": {"url": f"{site.url}/b"}, "every_minutes": 5},
        format="json",
    )  # fmt: skip
    assert answer.status_code == 200
    found = answer.json()["connector"]
    assert (found["settings"]["url"], found["settings"]["rows_path"]) == (f"{site.url}/b", "data")
    assert (answer.json()["name"], found["every_minutes"]) == ("new", 5)
    refused = api.patch(url, {"settings": {"url": "ftp://x"}}, format="json")
    assert refused.status_code == 400
    assert refused.json()["error"]["field"] == "url"
