"""The pages of events, schema and quality: what they show, what they change, and who may."""

import re
from contextlib import closing
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from ingestion import events
from ingestion.events import Incoming
from ingestion.models import (
    AlertRule,
    Customer,
    Event,
    EventPlan,
    EventType,
    Expectation,
    PlanRules,
    Problem,
    Refusal,
)
from ingestion.quality import expectations, problems
from ingestion.registry import discovery, judging, plans
from ingestion.views import events as pages
from marketing.core.models import Job
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_plan_is_remembered() -> Any:
    judging.forget()
    yield
    judging.forget()


@pytest.fixture
def marketer(client: Client) -> Client:
    client.force_login(factories.user("marketer"))
    return client


def at(name: str, *args: Any) -> str:
    return reverse(f"ingestion:{name}", args=args)


def page(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200, answer
    return answer.content.decode()


def send(*names: str, **properties: Any) -> None:
    now = timezone.now()
    batch = [
        Incoming(
            type=name,
            at=now - timedelta(minutes=1),
            message_id=f"{name}-{i}",
            email="ada@example.com",
            properties=properties,
        )
        for i, name in enumerate(names)
    ]
    events.accept(batch=batch, source="web", now=now, door="tracking")
    events.drain(now=now)
    discovery.fold(now=now)


def test_the_stream_shows_what_arrives_and_finds_it_again(marketer: Client) -> None:
    assert "No events yet" in page(marketer, at("event-stream"))
    send("view", "cart", sku="A1")
    html = page(marketer, at("event-stream"))
    assert "view" in html
    assert 'data-poll="3"' in html
    assert 'data-poll="3"' not in page(marketer, at("event-stream") + "?paused=1")
    rows = at("event-rows")
    assert page(marketer, rows + "?type=cart").count("<details") == 1
    assert page(marketer, rows + "?source=web").count("<details") == 2
    assert page(marketer, rows + "?source=elsewhere").count("<details") == 0
    assert page(marketer, rows + "?person=ADA@example.com").count("<details") == 2
    assert "No event fits" in page(marketer, rows + "?person=nobody@example.com")
    assert page(marketer, rows + "?message=cart-1").count("<details") == 1
    assert page(marketer, rows + "?before=abc&person=%00").count("<details") == 2


@pytest.mark.parametrize("odd", ["²", "٣" * 30, "9" * 200, "-1"])
def test_what_is_no_number_of_an_event_is_passed_over(marketer: Client, odd: str) -> None:
    for name in ("event-stream", "event-rows", "event-refused"):
        assert marketer.get(at(name), {"before": odd}).status_code == 200
        assert marketer.get(at(name), {"person": odd}).status_code == 200


def test_all_events_of_a_person_are_leafed_through(
    marketer: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(*(f"e{i}" for i in range(5)))
    monkeypatch.setattr(pages, "PER_PAGE", 2)
    seen, url = [], at("event-rows") + "?person=ada@example.com"
    while url:
        html = page(marketer, url)
        seen += re.findall(r'"q-name">(\w+)<', html)
        older = re.search(r'href="[^"]*(\?[^"]*before=\d+)"', html)
        url = at("event-rows") + unescape(older[1]) if older else ""
    assert seen == ["e4", "e3", "e2", "e1", "e0"]


def test_an_event_opens_in_place_with_everything_it_carries(marketer: Client) -> None:
    send("view", sku="A1", note="<script>alert(1)</script>")
    html = page(marketer, at("event-detail", Event.objects.get().id))
    assert "&quot;sku&quot;: &quot;A1&quot;" in html
    assert "<script>alert" not in html
    assert marketer.get(at("event-detail", 10**12)).status_code == 404


def test_what_was_refused_is_shown_with_its_reason_and_can_be_tried_again(
    marketer: Client,
) -> None:
    rule = {"sku": {"type": "string", "required": True}}
    now = timezone.now()
    plans.save(name="view", policy="quarantine", user=None, now=now, properties=rule)
    send("view", "view", price=3)
    html = page(marketer, at("event-refused"))
    assert "“sku” is missing; the plan needs it with every “view”." in html
    row = Refusal.objects.earliest("id")
    plans.save(name="view", policy="warn", user=None, now=now, properties={})
    answer = marketer.post(at("refused-change"), {"id": row.pk, "do": "retry"}, follow=True)
    assert "1 event was taken." in answer.content.decode()
    assert Event.objects.count() == 1
    marketer.post(at("refused-change"), {"code": "plan_missing", "do": "discard"})
    assert set(Refusal.objects.values_list("state", flat=True)) == {"retried", "discarded"}
    assert "Nothing was refused" in page(marketer, at("event-refused"))


@pytest.mark.parametrize("form", [{}, {"id": "²"}, {"id": "9" * 5_000}, {"id": "", "code": "\0"}])
def test_a_change_that_names_no_refused_event_changes_none(
    marketer: Client, form: dict[str, str]
) -> None:
    Refusal.objects.create(
        source="web", door="api", code="bad", raw="{}", received_at=timezone.now()
    )
    answer = marketer.post(at("refused-change"), form | {"do": "discard"}, follow=True)
    assert answer.status_code == 200
    assert Refusal.objects.get().state == Refusal.State.OPEN


def test_the_schema_lists_kinds_and_lets_a_plan_be_adopted_changed_and_removed(
    marketer: Client,
) -> None:
    assert "No events seen yet" in page(marketer, at("schema-list"))
    send(*["view"] * 5, sku="A1", price=2.5)
    assert "view" in page(marketer, at("schema-list") + "?q=vi")
    kind = EventType.objects.get()
    assert "“view” was sent for the first time." in page(marketer, at("event-type", kind.pk))
    marketer.post(at("plan-save", kind.pk), {"do": "adopt"})
    plan = EventPlan.objects.get()
    assert plan.properties["price"] == {"type": "number", "required": True}
    form = {
        "policy": "refuse",
        "owner": "Shop team",
        "description": "A product was looked at.",
        "closed": "1",
        "name-0": "sku",
        "in-0": "1",
        "type-0": "string",
        "values-0": "A1\nA2",
        "name-1": "price",
    }
    marketer.post(at("plan-save", kind.pk), form)
    plan.refresh_from_db()
    assert plan.properties == {"sku": {"type": "string", "required": False, "values": ["A1", "A2"]}}
    assert (plan.policy, plan.owner, plan.closed, plan.version) == ("refuse", "Shop team", True, 2)
    wrong = marketer.post(at("plan-save", kind.pk), form | {"min-0": "5", "max-0": "1"})
    assert wrong.status_code == 422
    assert "begins after its end" in wrong.content.decode()
    marketer.post(at("plan-save", kind.pk), {"do": "remove"})
    assert not EventPlan.objects.exists()
    marketer.post(at("schema-unknown"), {"policy": "warn"})
    assert PlanRules.objects.get().unknown == "warn"


STRANGE = ["a/b", "<b>bold</b>", "{{ x }}", "$set", "__proto__", "%s", "名前"]


@pytest.mark.parametrize("name", STRANGE)
def test_an_event_of_any_name_has_its_page(marketer: Client, name: str) -> None:
    send(name, **{name: "value"})
    html = page(marketer, at("event-type", EventType.objects.get().pk))
    assert "<b>bold" not in html
    page(marketer, at("schema-list"))
    page(marketer, at("event-stream"))


def outage() -> Problem:
    Customer.objects.bulk_create(
        Customer(external_id=f"q{i}", email=f"q{i}@example.com") for i in range(30)
    )
    expectations.save(
        subject="customers",
        field="country",
        kind="filled",
        severity="critical",
        hold="users",
        user=None,
        now=timezone.now(),
    )
    problems.measure(now=timezone.now())
    return Problem.objects.get()


def test_quality_says_what_is_wrong_and_who_is_touched(marketer: Client) -> None:
    assert "Nothing to measure yet" in page(marketer, at("quality-home"))
    factories.segment("In Britain", rule={"field": "customer.country", "op": "=", "value": "GB"})
    problem = outage()
    said = "Not as expected: People: Country is filled in 100% of rows"
    for url in (at("quality-home"), at("quality-problem", problem.pk)):
        html = page(marketer, url)
        assert said in html
        assert "In Britain" in html
    assert "Campaigns that use it are held back" in html
    factories.order(factories.customer("Ada"))
    assert said in page(marketer, "/")
    for days in ("²", "9" * 5000, "7"):
        assert marketer.post(at("problem-mute", problem.pk), {"days": days}).status_code == 302
    assert said not in page(marketer, at("quality-home"))
    assert "1 muted" in page(marketer, at("quality-home"))
    missing = marketer.get(at("quality-problem", 10**9), follow=True)
    assert "There is no such problem." in missing.content.decode()


def test_measuring_now_is_a_job_and_only_one(marketer: Client) -> None:
    marketer.post(at("quality-measure"))
    marketer.post(at("quality-measure"))
    assert Job.objects.filter(kind="quality.measure").count() == 1


def test_the_job_measures(marketer: Client) -> None:
    from marketing.core import jobs

    outage()
    marketer.post(at("quality-measure"))
    job = Job.objects.get(kind="quality.measure")
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == "done", job.error
    assert job.result["open"] == 1


def test_an_expectation_is_made_changed_kept_and_removed(marketer: Client) -> None:
    form = {
        "about": "customers|email",
        "kind": "matches",
        "shape": "email",
        "threshold": "99",
        "severity": "critical",
        "hold": "",
    }
    page(marketer, at("expectation-new"))
    marketer.post(at("expectation-new"), form)
    row = Expectation.objects.get()
    assert (row.subject, row.field, row.params) == ("customers", "email", {"shape": "email"})
    assert (row.threshold, row.met) == (0.99, True)
    page(marketer, at("expectation-edit", row.pk))
    marketer.post(at("expectation-edit", row.pk), form | {"name": "Addresses", "enabled": "0"})
    row.refresh_from_db()
    assert (row.name, row.enabled) == ("Addresses", False)
    wrong = marketer.post(at("expectation-new"), form | {"kind": "range"})
    assert wrong.status_code == 422
    assert "Give the smallest or the largest number" in wrong.content.decode()
    event = marketer.post(
        at("expectation-new"),
        form | {"event": "view", "property": "sku", "kind": "filled"},
    )
    assert event.status_code == 302
    assert Expectation.objects.filter(subject="events:view", field="sku").exists()
    marketer.post(at("expectation-remove", row.pk))
    assert not Expectation.objects.filter(pk=row.pk).exists()
    assert marketer.get(at("expectation-edit", row.pk)).status_code == 302


def test_saving_says_what_is_known_of_an_expectation(marketer: Client) -> None:
    form = {"about": "customers|email", "kind": "filled", "threshold": "50", "enabled": "0"}
    said = marketer.post(at("expectation-new"), form, follow=True).content.decode()
    assert "It is off, so it is not checked." in said
    with closing(connection.copy()) as other, other.cursor() as cursor:  # somebody is measuring
        cursor.execute("SELECT pg_advisory_lock(%s)", [problems._LOCK])
        said = marketer.post(at("expectation-new"), form | {"enabled": "1"}, follow=True)
    assert "It is checked within 15 minutes." in said.content.decode()
    assert "does not hold now" not in said.content.decode()


def test_a_suggestion_can_be_taken(marketer: Client) -> None:
    outage()
    assert "Keep it as it is" in page(marketer, at("expectations"))
    wanted = {"subject": "customers", "field": "email", "kind": "filled"}
    marketer.post(at("expectation-keep"), wanted)
    assert Expectation.objects.get(field="email", kind="filled").met is True
    late = marketer.post(at("expectation-keep"), wanted, follow=True)
    assert "This suggestion fits no longer" in late.content.decode()


def test_who_is_told_is_chosen_on_the_page(marketer: Client) -> None:
    form = {"emails": "ops@example.com, data@example.com", "least": "critical"}
    marketer.post(at("alert-save"), form)
    assert AlertRule.objects.get().emails == ["ops@example.com", "data@example.com"]
    outage()
    assert "ops@example.com" in page(marketer, at("alerts"))
    wrong = marketer.post(at("alert-save"), form | {"emails": "nobody"})
    assert wrong.status_code == 422
    assert "“nobody” is not an e-mail address." in wrong.content.decode()


CHANGES = [
    ("refused-change", []),
    ("schema-unknown", []),
    ("quality-measure", []),
    ("expectation-new", []),
    ("expectation-keep", []),
    ("alert-save", []),
    ("problem-mute", [1]),
    ("expectation-remove", [1]),
    ("plan-save", [1]),
]


@pytest.mark.parametrize(("name", "args"), CHANGES)
def test_an_analyst_looks_and_changes_nothing(client: Client, name: str, args: list[int]) -> None:
    client.force_login(factories.user("analyst"))
    assert client.post(at(name, *args)).status_code == 403
    for shown in ("event-stream", "event-refused", "schema-list", "quality-home", "alerts"):
        assert client.get(at(shown)).status_code == 200


def test_each_page_asks_little(marketer: Client) -> None:
    problem = outage()
    send("view", "cart", sku="A1")
    urls = [
        at("event-stream"),
        at("event-rows"),
        at("event-refused"),
        at("event-stream") + "?message=view-0",
        at("schema-list"),
        at("event-type", EventType.objects.latest("id").pk),
        at("quality-home"),
        at("quality-problem", problem.pk),
        at("expectations"),
        at("expectation-edit", Expectation.objects.get().pk),
        at("alerts"),
    ]
    asked = {}
    for url in urls:
        with CaptureQueriesContext(connection) as found:
            assert marketer.get(url).status_code == 200, url
        # Savepoints are made by the test's own transaction, and settings ask for nothing.
        asked[url] = sum(
            not query["sql"].startswith(("SAVEPOINT", "RELEASE", "SET LOCAL"))
            for query in found.captured_queries
        )
    assert {url: count for url, count in asked.items() if count > 20} == {}


def test_integrators_read_the_schema_and_the_quality(api: APIClient) -> None:
    problem = outage()
    send("view", sku="A1")
    types = api.get("/api/v1/event-types/").json()
    assert [row["name"] for row in types["data"]] == ["view"]
    one = api.get(types["data"][0]["url"]).json()
    assert one["properties"][0] == {
        "name": "sku",
        "kinds": {"string": 1},
        "filled": 1.0,
        "examples": ["A1"],
        "plan": {},
    }
    now = api.get("/api/v1/quality/").json()
    assert [row["id"] for row in now["problems"]] == [problem.pk]
    assert now["dimensions"]["completeness"] == 100.0
