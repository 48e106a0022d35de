"""Integrators ask questions, have them trained, and read what is said of people."""

import json
from typing import Any

import numpy as np
import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion import consent
from ingestion.models import EventType
from marketing.core import auth
from marketing.core.models import Job
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import definitions, life, ready, scoring
from models_ml.predictions.engines import Answers
from tests import factories

NOW = factories.NOW
QUESTION = {"title": "Buys again", "target": {"type": "order"}, "horizon_days": 60}
pytestmark = pytest.mark.django_db


class Ask:
    def __init__(self, client: Client) -> None:
        scopes = ["models:read", "models:write", "customers:read"]
        _key, self.secret = auth.create_key(
            name="test", scopes=scopes, user=factories.user("integrator")
        )
        self.client = client

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        return getattr(self.client, method)(
            f"/api/v1/{path}",
            data=body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {self.secret}"},
        )


@pytest.fixture
def ask(client: Client) -> Ask:
    return Ask(client)


def test_a_question_is_made_read_changed_and_listed(ask: Ask) -> None:
    answer = ask("post", "predictions/", QUESTION)
    assert answer.status_code == 201
    made = answer.json()
    assert answer["Location"] == made["url"] == "/api/v1/predictions/buys_again/"
    assert (made["key"], made["kind"], made["state"]) == ("buys_again", "chance", "active")
    assert (made["model"], made["trouble"]) == (None, None)
    changed = ask("patch", "predictions/buys_again/", {"horizon_days": 30})
    assert changed.json()["horizon_days"] == 30
    assert ask("get", "predictions/buys_again/").json()["horizon_days"] == 30
    assert [row["key"] for row in ask("get", "predictions/").json()["data"]] == ["buys_again"]


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"target": {"type": "event", "event": "never seen"}}, "event_unseen", "target.event"),
        ({"target": {"type": "magic"}}, "target_invalid", "target.type"),
        ({"horizon_days": 0}, "horizon_invalid", "horizon_days"),
        ({"horizon_days": "60"}, "horizon_invalid", "horizon_days"),
        ({"title": ""}, "title_invalid", "title"),
        ({"title": 5}, "title_invalid", "title"),
        ({"population": {"who": "friends"}}, "population_invalid", "population"),
        ({"population": {"least_orders": 0}}, "population_invalid", "population"),
        ({"settings": {"candidates": ["oracle"]}}, "settings_invalid", "settings"),
        ({"settings": {"engine": "oracle"}}, "settings_invalid", "settings"),
        ({"settings": {"attributes": [{}]}}, "settings_invalid", "settings"),
        ({"settings": []}, "settings_invalid", "settings"),
        ({"key": "repeat_90d"}, "key_taken", "key"),
        ({"key": "No Key"}, "key_invalid", "key"),
        ({"key": 5}, "key_invalid", "key"),
        ({"target": {"type": []}}, "target_invalid", "target.type"),
        (
            {"target": {"type": "attribute", "attribute": "a", "op": {}, "value": 1}},
            "target_invalid",
            "target.op",
        ),
        ({"target": {"type": "order", "note": "a\x00b"}}, "target_invalid", "target"),
        ({"population": [1]}, "population_invalid", "population"),
        ({"population": {"who": ["buyers"]}}, "population_invalid", "population"),
        ({"settings": {"candidates": 5}}, "settings_invalid", "settings"),
        ({"settings": {"allow": "recency_days"}}, "settings_invalid", "settings"),
        ({"settings": {"engine": {}}}, "settings_invalid", "settings"),
        ({"settings": {"discount": "much"}}, "settings_invalid", "settings"),
        ({"colour": "red"}, "unknown_field", "colour"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_field(
    ask: Ask, change: dict[str, Any], code: str, field: str
) -> None:
    answer = ask("post", "predictions/", {**QUESTION, **change})
    assert (answer.json()["error"]["code"], answer.json()["error"]["field"]) == (code, field)
    assert Prediction.objects.count() == 0


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(["order", "attribute", "event", "buyers", "boosting", "type", "who", "="]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "op", "value", "where", "event", "attribute", "campaign", "times", "amount",
             "who", "least_orders", "candidates", "attributes", "allow", "profit", "worth", "cost",
             "engine", "name", "kind", "steady", "retrain_days", "discount", "odd"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    change=st.dictionaries(st.sampled_from([*QUESTION, "population", "settings", "key"]), JSON)
    | JSON
)
def test_whatever_json_is_sent_the_answer_names_the_field_and_the_way_out(
    ask: Ask, change: Any
) -> None:
    body = {**QUESTION, **change} if isinstance(change, dict) else change
    with transaction.atomic():
        answers = [ask("post", "predictions/", json.dumps(body))]
        made = definitions.create(title="Asked", target={"type": "order"}, horizon_days=60, now=NOW)
        answers.append(ask("patch", f"predictions/{made.key}/", json.dumps(change)))
        transaction.set_rollback(True)
    for answer in answers:
        if answer.status_code not in (200, 201):
            error = answer.json()["error"]
            assert 400 <= answer.status_code < 500
            assert error["field"]
            assert error["remedy"]


def test_any_event_that_was_seen_is_a_target_in_three_choices(ask: Ask) -> None:
    EventType.objects.create(name="Trial started", first_seen_at=NOW, last_seen_at=NOW)
    body = {
        "title": "Starts a trial",
        "target": {"type": "event", "event": "Trial started"},
        "horizon_days": 14,
        "population": {"who": "everyone"},
    }
    assert ask("post", "predictions/", body).json()["key"] == "starts_a_trial"


def test_two_questions_of_one_name_get_keys_of_their_own(ask: Ask) -> None:
    keys = [ask("post", "predictions/", QUESTION).json()["key"] for _ in range(2)]
    assert keys == ["buys_again", "buys_again_2"]


def test_training_is_a_job_and_only_one_at_a_time(ask: Ask) -> None:
    ask("post", "predictions/", QUESTION)
    answer = ask("post", "predictions/buys_again/train/")
    assert answer.status_code == 202
    assert Job.objects.get(kind="prediction.train").queue == "train"
    again = ask("post", "predictions/buys_again/train/")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_training")


def test_what_was_published_keeps_its_question(ask: Ask) -> None:
    ask("post", "predictions/", QUESTION)
    factories.model_version("buys_again", 1)
    answer = ask("patch", "predictions/buys_again/", {"target": {"type": "no_order"}})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "prediction_published")
    renamed = ask("patch", "predictions/buys_again/", {"title": "Comes back"})
    assert renamed.json()["title"] == "Comes back"
    assert renamed.json()["model"]["version"] == 1


