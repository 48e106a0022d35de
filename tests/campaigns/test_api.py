"""Integrators make, start, watch, pause and cancel campaigns with a scoped key."""

import pytest

from campaigns.models import Campaign, Message, Run
from campaigns.sending import runs
from marketing.core import auth
from tests import factories
from tests.campaigns.conftest import campaign, people, started

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(client):
    """Ask the API as a key with these scopes."""
    made = {}

    def key(*scopes: str) -> str:
        if scopes not in made:
            _key, secret = auth.create_key(
                name="test", scopes=list(scopes), user=factories.user("integrator")
            )
            made[scopes] = secret
        return made[scopes]

    def ask(
        method: str, path: str, body=None, *, scopes=("campaigns:read", "campaigns:write"), **h
    ):
        return getattr(client, method)(
            f"/api/v1/campaigns/{path}",
            data=body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {key(*scopes)}", **h},
        )

    return ask


def test_a_draft_is_made_read_changed_and_listed(ask):
    segment = factories.segment()
    answer = ask("post", "", {"name": "Spring", "segment_id": segment.pk})
    assert answer.status_code == 201
    made = answer.json()
    assert answer["Location"] == made["url"] == f"/api/v1/campaigns/{made['id']}/"
    assert (made["state"], made["holdout_percent"], made["run"]) == ("draft", 10, None)
    changed = ask("patch", f"{made['id']}/", {"holdout_percent": 0})
    assert changed.json()["holdout_percent"] == 0
    assert ask("get", f"{made['id']}/").json()["name"] == "Spring"
    assert [row["id"] for row in ask("get", "").json()["data"]] == [made["id"]]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({}, "name_missing"),
        ({"name": "x", "state": "finished"}, "unknown_field"),
        ({"name": "x", "segment_id": 404}, "unknown"),
        ({"name": "x", "holdout_percent": 99}, "bad_holdout"),
        ({"name": "x", "from_email": "a@b.example\nBcc: c@d.example"}, "bad_line"),
        ([1], "not_an_object"),
    ],
)
def test_what_cannot_be_made_is_refused_in_the_one_shape(ask, body, code):
    answer = ask("post", "", body)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == code
    assert Campaign.objects.count() == 0


def test_starting_answers_202_and_the_run_can_be_watched(ask):
    people(3)
    of = campaign()
    answer = ask("post", f"{of.pk}/start/")
    assert answer.status_code == 202
    assert answer.json()["campaign"]["state"] == "running"
    run = Run.objects.get()
    runs.fill(run_id=run.pk, now=factories.now())
    seen = ask("get", f"{of.pk}/").json()["run"]
    assert seen["total"] == 3
    assert seen["counts"] == {
        "queued": 3, "sending": 0, "sent": 0, "failed": 0, "unknown": 0, "skipped": 0,
    }  # fmt: skip
    again = ask("post", f"{of.pk}/start/")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_started")


def test_a_retried_start_with_the_same_key_starts_once_and_answers_alike(ask):
    people(1)
    of = campaign()
    first = ask("post", f"{of.pk}/start/", **{"Idempotency-Key": "k1"})
    second = ask("post", f"{of.pk}/start/", **{"Idempotency-Key": "k1"})
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json()["campaign"]["id"] == second.json()["campaign"]["id"]
    assert Run.objects.count() == 1


def test_pause_resume_and_cancel_move_the_campaign_and_illegal_moves_do_not(ask):
    people(2)
    of = started().campaign
    assert ask("post", f"{of.pk}/resume/").status_code == 409
    for verb, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        answer = ask("post", f"{of.pk}/{verb}/")
        assert (answer.status_code, answer.json()["campaign"]["state"]) == (202, state)
    assert ask("post", f"{of.pk}/pause/").status_code == 409
    counts = ask("get", f"{of.pk}/").json()["run"]
    assert counts["reasons"] == {"skipped": {"cancelled": 2}}


def test_messages_are_listed_by_state_page_by_page(ask):
    people(5)
    people(2, consent=False, prefix="silent")
    of = started().campaign
    first = ask("get", f"{of.pk}/messages/?state=queued&limit=3").json()
    assert len(first["data"]) == 3
    assert first["next"]
    assert first["data"][0]["address"] == "p0@example.com"
    skipped = ask("get", f"{of.pk}/messages/?state=skipped").json()["data"]
    assert [row["reason"] for row in skipped] == ["no_consent", "no_consent"]
    wrong = ask("get", f"{of.pk}/messages/?state=lost")
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (422, "state")


