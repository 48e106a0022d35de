"""The very mail of a campaign at real mailboxes: where each copy lands, and that nothing counts."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dkim
import pytest
from django.test import Client
from django.utils import timezone

from campaigns.answers import collecting
from campaigns.channels import domains
from campaigns.messaging import contents
from campaigns.messaging import dkim as signer
from campaigns.models import Campaign, Hit, Message, SeedCopy, SeedMailbox, SeedTest
from campaigns.seeds import looking, mailboxes, sending
from campaigns.sending import runs
from ingestion.models import Consent, Customer, Event, Suppression
from marketing.core.errors import Invalid
from marketing.core.models import AuditEntry, User
from tests import factories
from tests.campaigns.conftest import campaign, people
from tests.campaigns.peers import servers

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(bool(servers.missing()), reason=servers.missing()),
]
FOLDERS = {"junked": "Junk", "sorted": "Offers"}
NAMES = ["inboxed", "late", "hello", *FOLDERS]


@pytest.fixture(scope="module")
def world() -> Iterator[servers.World]:
    made = servers.World(servers.home(), NAMES, FOLDERS)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _sends_there(world: servers.World, settings, monkeypatch) -> None:
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", world.smtp, 10
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{world.imap}", f"127.0.0.1:{world.imaps}"]
    monkeypatch.setenv("SSL_CERT_FILE", str(world.certificate))


@pytest.fixture
def user() -> User:
    return factories.user("admin")


def seed(world: servers.World, name: str, user: User, **values) -> SeedMailbox:
    given = {
        "label": name.title(), "address": f"{name}@people.test", "host": "127.0.0.1",
        "port": world.imaps, "security": "tls", "username": name, **values,
    }  # fmt: skip
    return mailboxes.save(mailbox=SeedMailbox(**given), password=servers.PASSWORD, user=user)


def draft() -> Campaign:
    made = campaign()
    made.from_name, made.from_email = "Shop", "hello@sender.test"
    made.save()
    return made


def sent(of: Campaign, user: User) -> SeedTest:
    test = sending.of_campaign(
        campaign_id=of.pk, variant="", customer_id=None, user=user, now=timezone.now()
    )
    sending.send_waiting(now=timezone.now())
    return test


def copy_of(test: SeedTest, name: str) -> SeedCopy:
    return test.copies.get(address=f"{name}@people.test")


@pytest.fixture
def seen(wait_for: Callable[..., object]) -> Callable[[SeedTest, str], SeedCopy]:
    """A copy, once it was found."""

    def look(test: SeedTest, name: str) -> SeedCopy:
        def found() -> bool:
            test.copies.filter(state="looking").update(next_look_at=timezone.now())
            looking.look(now=timezone.now())
            return copy_of(test, name).state == "found"

        wait_for(found)
        return copy_of(test, name)

    return look


def test_each_copy_is_found_where_it_lies_with_what_the_receiver_said(world, user, seen) -> None:
    people(1)
    for name in ("inboxed", *FOLDERS):
        box = seed(world, name, user)
        assert mailboxes.check(mailbox=box, now=timezone.now()) == ""
    test = sent(draft(), user)
    landed = {name: seen(test, name) for name in ("inboxed", *FOLDERS)}
    assert {name: (copy.place, copy.folder) for name, copy in landed.items()} == {
        "inboxed": ("inbox", "INBOX"),
        "junked": ("spam", "Junk"),
        "sorted": ("other", "Offers"),
    }
    copy = landed["junked"]
    assert (copy.spf, copy.dkim, copy.dmarc) == ("pass", "none", "fail")
    assert copy.authentication.startswith("mx.people.test;spf=pass smtp.mailfrom=hello@sender.test")
    assert copy.sent_at <= copy.arrived_at <= copy.looked_at
    assert SeedMailbox.objects.get(label="Junked").spam == "Junk"


def test_it_is_the_very_mail_and_nothing_that_is_done_with_it_counts(world, user) -> None:
    (person,) = people(1)
    before = Consent.objects.count()
    seed(world, "inboxed", user)
    at = len(world.mailbox("inboxed", least=0))
    test = sent(draft(), user)
    mail = world.mailbox("inboxed", least=at + 1)[-1]
    copy = copy_of(test, "inboxed")
    assert mail["Message-ID"] == copy.message_id == f"<{copy.key}@sender.test>"
    assert (mail["Subject"], mail["From"]) == ("News", "Shop <hello@sender.test>")
    assert mail["X-Seed-Copy"] == copy.key
    html = mail.get_body(("html",)).get_content()
    assert "Hello Person0" in html
    # The person's own way out does nothing here, by header, by link, by whatever is pressed.
    leave = urlsplit(mail["List-Unsubscribe"].strip("<>")).path
    reader = Client(enforce_csrf_checks=True)
    answer = reader.post(leave, {"List-Unsubscribe": "One-Click"})
    assert b"seed mailbox" in answer.content
    assert Consent.objects.count() == before
    assert not Suppression.objects.exists()
    # Its links lead on, and are not counted.
    click, target = re.search(r'href="[^"]+?(/c/[^"?]+)\?u=([^"]+)"', html).groups()
    picture = re.search(r'src="[^"]+?(/o/[^"]+)"', html)[1]
    assert reader.get(f"{click}?u={target}").headers["Location"].startswith("https://shop.example")
    assert reader.get(picture).status_code == 200
    assert Hit.objects.count() == 2
    collecting.collect(now=timezone.now() + timedelta(minutes=1))
    assert not Hit.objects.exists()
    assert not Message.objects.exists()
    assert not Event.objects.filter(customer=person).exists()
    of = test.campaign
    assert (of.state, of.runs.count()) == ("draft", 0)
    entry = AuditEntry.objects.get(action="seeds.sent")
    assert (entry.actor, entry.detail) == (user, {"mail": "News", "mailboxes": 1})


def test_its_signature_holds_though_it_is_marked(world, user) -> None:
    people(1)
    domain = domains.add(name="sender.test", user=user, now=timezone.now())
    domain.keys["rsa"]["published"], domain.signs_since = True, timezone.now()
    domain.save()
    test = SeedTest(customer=Customer.objects.get())
    of = draft()
    test.content = contents.freeze(template=of.template, sender=runs.sender(of))
    mail = sending.Writer(test).write("seed@people.test", "ab" * 16, timezone.now()).body
    assert mail.startswith(b"X-Seed-Copy: abab")
    key = domain.keys["rsa"]
    record = signer.record(algorithm="rsa", public=key["public"])
    assert dkim.verify(mail, dnsfunc=lambda _name, timeout=5: record.encode())


def test_what_is_not_there_is_looked_for_again_ever_later_and_then_given_up(
    world, user, seen
) -> None:
    people(1)
    # It goes to one mailbox, and another one is looked into.
    seed(world, "hello", user, address="late@people.test")
    test = sent(draft(), user)
    copy = copy_of(test, "late")
    assert (copy.state, copy.looks) == ("looking", 0)
    assert looking.look(now=copy.sent_at) == 0
    waits = []
    for n in range(1, 4):
        SeedCopy.objects.update(next_look_at=timezone.now())
        assert looking.look(now=timezone.now()) == 0
        copy.refresh_from_db()
        assert (copy.state, copy.looks) == ("looking", n)
        waits.append(round((copy.next_look_at - copy.looked_at).total_seconds()))
    assert waits == [5, 10, 20]
    assert looking.wait_after(30) == timedelta(minutes=10)
    # It arrives at last.
    world.mailbox("late")
    _move(world, "late", "hello")
    assert seen(test, "late").place == "inbox"
    # Another one never does.
    never = sent(draft(), user)
    never.copies.update(sent_at=timezone.now() - looking.GIVE_UP, next_look_at=timezone.now())
    looking.look(now=timezone.now())
    copy = never.copies.get()
    assert (copy.state, copy.next_look_at) == ("missing", None)


def _move(world: servers.World, source: str, target: str) -> None:
    """What the provider held back comes into the mailbox after all."""
    home = world.home / "mail"
    for part in ("cur", "new"):
        for path in (home / source / "Maildir" / part).iterdir():
            path.rename(home / target / "Maildir" / "new" / Path(path.name).name.split(":")[0])


def test_a_mailbox_whose_certificate_nobody_vouches_for_is_not_signed_in_to(
    world, user, monkeypatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    for security, port in (("tls", world.imaps), ("starttls", world.imap)):
        box = seed(world, "inboxed", user, security=security, port=port)
        trouble = mailboxes.check(mailbox=box, now=timezone.now())
        assert "certificate of 127.0.0.1" in trouble
        assert SeedMailbox.objects.get().error == trouble
        box.delete()


def test_starttls_and_wrong_passwords_and_addresses_of_this_network(world, user, settings) -> None:
    now = timezone.now()
    box = seed(world, "inboxed", user, security="starttls", port=world.imap)
    assert mailboxes.check(mailbox=box, now=now) == ""
    mailboxes.save(mailbox=box, password="no" + servers.PASSWORD, user=user)
    trouble = mailboxes.check(mailbox=box, now=now)
    assert "AUTHENTICATIONFAILED" in trouble
    assert servers.PASSWORD not in trouble
    settings.OUTBOUND_ALLOW = []
    assert "this machine or network" in mailboxes.check(mailbox=box, now=now)


def test_a_mailbox_that_does_not_open_keeps_its_copies_waiting(world, user, settings) -> None:
    people(1)
    seed(world, "inboxed", user)
    test = sent(draft(), user)
    settings.OUTBOUND_ALLOW = []
    SeedCopy.objects.update(next_look_at=timezone.now())
    looking.look(now=timezone.now())
    copy = test.copies.get()
    assert (copy.state, copy.looks) == ("looking", 1)
    assert "this machine or network" in copy.error
    # One that nobody looks into is sent to all the same.
    SeedMailbox.objects.update(host="")
    SeedCopy.objects.update(next_look_at=timezone.now())
    looking.look(now=timezone.now())
    assert test.copies.get().state == "unseen"


def test_what_the_server_refuses_says_why_and_a_dead_worker_s_copy_is_looked_for(
    world, user, settings
) -> None:
    people(1)
    seed(world, "inboxed", user, address="inboxed@elsewhere.test")
    refused = sent(draft(), user).copies.get()
    assert (refused.state, refused.sent_at) == ("refused", None)
    assert "relay not permitted" in refused.error
    settings.EMAIL_PORT = 9
    unreachable = sent(draft(), user).copies.get()
    assert unreachable.state == "refused"
    SeedCopy.objects.filter(pk=refused.pk).update(
        state="sending", sent_at=timezone.now() - sending.DEAD_AFTER * 2
    )
    sending.send_waiting(now=timezone.now())
    refused.refresh_from_db()
    assert refused.state == "looking"


def test_no_more_than_sixty_an_hour_together_with_test_mails(world, user, settings) -> None:
    people(1)
    of = draft()
    with pytest.raises(Invalid, match="no seed mailbox"):
        sent(of, user)
    for n in range(25):
        box = SeedMailbox(label=f"S{n}", address=f"s{n}@people.test")
        mailboxes.save(mailbox=box, password="", user=user)
    for _ in range(2):
        sending.of_campaign(
            campaign_id=of.pk, variant="", customer_id=None, user=user, now=timezone.now()
        )
    with pytest.raises(Invalid, match="60 tests within an hour"):
        sending.of_campaign(
            campaign_id=of.pk, variant="", customer_id=None, user=user, now=timezone.now()
        )
    assert SeedTest.objects.count() == 2
    # What was refused is not counted: ten are left.
    SeedMailbox.objects.exclude(label="S1").delete()
    for _ in range(10):
        sending.of_campaign(
            campaign_id=of.pk, variant="", customer_id=None, user=user, now=timezone.now()
        )
    with pytest.raises(Invalid):
        sending.of_campaign(
            campaign_id=of.pk, variant="", customer_id=None, user=user, now=timezone.now()
        )


def test_a_kept_password_goes_nowhere_else(user) -> None:
    given = {"label": "Gmail", "address": "seed@example.com", "host": "imap.example.com"}
    box = SeedMailbox(**given, username="seed")
    with pytest.raises(Invalid, match="password"):
        mailboxes.save(mailbox=box, password="", user=user)
    mailboxes.save(mailbox=box, password="secret-of-seed", user=user)
    assert "secret-of-seed" not in box.secret
    box.label = "Other"
    assert mailboxes.save(mailbox=box, password="", user=user).label == "Other"
    for field, value in (("host", "imap.evil.example"), ("port", 143), ("username", "x")):
        moved = SeedMailbox.objects.get()
        setattr(moved, field, value)
        with pytest.raises(Invalid, match="password"):
            mailboxes.save(mailbox=moved, password="", user=user)
    box.security = "none"
    with pytest.raises(Invalid, match="in clear"):
        mailboxes.save(mailbox=box, password="x", user=user)
    box.security, box.username = "tls", "a\r\nb LOGOUT"
    with pytest.raises(Invalid, match="one line"):
        mailboxes.save(mailbox=box, password="x", user=user)
