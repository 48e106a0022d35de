"""Mail through real servers and back: read over IMAP, left by its header, and bounced."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from campaigns.answers import boxes
from campaigns.messaging import delivery
from campaigns.models import Message, ReturnBox
from ingestion.models import Consent, Customer, Suppression
from tests import factories
from tests.campaigns.conftest import AGREED, campaign, started
from tests.campaigns.peers import servers

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(bool(servers.missing()), reason=servers.missing()),
]


@pytest.fixture(scope="module")
def world():
    made = servers.World(servers.home(), ["hello", "ann", "bob"])
    yield made
    made.close()


@pytest.fixture
def sent(world: servers.World, settings) -> dict[str, Message]:
    """A campaign to two mailboxes that exist and one that does not."""
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", world.smtp, 10
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{world.imap}"]
    for name in ("ann", "bob", "nobody"):
        person = Customer.objects.create(email=f"{name}@people.test", first_name=name.title())
        Consent.objects.create(customer=person, granted=True, source="test", at=AGREED)
    draft = campaign()
    draft.from_name, draft.from_email = "Shop", "hello@sender.test"
    draft.save()
    run = started(draft)
    done = delivery.deliver(run_id=run.pk)
    assert done.sent == 3  # the server takes all of them first, as many do
    return {message.address.partition("@")[0]: message for message in run.messages.all()}


def test_mail_goes_to_real_mailboxes_and_comes_back_from_those_that_do_not_exist(
    world: servers.World, sent: dict[str, Message]
) -> None:
    (mail,) = world.mailbox("ann")
    assert mail["From"] == "Shop <hello@sender.test>"
    assert mail["Message-ID"] == f"<{sent['ann'].message_id}@sender.test>"
    assert "Hello Ann" in mail.get_body(("plain",)).get_content()
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    # One POST to the address in the received header, without cookies: gone for good.
    leave = urlsplit(mail["List-Unsubscribe"].strip("<>")).path
    answer = Client(enforce_csrf_checks=True).post(leave, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert Suppression.objects.get(reason="unsubscribed").address == "ann@people.test"

    # The bounce arrives in the sender's own mailbox and is read from there.
    world.mailbox("hello")
    box = boxes.save(
        box=ReturnBox(
            name="Returned", host="127.0.0.1", port=world.imap, security="none", username="hello"
        ),
        password=servers.PASSWORD,
        user=factories.user("admin"),
    )
    assert boxes.check(box=box) == ""
    assert boxes.read(box_id=box.pk, now=timezone.now()) == 1
    bounced = Message.objects.get(pk=sent["nobody"].pk)
    assert (bounced.state, bounced.bounce) == ("sent", "mailbox")
    assert Suppression.objects.get(reason="bounced").address == "nobody@people.test"
    assert bounced.returned.get().status == "5.1.1" or bounced.returned.get().cause == "mailbox"

    # What was read is not read again, and a mailbox that moved its numbers on is read anew.
    assert boxes.read(box_id=box.pk, now=timezone.now()) == 0
    ReturnBox.objects.filter(pk=box.pk).update(validity=1)
    assert boxes.read(box_id=box.pk, now=timezone.now()) == 1
    assert bounced.returned.count() == 1
    assert Message.objects.get(pk=sent["bob"].pk).bounced_at is None


def test_a_box_that_cannot_be_opened_says_why_and_tries_again(
    world: servers.World, wait_for: Callable[..., object], settings
) -> None:
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{world.imap}"]
    box = boxes.save(
        box=ReturnBox(
            name="Wrong", host="127.0.0.1", port=world.imap, security="none", username="hello"
        ),
        password="no" + servers.PASSWORD,
        user=factories.user("admin"),
    )
    assert boxes.read(box_id=box.pk, now=timezone.now()) == 0
    box.refresh_from_db()
    assert "AUTHENTICATIONFAILED" in box.error
    assert servers.PASSWORD not in box.error
    assert box.checked_at is not None
    assert Path(world.home, "log", "dovecot").exists()
    boxes.save(box=box, password=servers.PASSWORD, user=factories.user("admin"))

    def opened() -> bool:  # a busy mail server may answer that it cannot just now
        boxes.read(box_id=box.pk, now=timezone.now())
        box.refresh_from_db()
        return box.error == ""

    wait_for(opened)
