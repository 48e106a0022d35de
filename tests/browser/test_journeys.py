"""Drawing a journey in a browser: by mouse, by keys alone, on a phone, and in two windows."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from campaigns.journeys import replay, versions
from campaigns.models import Journey, Template
from ingestion import events
from tests import factories
from tests.browser.conftest import Visit
from tests.campaigns.journeys import drawn as walks

pytestmark = pytest.mark.django_db(transaction=True)


def letter(name: str = "Still warm") -> Template:
    return Template.objects.create(
        name=name,
        subject="Your basket, {{ first_name }}",
        html='<p>Hello <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>',
        text="Hello {{ unsubscribe_url }}",
    )


def journey(**nodes: object) -> Journey:
    """A draft: whoever “basket” happens to waits an hour and gets a mail."""
    drawn: dict[str, object] = nodes or {
        "start": {"kind": "event", "event": "basket", "next": "wait"},
        "wait": {"kind": "wait_for", "for": {"hours": 1}, "next": "mail"},
        "mail": {"kind": "send", "channel": "email", "template": letter().pk},
    }
    return versions.create(
        name="Basket left",
        definition={"start": "start", "nodes": drawn, "goal": {"event": "order"}},
        user=None,
        now=factories.NOW,
    )


def opened(page: Page) -> None:
    expect(page.locator(".jn").first).to_be_visible()


def saved(page: Page) -> None:
    expect(page.locator("#j-saved")).to_have_text(re.compile(r"Draft saved \d\d:\d\d"))


def chain(drawn: dict[str, object]) -> list[str]:
    """The kinds of steps from the first on, by the first ways."""
    nodes, at, found = drawn["nodes"], drawn["start"], []
    while at:
        node = nodes[at]  # type: ignore[index]
        found.append(node["kind"])
        at = node["branches"][0].get("next") if "branches" in node else node.get("next")
    return found


def test_a_journey_is_drawn_with_the_mouse_published_and_shows_its_numbers(
    visit: Visit, shop: factories.Cast
) -> None:
    letter()
    visitor = visit(factories.user("marketer"))
    page = visitor.go("/journeys/")
    page.get_by_role("button", name="Start from an empty map").click()
    opened(page)
    page.locator(".jn").click()
    page.get_by_role("combobox", name="Event", exact=True).fill("basket")
    page.get_by_role("button", name="Add a step after").click()
    page.get_by_role("button", name="Wait a while").click()
    page.get_by_role("spinbutton", name="Value").fill("3")
    page.get_by_role("combobox", name="Unit").select_option("hours")
    page.locator(".plus.open").click()
    page.get_by_role("button", name="E-mail", exact=True).click()
    page.get_by_label("Content", exact=True).select_option(label="Still warm")
    expect(page.locator(".jn", has_text="Wait 3 hours")).to_be_visible()
    expect(page.locator(".jn", has_text="Still warm")).to_be_visible()
    saved(page)
    page.get_by_role("button", name="Publish", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("From then on people come in by themselves")
    dialog.get_by_role("button", name="Publish").click()
    expect(page.locator("#messages")).to_contain_text("Version 1 is live")
    expect(page.locator(".jstats")).to_contain_text("Came in")
    made = Journey.objects.get()
    assert made.state == Journey.State.LIVE
    assert chain(made.draft) == ["event", "wait_for", "send"]
    assert made.versions.get().definition == made.draft
    assert visitor.errors == []
    assert visitor.refusals() == []


def test_the_same_journey_is_drawn_with_keys_alone(visit: Visit, shop: factories.Cast) -> None:
    letter()
    drawn = journey(start={"kind": "event", "event": "basket"})
    visitor = visit(factories.user("marketer"))
    page = visitor.go(f"/journeys/{drawn.pk}/")
    opened(page)
    page.locator(".jn").focus()
    page.keyboard.press("a")
    expect(page.locator("#m-add button").first).to_be_focused()
    for _ in range(4):  # past the four kinds of messages
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#j-title")).to_have_text("Wait a while")
    page.locator("#j-panel input").first.focus()
    page.keyboard.press("Escape")
    expect(page.locator(".jn").nth(1)).to_be_focused()
    page.keyboard.press("a")
    expect(page.locator("#m-add button").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#j-title")).to_have_text("E-mail")
    page.get_by_label("Content", exact=True).focus()
    page.keyboard.type("Still")
    expect(page.locator(".jn", has_text="Still warm")).to_be_visible()
    page.locator(".jn").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".jn", has_text="Still warm")).to_be_focused()
    page.keyboard.press("Alt+ArrowUp")
    saved(page)
    page.keyboard.press("Control+s")
    expect(page.locator(".jn").nth(1)).to_contain_text("Still warm")
    saved(page)
    drawn.refresh_from_db()
    assert chain(drawn.draft) == ["event", "send", "wait_for"]
    page.keyboard.press("Delete")
    expect(page.locator(".jn")).to_have_count(2)
    expect(page.locator("#toasts")).to_contain_text("is deleted")
    page.keyboard.press("Control+z")
    expect(page.locator(".jn")).to_have_count(3)
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(".jn")).to_have_count(2)
    assert visitor.errors == []


def test_a_deleted_split_takes_its_other_ways_along_and_comes_back_with_undo(
    visit: Visit, shop: factories.Cast
) -> None:
    drawn = journey(
        start={"kind": "event", "event": "basket", "next": "split"},
        split={
            "kind": "split_percent",
            "branches": [
                {"key": "a", "label": "One", "percent": 50, "next": "first"},
                {"key": "b", "label": "Other", "percent": 50, "next": "second"},
            ],
        },
        first={"kind": "wait_for", "for": {"days": 1}},
        second={"kind": "wait_for", "for": {"days": 2}},
    )
    page = visit(factories.user("marketer")).go(f"/journeys/{drawn.pk}/")
    opened(page)
    page.locator('.jn[data-id="split"]').focus()
    page.keyboard.press("Delete")
    expect(page.locator(".jn")).to_have_count(2)
    expect(page.locator('.jn[data-id="first"]')).to_be_visible()
    page.locator("#toasts").get_by_role("button", name="Undo").click()
    expect(page.locator(".jn")).to_have_count(4)


def test_what_is_wrong_stands_at_the_step_and_in_a_list_that_leads_there(
    visit: Visit, shop: factories.Cast
) -> None:
    drawn = journey(
        start={"kind": "event", "event": "basket", "next": "mail"},
        mail={"kind": "send", "channel": "email"},
    )
    page = visit(factories.user("marketer")).go(f"/journeys/{drawn.pk}/")
    expect(page.locator('.jn[data-id="mail"] .iss.bad')).to_contain_text("still to be said")
    page.locator("#j-fix").click()
    page.get_by_role("button", name="Go to: E-mail").click()
    expect(page.get_by_label("Content", exact=True)).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Publish", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("must be put right first")
    expect(dialog.get_by_role("button", name="Publish")).to_be_disabled()


def test_of_two_windows_the_second_is_told_and_overwrites_nothing_unasked(
    visit: Visit, shop: factories.Cast
) -> None:
    drawn = journey()
    ann, bob = visit(factories.user("marketer")), visit(factories.user("marketer"))
    first, second = ann.go(f"/journeys/{drawn.pk}/"), bob.go(f"/journeys/{drawn.pk}/")
    for page in (first, second):
        page.locator('.jn[data-id="wait"]').click()
    first.get_by_role("spinbutton", name="Value").fill("5")
    saved(first)
    second.get_by_role("spinbutton", name="Value").fill("9")
    expect(second.locator("#j-conflict")).to_contain_text("Yours was not saved")
    drawn.refresh_from_db()
    assert drawn.draft["nodes"]["wait"]["for"] == {"hours": 5}
    second.get_by_role("button", name="Save mine over it").click()
    expect(second.locator("#j-conflict")).to_be_hidden()
    saved(second)
    drawn.refresh_from_db()
    assert drawn.draft["nodes"]["wait"]["for"] == {"hours": 9}


def test_a_rule_is_made_in_the_words_of_segments_and_counts_people(
    visit: Visit, shop: factories.Cast
) -> None:
    drawn = journey(
        start={"kind": "event", "event": "basket", "next": "asked"},
        asked={
            "kind": "split_rule",
            "branches": [{"key": "yes", "label": "Yes"}, {"key": "no", "label": "No"}],
        },
    )
    visitor = visit(factories.user("marketer"))
    page = visitor.go(f"/journeys/{drawn.pk}/")
    page.locator('.jn[data-id="asked"]').click()
    page.get_by_role("button", name="Edit rule").click()
    page.get_by_role("button", name="Add a question").click()
    page.get_by_role("button", name="Bought something").click()
    expect(page.locator("#j-rule-said")).to_contain_text("people fit")
    page.get_by_role("button", name="Use this rule").click()
    expect(page.locator('.jn[data-id="asked"]')).to_contain_text("People where they ordered")
    saved(page)
    drawn.refresh_from_db()
    assert drawn.draft["nodes"]["asked"]["rule"]["all"][0]["bought"] == {"any": True}
    assert visitor.errors == []


def test_on_a_phone_the_steps_are_a_list_and_a_step_opens_as_a_sheet(
    visit: Visit, shop: factories.Cast
) -> None:
    visitor = visit(factories.user("marketer"), width="phone")
    page = visitor.go(f"/journeys/{journey().pk}/")
    expect(page.locator(".jlist .jn")).to_have_count(3)
    expect(page.locator(".canvas")).to_be_hidden()
    expect(page.locator("#j-side")).to_be_hidden()
    page.locator('.jn[data-id="wait"]').click()
    expect(page.locator("#j-side")).to_be_visible()
    assert visitor.overflow() == 0
    assert visitor.axe() == []
    page.get_by_role("button", name="Close this step").click()
    expect(page.locator('.jn[data-id="wait"]')).to_be_focused()
    page.get_by_role("button", name="Add a step").click()
    page.get_by_role("button", name="Leave").click()
    expect(page.locator(".jlist .jn")).to_have_count(4)
    assert visitor.errors == []


def test_whoever_may_only_look_sees_everything_and_changes_nothing(
    visit: Visit, shop: factories.Cast
) -> None:
    page = visit(factories.user("analyst")).go(f"/journeys/{journey().pk}/")
    page.locator('.jn[data-id="wait"]').click()
    expect(page.get_by_role("spinbutton", name="Value")).to_be_disabled()
    expect(page.locator(".plus")).to_have_count(0)
    page.locator('.jn[data-id="wait"]').focus()
    page.keyboard.press("Delete")
    expect(page.locator(".jn")).to_have_count(3)
    expect(page.get_by_role("button", name="Publish")).to_have_count(0)


def test_a_test_with_a_person_lights_up_their_way(visit: Visit, shop: factories.Cast) -> None:
    visitor = visit(factories.user("analyst"))
    page = visitor.go(f"/journeys/{journey().pk}/")
    page.get_by_role("button", name="Test", exact=True).click()
    panel = page.locator("#j-panel")
    expect(panel).to_contain_text("They wait here until")
    expect(page.locator(".jn.lit")).to_have_count(2)
    expect(page.locator('.jn[data-id="wait"]')).to_have_class(re.compile(r"\bhere\b"))
    panel.get_by_role("button", name="+ 1 hour").click()
    expect(panel).to_contain_text("The journey is over for them.")
    expect(page.locator(".jn.lit")).to_have_count(3)
    assert visitor.axe() == []
    page.get_by_role("button", name="Close this step").click()
    expect(page.locator(".jn.lit")).to_have_count(0)
    assert visitor.errors == []
    assert visitor.refusals() == []


def test_the_time_machine_shows_what_it_found_and_its_numbers_on_the_map(
    visit: Visit, shop: factories.Cast
) -> None:
    drawn = journey()
    events.record(
        batch=[
            events.Incoming(
                type="basket", at=factories.now(), message_id="b1", customer_id=shop.ada.pk
            )
        ],
        source="shop",
        now=factories.now(),
    )
    found = replay.run(
        definition=drawn.draft,
        since=factories.now() - timedelta(days=7),
        until=factories.now() + timedelta(minutes=1),
        journey_id=drawn.pk,
    )
    factories.job(
        "Time machine",
        state="done",
        kind="journey.replay",
        params={"journey": drawn.pk, "days": 7, "definition": drawn.draft},
        result=found.summary(),
    )
    visitor = visit(factories.user("marketer"))
    page = visitor.go(f"/journeys/{drawn.pk}/?panel=replay")
    panel = page.locator("#j-panel")
    expect(panel).to_contain_text("Would have come in")
    expect(panel.locator(".j-nums dd").first).to_have_text("1")
    expect(page.locator('.jn[data-id="start"] .cnt')).to_have_text("1")
    assert visitor.axe() == []
    panel.get_by_role("button", name="Look back").click()
    expect(panel).to_contain_text("Waiting for a worker")
    assert visitor.errors == []


def test_numbers_of_a_live_journey_stand_on_the_map_and_lead_to_the_people(
    visit: Visit, shop: factories.Cast
) -> None:
    live = walks.walked([shop.ada, shop.ben])
    visitor = visit(factories.user("marketer"), theme="dark")
    page = visitor.go(f"/journeys/{live.pk}/")
    expect(page.locator('.jn[data-id="wait"] .cnt')).to_have_text("1 here")
    expect(page.locator(".jstats")).to_contain_text("Inside now")
    expect(page.locator("#j-changes")).to_have_text("3 changes")
    page.locator('.jn[data-id="wait"]').click()
    assert visitor.axe() == []
    page.locator("#j-panel").get_by_role("link", name="1 here now").click()
    expect(page.locator("table")).to_contain_text("Ada")
    expect(page.locator("table")).not_to_contain_text("Ben")
    assert visitor.errors == []


def test_every_kind_of_step_can_be_added_and_opens_its_form(
    visit: Visit, shop: factories.Cast
) -> None:
    drawn = journey(start={"kind": "event", "event": "basket"})
    visitor = visit(factories.user("marketer"))
    page = visitor.go(f"/journeys/{drawn.pk}/")
    opened(page)
    menu = page.locator("#m-add [data-new]")
    number = menu.count()
    for place in range(number):
        page.evaluate("document.querySelector('.plus').click()")
        wanted = menu.nth(place)
        name = wanted.locator("span").last.inner_text().split("\n")[0]
        wanted.evaluate("button => button.click()")
        expect(page.locator("#j-kind")).to_contain_text(name)
        page.keyboard.press("Escape")
        page.evaluate("document.querySelector('#j-undo').click()")
        expect(page.locator(".jn")).to_have_count(1)
    kinds = page.locator("#j-panel [data-path=kind] select")
    page.locator(".jn").click()
    for kind in ("segment_enter", "segment_leave", "date", "schedule", "api", "event"):
        kinds.select_option(kind)
        expect(kinds).to_have_value(kind)
    assert number == 22
    assert visitor.errors == []
