"""Pages and API of segments, the tree and the models."""

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from campaigns.models import Segment
from marketing.core import auth
from marketing.core.models import Job
from models_ml.models import ModelVersion
from tests import factories

pytestmark = pytest.mark.django_db
RECENT = {"all": [{"field": "traits.recency_days", "op": "<=", "value": 30}]}


def signed_in(role: str = "marketer") -> Client:
    client = Client()
    client.force_login(factories.user(role))
    return client


@pytest.fixture
def shop() -> factories.Cast:
    return factories.shop()


def test_every_page_opens_within_its_number_of_queries(
    shop: factories.Cast, django_assert_max_num_queries: Any
) -> None:
    client = signed_in()
    segment, version = Segment.objects.first(), ModelVersion.objects.get()
    assert segment is not None
    for path in (
        "/segments/",
        "/segments/?q=recent",
        "/segments/new/",
        "/segments/new/?from=lapsed",
        f"/segments/{segment.pk}/",
        f"/segments/{segment.pk}/people/",
        "/segments/lists/",
        "/segments/tree/",
        "/models/",
        f"/models/{version.pk}/",
    ):
        with django_assert_max_num_queries(20):
            assert client.get(path).status_code == 200, path


def test_the_preview_answers_count_sentence_and_sql_and_says_what_is_left(
    shop: factories.Cast,
) -> None:
    asked = {"rule": json.dumps(RECENT), "id": "", "sql": "1"}
    said = signed_in().post("/segments/preview/", asked).json()
    assert said["meaning"] == "People where days since last order is at most 30."
    assert '"recency_days" <= 30' in said["sql"]
    assert (said["start"], said["left"], said["exact"]) == (3, [1], True)
    assert "Ada Byron" in said["some"]


def test_the_sql_is_written_only_for_whoever_looks_at_it(shop: factories.Cast) -> None:
    said = signed_in().post("/segments/preview/", {"rule": json.dumps(RECENT)}).json()
    assert "sql" not in said


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ('{"all":[{"field":"nope","op":"=","value":1}]}', "all[0].field"),
        ('{"all":[{"field":"traits.orders","op":"=","value":NaN}]}', ""),
        ('{"not":' * 500 + '{"all":[]}' + "}" * 500, ".".join(["not"] * 20)),
        ("", ""),
        ("[" * 200_000, ""),
    ],
)
def test_a_faulty_rule_marks_its_place(shop: factories.Cast, rule: str, path: str) -> None:
    answer = signed_in().post("/segments/preview/", {"rule": rule})
    assert answer.status_code == 200
    assert answer.json()["fault"]["path"] == path


def test_a_marketer_saves_and_changes_a_segment(shop: factories.Cast) -> None:
    client = signed_in()
    before = Segment.objects.count()
    answer = client.post(
        "/segments/create/",
        {"name": "Fresh", "rule": json.dumps(RECENT)},
        headers={"HX-Request": "true"},
    )
    made = Segment.objects.latest("id")
    assert answer.headers["HX-Redirect"] == f"/segments/{made.pk}/"
    assert Segment.objects.count() == before + 1
    refused = client.post(f"/segments/{made.pk}/save/", {"name": "", "rule": json.dumps(RECENT)})
    assert refused.status_code == 422
    made.refresh_from_db()
    assert made.name == "Fresh"
    client.post(f"/segments/{made.pk}/archive/")
    made.refresh_from_db()
    assert made.state == "archived"


def test_an_analyst_looks_but_changes_nothing(shop: factories.Cast) -> None:
    client = signed_in("analyst")
    segment, version = Segment.objects.first(), ModelVersion.objects.get()
    assert segment is not None
    assert client.get(f"/segments/{segment.pk}/").status_code == 200
    before = Segment.objects.count()
    for path in (
        "/segments/create/",
        f"/segments/{segment.pk}/save/",
        f"/segments/{segment.pk}/archive/",
        f"/segments/tree/{version.pk}/3/",
        "/segments/tree/train/",
        f"/models/{version.pk}/promote/",
        "/models/train/repeat_90d/",
    ):
        assert client.post(path, {"name": "x", "rule": "{}"}).status_code == 403, path
    assert Segment.objects.count() == before


def test_a_leaf_is_kept_from_the_tree_page(shop: factories.Cast) -> None:
    version = ModelVersion.objects.get()
    answer = signed_in().post(f"/segments/tree/{version.pk}/1/")
    made = Segment.objects.get(origin__leaf=1)
    assert answer.headers["Location"] == f"/segments/{made.pk}/"


