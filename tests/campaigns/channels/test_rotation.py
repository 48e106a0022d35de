"""New keys sign once they stand in the DNS; the record of the old one is asked to stay for days."""

import re
from collections.abc import Iterator
from datetime import timedelta

import dkim as others
import pytest
from django.urls import reverse

from campaigns.channels import domains, rotation
from campaigns.messaging import dkim, signing
from campaigns.models import Domain
from marketing.core.errors import Conflict
from tests import factories
from tests.campaigns.zone import Zone

pytestmark = pytest.mark.django_db
SENDER = "hello@shop.example.com"
HOST = "{}._domainkey.shop.example.com"
MAIL = b"From: hello@shop.example.com\r\nTo: a@example.com\r\nSubject: Hi\r\n\r\nHello\r\n"


@pytest.fixture
def zone(settings) -> Iterator[Zone]:
    made = Zone()
    settings.DNS_SERVERS = [made.place]
    yield made
    made.close()


def publish(zone: Zone, key: dict, algorithm: str) -> None:
    zone.txt(HOST.format(key["selector"]), dkim.record(algorithm=algorithm, public=key["public"]))


@pytest.fixture
def shop(zone) -> Domain:
    """A domain that signs."""
    made = domains.add(name="shop.example.com", user=None, now=factories.NOW)
    for algorithm, key in made.keys.items():
        publish(zone, key, algorithm)
    return domains.check(domain_id=made.pk, now=factories.NOW)


def selectors() -> list[str]:
    """Under which names a mail of this moment is signed."""
    signer = signing.of(SENDER)
    assert signer is not None
    signed = signer.sign(MAIL, at=factories.NOW)
    return sorted(name.decode() for name in re.findall(rb"\bs=(\w+);", signed))


def is_right(zone: Zone) -> bool:
    """Whether another library finds a mail of this moment right, by what the DNS says now."""
    signer = signing.of(SENDER)
    assert signer is not None
    signed = signer.sign(MAIL, at=factories.NOW)

    def texts(name: bytes, timeout: int = 5) -> bytes | None:
        found = zone.records.get((name.decode().rstrip("."), "TXT"))
        return found[0].replace('" "', "").strip('"').encode() if found else None

    return bool(others.verify(signed, dnsfunc=texts))


def test_new_keys_sign_only_after_they_were_published_seen_and_switched_to(zone, shop) -> None:
    rotation.begin(domain_id=shop.pk, user=None, now=factories.NOW)
    found = {r.key: r for r in domains.records(domains.check(domain_id=shop.pk, now=factories.NOW))}
    assert found["rsa.next"].host == HOST.format("p2611r2")  # the month had one already
    assert (found["rsa"].state, found["rsa.next"].state) == ("good", "missing")
    with pytest.raises(Conflict, match="not seen in the DNS yet"):
        rotation.switch(domain_id=shop.pk, user=None, now=factories.NOW)
    assert selectors() == ["p2611e", "p2611r"]
    shop.refresh_from_db()
    publish(zone, shop.keys["rsa"]["next"], "rsa")
    assert rotation.is_ready(domains.check(domain_id=shop.pk, now=factories.NOW))
    assert selectors() == ["p2611e", "p2611r"]
    assert is_right(zone)
    switched = rotation.switch(domain_id=shop.pk, user=None, now=factories.NOW)
    assert selectors() == ["p2611e", "p2611r2"]  # of the kind that was published
    assert is_right(zone)
    until = (factories.NOW + timedelta(days=7)).date()
    assert rotation.retired(switched) == [(HOST.format("p2611r"), until)]
    assert "PRIVATE" not in str(switched.keys["rsa"]["retired"])


def test_the_day_of_a_former_key_is_kept_and_forgotten_a_month_after_it(zone, shop) -> None:
    for _ in range(2):
        rotation.begin(domain_id=shop.pk, user=None, now=factories.NOW)
        shop.refresh_from_db()
        publish(zone, shop.keys["rsa"]["next"], "rsa")
        domains.check(domain_id=shop.pk, now=factories.NOW)
        shop = rotation.switch(domain_id=shop.pk, user=None, now=factories.NOW)
        rotation.drop(domain_id=shop.pk, user=None)  # the newer kind was not published
    assert [host for host, _day in rotation.retired(shop)] == [
        HOST.format("p2611r"), HOST.format("p2611r2"),
    ]  # fmt: skip
    later = domains.check(domain_id=shop.pk, now=factories.NOW + timedelta(days=36))
    assert len(rotation.retired(later)) == 2
    later = domains.check(domain_id=shop.pk, now=factories.NOW + timedelta(days=38))
    assert rotation.retired(later) == []


def test_a_new_key_that_is_gone_from_the_dns_again_is_not_switched_to(zone, shop) -> None:
    rotation.begin(domain_id=shop.pk, user=None, now=factories.NOW)
    shop.refresh_from_db()
    publish(zone, shop.keys["rsa"]["next"], "rsa")
    domains.check(domain_id=shop.pk, now=factories.NOW)
    del zone.records[HOST.format("p2611r2"), "TXT"]
    admin = factories.signed_in("admin")
    page = reverse("campaigns:domain-detail", args=[shop.pk])
    act = reverse("campaigns:domain-act", args=[shop.pk])
    assert "Switch to the new keys" in admin.get(page).content.decode()
    said = admin.post(act, {"do": "switch"}, follow=True).content.decode()
    assert "The new key was not seen in the DNS yet" in said
    assert selectors() == ["p2611e", "p2611r"]


def test_keys_are_changed_by_buttons_that_say_what_comes_next(zone, shop) -> None:
    admin = factories.signed_in("admin")
    page = reverse("campaigns:domain-detail", args=[shop.pk])
    act = reverse("campaigns:domain-act", args=[shop.pk])
    assert "New DKIM key (RSA)" in admin.post(act, {"do": "renew"}, follow=True).content.decode()
    assert (
        "New keys were made already"
        in admin.post(act, {"do": "renew"}, follow=True).content.decode()
    )
    shop.refresh_from_db()
    for algorithm, key in shop.keys.items():
        publish(zone, key["next"], algorithm)
    admin.post(act, {"do": "check"})
    said = admin.post(act, {"do": "switch"}, follow=True).content.decode()
    assert "Mails are signed with the new keys from now on." in said
    assert "leave its record until" in said
    assert selectors() == ["p2611e2", "p2611r2"]
    assert factories.signed_in("marketer").post(act, {"do": "renew"}).status_code == 403
    assert admin.get(page).status_code == 200
