"""The doors for pictures and links: forged addresses are limited, readers never."""

import base64
import hashlib
import hmac
import secrets
import uuid
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse

from campaigns.messaging import addresses
from campaigns.messaging.providers import registry
from campaigns.models import Channel, Hit
from ingestion.models import Suppression
from ingestion.privacy import preferences
from marketing.core import passing, vault
from tests.campaigns.ads.conftest import api_key
from tests.campaigns.conftest import people, started

pytestmark = pytest.mark.django_db(transaction=True)
SIZE = int(passing.FORGED[0])
TARGET = "https://shop.example/new"


@pytest.fixture(autouse=True)
def nothing_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passing, "FORGED", (passing.FORGED[0], 1e-9))  # however slow the machine is


def own() -> tuple[str, str]:
    """A picture's and a link's address as a mail has them."""
    opened, clicked, _leave = addresses.signer().tokens(uuid.uuid4().bytes)
    return f"/o/{opened}.gif", f"/c/{clicked}/{addresses.signer().tail(TARGET)}"


def forgeries(n: int) -> list[str]:
    """Guessed, changed and mixed addresses."""
    made = []
    for number in range(n):
        picture, link = own()
        other = addresses.signer().tokens(uuid.uuid4().bytes)[0]
        made.append(
            (
                f"/o/{secrets.token_urlsafe(28)[:38]}.gif",
                f"/o/{picture[3:-5]}{'A' if picture[-5] != 'A' else 'Q'}.gif",
                f"/c/{other}/{link.split('/')[-1]}",
                f"{link}x",
                f"/c/{secrets.token_urlsafe(28)}/{secrets.token_urlsafe(12)}",
            )[number % 5]
        )
    return made


def test_a_thousand_forged_addresses_leave_no_row_and_are_limited(client: Client):
    told = [client.get(path) for path in forgeries(1_000)]
    assert Hit.objects.count() == 0
    assert {answer.status_code for answer in told[:SIZE]} == {200, 404}
    assert {answer.status_code for answer in told[SIZE:]} == {429}
    assert {answer.content for answer in told[SIZE:]} == {b""}
    assert int(told[-1]["Retry-After"]) >= 1
    # One answer for all pictures, one for all links, whatever is wrong with them.
    assert len({answer.content for answer in told[:SIZE]}) == 2


def test_readers_are_served_at_the_address_of_a_forger(client: Client):
    for path in forgeries(SIZE + 1):
        client.get(path)
    for _reader in range(100):
        picture, link = own()
        assert client.get(picture).status_code == 200
        assert client.get(link)["Location"] == TARGET
    assert Hit.objects.count() == 200
    assert client.get(forgeries(1)[0]).status_code == 429


def test_somebody_elses_forgeries_count_for_nobody_else(client: Client, settings):
    def came(address: str, **more: str) -> int:
        return client.get(forgeries(1)[0], REMOTE_ADDR=address, **more).status_code

    for _time in range(SIZE):
        assert came("2001:db8::1") == 200
    # Another address of the same network of IPv6 is the same one.
    assert (came("2001:db8::2"), came("2001:db8:0:1::1"), came("192.0.2.1")) == (429, 200, 200)
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    # What a client says itself stands before what the proxy adds.
    for time in range(SIZE + 1):
        last = came("10.0.0.1", HTTP_X_FORWARDED_FOR=f"198.51.100.{time}, 203.0.113.7")
    assert last == 429
    assert came("10.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.8") == 200


def test_keys_that_are_none_are_limited_at_the_doors_of_programs_and_keys_never(client: Client):
    def post(path: str, header: str, body: object) -> int:
        answer = client.post(path, body, content_type="application/json", HTTP_AUTHORIZATION=header)
        return answer.status_code

    good = api_key("ads:write")["HTTP_AUTHORIZATION"]
    for door, body in (("hits", [{}]), ("choice", {"placement": "nowhere"})):
        passing.forget()
        path = f"/api/v1/ads/{door}/"
        told = [post(path, f"Bearer wrong{n}", body) for n in range(SIZE + 20)]
        assert (set(told[:SIZE]), set(told[SIZE:])) == ({401}, {429})
        assert {post(path, good, body) for _time in range(20)} <= {200, 404}
    passing.forget()
    told = [post("/v1/track", "", {"writeKey": f"wrong{n}"}) for n in range(SIZE + 1)]
    assert (set(told[:SIZE]), told[SIZE]) == ({401}, 429)


def test_forged_links_to_leave_are_limited_and_readers_leave_as_ever(client: Client):
    readers = people(2)
    run = started()
    paths = [
        urlsplit(addresses.of_message(message.message_id)["unsubscribe_url"]).path
        for message in run.messages.order_by("id")
    ]
    bad = [
        f"/u/{secrets.token_urlsafe(28)[:38]}",
        f"/u/{paths[0][3:-1]}{'A' if paths[0][-1] != 'A' else 'Q'}",
        f"/preferences/{secrets.token_urlsafe(20)}/",
        f"/confirm/{secrets.token_urlsafe(20)}/",
        f"/copy/{secrets.token_urlsafe(20)}/",
    ]
    told = [
        (client.post if n % 2 else client.get)(bad[n % len(bad)]).status_code
        for n in range(SIZE + 20)
    ]
    assert (set(told[:SIZE]), set(told[SIZE:])) == ({200}, {429})
    for path in paths:
        assert client.get(path).status_code == 200
        assert client.post(path).status_code == 200
    assert {row.address for row in Suppression.objects.all()} == {who.email for who in readers}
    own = preferences.token_of(customer_id=readers[0].pk)
    assert client.get(f"/preferences/{own}/").status_code == 200
    last = client.get(bad[0])
    assert (last.status_code, last.content, int(last["Retry-After"]) >= 1) == (429, b"", True)


def test_reports_that_nobody_signed_are_limited_and_signed_ones_never(client: Client):
    channel = Channel.objects.create(
        name="Texts", kind="sms", provider="sms_twilio", settings={"account": "AC1"}
    )
    channel.secrets = {"token": vault.seal(text="ours", row=registry.row_of(channel, "token"))}
    channel.save()

    def post(token: str, path: str = "") -> int:
        mac = hmac.new(token.encode(), registry.hook_url(channel).encode(), hashlib.sha1).digest()
        path = path or reverse("campaigns:channel-reports", args=[channel.public_id])
        signed = {"X-Twilio-Signature": base64.b64encode(mac).decode()}
        kind = "application/x-www-form-urlencoded"
        return client.post(path, b"", content_type=kind, headers=signed).status_code

    told = [
        post("guessed") if n % 2 else post("ours", f"/hooks/channels/{uuid.uuid4()}/")
        for n in range(SIZE + 20)
    ]
    assert (set(told[:SIZE]), set(told[SIZE:])) == ({403, 404}, {429})
    assert {post("ours") for _time in range(SIZE + 20)} == {200}
    assert post("guessed") == 429