def test_training_from_the_tree_page_starts_one_job(shop: factories.Cast) -> None:
    client = signed_in()
    client.post("/segments/tree/train/", {"depth": "3"})
    client.post("/segments/tree/train/", {"depth": "5"})
    job = Job.objects.get(kind="tree.train", state="queued")
    assert job.params == {"depth": 3}
    assert (
        "Train the decision tree, 3 questions deep"
        in client.get("/segments/tree/").content.decode()
    )


def test_without_a_tree_the_page_says_how_to_get_one() -> None:
    text = signed_in().get("/segments/tree/").content.decode()
    assert "No tree yet" in text
    factories.model_version(state="refused", reason="No better than its baseline.")
    text = signed_in().get("/segments/tree/").content.decode()
    assert "No better than its baseline." in text


def test_a_refused_version_says_why_on_its_page() -> None:
    version = factories.model_version(state="refused", reason="No better than its baseline.")
    text = signed_in().get(f"/models/{version.pk}/").content.decode()
    assert "Not published." in text
    assert "No better than its baseline." in text


@pytest.fixture
def api() -> APIClient:
    _key, secret = auth.create_key(
        name="shop", scopes=["segments:read", "segments:write", "models:read", "customers:read"],
        user=factories.user("admin"),
    )  # fmt: skip
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


class TestApi:
    def test_a_segment_is_made_read_changed_and_archived(
        self, api: APIClient, shop: factories.Cast
    ) -> None:
        made = api.post("/api/v1/segments/", {"name": "Recent", "rule": RECENT})
        assert made.status_code == 201
        body = made.json()
        assert (body["name"], body["size"], body["rule"]) == ("Recent", None, RECENT)
        assert made.headers["Location"] == body["url"]
        changed = api.patch(body["url"], {"name": "Fresh"})
        assert changed.json()["name"] == "Fresh"
        assert api.get(body["url"] + "count/").json()["people"] == 1
        assert api.delete(body["url"]).status_code == 204
        names = [row["name"] for row in api.get("/api/v1/segments/").json()["data"]]
        assert names == ["Recent buyers"]

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"rule": RECENT}, "name"),
            ({"name": "x", "rule": {"field": "nope", "op": "=", "value": 1}}, "field"),
            ({"name": "x", "rule": {"in_segment": 999}}, "in_segment"),
            ({"name": "x", "rule": RECENT, "size": 9}, "size"),
            ({"name": 7, "rule": RECENT}, "name"),
        ],
    )
    def test_a_faulty_body_is_refused_with_its_field(
        self, api: APIClient, body: Any, field: str
    ) -> None:
        answer = api.post("/api/v1/segments/", body)
        assert answer.status_code == 422
        assert answer.json()["error"]["field"] == field
        assert not Segment.objects.exists()

    def test_members_come_page_by_page(self, api: APIClient, shop: factories.Cast) -> None:
        everyone = factories.segment("all", {"all": []})
        found, url = [], f"/api/v1/segments/{everyone.pk}/members/?limit=2"
        while url:
            page = api.get(url).json()
            found += [row["external_id"] for row in page["data"]]
            url = page["next"]
        assert found == ["10001", "10002", "10003"]

    def test_a_rule_is_counted_without_keeping_it(
        self, api: APIClient, shop: factories.Cast
    ) -> None:
        answer = api.post("/api/v1/segments/count/", {"rule": RECENT})
        assert (answer.json()["people"], answer.json()["exact"]) == (1, True)

    def test_models_and_scores_are_read(self, api: APIClient, shop: factories.Cast) -> None:
        listed = api.get("/api/v1/models/?name=repeat_90d").json()["data"]
        assert [(row["version"], row["state"]) for row in listed] == [(1, "live")]
        assert api.get(listed[0]["url"]).json()["details"]["kind"] == "tree"
        scores = api.get(f"/api/v1/customers/{shop.ada.external_id}/scores/").json()
        assert scores["numbers"]["orders"] == 4
        assert scores["repeat_90d"]["chance"] == 0.6
        assert scores["repeat_90d"]["reasons"] == [
            {"field": "recency_days", "op": "<=", "threshold": 34.5, "value": 1.0}
        ]
        assert api.get("/api/v1/customers/999999/scores/").status_code == 404

    def test_a_key_without_the_scope_is_refused(self, shop: factories.Cast) -> None:
        _key, secret = auth.create_key(name="r", scopes=["segments:read"], user=None)
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        assert client.get("/api/v1/segments/").status_code == 200
        assert client.post("/api/v1/segments/count/", {"rule": RECENT}).status_code == 200
        assert client.post("/api/v1/segments/", {"name": "x", "rule": RECENT}).status_code == 403
        assert client.get("/api/v1/models/").status_code == 403
