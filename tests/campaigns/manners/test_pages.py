"""Marketers set the rules, see what did not go out and why, and integrators read the same."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.manners import pressure, rules, unsent
from campaigns.models import Message
from campaigns.recipients import audience
from marketing.core import auth
from tests import factories
from tests.campaigns import numbers

pytestmark = pytest.mark.django_db
RULES = {
    "channel": ["", "email", "sms"],
    "days": ["1", "7", ""],
    "most": ["2", "3", " "],
    "sms-from": "20:00",
    "sms-to": "09:00",
    "email-from": "",
    "email-to": "",
}


def test_a_shop_without_rules_is_offered_the_usual_ones() -> None:
    page, address = factories.signed_in(), reverse("campaigns:sending-rules")
    assert "Nothing is limited yet" in page.get(address).content.decode()
    assert page.post(address, {"usual": "1"}).status_code == 302
    assert len(rules.current().caps) == len(rules.USUAL_CAPS)
    assert "Nothing is limited yet" not in page.get(address).content.decode()


def test_rules_are_saved_from_the_page_and_shown_again(django_assert_max_num_queries) -> None:
    page, address = factories.signed_in(), reverse("campaigns:sending-rules")
    assert page.post(address, RULES).status_code == 302
    assert rules.current().caps == (rules.Cap("", 1, 2), rules.Cap("email", 7, 3))
    assert set(rules.current().quiet) == {"sms"}
    with django_assert_max_num_queries(20):
        text = page.get(address).content.decode()
    assert 'value="20:00"' in text


def test_a_rule_that_is_none_is_told_and_what_was_typed_stays() -> None:
    page, address = factories.signed_in(), reverse("campaigns:sending-rules")
    answer = page.post(address, {**RULES, "days": ["1", "400", ""]})
    assert answer.status_code == 422
    assert "Nothing was changed" in answer.content.decode()
    assert 'value="400"' in answer.content.decode()
    assert rules.current().none


def test_whoever_only_looks_cannot_change_the_rules() -> None:
    page, address = factories.signed_in("analyst"), reverse("campaigns:sending-rules")
    assert "Save the rules" not in page.get(address).content.decode()
    assert page.post(address, RULES).status_code == 403
    assert rules.current().none


def unsent_of(**reasons: int) -> None:
    """So many skipped messages by reason, just now; one more went out and one waits."""
    run = factories.run(factories.campaign(), [factories.customer()])
    now = factories.now()
    for reason, number in reasons.items():
        for _n in range(number):
            person = factories.customer()
            state = "failed" if reason == "bounced" else "skipped"
            Message.objects.create(
                run=run, customer=person, state=state, reason=reason, queued_at=now,
                address=person.email, channel="sms" if reason == "capped" else "email",
            )  # fmt: skip
    Message.objects.create(
        run=run, customer=factories.customer("waits"), state="queued", reason="quiet",
        next_try_at=now + timedelta(hours=3), queued_at=now,
    )  # fmt: skip


def test_totals_are_by_reason_and_channel_with_what_was_meant_so_at_the_end() -> None:
    unsent_of(capped=3, holdout=5, bounced=1)
    now = factories.now() + timedelta(seconds=5)
    found = unsent.totals(since=now - timedelta(days=1), until=now)
    assert [(line.reason, line.total, line.channels, line.states) for line in found] == [
        ("capped", 3, {"sms": 3}, {"skipped": 3}),
        ("bounced", 1, {"email": 1}, {"failed": 1}),
        ("holdout", 5, {"email": 5}, {"skipped": 5}),
    ]
    assert unsent.totals(since=now, until=now + timedelta(days=1)) == []
    assert unsent.waiting() == {"quiet": 1}


def test_every_reason_has_plain_words_and_something_to_do() -> None:
    assert set(unsent.REMEDIES) == set(audience.REASONS)


def test_the_page_says_why_and_leads_to_the_people(django_assert_max_num_queries) -> None:
    unsent_of(capped=2, holdout=1)
    page = factories.signed_in("analyst")
    with django_assert_max_num_queries(20):
        text = page.get(reverse("campaigns:not-sent"), {"days": 7}).content.decode()
    assert "Had as many messages as the rules allow" in text
    assert "on purpose" in text
    found = numbers.opened(page, text)
    assert {where: pair for where, pair in found.items() if pair[0] != pair[1]} == {}
    address = reverse("campaigns:not-sent-people", args=["capped"])
    assert f"{address}?days=7&channel=sms" in found
    assert reverse("campaigns:not-sent-people", args=["quiet"]) + "?waits=1" in found
    with django_assert_max_num_queries(20):
        people = page.get(address).content.decode()
    for message in Message.objects.filter(reason="capped"):
        assert message.address in people
    assert (
        "Nobody for this reason"
        in page.get(reverse("campaigns:not-sent-people", args=["render"])).content.decode()
    )


def test_a_period_in_which_everything_went_out_says_so() -> None:
    page = factories.signed_in("analyst")
    assert "Everything went out" in page.get(reverse("campaigns:not-sent")).content.decode()


def test_a_persons_page_says_why_a_message_waits() -> None:
    unsent_of(capped=1)
    waits = Message.objects.get(state="queued")
    page = factories.signed_in("analyst")
    text = page.get(reverse("customer", args=[waits.customer_id])).content.decode()
    assert "Waits: it is a quiet hour where they are, until" in text
    capped = Message.objects.get(reason="capped")
    text = page.get(reverse("customer", args=[capped.customer_id])).content.decode()
    assert "Had as many messages as the rules allow" in text


def api(method: str, path: str, body=None, scope: str = "campaigns:write"):
    scopes = ["campaigns:read", scope] if scope != "campaigns:read" else [scope]
    _key, secret = auth.create_key(name="test", scopes=scopes, user=factories.user("integrator"))
    return getattr(Client(), method)(
        f"/api/v1/{path}",
        data=json.dumps(body) if body is not None else None,
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )


def test_rules_are_read_and_replaced_by_api() -> None:
    assert api("get", "sending-rules/").json() == {"caps": [], "quiet": {}, "updated_at": None}
    body = {
        "caps": [{"channel": "email", "days": 7, "most": 3}],
        "quiet": {"push": ["21:00", "08:00"]},
    }
    answer = api("put", "sending-rules/", body)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in body} == body
    assert api("put", "sending-rules/", body, scope="campaigns:read").status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"caps": []},
        {"caps": {}, "quiet": {}},
        {"caps": ["x"], "quiet": {}},
        {"caps": [], "quiet": []},
        {"caps": [], "quiet": {"sms": "20:00"}},
        {"caps": [], "quiet": {"sms": ["20:00"]}},
        {"caps": [{"channel": "email"}], "quiet": {}},
        {"caps": [], "quiet": {}, "more": 1},
    ],
)
def test_rules_that_are_none_are_refused_by_api(body) -> None:
    assert api("put", "sending-rules/", body).status_code == 422
    assert rules.current().none


def test_what_was_not_sent_is_told_by_api_in_total_and_one_by_one() -> None:
    unsent_of(capped=2, bounced=1)
    told = api("get", "unsent/?days=7").json()
    assert [(line["reason"], line["total"]) for line in told["lines"]] == [
        ("capped", 2),
        ("bounced", 1),
    ]
    assert told["waiting"] == {"quiet": 1}
    rows = api("get", "unsent/messages/?reason=capped").json()["data"]
    assert {row["label"] for row in rows} == {"Had as many messages as the rules allow"}
    one = api("get", f"unsent/messages/?customer_id={rows[0]['customer_id']}").json()["data"]
    assert one == [rows[0]]
    for wrong in ("days=0", "days=x", "days=367", "customer_id=x"):
        assert api("get", f"unsent/messages/?{wrong}").status_code == 422


def test_the_page_tells_how_many_people_are_at_a_limit_and_one_message_away() -> None:
    rules.save(
        caps=[{"channel": "", "days": 1, "most": 2}, {"channel": "sms", "days": 7, "most": 1}],
        quiet={},
        actor=None,
        now=factories.NOW,
    )
    now = factories.now()
    ada, ben, cleo = (factories.customer(name) for name in ("ada", "ben", "cleo"))
    for person, channel, hours in [
        (ada, "email", 1), (ada, "email", 2), (ben, "sms", 1), (cleo, "sms", 60),
        (cleo, "webhook", 1), (ben, "email", 30),
    ]:  # fmt: skip
        Message.objects.create(
            run=factories.run(factories.campaign(), []), customer=person, channel=channel,
            state="sent", claimed_at=now - timedelta(hours=hours),
        )  # fmt: skip
    assert pressure.now_at(now=now) == [
        pressure.Pressure(rules.Cap("", 1, 2), full=1, near=1),
        pressure.Pressure(rules.Cap("sms", 7, 1), full=2, near=0),
    ]
    page = factories.signed_in("analyst")
    text = page.get(reverse("campaigns:sending-pressure")).content.decode()
    assert "All together, 2 in 1 day: at the limit" in text
    assert "1 more is one message away" in text
    assert (
        reverse("campaigns:sending-pressure")
        in page.get(reverse("campaigns:sending-rules")).content.decode()
    )


def test_without_limits_nobody_is_at_one() -> None:
    assert pressure.now_at(now=factories.now()) == []
