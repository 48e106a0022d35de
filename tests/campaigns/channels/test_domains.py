"""A domain is checked by asking the DNS, and its mails are signed once its keys stand there."""

from collections.abc import Iterator
from datetime import timedelta

import dkim as others
import pytest
from django.urls import reverse
from django.utils import translation

from campaigns.channels import domains, spf
from campaigns.messaging import delivery, dkim, signing
from campaigns.models import Channel, Domain
from marketing.core.errors import Conflict, Invalid
from tests import factories
from tests.campaigns.conftest import people, started
from tests.campaigns.zone import Zone

pytestmark = pytest.mark.django_db


@pytest.fixture
def zone(settings) -> Iterator[Zone]:
    made = Zone()
    settings.DNS_SERVERS = [made.place]
    yield made
    made.close()


@pytest.fixture
def shop() -> Domain:
    return domains.add(name="Shop.Example.com", user=None, now=factories.NOW)


def publish(zone: Zone, domain: Domain, *algorithms: str) -> None:
    for algorithm in algorithms or dkim.ALGORITHMS:
        key = domain.keys[algorithm]
        zone.txt(
            f"{key['selector']}._domainkey.{domain.name}",
            dkim.record(algorithm=algorithm, public=key["public"]),
        )


def look(domain: Domain) -> dict[str, domains.Record]:
    checked = domains.check(domain_id=domain.pk, now=factories.NOW)
    return {record.key: record for record in domains.records(checked)}


def smtp(**values) -> Channel:
    return Channel.objects.create(
        name="Mail",
        kind="email",
        provider="email_smtp",
        settings={"host": "mx.shop.example.com"},
        from_address="hello@shop.example.com",
        **values,
    )


def test_a_new_domain_says_what_to_publish_and_signs_nothing_before(zone, shop):
    found = look(shop)
    assert found["rsa"].host == "p2611r._domainkey.shop.example.com"
    assert found["rsa"].value.startswith("v=DKIM1; k=rsa; p=MII")
    assert found["ed25519"].host == "p2611e._domainkey.shop.example.com"
    assert found["spf"].value == "v=spf1 mx ~all"
    assert found["dmarc"].host == "_dmarc.shop.example.com"
    assert found["dmarc"].value == "v=DMARC1; p=none; rua=mailto:dmarc@shop.example.com"
    assert {record.state for record in found.values()} == {"missing"}
    assert signing.of("hello@shop.example.com") is None
    assert domains.state_of(Domain.objects.get()) == "missing"


def test_a_published_domain_is_good_and_signs_for_itself_and_what_is_under_it(zone, shop):
    smtp()
    publish(zone, shop)
    zone.a("mx.shop.example.com", "203.0.113.9")
    zone.txt("shop.example.com", "v=spf1 ip4:203.0.113.0/24 -all")
    zone.txt("shop.example.com", "something else")
    zone.txt("_dmarc.example.com", "v=DMARC1; p=quarantine")
    found = look(shop)
    assert {key: record.state for key, record in found.items()} == dict.fromkeys(found, "good")
    assert found["dmarc"].message == "Policy: quarantine."
    shop.refresh_from_db()
    assert (shop.signs_since, domains.state_of(shop)) == (factories.NOW, "good")
    assert signing.of("Hello@News.shop.example.com") is not None
    assert signing.of("hello@example.com") is None


def test_a_key_that_is_gone_stops_signing_and_silence_does_not(zone, shop):
    publish(zone, shop, "rsa")
    look(shop)
    zone.silent = {f"{shop.keys['rsa']['selector']}._domainkey.shop.example.com"}
    assert look(shop)["rsa"].state == "unknown"
    assert signing.of("a@shop.example.com") is not None
    zone.silent = set()
    zone.records.clear()
    zone.txt(f"{shop.keys['rsa']['selector']}._domainkey.shop.example.com", "v=DKIM1; p=AAAA")
    found = look(shop)
    assert (found["rsa"].state, found["rsa"].found) == ("wrong", "v=DKIM1; p=AAAA")
    assert signing.of("a@shop.example.com") is None


@pytest.mark.django_db(transaction=True)
def test_a_campaigns_mail_is_signed_by_the_published_keys_and_others_find_it_right(
    zone, shop, postbox, settings
):
    settings.DEFAULT_FROM_EMAIL = "hello@shop.example.com"
    publish(zone, shop)
    look(shop)
    people(1)
    run = started()
    delivery.deliver(run_id=run.pk)
    mail = postbox.mails[0][1]

    def texts(name: bytes, timeout: int = 5) -> bytes | None:
        found = zone.records.get((name.decode().rstrip("."), "TXT"))
        return found[0].replace('" "', "").strip('"').encode() if found else None

    for index in range(2):
        assert others.DKIM(mail).verify(idx=index, dnsfunc=texts)
    assert b"list-unsubscribe-post" in mail.partition(b"bh=")[0]


@pytest.mark.parametrize(
    ("record", "state", "words"),
    [
        ("v=spf1 ip4:198.51.100.0/24 -all", "wrong", "mx.shop.example.com (203.0.113.9)"),
        ("v=spf1 a:mx.shop.example.com -all", "good", "allows"),
        ("v=spf1 include:loop.example -all", "wrong", "10 look-ups"),
        ("v=spf1 include:none.example -all", "wrong", "has no record"),
        ("v=spf1 frog:1 -all", "wrong", "frog:1 is not known"),
        ("v=spf1 redirect=good.example", "good", "allows"),
    ],
)
def test_the_record_of_senders_is_read_as_a_receiver_reads_it(zone, shop, record, state, words):
    smtp()
    zone.a("mx.shop.example.com", "203.0.113.9")
    zone.txt("loop.example", "v=spf1 include:loop.example ~all")
    zone.txt("good.example", "v=spf1 ip4:203.0.113.9 ~all")
    zone.txt("shop.example.com", record)
    found = look(shop)["spf"]
    assert found.state == state
    assert words in found.message