def test_one_press_goes_back_to_the_version_before(ask: Ask) -> None:
    ask("post", "predictions/", QUESTION)
    alone = ask("post", "predictions/buys_again/roll-back/")
    assert (alone.status_code, alone.json()["error"]["code"]) == (409, "no_former_version")


def scored() -> tuple[Prediction, list[int]]:
    made = definitions.create(now=NOW, **QUESTION)
    version = factories.model_version(made.key, 3)
    people = [factories.customer(f"p{n}").pk for n in range(10)]
    answers = Answers(np.array(people), np.linspace(0.1, 0.9, 10))
    scoring.write(prediction=made, version=version, answers=answers, as_of=NOW, now=NOW)
    return made, people


def test_scores_are_read_by_page_and_the_best_tenth_alone(ask: Ask) -> None:
    _made, people = scored()
    everyone = ask("get", "predictions/buys_again/scores/?limit=4").json()
    assert [row["customer_id"] for row in everyone["data"]] == people[:4]
    assert everyone["next"]
    best = ask("get", "predictions/buys_again/scores/?top=10").json()["data"]
    assert [(row["customer_id"], row["percentile"]) for row in best] == [(people[-1], 91)]
    wrong = ask("get", "predictions/buys_again/scores/?top=many")
    assert wrong.json()["error"]["code"] == "top_invalid"


def test_a_persons_predictions_are_told_unless_they_refused(ask: Ask) -> None:
    _made, people = scored()
    ada = factories.Customer.objects.get(pk=people[-1])
    body = ask("get", f"customers/{ada.external_id}/predictions/").json()
    (told,) = body["predictions"]
    assert (told["key"], told["value"], told["percentile"], told["version"]) == (
        "buys_again", 0.9, 91, 3,
    )  # fmt: skip
    consent.revoke(customer_ids=[ada.pk], purpose="profiling", source="test", now=NOW)
    body = ask("get", f"customers/{ada.external_id}/predictions/").json()
    assert body["predictions"] == []
    rows = ask("get", "predictions/buys_again/scores/").json()["data"]
    assert ada.pk not in [row["customer_id"] for row in rows]


def test_every_ready_question_can_be_asked_as_it_is() -> None:
    EventType.objects.create(name="cancelled", first_seen_at=NOW, last_seen_at=NOW)
    for one in ready.READY:
        event = {"type": "event", "event": "cancelled"} if "target" in one.asks else None
        made = ready.install(key=one.key, target=event, now=NOW)
        assert made.is_ready
        assert ready.install(key=one.key, now=NOW).pk == made.pk
    assert Prediction.objects.count() == len(ready.READY)


def test_archiving_takes_scores_away_and_keeps_versions() -> None:
    made, _people = scored()
    with CaptureQueriesContext(connection) as asked:
        put = life.archive(prediction=made, actor=None, now=NOW)
    assert (put.state, put.scored_people, put.scored_version) == ("archived", 0, None)
    assert not put.scores.exists()
    # However many scores there are: parts go as a whole, and no row of them is looked at.
    deleted = [one["sql"] for one in asked if one["sql"].startswith("DELETE")]
    assert all("models_ml_score_rest" in sql for sql in deleted)
    assert ModelVersion.objects.filter(name=made.key).exists()
    back = life.restore(prediction=put, actor=None, now=NOW)
    assert back.state == "active"