def test_a_key_that_may_only_read_changes_nothing(ask):
    of = campaign()
    only = ("campaigns:read",)
    assert ask("get", "", scopes=only).status_code == 200
    assert ask("post", "", {"name": "x"}, scopes=only).status_code == 403
    for verb in ("start", "pause", "resume", "cancel"):
        assert ask("post", f"{of.pk}/{verb}/", scopes=only).status_code == 403
    assert ask("get", "", scopes=("segments:read",)).status_code == 403
    of.refresh_from_db()
    assert of.state == "draft"


def test_a_campaign_that_is_not_there_is_404_everywhere(ask):
    for method, path in (
        ("get", "404/"),
        ("patch", "404/"),
        ("post", "404/start/"),
        ("post", "404/cancel/"),
        ("get", "404/messages/"),
    ):
        answer = ask(method, path, {} if method != "get" else None)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "campaign_unknown")


def test_a_start_that_lacks_something_says_which_field(ask):
    made = ask("post", "", {"name": "Spring"}).json()
    answer = ask("post", f"{made['id']}/start/")
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == "segment"
    assert Message.objects.count() == 0


def test_a_key_leaves_a_segment_out_schedules_and_takes_back(ask):
    of = campaign()
    staff = factories.segment("Staff")
    changed = ask("patch", f"{of.pk}/", {"exclude_id": staff.pk}).json()
    assert changed["exclude_id"] == staff.pk
    at = "2099-03-01T09:00:00+01:00"
    answer = ask("post", f"{of.pk}/schedule/", {"at": at})
    body = answer.json()["campaign"]
    assert (answer.status_code, body["state"]) == (200, "scheduled")
    assert body["scheduled_at"].startswith("2099-03-01T08:00:00")
    back = ask("post", f"{of.pk}/schedule/", {"at": None}).json()["campaign"]
    assert (back["state"], back["scheduled_at"]) == ("draft", None)


@pytest.mark.parametrize(
    "at", ["2099-03-01T09:00:00", "tomorrow", 7, "2099-13-01T09:00:00Z", "2099-02-30T09:00:00Z"]
)
def test_a_moment_without_a_zone_or_sense_is_refused(ask, at):
    answer = ask("post", f"{campaign().pk}/schedule/", {"at": at})
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "bad_moment"


def test_a_key_asks_for_approval_and_the_person_behind_it_cannot_give_it(ask):
    of = campaign()
    asked = ask("post", f"{of.pk}/approval/").json()["campaign"]["approval"]
    assert (asked["state"], asked["needed"]) == ("asked", False)
    own = ask("put", f"{of.pk}/approval/", {"approved": True})
    assert (own.status_code, own.json()["error"]["code"]) == (403, "same_person")
    other = ask(
        "put",
        f"{of.pk}/approval/",
        {"approved": True, "comment": "Fine"},
        scopes=("campaigns:write",),
    )
    given = other.json()["campaign"]["approval"]
    assert (given["state"], given["comment"]) == ("yes", "Fine")
    latest = of.approvals.get()
    assert (latest.said, latest.asked_by_id == latest.decided_by_id) == ("yes", False)
    wrong = ask("put", f"{of.pk}/approval/", {"approved": "yes"})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "bad_flag")


def test_a_key_archives_what_is_over_and_nothing_else(ask):
    of = campaign()
    refused = ask("post", f"{of.pk}/archive/", {"archived": True})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_over")
    Campaign.objects.filter(pk=of.pk).update(state="cancelled")
    body = ask("post", f"{of.pk}/archive/", {"archived": True}).json()["campaign"]
    assert body["archived_at"] is not None
    body = ask("post", f"{of.pk}/archive/", {"archived": False}).json()["campaign"]
    assert body["archived_at"] is None


def test_a_program_finds_the_message_that_a_campaign_is_to_send(client):
    mail = factories.template("Come back")
    text = factories.template("Short", kind="sms", parts={"text": "Hello"})
    _key, secret = auth.create_key(name="test", scopes=["campaigns:read"], user=None)

    def found(asked=""):
        return client.get(
            f"/api/v1/templates/{asked}", headers={"Authorization": f"Bearer {secret}"}
        )

    rows = found().json()["data"]
    assert [(row["id"], row["kind"]) for row in rows] == [(text.pk, "sms"), (mail.pk, "email")]
    assert [row["name"] for row in found("?kind=email").json()["data"]] == ["Come back"]
    refused = found("?kind=pigeon")
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "kind")


