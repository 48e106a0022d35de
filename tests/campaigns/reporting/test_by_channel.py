"""What the pages and the API tell of a send by several channels."""

import re
from decimal import Decimal

import pytest
from django.urls import reverse

from campaigns.manners import unsent
from campaigns.models import Message, Template, Variant
from campaigns.recipients import routes
from campaigns.reporting import by_channel, costs, tallies, variants
from marketing.core import auth
from tests import factories
from tests.campaigns.recipients.test_routes import NOW, after, begun, people, planned, sent

pytestmark = pytest.mark.django_db


def test_channels_are_compared_by_people_who_had_the_choice_with_their_own_held_out():
    people(*["email sms"] * 600, *["email"] * 100, *["sms"] * 30, *[""] * 7)
    of = planned(1, 1, mode="fixed", holdout=20)
    costs.note(campaign_id=of.pk, kind="each", amount="0.1", channel="sms", user=None, now=NOW)
    run = begun(of)
    sent(run, NOW, a=0.1, b=0.3)
    failed = run.messages.filter(state="sent", channel="sms", reach="email sms").first()
    Message.objects.filter(pk=failed.pk).update(state="failed", reason="refused", sent_at=None)
    found = by_channel.of_run(run=run, now=after(30))
    assert variants.of_run(run=run, arms=tallies.of_run(run=run, until=after(30)), now=NOW) is None
    mail, text = found.ways
    going = run.messages.exclude(state="skipped")
    assert (mail.channel, mail.people, mail.free) == (
        "email", going.filter(channel="email").count(),
        going.filter(channel="email", reach="email sms").count(),
    )  # fmt: skip
    assert text.sent == going.filter(channel="sms").count() - 1
    assert (text.failed, text.clicked, text.cost) == (1, None, text.sent * Decimal("0.1"))
    assert (mail.clicked, mail.cost) == (0, 0)
    assert (mail.lacks, text.lacks, found.unreached) == ({"no_address": 7}, {"no_address": 7}, 7)
    assert found.metric == "ordered"
    (both,) = found.groups
    assert both.channels == ("email", "sms")
    assert both.held == run.messages.filter(reason="holdout", reach="email sms").count()
    assert [row.tally.people for row in both.rows] == [mail.free, text.free]
    assert [row.counted.n for row in both.rows] == [mail.free, text.free]
    assert both.rows[1].wins > 0.99
    assert both.rows[1].proven
    assert both.rows[1].lift.treated == pytest.approx(0.3, abs=0.06)
    assert both.rows[1].lift.control == 0
    why = unsent.told(run.messages.filter(reach=routes.NONE).first())
    assert why == "E-mail: No address on this channel; SMS: No address on this channel"


def test_a_campaign_of_two_channels_is_made_checked_and_read_on_its_pages_and_by_api():
    client = factories.signed_in()
    people(*["email sms"] * 60, *["email"] * 10, *[""] * 3)
    of = planned(1, mode="fixed")
    text = Template.objects.get(kind="sms")
    page = reverse("campaigns:campaign-variants", args=[of.pk])
    shown = client.get(page).content.decode()
    assert '<optgroup label="SMS">' in shown
    form = {"name": ["Mail", "Text"], "template_id": ["", str(text.pk)], "weight": ["1", "1"],
            "hour": ["", ""], "metric": "clicked", "first_percent": "50", "hours": "48",
            "rounds": "2", "floor_percent": "5", "win_percent": "95", "hypothesis": "",
            "budget": ""}  # fmt: skip
    refused = client.post(page, {**form, "mode": "bandit"})
    assert refused.status_code == 422
    assert "nobody sees them there" in refused.content.decode()
    assert client.post(page, {**form, "mode": "bandit", "metric": "ordered"}).status_code == 302
    assert Variant.objects.get(campaign=of, key="b").template_id == text.pk
    check = client.get(reverse("campaigns:campaign-check", args=[of.pk])).content.decode()
    for said in ("70 could get it by this", "60 could get it by this", "New things. STOP",
                 "60 people could get more than one"):  # fmt: skip
        assert said in check.replace("SMS: ", "").replace("E-mail: ", "")
    step = reverse("campaigns:campaign-message", args=[of.pk])
    assert "New things. STOP" in client.get(f"{step}?variant=b").content.decode()
    run = begun(of)
    sent(run, NOW, a=0.1, b=0.3)
    detail = client.get(reverse("campaigns:campaign-detail", args=[of.pk])).content.decode()
    ways = reverse("campaigns:campaign-channels", args=[of.pk])
    assert ways in detail
    shown = client.get(ways).content.decode()
    assert "Reached by each of E-mail, SMS" in " ".join(shown.split())
    assert "No channel reached 3 people" in re.sub("<[^>]+>", "", shown)
    rows = client.get(reverse("campaigns:message-list", args=[of.pk]) + "?state=skipped")
    assert "E-mail: No address on this channel" in rows.content.decode()
    assert client.get(
        reverse("campaigns:message-detail", args=[run.messages.filter(channel="sms")[0].pk])
    ).status_code == 200  # fmt: skip
    cost = {"kind": "each", "amount": "0.08", "channel": "sms"}
    client.post(reverse("campaigns:campaign-cost", args=[of.pk]), cost)
    assert of.spends.get().channel == "sms"
    _key, secret = auth.create_key(
        name="test", scopes=["campaigns:read"], user=factories.user("integrator")
    )
    asked = {"Authorization": f"Bearer {secret}"}
    told = client.get(f"/api/v1/campaigns/{of.pk}/effect/", headers=asked).json()["channels"]
    assert told["sets"][0]["reach"] == ["email", "sms"]
    assert sum(way["people"] for way in told["channels"]) == 70
    listed = client.get(f"/api/v1/campaigns/{of.pk}/messages/?state=sent", headers=asked).json()
    assert {(m["channel"], *m["reach"], m["chance"]) for m in listed["data"]} <= {
        ("email", "email", 1.0), ("email", "email", "sms", 0.5), ("sms", "email", "sms", 0.5),
    }  # fmt: skip
