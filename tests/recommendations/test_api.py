import pytest
from django.test import Client

from ingestion import consent
from marketing.core import auth
from marketing.core.models import Job
from recommendations import placements
from tests import factories


@pytest.fixture
def client() -> Client:
    return factories.signed_in("marketer")


def test_a_customers_picks_have_products_and_reasons(chosen, client):
    person = chosen.people[0]
    body = client.get(f"/api/v1/customers/{person.external_id}/recommendations/?limit=3").json()
    assert body["engine"] == "als"
    assert [row["rank"] for row in body["data"]] == [1, 2, 3]
    assert body["data"][0]["product"]["price"] == "2.50"
    assert body["data"][0]["reason"]["text"]


def test_another_engine_may_be_named(chosen, client):
    url = f"/api/v1/customers/{chosen.people[0].external_id}/recommendations/"
    assert client.get(url, {"engine": "popular"}).json()["engine"] == "popular"
    refused = client.get(url, {"engine": "oracle"})
    assert refused.status_code == 422
    assert refused.json()["error"]["field"] == "engine"


def test_a_key_gets_the_same_picks_by_one_question_as_somebody_who_is_signed_in(
    chosen, client, django_assert_max_num_queries
):
    _key, secret = auth.create_key(name="shop", scopes=["recommendations:read"], user=None)
    url = f"/api/v1/customers/{chosen.people[0].external_id}/recommendations/"
    named = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
    wanted = {"limit": 3}
    assert Client().get(url, wanted, **named).json() == client.get(url, wanted).json()
    with django_assert_max_num_queries(1):
        assert Client().get(url, wanted, **named).status_code == 200
    # Whoever objects gets what is popular, at once.
    consent.revoke(
        customer_ids=[chosen.people[0].pk], purpose="profiling", source="link", now=factories.now()
    )
    codes = {row["reason"]["code"] for row in Client().get(url, **named).json()["data"]}
    assert codes == {"popular"}


def test_a_key_is_refused_in_the_words_of_the_api(chosen):
    _key, secret = auth.create_key(name="shop", scopes=["customers:read"], user=None)
    _key, good = auth.create_key(name="shop 2", scopes=["recommendations:read"], user=None)
    url = f"/api/v1/customers/{chosen.people[0].external_id}/recommendations/"

    def ask(key, path=url, **query):
        answer = Client().get(path, query, HTTP_AUTHORIZATION=f"Bearer {key}")
        return answer.status_code, answer.json()["error"]["code"]

    assert ask("nonsense")[0] == 401
    assert ask(secret) == (403, "permission_denied")
    assert ask(good, limit="0") == (400, "bad_limit")
    assert ask(good, engine="oracle") == (422, "engine_unknown")
    assert ask(good, "/api/v1/customers/nobody/recommendations/") == (404, "customer_unknown")
    assert Client().delete(url, HTTP_AUTHORIZATION=f"Bearer {good}").status_code in (403, 405)


def test_a_limit_out_of_range_is_refused(db, client):
    url = f"/api/v1/customers/{factories.customer().external_id}/recommendations/"
    for limit in ("0", "101", "ten", "-1", "1.5", "²"):
        answer = client.get(url, {"limit": limit})
        assert answer.status_code == 400, limit
        assert answer.json()["error"]["code"] == "bad_limit"


def test_nobody_with_that_number_is_a_404(db, client):
    answer = client.get("/api/v1/customers/999999999/recommendations/")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "customer_unknown"


def test_engines_tell_their_figures_and_who_serves(chosen, client):
    body = client.get("/api/v1/recommendations/engines/").json()
    assert [row["engine"] for row in body["data"]] == ["als", "popular"]
    best, base = body["data"]
    assert best["serves"]
    assert not base["serves"]
    assert best["difference_to_popularity"]["low"] > 0
    assert base["difference_to_popularity"] is None
    assert best["ndcg_at_10"] > base["ndcg_at_10"]
    assert body["verdict"].startswith("ALS serves")


def test_a_refresh_is_a_job_and_runs_once_at_a_time(db, client):
    first = client.post("/api/v1/recommendations/refresh/")
    assert first.status_code == 202
    job = Job.objects.get()
    assert first["Location"].endswith(f"{job.public_id}/")
    assert (job.kind, job.queue, job.steps) == (
        "recommendations.refresh",
        "train",
        placements.REFRESH_STEPS,
    )
    assert client.post("/api/v1/recommendations/refresh/").status_code == 409
    assert Job.objects.count() == 1


def test_an_analyst_may_read_but_not_start(db):
    client = Client()
    client.force_login(factories.user(auth.ANALYST))
    assert client.get("/api/v1/recommendations/engines/").status_code == 200
    assert client.post("/api/v1/recommendations/refresh/").status_code == 403
    assert not Job.objects.exists()