@pytest.fixture
def two_channels():
    """A draft whose mail may be tried against a text."""
    mail, text = factories.template("A mail"), factories.template("A text", kind="sms")
    made = factories.campaign(template=mail, segment=factories.segment())
    return made, {"name": "Mail", "channel": "email", "weight": 3}, {
        "name": "Text", "template_id": text.pk, "channel": "sms",
    }  # fmt: skip


def test_a_program_says_which_variants_are_tried_and_by_which_channels(ask, two_channels):
    made, mail, text = two_channels
    path = f"{made.pk}/variants/"
    assert ask("get", path).json()["channels"] == ["email"]
    body = {"variants": [mail, {**text, "hour": 18, "limit": "7.5"}], "trial": {"budget": "20"}}
    put = ask("put", path, body)
    assert put.status_code == 200
    assert ask("get", path).json() == put.json() == ask("put", path, body).json()
    assert put.json()["channels"] == ["email", "sms"]
    assert put.json()["variants"] == [
        {"key": "a", "name": "Mail", "template_id": None, "channel": "email", "weight": 3,
         "share": 0.75, "hour": None, "limit": None},
        {"key": "b", "name": "Text", "template_id": text["template_id"], "channel": "sms",
         "weight": 1, "share": 0.25, "hour": 18, "limit": "7.50"},
    ]  # fmt: skip
    assert put.json()["trial"] == {
        "mode": "fixed", "metric": "clicked", "hypothesis": "", "first_percent": 20, "hours": 4,
        "rounds": 1, "win_percent": 95.0, "floor_percent": 5.0, "learner": "lints",
        "budget": "20.00",
    }  # fmt: skip
    # A PUT says it all: what it leaves out is as in a new campaign.
    again = ask("put", path, {"variants": [mail, mail]}).json()
    assert (again["trial"]["budget"], again["channels"]) == (None, ["email"])
    assert ask("put", path, {"variants": []}).json()["variants"] == []


@pytest.mark.parametrize(
    ("change", "trial", "code", "field"),
    [
        ({"channel": "email"}, {}, "channel_differs", "variants.1.channel"),
        ({"channel": "pigeon"}, {}, "channel_differs", "variants.1.channel"),
        ({"weight": 1.5}, {}, "bad_weight", "variants.1.weight"),
        ({"weight": True}, {}, "bad_weight", "variants.1.weight"),
        ({"hour": 24}, {}, "bad_hour", "variants.1.hour"),
        ({"template_id": "x"}, {}, "bad_id", "variants.1.template_id"),
        ({"template_id": 404}, {}, "unknown", "variants.1.template_id"),
        ({"name": "x" * 81}, {}, "too_long", "variants.1.name"),
        ({"name": ["x"]}, {}, "bad_line", "variants.1.name"),
        ({"colour": "red"}, {}, "unknown_field", "variants.1.colour"),
        ({"limit": 0}, {}, "bad_amount", "variants.1.limit"),
        ({}, {"learner": "coin"}, "bad_choice", "learner"),
        ({}, {"mode": "winner", "hours": 48}, "metric_unseen", "metric"),
        ({}, {"mode": "winner", "metric": "ordered", "hours": 4}, "too_soon", "hours"),
        ({}, {"rounds": 1.5}, "out_of_range", "rounds"),
        ({}, {"colour": "red"}, "unknown_field", "colour"),
        ({}, [], "not_an_object", "trial"),
    ],
)
def test_variants_that_cannot_be_tried_are_refused_by_their_place(
    ask, two_channels, change, trial, code, field
):
    made, mail, text = two_channels
    refused = ask(
        "put", f"{made.pk}/variants/", {"variants": [mail, {**text, **change}], "trial": trial}
    )
    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["field"]) == (422, code, field)
    assert not made.variants.exists()


def test_one_variant_something_else_and_a_campaign_that_has_begun_are_refused(ask, two_channels):
    made, mail, text = two_channels
    path = f"{made.pk}/variants/"
    for body, code in (
        ({"variants": [mail]}, "too_few"),
        ({"variants": [mail] * 11}, "too_many"),
        ({"variants": [mail, "b"]}, "not_an_object"),
        ({"variants": {}}, "not_a_list"),
        ({"variants": [], "trials": {}}, "not_an_object"),
        ([mail, text], "not_an_object"),
    ):
        assert ask("put", path, body).json()["error"]["code"] == code
    Campaign.objects.update(state=Campaign.State.RUNNING)
    refused = ask("put", path, {"variants": [mail, text]})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "campaign_begun")
    assert ask("put", "999/variants/", {"variants": []}).status_code == 404
    assert ask("put", path, {"variants": []}, scopes=("campaigns:read",)).status_code == 403
