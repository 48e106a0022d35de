"""Double opt-in: nothing counts before the owner of the mailbox has pressed the button, once."""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from urllib.parse import urlsplit

import pytest
from django.core import signing
from django.core.cache import cache
from django.test import Client

from campaigns.messaging import transactional
from ingestion import consent
from ingestion.models import Confirmation, Consent, ConsentText, Customer, Suppression
from ingestion.privacy import confirmations, exports, preferences
from marketing.core.errors import Invalid
from tests import factories
from tests.campaigns.postbox import Postbox

pytestmark = pytest.mark.django_db
ADA = "ada@example.com"


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    cache.clear()


@pytest.fixture
def postbox(settings) -> Iterator[Postbox]:  # type: ignore[no-untyped-def]
    made = Postbox()
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", made.port
    yield made
    made.close()


def ask(address: str = ADA, **values):  # type: ignore[no-untyped-def]
    return confirmations.ask(
        address=address, **{"source": "sign-up page", "now": factories.now(), **values}
    )


def link_in(mail: bytes) -> str:
    parsed = message_from_bytes(mail, policy=policy.default)
    body = parsed.get_body(("plain",))
    assert body is not None
    found = re.search(r"https?://\S+/confirm/\S+/", body.get_content())
    assert found is not None
    return urlsplit(found[0]).path


def may(address: str = ADA) -> bool:
    person = Customer.objects.filter(email=address).first()
    return person is not None and consent.may_mail(person.pk)


def test_from_the_form_to_the_mailbox_to_consent_with_proof(postbox: Postbox) -> None:
    ConsentText.objects.create(purpose="marketing", version=1, text="Old words")
    words = ConsentText.objects.create(purpose="marketing", version=2, text="Two mails a month")
    client = Client()
    page = client.post("/subscribe/", {"email": "Ada@Example.com"})
    assert "Look into your mailbox" in page.content.decode()
    assert not may()
    assert Customer.objects.count() == 0  # strangers cannot fill the table of people
    assert transactional.send_confirmations(now=factories.now()) == 1
    assert transactional.send_confirmations(now=factories.now()) == 0
    ((to, mail),) = postbox.mails
    assert to == ADA
    assert b"Two mails a month" in mail
    assert b"List-Unsubscribe" not in mail
    path = link_in(mail)
    for _look in range(2):  # mail gateways open links: that changes nothing
        assert "Nothing has changed yet" in client.get(path).content.decode()
    assert client.head(path).status_code == 200
    assert not may()
    assert "that is confirmed" in client.post(path).content.decode()
    assert may()
    answer = Consent.objects.get()
    assert (answer.method, answer.text, answer.granted) == ("double_opt_in", words, True)
    assert answer.proof["page"] == "subscribe"
    assert "network" not in answer.proof
    again = client.post(path).content.decode()
    assert "This link does not work" in again
    assert Consent.objects.count() == 1


def test_the_network_is_kept_only_where_the_shop_wants_it_and_never_the_address(settings) -> None:
    settings.CONSENT_PROOF_NETWORK = True
    Client().post("/subscribe/", {"email": ADA}, headers={"User-Agent": "Mozilla/5.0 (X11)"})
    proof = Confirmation.objects.get().proof
    assert (proof["network"], proof["browser"]) == ("127.0.0.0/24", "Mozilla/5.0")


def test_a_pending_answer_does_not_count_and_an_old_yes_stays() -> None:
    ada = factories.customer("ada", consent=None)
    ben = factories.customer("ben")
    ask(ADA, customer=ada)
    ask(ben.email or "", customer=ben)
    assert (may(ADA), may("ben@example.com")) == (False, True)


def token(row: Confirmation | None) -> str:
    assert row is not None
    return confirmations.token_of(row)


def bad_tokens() -> dict[str, str]:
    good = token(ask())
    other = factories.customer("other")
    return {
        "empty": "x",
        "cut": good[:-2],
        "changed": f"{good[:-1]}{'A' if good[-1] != 'A' else 'B'}",
        "another purpose": preferences.token_of(customer_id=other.pk),
        "for a copy": signing.dumps(uuid.uuid4().hex, salt=exports._SALT),
        "unknown": signing.dumps(uuid.uuid4().hex, salt=confirmations._SALT),
        "no key at all": signing.dumps({"a": [1]}, salt=confirmations._SALT),
        "a number": signing.dumps(7, salt=confirmations._SALT),
        "nul": "%00",
    }


