"""A campaign goes by the channel of its message, to those who can be reached there, once."""

import json
from datetime import timedelta

import pytest

from campaigns.channels import saving
from campaigns.messaging import delivery, subscriptions
from campaigns.models import Campaign, InboxItem, Message, Template
from campaigns.recipients import audience
from campaigns.segments import definitions
from campaigns.sending import runs
from ingestion.models import Consent, Customer
from ingestion.privacy import suppressions
from marketing.core.errors import Invalid
from tests import factories
from tests.campaigns.channels.test_api import browser
from tests.campaigns.conftest import AGREED, states
from tests.campaigns.peer import Peer, hang_up

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def peer(settings):
    made = Peer()
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{made.port}"]
    yield made
    made.close()


def channel(peer, provider, **given):
    return saving.save(
        provider=provider,
        name=provider,
        given={"url": f"{peer.url}/x", **given},
        sender=saving.Sender(from_address="+15005550006")
        if provider.startswith("sms")
        else saving.Sender(),
        user=None,
        now=factories.NOW,
    )[0]


def people(*, agree: str = "") -> list[Customer]:
    made = Customer.objects.bulk_create(
        Customer(external_id=f"p{n}", phone=f"+4915112345{n:03}", first_name=f"Person{n}")
        for n in range(5)
    )
    if agree:
        Consent.objects.bulk_create(
            Consent(customer=p, channel=agree, granted=True, source="test", at=AGREED)
            for p in made[:4]
        )
    return made


def campaign(kind: str, **parts: str) -> Campaign:
    segment = definitions.save(name="Everybody", rule={"all": []}, actor=None)
    template = Template.objects.create(name="T", kind=kind, parts=parts)
    return Campaign.objects.create(
        name="News", segment=segment, template=template, holdout_percent=0
    )


def sent(of: Campaign):
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    delivery.deliver(run_id=run.pk)
    run.refresh_from_db()
    return run


def test_an_sms_campaign_reaches_every_phone_that_agreed_once(peer):
    channel(peer, "sms_gateway")
    made = people(agree="sms")
    Customer.objects.filter(pk=made[3].pk).update(phone="0151 123")
    run = sent(campaign("sms", text="Hello {{ first_name }}. STOP to end"))
    assert states(run) == {"sent": 3, "skipped": 2}
    reasons = dict(Message.objects.filter(run=run).values_list("customer_id", "reason"))
    assert (reasons[made[3].pk], reasons[made[4].pk]) == ("no_address", "no_consent")
    got = sorted((json.loads(a.body)["to"], json.loads(a.body)["text"]) for a in peer.asked)
    assert got == [(f"+4915112345{n:03}", f"Hello Person{n}. STOP to end") for n in range(3)]
    assert {json.loads(a.body)["from"] for a in peer.asked} == {"+15005550006"}
    assert run.state == "finished"


def test_an_sms_whose_line_broke_is_never_sent_again(peer):
    channel(peer, "sms_gateway")
    people(agree="sms")
    peer.answers.append(hang_up)
    run = sent(campaign("sms", text="Hello"))
    assert states(run) == {"sent": 3, "unknown": 1, "skipped": 1}
    delivery.deliver(run_id=run.pk)
    assert len(peer.asked) == 4


def test_a_notification_goes_to_those_who_have_a_browser_that_listens(peer):
    channel(peer, "push_vapid", contact="mailto:me@shop.example")
    made = people(agree="push")
    for n in (0, 1):
        one = browser(n) | {"endpoint": f"{peer.url}/push/{n}"}
        subscriptions.keep(given=one, customer_id=made[n].pk, anonymous_id="", now=factories.NOW)
    peer.answers.extend([(201, b""), (410, b"")])
    run = sent(campaign("push", title="New", url="https://shop.example/n"))
    assert states(run) == {"sent": 1, "failed": 1, "skipped": 3}
    assert Message.objects.filter(run=run, reason="no_address").count() == 2


def test_an_inbox_campaign_is_a_row_for_everybody_known(peer):
    channel(peer, "inbox_own")
    made = people()
    Customer.objects.filter(pk=made[0].pk).update(external_id=None)
    run = sent(campaign("inbox", title="For {{ first_name }}"))
    assert states(run) == {"sent": 4, "skipped": 1}
    titles = InboxItem.objects.order_by("title").values_list("title", flat=True)
    assert list(titles) == ["For Person1", "For Person2", "For Person3", "For Person4"]


def test_no_note_reaches_whoever_wants_nothing_more_at_all_also_when_they_say_so_late(peer):
    channel(peer, "inbox_own")
    made = people()

    def no_more(person: Customer) -> None:
        suppressions.add_person(customer_id=person.pk, actor=None, now=factories.now())

    no_more(made[1])
    run = runs.start(campaign_id=campaign("inbox", title="News").pk, user=None, now=factories.now())
    runs.fill(run_id=run.pk, now=factories.now())
    assert run.messages.get(customer=made[1]).reason == "suppressed"
    no_more(made[2])
    delivery.deliver(run_id=run.pk)
    assert states(run) == {"sent": 3, "skipped": 2}
    assert run.messages.get(customer=made[2]).reason == "suppressed"


def test_a_webhook_campaign_calls_once_for_everybody_with_their_own_values(peer):
    channel(peer, "webhook_standard")
    people()
    run = sent(campaign("webhook", body='{"name": "{{ first_name }}"}'))
    assert states(run) == {"sent": 5}
    assert sorted(json.loads(a.body)["name"] for a in peer.asked) == [
        f"Person{n}" for n in range(5)
    ]
    assert len({a.headers["webhook-id"] for a in peer.asked}) == 5


def test_a_message_without_a_channel_is_refused_before_anything_is_written():
    people()
    of = campaign("sms", text="Hello")
    with pytest.raises(Invalid, match="no channel yet"):
        runs.start(campaign_id=of.pk, user=None, now=factories.now())
    assert not Message.objects.exists()


def test_the_reach_of_a_channel_is_counted_before_it_is_used(peer):
    people(agree="sms")
    of = campaign("sms", text="Hello")
    found = audience.reach(rule={"all": []}, draw=audience.draw_of(of), channel="sms")
    assert (found.total, found.reachable, found.skipped) == (5, 4, {"no_consent": 1})


def test_a_channel_that_cannot_be_reached_lets_messages_wait_and_says_why(peer):
    made = channel(peer, "sms_gateway")
    people(agree="sms")
    peer.close()
    run = sent(campaign("sms", text="Hello"))
    assert states(run) == {"queued": 4, "skipped": 1}
    made.refresh_from_db()
    assert made.failing_since is not None
    assert made.failing_since <= factories.now() + timedelta(minutes=1)
    assert run.error
