"""Placements by API, what their rules change, and pictures of the answer over HTTP."""

import json
from dataclasses import fields

import pytest
from django.conf import settings
from django.test import Client

from marketing.core import auth
from recommendations import defining, preview
from recommendations.models import Placement
from recommendations.rules import Rules, terms
from tests import factories
from tests.recommendations.test_live import NOW, shop  # noqa: F401


@pytest.fixture
def client(db) -> Client:
    return factories.signed_in("marketer")


def put(client, values, key="front"):
    return client.put(
        f"/api/v1/recommendations/placements/{key}/", json.dumps(values), "application/json"
    )


def test_a_placement_is_made_changed_read_and_removed(client):
    made = put(client, {"name": "Front", "kind": "home", "size": 6, "rules": {"per_brand": 2}})
    assert made.status_code == 201
    assert made.json()["rules"] == {"per_brand": 2}
    changed = put(client, {"rival": "links", "rival_percent": 30, "holdout_percent": 10})
    assert (changed.status_code, changed.json()["size"]) == (200, 6)
    listed = client.get("/api/v1/recommendations/placements/").json()["data"]
    assert [row["key"] for row in listed] == ["front"]
    assert client.delete("/api/v1/recommendations/placements/front/").status_code == 204
    assert client.get("/api/v1/recommendations/placements/front/").status_code == 404


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "attic"}, "kind"), ({"size": 0}, "size"), ({"size": True}, "size"),
        ({"rules": {"diversity": 3}}, "rules.diversity"), ({"rules": {"x": 1}}, "rules.x"),
        ({"engine": "oracle"}, "engine"), ({"rival_percent": 10}, "rival"),
        ({"name": " "}, "name"), ({"colour": "red"}, "colour"), ({"enabled": 1}, "enabled"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_its_field(client, values, field):
    answer = put(client, {"name": "Front", **values})
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field
    assert not Placement.objects.exists()


def test_the_placement_of_mails_stays(client):
    put(client, {"name": "Mail"}, key="email")
    answer = client.delete("/api/v1/recommendations/placements/email/")
    assert answer.status_code == 409


def test_a_key_is_made_of_the_name(db):
    rows = [
        defining.save(values={"name": "Front page"}, actor=None, now=NOW)[0].slug for _ in range(2)
    ]
    assert rows == ["front-page", "front-page-2"]


def test_a_preview_says_what_new_rules_change_and_cost(shop):  # noqa: F811
    place = preview.placed(Placement.objects.get(slug="together"))
    same = preview.effect(place=place, rules=place.rules, now=NOW)
    assert (same.changed, same.cost) == (0, 0.0)
    tight = preview.effect(place=place, rules=Rules(size=3, price_max=1.0), now=NOW)
    assert (tight.picks, tight.kept_after) == (0, 0.0)
    assert tight.cost == pytest.approx(1.0)
    assert tight.cases[0].gone == {one.sku for one in tight.cases[0].before}


def live(client, asked, path="/api/v1/recommendations/live/", **headers):
    return client.post(path, json.dumps(asked), "application/json", headers=headers)


def test_a_server_asks_with_a_key_and_is_told_engine_set_and_reason(shop):  # noqa: F811
    _row, secret = auth.create_key(name="web", scopes=["recommendations:read"], user=None)
    answer = live(
        Client(), {"placement": "together", "product": "pot", "size": 1},
        authorization=f"Bearer {secret}",
    )  # fmt: skip
    body = answer.json()
    assert answer.status_code == 200
    assert (body["engine"], body["held_out"]) == ("best", False)
    (pick,) = body["data"]
    assert (pick["product"]["sku"], pick["engine"]) == ("CUP", "links")
    assert pick["reason"]["code"] == "together"
    assert live(Client(), {"placement": "together"}).status_code == 401


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "placement"), ({"placement": "home", "items": "POT"}, "items"),
        ({"placement": "home", "size": 0}, "size"), ({"placement": "home", "who": 1}, "who"),
        ({"placement": "home", "product": ["x"]}, "product"),
    ],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused(shop, client, asked, field):  # noqa: F811
    answer = live(client, asked)
    assert answer.status_code == 422
    assert answer.json()["error"]["field"] == field


def test_a_browser_asks_with_a_write_key_from_any_page(shop):  # noqa: F811
    from ingestion.tracking import keys

    key = keys.create(name="Web shop", actor=None, now=NOW).write_key
    asked = {"writeKey": key, "placement": "together", "product": "POT"}
    answer = live(Client(), asked, "/r/picks")
    assert answer.status_code == 200
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert answer.json()["data"][0]["product"]["sku"] == "CUP"
    assert live(Client(), {**asked, "writeKey": "wk_wrong_key"}, "/r/picks").status_code == 401
    told = live(Client(), {**asked, "external_id": "ada"}, "/r/picks")
    assert told.json()["error"]["field"] == "external_id"
    assert Client().options("/r/picks").status_code == 204
    assert Client().get("/r/picks").status_code == 405


def test_every_rule_is_read_by_its_kind_named_in_refusals_and_has_a_place_in_the_form():
    rules = {one.name for one in fields(Rules)} - {"size"}
    assert rules == {*terms.WHOLE, *terms.NUMBER, *terms.YES_NO, *terms.TEXTS, "allow"}
    assert set(defining.LABELS) == rules - {*terms.YES_NO}
    form = (settings.BASE_DIR / "templates/recommendations/placement.html").read_text()
    assert {name for name in rules - {"allow"} if f'name="{name}"' not in form} == set()
