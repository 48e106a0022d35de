"""Integrators draw, publish and close journeys, and send people in with a scoped key."""

from datetime import timedelta

import pytest

from campaigns.journeys import replay
from campaigns.models import Enrollment
from marketing.core import auth, jobs
from tests import factories
from tests.campaigns.journeys.drawn import NOW, definition, did, live, look

pytestmark = pytest.mark.django_db
BY_API = {
    "start": {"kind": "api", "next": "wait"},
    "wait": {"kind": "wait_for", "for": {"days": 1}, "next": "out"},
    "out": {"kind": "exit"},
}


@pytest.fixture
def ask(client):
    """Ask the API about journeys."""
    _key, secret = auth.create_key(
        name="test", scopes=["campaigns:read", "campaigns:write"], user=factories.user("integrator")
    )

    def ask(method: str, path: str, body=None, **headers):
        return getattr(client, method)(
            f"/api/v1/journeys/{path}",
            data=body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}", **headers},
        )

    return ask


def test_a_journey_is_drawn_published_paused_resumed_and_closed(ask):
    made = ask("post", "", {"name": "Hello"})
    assert made.status_code == 201
    url = f"{made.json()['id']}/"
    assert made.json()["faults"][0]["message"] == "The journey has no steps yet."
    refused = ask("post", url + "publish/")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "journey_faults")
    changed = ask("patch", url, {"definition": definition(BY_API), "number": 1}).json()
    assert [fault["serious"] for fault in changed["faults"]] == [False]
    late = ask("patch", url, {"definition": {"nodes": {}}, "number": 1})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "changed_meanwhile")
    live = ask("post", url + "publish/").json()
    assert (live["state"], [v["number"] for v in live["versions"]]) == ("live", [1])
    again = ask("post", url + "publish/")
    assert again.json()["error"]["code"] == "nothing_changed"
    assert ask("post", url + "pause/").json()["state"] == "paused"
    assert ask("post", url + "resume/").json()["state"] == "live"
    assert ask("post", url + "close/", {"finish": True}).json()["versions"][0]["state"] == "ending"
    assert ask("post", url + "close/").json()["state"] == "closed"
    assert ask("get", "").json()["data"][0]["state"] == "closed"


def test_somebody_who_is_sent_twice_with_one_key_comes_in_once(ask):
    version = live(BY_API, at=factories.now(), entry={"again": "always"})
    factories.customer("ada", external_id="A1")
    url = f"{version.journey_id}/trigger/"
    first = ask("post", url, {"external_id": "A1", "key": "k1"})
    assert (first.status_code, first.json()) == (
        201,
        {"entered": True, "before": False, "reason": None},
    )
    assert ask("post", url, {"email": "ADA@example.com", "key": "k1"}).json()["before"] is True
    assert ask("post", url, {"email": "ada@example.com", "key": "k2"}).json() == {
        "entered": False,
        "before": False,
        "reason": "inside",
    }
    assert Enrollment.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "no_person"),
        ({"email": "a@b.c", "external_id": "x"}, 422, "no_person"),
        ({"email": "nobody@example.com"}, 404, "person_unknown"),
        ({"customer_id": 2**62}, 404, "person_unknown"),
        ({"customer_id": True}, 422, "not_a_number"),
        ({"email": "ada@example.com", "who": 1}, 422, "unknown_field"),
        ({"email": "ada@example.com", "key": "k" * 101}, 422, "bad_key"),
    ],
)
def test_a_call_that_names_nobody_is_refused(ask, body, status, code):
    version = live(BY_API)
    factories.customer("ada")
    answer = ask("post", f"{version.journey_id}/trigger/", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_journey_that_begins_otherwise_takes_nobody_from_the_api(ask):
    version = live({"cart": {"kind": "event", "event": "cart", "next": "x"}, "x": {"kind": "exit"}})
    factories.customer("ada")
    answer = ask("post", f"{version.journey_id}/trigger/", {"email": "ada@example.com"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "other_trigger")


def test_figures_and_people_tell_who_is_where(ask):
    mail = factories.template().pk
    version = live(
        {
            "cart": {"kind": "event", "event": "cart", "next": "asked"},
            "asked": {
                "kind": "split_rule",
                "rule": {"field": "customer.country", "op": "=", "value": "GB"},
                "branches": [{"key": "yes", "next": "mail"}, {"key": "no", "next": "wait"}],
            },
            "mail": {"kind": "send", "channel": "email", "template": mail},
            "wait": {"kind": "wait_for", "for": {"days": 1}},
        },
        goal={"event": "order"},
    )
    at = NOW.replace(hour=10)
    people = [factories.customer(country="GB" if n < 2 else "FR") for n in range(5)]
    for person in people:
        did(person, "cart", at=at)
    look(at)
    did(people[4], "order", at=at.replace(minute=5))
    look(at.replace(minute=5))
    told = ask("get", f"{version.journey_id}/figures/").json()
    assert {name: told[name] for name in ("entered", "inside", "goals", "outcomes")} == {
        "entered": 5,
        "inside": 2,
        "goals": 1,
        "outcomes": {"finished": 2, "goal": 1},
    }
    nodes = {one.pop("node"): one for one in told["nodes"]}
    assert nodes["asked"]["ways"] == {"yes": 2, "no": 3}
    assert (nodes["mail"]["passed"], nodes["mail"]["queued"]) == (2, 2)
    assert (nodes["wait"]["waiting"], nodes["wait"]["passed"], nodes["wait"]["ended"]) == (
        2,
        0,
        {"goal": 1},
    )
    rows = ask("get", f"{version.journey_id}/people/?node=wait").json()["data"]
    assert {row["customer_id"] for row in rows} == {people[2].pk, people[3].pk}
    assert ask("get", f"{version.journey_id}/people/?state=asleep").status_code == 422
    assert ask("get", f"{version.journey_id}/figures/?version=9").status_code == 404


def test_the_time_machine_is_a_job(ask):
    version = live(BY_API)
    answer = ask("post", f"{version.journey_id}/replay/", {"days": 14})
    assert answer.status_code == 202
    assert answer.json()["job"]["kind"] == "journey.replay"
    assert ask("post", f"{version.journey_id}/replay/", {"days": 90}).status_code == 422


@pytest.mark.django_db(transaction=True)
def test_the_job_tells_what_the_last_days_would_have_brought():
    now = factories.now()
    version = live({"cart": {"kind": "event", "event": "cart", "next": "x"}, "x": {"kind": "exit"}})
    for days in (1, 3, 30):
        did(factories.customer(), "cart", at=now - timedelta(days=days))
    job = replay.start(journey_id=version.journey_id, days=7, user=None)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert (job.state, job.error) == ("done", "")
    assert (job.result["entered"], job.result["messages"], len(job.result["days"])) == (2, 0, 8)
    assert Enrollment.objects.count() == 0


@pytest.mark.parametrize("finish", [{}, "true", 1, None])
def test_an_end_that_is_not_said_plainly_ends_it_for_nobody(ask, finish):
    url = f"{ask('post', '', {'name': 'Hello'}).json()['id']}/"
    refused = ask("post", url + "close/", {"finish": finish})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "finish")
    assert ask("get", url).json()["state"] == "draft"
