"""Channels are set up on their pages, tested by a message that truly goes, and keep secrets."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse

from campaigns.channels import saving
from campaigns.messaging import providers
from campaigns.messaging.providers import registry
from campaigns.messaging.providers.base import Outgoing, Unreachable, Verdict
from campaigns.models import Channel, InboxItem
from ingestion.models import Customer
from marketing.core.errors import Invalid
from tests import factories
from tests.campaigns.peer import Peer
from tests.campaigns.zone import Zone

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    user = factories.user("admin")
    client.force_login(user)
    return client


@pytest.fixture
def peer(settings):
    made = Peer()
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{made.port}"]
    yield made
    made.close()


def gateway(peer, **values):
    made = providers.load("sms_gateway")
    given = {f.name: f.default for f in made.fields} | {"url": f"{peer.url}/send", "secret": "k-77"}
    return saving.save(
        provider="sms_gateway", name="Texts", given=given | values, user=None, now=factories.NOW
    )[0]


def posted(peer, **values):
    return {
        "name": "Texts",
        "from_address": "+15005550006",
        "s_url": f"{peer.url}/send",
        "s_method": "POST",
        "s_format": "json",
        "s_body": '{"to": "{{ to }}", "text": "{{ text }}"}',
        "s_repeats": "never",
        "s_secret": "Bearer s3cret-s3cret",
        "s_header": "Authorization",
        **values,
    }


def test_a_channel_is_tested_before_it_is_saved_and_used_after(admin, peer):
    url = reverse("campaigns:channel-create", args=["sms_gateway"])
    page = admin.post(url, posted(peer, do="test", to="+49151"), headers={"HX-Request": "true"})
    assert "Sent: the provider took it." in page.content.decode()
    assert peer.asked[0].headers["authorization"] == "Bearer s3cret-s3cret"
    assert json.loads(peer.asked[0].body)["to"] == "+49151"
    assert not Channel.objects.exists()
    saved = admin.post(url, posted(peer, do="save"))
    channel = Channel.objects.get()
    shown = registry.given_to(channel)["reply_secret"]  # by which it signs what people write back
    assert shown in saved.content.decode()
    assert (
        shown
        not in admin.get(reverse("campaigns:channel-edit", args=[channel.pk])).content.decode()
    )
    assert (channel.kind, channel.is_default, channel.from_address) == ("sms", True, "+15005550006")
    found = providers.find(kind="sms")
    line = providers.open(found, kind="sms")
    sms = Outgoing("k" * 32, "", "+49151", b'{"text": "Hi"}')
    assert line.send(sms).verdict is Verdict.SENT
    channel.refresh_from_db()
    assert channel.last_ok_at is not None


def test_a_secret_is_sealed_and_no_page_shows_it(admin, peer):
    admin.post(reverse("campaigns:channel-create", args=["sms_gateway"]), posted(peer, do="save"))
    channel = Channel.objects.get()
    assert "s3cret" not in json.dumps([channel.settings, channel.secrets])
    page = admin.get(reverse("campaigns:channel-edit", args=[channel.pk])).content.decode()
    assert "s3cret-s3cret" not in page
    assert "ends in …cret" in page
    assert "s3cret" not in admin.get(reverse("campaigns:channel-list")).content.decode()


def test_a_kept_secret_never_goes_to_another_place(admin, peer):
    channel = gateway(peer)
    url = reverse("campaigns:channel-edit", args=[channel.pk])
    moved = posted(peer, s_url="https://evil.example/", s_secret="", do="save", s_header="")
    page = admin.post(url, moved)
    assert page.status_code == 422
    assert "enter it again" in page.content.decode()
    kept = admin.post(url, posted(peer, s_secret="", s_header="", do="save"))
    assert kept.status_code == 302
    assert registry.given_to(Channel.objects.get())["secret"] == "k-77"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": ""}, "required"),
        ({"from_address": "no number!"}, "such as +4915112345678"),
        ({"rate_per_second": "0"}, "above 0"),
        ({"s_url": "ftp://x"}, "http://"),
        ({"s_body": "{}"}, "text"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_their_field(admin, peer, change, words):
    page = admin.post(
        reverse("campaigns:channel-create", args=["sms_gateway"]),
        posted(peer, do="save", **change),
    )
    assert page.status_code == 422
    assert words in page.content.decode()
    assert not Channel.objects.exists()


def test_a_signing_secret_is_shown_once_and_can_be_made_anew(admin, peer):
    url = reverse("campaigns:channel-create", args=["webhook_standard"])
    page = admin.post(
        url, {"name": "CRM", "s_url": f"{peer.url}/in", "s_repeats": "dropped", "do": "save"}
    ).content.decode()
    channel = Channel.objects.get()
    first = registry.given_to(channel)["secret"]
    assert first in page
    edit = reverse("campaigns:channel-edit", args=[channel.pk])
    assert first not in admin.get(edit).content.decode()
    act = reverse("campaigns:channel-act", args=[channel.pk])
    renewed = admin.post(act, {"do": "renew"}).content.decode()
    channel.refresh_from_db()
    second = registry.given_to(channel)["secret"]
    assert second != first
    assert second in renewed


def test_one_channel_of_a_kind_is_the_default_and_another_takes_its_place(admin, peer):
    first = gateway(peer)
    second = saving.save(
        provider="sms_gateway", name="More", given={**first.settings, "secret": "x"},
        user=None, now=factories.NOW,
    )[0]  # fmt: skip
    admin.post(reverse("campaigns:channel-act", args=[second.pk]), {"do": "default"})
    assert list(Channel.objects.filter(is_default=True)) == [second]
    admin.post(reverse("campaigns:channel-act", args=[second.pk]), {"do": "remove"})
    assert list(Channel.objects.filter(is_default=True)) == [first]


def test_a_channel_that_is_off_keeps_its_messages_waiting(admin, peer):
    channel = gateway(peer)
    act = reverse("campaigns:channel-act", args=[channel.pk])
    admin.post(act, {"do": "off"})
    channel.refresh_from_db()
    with pytest.raises(Unreachable, match="turned off"):
        providers.open(channel).send(Outgoing("k", "", "+49151", b'{"text": "x"}'))
    admin.post(act, {"do": "on"})
    channel.refresh_from_db()
    assert providers.open(channel).send(
        Outgoing("k", "", "+49151", b'{"text": "x"}')
    ).verdict is Verdict.SENT  # fmt: skip


def test_a_channel_that_did_nothing_but_fail_for_days_is_turned_off(peer):
    channel = gateway(peer)
    registry.note(channel_id=channel.pk, error="500", now=factories.NOW)
    registry.note(channel_id=channel.pk, error="", now=factories.NOW + timedelta(days=3))
    registry.note(channel_id=channel.pk, error="500", now=factories.NOW + timedelta(days=4))
    registry.note(channel_id=channel.pk, error="500", now=factories.NOW + timedelta(days=8))
    channel.refresh_from_db()
    assert (channel.enabled, channel.last_error) == (True, "500")
    registry.note(channel_id=channel.pk, error="500", now=factories.NOW + timedelta(days=10))
    channel.refresh_from_db()
    assert (channel.enabled, "5 days" in channel.off_reason) == (False, True)


def test_a_test_of_an_inbox_reaches_the_person_named(admin):
    person = Customer.objects.create(external_id="ada")
    url = reverse("campaigns:channel-create", args=["inbox_own"])
    told = admin.post(url, {"do": "test", "to": "ada"}, headers={"HX-Request": "true"})
    assert "Sent" in told.content.decode()
    assert InboxItem.objects.get().customer_id == person.pk
    told = admin.post(url, {"do": "test", "to": "eve"}, headers={"HX-Request": "true"})
    assert "Nobody is known" in told.content.decode()


def test_the_page_of_a_channel_says_which_consent_counts(admin):
    for provider, words in {
        "sms_gateway": "agreed to be written to on this very channel",
        "push_vapid": "subscribing in the browser is the yes",
        "inbox_own": "nothing more on every channel gets nothing",
        "webhook_standard": "since nothing goes to the person",
    }.items():
        page = admin.get(reverse("campaigns:channel-create", args=[provider]))
        assert words in page.content.decode()


def test_who_may_not_change_settings_looks_and_no_more(client, peer):
    client.force_login(factories.user("marketer"))
    channel = gateway(peer)
    assert client.get(reverse("campaigns:channel-list")).status_code == 200
    assert client.get(reverse("campaigns:channel-edit", args=[channel.pk])).status_code == 403
    act = reverse("campaigns:channel-act", args=[channel.pk])
    assert client.post(act, {"do": "remove"}).status_code == 403
    assert client.post(reverse("campaigns:domain-list"), {"name": "x.example"}).status_code == 200
    assert Channel.objects.count() == 1


def test_a_domain_is_added_looked_at_and_removed_on_its_pages(admin, settings):
    zone = Zone()
    settings.DNS_SERVERS = [zone.place]
    added = admin.post(reverse("campaigns:domain-list"), {"name": "shop.example"})
    page = admin.get(added.url).content.decode()
    assert "v=DMARC1; p=none" in page
    assert "Not published" in page
    act = added.url + "act/"
    zone.txt("_dmarc.shop.example", "v=DMARC1; p=reject")
    assert admin.post(act, {"do": "check"}).status_code == 302
    assert "Policy: reject." in admin.get(added.url).content.decode()
    refused = admin.post(reverse("campaigns:domain-list"), {"name": "shop.example"})
    assert (refused.status_code, "here already" in refused.content.decode()) == (422, True)
    admin.post(act, {"do": "remove"})
    assert "No domain yet" in admin.get(reverse("campaigns:domain-list")).content.decode()
    zone.close()


def test_every_provider_declares_itself_whole():
    for name, made in providers.everything().items():
        assert name.startswith(f"{made.kind}_")
        assert str(made.label)
        assert str(made.about)
        names = [field.name for field in made.fields]
        assert len(names) == len(set(names))
        assert set(made.goes_to) <= {*names, "variant"}
        made_ones = {field.name for field in made.fields if field.made}
        assert made_ones == set(made.make())
        if made.hooks:
            __import__(made.hooks)


def test_an_unknown_service_is_refused():
    with pytest.raises(Invalid):
        saving.save(
            provider="email_anymail", name="x", given={"variant": "nope"},
            user=None, now=factories.NOW,
        )  # fmt: skip
