"""Pages of journeys: what they show, what they keep, and what they refuse."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.journeys import versions
from campaigns.journeys.kinds import KINDS
from campaigns.models import Enrollment, Journey, Message
from campaigns.views import journeys_offer, journeys_steps
from marketing.core.models import Job
from tests import factories
from tests.campaigns import numbers
from tests.campaigns.journeys import drawn

pytestmark = pytest.mark.django_db
NOW = factories.NOW
BASKET = {"kind": "event", "event": "basket", "next": "wait"}
WAIT = {"kind": "wait_for", "for": {"hours": 1}}


def draft(nodes: dict[str, Any] | None = None, **parts: Any) -> Journey:
    drawn_ = drawn.definition(nodes or {"start": BASKET, "wait": WAIT}, **parts)
    return versions.create(name="Basket left", definition=drawn_, user=None, now=NOW)


def walked() -> tuple[Journey, factories.Cast]:
    people = factories.cast()
    return drawn.walked([people.ada, people.ben]), people


def save(client: Client, journey: Journey, definition: object, number: object) -> Any:
    return client.post(
        reverse("campaigns:journey-save", args=[journey.pk]),
        json.dumps({"definition": definition, "number": number}),
        content_type="application/json",
    )


def page(name: str, journey: Journey, *more: Any) -> str:
    return reverse(f"campaigns:journey-{name}", args=[journey.pk, *more])


def test_the_list_says_who_is_inside_who_came_in_and_how_the_journey_does() -> None:
    walked()
    html = factories.signed_in("analyst").get(reverse("campaigns:journey-list")).content.decode()
    text = " ".join(html.split())
    assert "Basket left" in text
    assert "Something happens · 7 steps" in text
    assert '>1<span class="sr"> people inside now</span>' in text
    assert '>2<span class="sr"> people came in</span>' in text
    assert "1 person is late" in text  # she was due at ten, and nobody looked


def test_without_journeys_the_list_offers_recipes_to_whoever_may_draw() -> None:
    url = reverse("campaigns:journey-list")
    assert "Start from an empty map" in factories.signed_in("marketer").get(url).content.decode()
    seen = factories.signed_in("analyst").get(url).content.decode()
    assert "No journeys yet" in seen
    assert "Start from an empty map" not in seen


def test_a_recipe_becomes_a_draft_of_its_own_and_an_unknown_one_an_empty_map() -> None:
    client = factories.signed_in("marketer")
    client.post(reverse("campaigns:journey-new"), {"from": "welcome"})
    client.post(reverse("campaigns:journey-new"), {"from": "nothing of ours"})
    empty, welcome = Journey.objects.all()
    assert (welcome.name, welcome.origin, welcome.state) == ("Welcome", "welcome", "draft")
    assert welcome.draft["nodes"]["start"]["kind"] == "event"
    assert empty.draft == {"start": "start", "nodes": {"start": {"kind": "event"}}}


def test_a_draft_is_kept_with_its_faults_which_come_back_in_words() -> None:
    journey = draft()
    nodes = {"start": BASKET, "wait": {"kind": "wait_for", "for": {"hours": 3}, "next": "mail"},
             "mail": {"kind": "send", "channel": "email"}}  # fmt: skip
    answer = save(factories.signed_in("marketer"), journey, drawn.definition(nodes), 1)
    said = answer.json()
    assert (answer.status_code, said["number"]) == (200, 2)
    assert said["titles"]["wait"] == {"title": "Wait 3 hours", "sub": ""}
    assert said["titles"]["mail"] == {"title": "E-mail", "sub": "No content chosen yet"}
    first = said["faults"][0]
    assert (first["node"], first["field"], first["serious"]) == ("mail", "template", True)
    journey.refresh_from_db()
    assert journey.draft["nodes"]["wait"]["for"] == {"hours": 3}


def test_a_draft_that_somebody_else_changed_meanwhile_is_not_overwritten() -> None:
    journey, client = draft(), factories.signed_in("marketer")
    assert save(client, journey, journey.draft, 1).status_code == 200
    answer = save(client, journey, {"start": "x", "nodes": {}}, 1)
    assert answer.status_code == 409
    assert "Yours was not saved" in answer.json()["message"]
    assert answer.json()["number"] == 2
    journey.refresh_from_db()
    assert journey.draft["start"] == "start"


@pytest.mark.parametrize(
    ("definition", "number", "status"),
    [([], 1, 422), ("text", 1, 422), ({"nodes": []}, 1, 422), ({"nodes": {}}, "one", 400)],
)
def test_what_is_no_journey_is_refused_and_nothing_is_kept(
    definition: object, number: object, status: int
) -> None:
    journey = draft()
    answer = save(factories.signed_in("marketer"), journey, definition, number)
    assert answer.status_code == status
    assert answer.json()["message"]
    journey.refresh_from_db()
    assert journey.draft_number == 1


def test_whoever_may_only_look_keeps_and_publishes_nothing() -> None:
    journey, client = draft(), factories.signed_in("analyst")
    assert save(client, journey, journey.draft, 1).status_code == 403
    for name in ("publish", "rename", "move"):
        assert client.post(page(name, journey)).status_code == 403
    assert client.post(page("act", journey, "delete")).status_code == 403
    assert client.post(page("replay", journey), {"days": "7"}).status_code == 403
    assert Journey.objects.get().draft_number == 1
    assert not Job.objects.filter(kind="journey.replay").exists()


def test_the_check_names_what_must_be_put_right_and_publishing_is_refused_until_then() -> None:
    bad = {"start": {**BASKET, "next": "mail"}, "mail": {"kind": "send", "channel": "email"}}
    journey, client = draft(bad), factories.signed_in("marketer")
    html = client.get(page("check", journey)).content.decode()
    assert "1 thing must be put right first." in html
    assert "disabled>Publish</button>" in html
    answer = client.post(page("publish", journey), follow=True)
    assert "The journey cannot go live yet" in answer.content.decode()
    assert not journey.versions.exists()


def test_a_journey_is_paused_resumed_copied_closed_and_only_a_draft_is_deleted() -> None:
    journey, client = draft(), factories.signed_in("marketer")
    client.post(page("publish", journey))
    states = []
    for act in ("pause", "resume", "delete", "close"):
        client.post(page("act", journey, act))
        journey.refresh_from_db()
        states.append(journey.state)
    assert states == ["paused", "live", "live", "closed"]
    answer = client.post(page("act", journey, "copy"), follow=True)
    made = Journey.objects.latest("id")
    assert (made.name, made.state) == ("Basket left (copy)", "draft")
    assert made.draft == journey.draft
    assert "This is a copy." in answer.content.decode()
    client.post(page("act", made, "delete"))
    assert not Journey.objects.filter(pk=made.pk).exists()
    assert client.post(page("act", journey, "explode")).status_code == 404


def test_people_are_shown_by_where_they_are_and_how_they_left() -> None:
    journey, people = walked()
    client = factories.signed_in("analyst")
    assert _names(client, page("people", journey), people) == ["Ada"]
    assert _names(client, page("people", journey) + "?state=left", people) == ["Ben"]
    assert _names(client, page("people", journey) + "?step=wait", people) == ["Ada"]
    assert _names(client, page("people", journey) + "?step=left", people) == []
    assert _names(client, page("people", journey) + "?state=all", people) == ["Ada", "Ben"]
    assert _names(client, page("people", journey) + "?state=goal", people) == []


def _names(client: Client, url: str, people: factories.Cast) -> list[str]:
    html = client.get(url).content.decode()
    return [one.first_name for one in people if f"/people/{one.pk}/" in html]


def test_the_map_is_told_how_many_took_each_way() -> None:
    journey, _people = walked()
    found = factories.signed_in("analyst").get(page("look", journey)).json()["figures"]
    assert found["wait"]["count"] == "1 here"
    assert found["start"]["ways"] == {"next": 2}
    assert found["asked"]["ways"] == {"yes": 1}
    assert found["left"]["count"] == "1"
    assert found["mail"]["numbers"] == [["0", "sent"], ["–", "opened"], ["–", "clicked"]]


def test_the_numbers_of_a_journey_lead_to_whom_and_to_what_they_count() -> None:
    journey, people = walked()
    version = journey.versions.get()
    Message.objects.create(run=version.run, customer=people.ada, step="mail", state="sent")
    client = factories.signed_in("analyst")
    for name in ("list", "effect"):
        address = reverse("campaigns:journey-list") if name == "list" else page(name, journey)
        found = numbers.opened(client, client.get(address).content.decode())
        assert len(found) >= 2
        assert {where: pair for where, pair in found.items() if pair[0] != pair[1]} == {}
    figures = client.get(page("look", journey)).json()["figures"]
    lines = [(int(n), url) for one in figures.values() for n, _words, url in one["all"] if url]
    assert [(n, numbers.shown(client.get(url))) for n, url in lines] == [(n, n) for n, _ in lines]
    asked = {url.partition("?")[2] for _n, url in lines}
    assert {
        "step=wait&version=1", "state=all&passed=asked&version=1",
        "state=gone&step=mail&version=1",
    } <= asked  # fmt: skip
    mails = client.get(page("messages", journey) + "?state=gone&step=mail&version=1")
    assert f"/people/{people.ada.pk}/" not in mails.content.decode()  # the row leads to her mail
    assert mails.context["said"][0] == "Version 1"
    assert mails.context["said"][2] == "Sent, or not known"


def test_versions_say_what_changed_and_people_are_moved_with_a_word_for_lost_steps() -> None:
    journey, _people = walked()
    client = factories.signed_in("marketer")
    nodes = journey.draft["nodes"]
    del nodes["wait"]
    nodes["start"]["next"] = "asked"
    nodes["more"]["template"] = nodes["mail"]["template"]
    journey.save()
    client.post(page("publish", journey))
    html = " ".join(client.get(page("versions", journey) + "?number=2").content.decode().split())
    assert "Version 2 beside version 1" in html
    assert '<span class="sr">Removed: </span>Wait 1 hour' in html
    assert '<span class="sr">Added: </span>Still warm' in html
    html = " ".join(client.get(page("versions", journey) + "?number=1").content.decode().split())
    assert "1 person at “Wait 1 hour” goes on at" in html
    refused = client.post(page("move", journey), {"of": "1", "to": "2"}, follow=True)
    assert "Nobody was moved" in refused.content.decode()
    moved = client.post(page("move", journey), {"of": "1", "to": "2", "step-wait": "asked"})
    assert moved.status_code == 302
    stay = Enrollment.objects.get(ended_at=None)
    assert (stay.version.number, stay.node) == (2, "asked")


def test_in_the_test_an_answer_turns_the_way_and_the_clock_moves_on() -> None:
    journey, people = walked()
    client = factories.signed_in("analyst")
    first = client.get(page("test", journey)).content.decode()
    assert "They wait here until" in first
    begins = NOW.isoformat()
    later = (NOW + timedelta(hours=1)).isoformat()
    said = {"begins": begins, "until": later, "move": "3600"}
    assert _trace(client, journey, said)[-2:] == [["mail", ""], ["heard", ""]]
    answered = _trace(client, journey, said | {"answer-asked": "yes"})
    assert answered[-2:] == [["asked", "yes"], ["left", ""]]
    # The order is the goal, wherever they wait.
    ordered = {"begins": begins, "until": later, "happens": "order"}
    assert _trace(client, journey, ordered) == [["start", ""], ["wait", ""]]
    html = client.post(page("test", journey), ordered).content.decode()
    assert "reached the goal" in html
    assert "The journey is over for them." in html
    real = client.post(page("test", journey), {"who": people.ada.email or ""}).content.decode()
    assert "Ada" in real


def test_the_clock_goes_to_their_next_step_by_itself() -> None:
    journey, _people = walked()
    client = factories.signed_in("analyst")
    begins = NOW.isoformat()
    html = client.post(page("test", journey), {"begins": begins}).content.decode()
    nearest = html.split('name="next" value="')[1].split('"')[0]
    assert nearest == (NOW + timedelta(hours=2)).isoformat()
    said = {"begins": begins, "until": begins, "next": nearest, "move": "next"}
    assert _trace(client, journey, said)[-2:] == [["mail", ""], ["heard", ""]]
    assert _trace(client, journey, said | {"next": "soon"}) == [["start", ""], ["wait", ""]]


def _trace(client: Client, journey: Journey, said: dict[str, str]) -> list[list[str]]:
    html = client.post(page("test", journey), said).content.decode()
    found = html.split('data-trace="')[1].split('"')[0].replace("&quot;", '"')
    return [[one["node"], one["way"]] for one in json.loads(found)]


def test_a_test_of_what_cannot_be_read_says_so() -> None:
    journey, client = draft(), factories.signed_in("analyst")
    assert client.post(page("test", journey), {"definition": "{"}).status_code == 400
    html = client.post(page("test", journey), {"definition": "{}"}).content.decode()
    assert "This journey cannot be tried yet" in html
    odd = {"begins": "yesterday", "until": "x", "events": "[1]", "move": "-5"}
    assert client.post(page("test", journey), odd).status_code == 200


def test_the_time_machine_is_asked_for_the_draft_on_the_page_and_only_once_at_a_time() -> None:
    journey, client = draft(), factories.signed_in("marketer")
    other = drawn.definition({"start": BASKET, "wait": {"kind": "wait_for", "for": {"days": 4}}})
    said = {"days": "14", "definition": json.dumps(other)}
    client.post(page("replay", journey), said)
    again = client.post(page("replay", journey), said).content.decode()
    assert "It is looking back already." in again
    job = Job.objects.get(kind="journey.replay")
    assert job.params == {"journey": journey.pk, "days": 14, "definition": other}
    bad = client.post(page("replay", draft()), {"definition": '{"nodes": {}}'}).content.decode()
    assert "The draft has faults." in bad
    far = client.post(page("replay", draft()), {"days": "9000"}).content.decode()
    assert "Look back between one and 60 days." in far
    assert Job.objects.filter(kind="journey.replay").count() == 1


def test_no_part_of_the_page_asks_the_database_much() -> None:
    journey, _people = walked()
    client = factories.signed_in("marketer")
    asked = {}
    for name in ("edit", "look", "check", "test", "replay", "versions", "people"):
        with CaptureQueriesContext(connection) as caught:
            assert client.get(page(name, journey)).status_code == 200
        asked[name] = len([q for q in caught if not q["sql"].startswith(("SAVEP", "RELEASE"))])
    assert {name: n for name, n in asked.items() if n > 20} == {}


def test_every_setting_of_every_kind_of_step_has_a_name_and_an_editor() -> None:
    script = (settings.BASE_DIR / "marketing/static/js/journey-forms.js").read_text()
    drawn_ = journeys_offer.kinds()
    assert set(drawn_) == set(KINDS)
    types = {f["type"] for kind in drawn_.values() for f in kind["fields"] + kind["branch_fields"]}
    assert {one for one in types if f"      {one}: (f," not in script} == set()
    assert all(kind["label"] and kind["icon"] for kind in drawn_.values())
    offered = {entry["kind"] for group in journeys_offer.menu() for entry in group["entries"]}
    triggers = {key for key, kind in KINDS.items() if kind.group == "trigger"}
    assert offered | triggers == set(KINDS)


@pytest.mark.parametrize(
    ("node", "title", "sub"),
    [
        ({"kind": "segment_enter"}, "Enters a segment", "From now on"),
        ({"kind": "date", "attribute": "birthday", "days": -3, "at": "09:00", "every": "year"},
         "Their “birthday”", "3 days before, 09:00, every year"),
        ({"kind": "wait_until", "date": "2026-12-24", "at": "08:00"},
         "Wait until 24 Dec 2026", "08:00"),
        ({"kind": "wait_local", "at": "10:00", "weekdays": ["mon", "fri"]},
         "Wait until 10:00 their time", "Mon, Fri"),
        ({"kind": "wait_event", "event": "order", "for": {"weeks": 1}},
         "Wait for “order”", "At most 1 week"),
        ({"kind": "split_percent", "branches": [{"key": "a", "percent": 80},
          {"key": "b", "percent": 20}]}, "Random split", "80% · 20%"),
        ({"kind": "attribute", "name": "tier", "value": None}, "Remove “tier”", ""),
        ({"kind": "attribute", "name": "vip", "value": True}, "Set “vip” to yes", ""),
        ({"kind": "webhook", "url": "https://erp.example.com/x"}, "Call a webhook",
         "erp.example.com"),
        ({"kind": "notify", "to": "ann@example.com", "label": "Tell Ann"}, "Tell Ann",
         "ann@example.com"),
        ({"kind": "wait_for", "for": {"years": 1}}, "Wait a while", ""),
        ({"kind": "nonsense"}, "Unknown step", ""),
    ],
)  # fmt: skip
def test_a_step_says_what_it_does_also_half_finished(
    node: dict[str, Any], title: str, sub: str
) -> None:
    said = journeys_steps.Sayings({"nodes": {"one": node}}).all()["one"]
    assert said == {"title": title, "sub": sub}