def test_a_record_that_leaves_our_server_out_is_shown_mended(zone, shop):
    smtp()
    zone.a("mx.shop.example.com", "203.0.113.9")
    zone.txt("shop.example.com", "v=spf1 include:other.example -all")
    zone.txt("other.example", "v=spf1 -all")
    found = look(shop)["spf"]
    assert found.value == "v=spf1 include:other.example a:mx.shop.example.com -all"
    assert spf.mended(found.value, "a:mx.shop.example.com") == found.value


def test_two_records_and_a_record_without_a_policy_are_wrong(zone, shop):
    zone.txt("shop.example.com", "v=spf1 -all")
    zone.txt("shop.example.com", "v=spf1 ~all")
    zone.txt("_dmarc.shop.example.com", "v=DMARC1; rua=mailto:x@shop.example.com")
    found = look(shop)
    assert (found["spf"].state, found["dmarc"].state) == ("wrong", "wrong")
    assert "two records" in found["spf"].message


@pytest.mark.parametrize("name", ["", "localhost", "a b.example", "-x.example", "x.example/y"])
def test_what_is_no_domain_is_refused(name):
    with pytest.raises(Invalid):
        domains.add(name=name, user=None, now=factories.NOW)


def test_a_domain_is_kept_once_and_an_address_names_its_own(shop):
    with pytest.raises(Conflict, match="here already"):
        domains.add(name="me@shop.example.com", user=None, now=factories.NOW)
    assert (
        domains.add(name="köln.example", user=None, now=factories.NOW).name == "xn--kln-sna.example"
    )


def test_a_domain_is_shown_as_people_read_it_and_as_it_is_called(client):
    client.force_login(factories.user("admin"))
    own = domains.add(name="köln.example", user=None, now=factories.NOW)
    both = "köln.example (xn--kln-sna.example)"
    assert both in client.get(reverse("campaigns:domain-list")).content.decode()
    page = client.get(reverse("campaigns:domain-detail", args=[own.pk])).content.decode()
    assert page.count(both) >= 3
    assert 'value="_dmarc.xn--kln-sna.example"' in page  # what is published is called
    with pytest.raises(Conflict, match=r"köln.example \(xn--kln-sna.example\) is here already"):
        domains.add(name="köln.example", user=None, now=factories.NOW)


def test_a_sender_on_a_foreign_domain_is_signed_by_its_keys(shop):
    own = domains.add(name="straße.example", user=None, now=factories.NOW)
    assert (own.name, domains.host_of("a@Straße.example.")) == ("xn--strae-oqa.example",) * 2
    own.keys["rsa"]["published"], own.signs_since = True, factories.NOW
    own.save()
    assert signing.of("news@straße.example") is not None
    assert signing.of("news@strasse.example") is None
    assert (domains.host_of("a@i❤.example"), signing.of("a@i❤.example")) == ("", None)


def test_a_private_key_lies_sealed_and_opens_for_its_own_domain_alone(shop):
    assert "PRIVATE" not in str(shop.keys)
    other = domains.add(name="other.example", user=None, now=factories.NOW)
    other.keys["rsa"]["private"] = shop.keys["rsa"]["private"]
    other.keys["rsa"]["published"] = True
    other.signs_since = factories.NOW
    other.save()
    with pytest.raises(Exception, match="cannot be opened"):
        signing.of("a@other.example")


def test_domains_are_looked_at_again_twice_a_day(zone, shop):
    assert domains.check_due(now=factories.NOW) == 1
    assert domains.check_due(now=factories.NOW + timedelta(hours=11)) == 0
    assert domains.check_due(now=factories.NOW + timedelta(hours=13)) == 1


@pytest.mark.parametrize(
    ("host", "value"),
    [
        ("mx.shop.example.com", "v=spf1 a:mx.shop.example.com ~all"),
        ("198.51.100.7", "v=spf1 mx ~all"),  # kept for examples, so it is nobody's server
        ("8.8.8.8", "v=spf1 ip4:8.8.8.8 ~all"),
        ("2606:4700::1111", "v=spf1 ip6:2606:4700::1111 ~all"),
        ("127.0.0.1", "v=spf1 mx ~all"),
        ("localhost", "v=spf1 mx ~all"),
    ],
)
def test_the_record_names_the_server_that_mails_leave_by(shop, host, value):
    smtp()
    Channel.objects.update(settings={"host": host})
    assert {r.key: r.value for r in domains.records(shop)}["spf"] == value


def test_what_was_found_is_told_to_each_in_their_own_language(zone, shop):
    with translation.override("zh-hans"):
        told = look(shop)["rsa"].message
        assert told == translation.gettext("Nothing is published under this name yet.")
    assert told != "Nothing is published under this name yet."
    shop.refresh_from_db()
    with translation.override("en"):
        found = {record.key: record.message for record in domains.records(shop)}
    assert found["rsa"] == "Nothing is published under this name yet."