def test_a_link_that_was_not_made_here_changes_nothing_and_tells_nothing() -> None:
    client = Client()
    pages = set()
    for name, bad in bad_tokens().items():
        for send in (client.get, client.post):
            answer = send(f"/confirm/{bad}/")
            assert answer.status_code == 200, name
            pages.add(answer.content)
    assert len(pages) == 1
    assert Consent.objects.filter(method="double_opt_in").count() == 0


@pytest.mark.parametrize("page", ["preferences", "copy"])
def test_links_of_one_kind_do_not_open_pages_of_another(page: str) -> None:
    client = Client()
    for bad in (token(ask()), "x", "%00", signing.dumps("a" * 32, salt="other")):
        for send in (client.get, client.post):
            answer = send(f"/{page}/{bad}/")
            assert (answer.status_code, "does not work" in answer.content.decode()) == (200, True)


def test_a_link_runs_out() -> None:
    row = ask()
    later = factories.now() + confirmations.VALID_FOR + timedelta(seconds=1)
    assert not confirmations.confirm(token=token(row), now=later)
    assert not may()


def test_one_mail_a_day_and_the_stranger_sees_no_difference(postbox: Postbox) -> None:
    factories.customer("ben")
    client = Client()
    answers = {
        client.post("/subscribe/", {"email": address}).content
        for address in (ADA, ADA, "ben@example.com", "nobody@example.com")
    }
    assert len(answers) == 1
    assert Confirmation.objects.filter(address=ADA).count() == 1
    assert ask(now=factories.now() + timedelta(hours=23)) is None
    cache.clear()
    assert ask(now=factories.now() + timedelta(hours=25)) is not None


def test_programs_and_floods_get_nowhere() -> None:
    client = Client()
    client.post("/subscribe/", {"email": ADA, "website": "http://spam.example"})
    assert Confirmation.objects.count() == 0
    codes = [
        client.post("/subscribe/", {"email": f"p{n}@example.com"}).status_code for n in range(22)
    ]
    assert codes == [200] * 20 + [400] * 2
    assert Confirmation.objects.count() == 20
    wrong = client.post("/subscribe/", {"email": "no address\0"})
    assert wrong.status_code in (400, 422)


def test_what_is_not_an_address_or_a_purpose_is_refused() -> None:
    for values in ({"address": "x"}, {"purposes": ["spying"]}, {"purposes": []}):
        with pytest.raises(Invalid):
            ask(**{"address": ADA, **values})
    assert Confirmation.objects.count() == 0


def test_a_confirmation_ends_an_unsubscribe_but_no_complaint() -> None:
    for address, reason, expected in (
        ("ada@example.com", "unsubscribed", True),
        ("ben@example.com", "erased", True),
        ("cleo@example.com", "complained", False),
        ("dora@example.com", "manual", False),
    ):
        consent.suppress(addresses=[address], reason=reason, now=factories.now())
        assert confirmations.confirm(token=token(ask(address)), now=factories.now())
        assert may(address) is expected
    assert Suppression.objects.count() == 2


def test_who_complained_gets_no_mail_and_the_stranger_sees_no_difference(postbox: Postbox) -> None:
    client, answers = Client(), set()
    for reason in ("", "complained", "bounced", "manual", "unsubscribed", "erased"):
        address = f"{reason or 'nobody'}@example.com"
        if reason:
            consent.suppress(addresses=[address], reason=reason, now=factories.now())
        answers.add(client.post("/subscribe/", {"email": address}).content)
    consent.suppress(addresses=["hidden@example.com"], reason="complained", now=factories.now())
    consent.veil(addresses=["hidden@example.com"], channel="email", now=factories.now())
    answers.add(client.post("/subscribe/", {"email": "hidden@example.com"}).content)
    assert len(answers) == 1
    assert transactional.send_confirmations(now=factories.now()) == 3
    assert {to for to, _mail in postbox.mails} == {
        "nobody@example.com", "unsubscribed@example.com", "erased@example.com",
    }  # fmt: skip
    later = factories.now() + timedelta(hours=1)
    assert confirmations.due(now=later) == []


