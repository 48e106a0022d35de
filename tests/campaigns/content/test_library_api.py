"""Integrators keep saved blocks with a scoped key: read, change, compare, bring back."""

import pytest

from campaigns import content
from campaigns.models import SavedBlock
from marketing.core import auth
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW
TEN = [{"kind": "text", "text": "Ten percent off"}]
TWENTY = [{"kind": "text", "text": "Twenty percent off"}]


@pytest.fixture
def ask(client):
    """Ask the API about saved blocks."""
    _key, secret = auth.create_key(
        name="test", scopes=["campaigns:read", "campaigns:write"], user=factories.user("integrator")
    )

    def ask(method: str, path: str = "", body=None, key=secret):
        return getattr(client, method)(
            f"/api/v1/blocks/{path}",
            data=body,
            content_type="application/json",
            headers={"Authorization": f"Bearer {key}"},
        )

    return ask


def mail(key: str, name: str = "News"):
    return content.save(
        name=name, subject="Hi", written_in="html", user=None, now=NOW,
        mjml=f'{{% include "{key}" %}}<a href="{{{{ unsubscribe_url }}}}">Leave</a>',
    )  # fmt: skip


def test_a_block_is_made_used_changed_and_brought_back(ask):
    made = ask("post", "", {"name": "Offer", "blocks": TEN})
    assert made.status_code == 201
    body = made.json()
    assert (body["key"], body["tag"], body["version"]) == ("offer", '{% include "offer" %}', 1)
    url = f"{body['id']}/"
    assert made["Location"] == f"/api/v1/blocks/{url}"
    news = mail("offer")
    changed = ask("patch", url, {"blocks": TWENTY, "version": 1}).json()
    assert (changed["version"], changed["name"], changed["mails"]) == (2, "Offer", 1)
    assert changed["stands_in"] == [
        {"id": news.pk, "name": "News", "written_in": "html", "version": 2}
    ]
    news.refresh_from_db()
    assert "Twenty percent off" in news.html
    late = ask("patch", url, {"blocks": TEN, "version": 1})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "block_changed")
    german = ask("patch", url, {"language": "de", "blocks": TEN}).json()
    assert german["languages"]["de"][0]["text"] == "Ten percent off"
    assert german["blocks"][0]["text"] == "Twenty percent off"
    named = ask("patch", url, {"name": "Offer of May"}).json()
    assert (named["name"], named["key"]) == ("Offer of May", "offer")
    assert named["blocks"] == german["blocks"]
    kept = ask("get", url + "versions/").json()["data"]
    assert [(one["number"], one["name"]) for one in kept] == [
        (4, "Offer of May"), (3, "Offer"), (2, "Offer"), (1, "Offer"),
    ]  # fmt: skip
    back = ask("post", url + "versions/1/restore/").json()
    assert (back["version"], back["blocks"][0]["text"]) == (5, "Ten percent off")
    assert ask("get", url + "versions/").json()["data"][0]["restored"] == 1
    listed = ask("get").json()["data"]
    assert [(one["key"], one["mails"]) for one in listed] == [("offer", 1)]
    assert ask("get", url).json() == back


def test_what_is_refused_is_said_by_field_and_changes_nothing(ask):
    offer = ask("post", "", {"name": "Offer", "key": "offer", "blocks": TEN}).json()
    url = f"{offer['id']}/"
    mail("offer")
    for body, field in (
        ({"blocks": TEN}, "name"),
        ({"name": "x"}, "blocks"),
        ({"name": 1, "blocks": TEN}, "name"),
        ({"name": "x", "blocks": TEN, "key": "offer"}, "key"),
        ({"name": "x", "blocks": TEN, "key": "a b"}, "key"),
        ({"name": "x", "blocks": TEN, "language": "de"}, "language"),
        ({"name": "x", "blocks": [{"kind": "text", "text": '{% include "x" %}'}]}, "blocks"),
        ({"name": "x", "blocks": [{"kind": "saved", "saved": offer["id"]}]}, "blocks"),
    ):
        answer = ask("post", "", body)
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, field)
    for body in (
        {"blocks": [{"kind": "text", "text": '{% include "offer" %}'}]},  # itself
        {"blocks": [{"kind": "text", "text": "{{ nothing }}"}]},
        {"blocks": TEN, "language": "no language"},
        {"version": "1"},
        {"key": "other"},
    ):
        assert ask("patch", url, body).status_code == 422
    used = ask("delete", url)
    assert (used.status_code, used.json()["error"]["code"]) == (409, "block_in_use")
    assert SavedBlock.objects.get().version == 1
    for method, path in (
        ("get", "99/"),
        ("patch", "99/"),
        ("delete", "99/"),
        ("get", "99/versions/"),
        ("post", url + "versions/7/restore/"),
    ):
        assert ask(method, path, {} if method != "get" else None).status_code == 404


def test_one_that_stands_nowhere_is_removed_and_a_key_needs_its_scope(ask):
    offer = ask("post", "", {"name": "Offer", "blocks": TEN}).json()
    _key, reads = auth.create_key(
        name="reads", scopes=["campaigns:read"], user=factories.user("analyst")
    )
    _key, other = auth.create_key(
        name="other", scopes=["segments:read"], user=factories.user("marketer")
    )
    url = f"{offer['id']}/"
    assert ask("get", url, key=reads).status_code == 200
    assert ask("delete", url, key=reads).status_code == 403
    assert ask("get", url, key=other).status_code == 403
    assert ask("delete", url).status_code == 204
    assert not SavedBlock.objects.exists()