def test_a_refused_mailbox_is_given_up_and_a_busy_server_asked_again(postbox: Postbox) -> None:
    postbox.refuse = {ADA: "550 5.1.1 no such user", "ben@example.com": "451 4.3.0 later"}
    ask(ADA)
    ask("ben@example.com")
    now = factories.now()
    assert transactional.send_confirmations(now=now) == 0
    ada = Confirmation.objects.get(address=ADA)
    assert (ada.sent_at, ada.next_try_at) == (None, None)
    assert Suppression.objects.get().address == ADA
    postbox.refuse = {}
    assert transactional.send_confirmations(now=now) == 0  # not yet
    assert transactional.send_confirmations(now=now + timedelta(minutes=6)) == 1
    assert [to for to, _mail in postbox.mails] == ["ben@example.com"]


def test_an_unreachable_server_loses_no_mail(settings, postbox: Postbox) -> None:
    ask()
    right, settings.EMAIL_PORT = settings.EMAIL_PORT, 1
    assert transactional.send_confirmations(now=factories.now()) == 0
    settings.EMAIL_PORT = right
    later = factories.now() + timedelta(minutes=6)
    assert transactional.send_confirmations(now=later) == 1


def test_addresses_nobody_confirmed_are_forgotten() -> None:
    ask()
    assert confirmations.prune(now=factories.now() + timedelta(days=5)) == 0
    assert confirmations.prune(now=factories.now() + timedelta(days=7)) == 1


def test_people_choose_on_their_own_page_and_ask_for_their_data() -> None:
    ada = factories.customer("ada")
    consent.suppress(addresses=[ADA], reason="unsubscribed", now=factories.now())
    path = urlsplit(preferences.url_of(customer_id=ada.pk)).path
    client = Client()
    page = client.get(path).content.decode()
    assert page.count(" checked") == 2  # agreed to news, never objected to predictions
    saved = client.post(path, {"ask": "nothing"}).content.decode()
    assert "took effect at once" in saved
    assert saved.count(" checked") == 0
    answers = Consent.objects.filter(customer=ada, current=True).values_list("purpose", "granted")
    assert dict(answers) == {"marketing": False, "profiling": False}
    client.post(path, {"purpose": ["marketing", "spying"]})
    assert may()
    assert Consent.objects.get(current=True, purpose="marketing").method == "preferences"
    client.post(path, {"ask": "access"})
    client.post(path, {"ask": "access"})
    assert list(ada_requests(ada)) == ["access"]
    client.post(path, {"ask": "rectification"})  # not one of the two the page offers
    assert list(ada_requests(ada)) == ["access"]


def test_a_yes_that_ran_out_is_no_tick_and_saying_it_again_counts() -> None:
    ada = factories.customer("ada")
    Consent.objects.update(expires_at=factories.now() - timedelta(hours=1))
    path = urlsplit(preferences.url_of(customer_id=ada.pk)).path
    client = Client()
    assert [c.slug for c in preferences.choices(customer=ada) if c.granted] == ["profiling"]
    assert client.get(path).content.decode().count(" checked") == 1
    assert not may()
    client.post(path, {"purpose": ["marketing", "profiling"]})
    assert may()
    assert client.get(path).content.decode().count(" checked") == 2


def ada_requests(ada: Customer):  # type: ignore[no-untyped-def]
    from ingestion.models import PrivacyRequest

    return PrivacyRequest.objects.filter(customer=ada).values_list("kind", flat=True)


def test_people_can_sign_up_while_the_counter_is_away(settings) -> None:  # type: ignore[no-untyped-def]
    away = {"BACKEND": "django.core.cache.backends.redis.RedisCache"}
    settings.CACHES = {"default": away | {"LOCATION": "redis://127.0.0.1:1/0"}}
    assert ask(network="127.0.0.1") is not None
    assert ask(network="127.0.0.1") is None
