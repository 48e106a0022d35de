"""Pages of seed mailboxes: who may set them up, who may send to them, and what is shown."""

import pytest
from django.urls import reverse

from campaigns.models import Channel, SeedCopy, SeedMailbox, SeedTest, Template
from campaigns.seeds import mailboxes, sending
from tests import factories
from tests.campaigns.conftest import MJML, campaign, people

pytestmark = pytest.mark.django_db
BOX = {
    "label": "Gmail", "address": "seed@example.com", "host": "127.0.0.1", "port": "1",
    "security": "tls", "username": "seed", "inbox": "INBOX", "spam": "", "enabled": "on",
}  # fmt: skip


def seed(**values) -> SeedMailbox:
    given = {"label": "Own", "address": "own@example.com", **values}
    return mailboxes.save(mailbox=SeedMailbox(**given), password="", user=factories.user("admin"))


def test_an_admin_adds_a_mailbox_whose_password_is_never_shown_again() -> None:
    client = factories.signed_in("admin")
    page = reverse("campaigns:seed-list")
    said = client.post(page, {**BOX, "password": "open-sesame"}, follow=True).content.decode()
    assert "Saved, but the mailbox does not open" in said
    assert "this machine or network" in said
    box = SeedMailbox.objects.get()
    assert "open-sesame" not in box.secret + said
    edit = reverse("campaigns:seed-edit", args=[box.pk])
    assert "open-sesame" not in client.get(edit).content.decode()
    client.post(edit, {**BOX, "label": "Web.de", "spam": "Spamverdacht"})
    changed = SeedMailbox.objects.get()
    assert (changed.label, changed.spam, changed.secret) == ("Web.de", "Spamverdacht", box.secret)
    answer = client.post(edit, {**BOX, "host": "imap.evil.example"})
    assert answer.status_code == 422
    assert "Give the password of the mailbox." in answer.content.decode()
    assert SeedMailbox.objects.get().host == "127.0.0.1"
    client.post(reverse("campaigns:seed-remove", args=[box.pk]))
    assert not SeedMailbox.objects.exists()


def test_a_marketer_looks_at_mailboxes_and_changes_none() -> None:
    seed()
    client = factories.signed_in("marketer")
    page = reverse("campaigns:seed-list")
    shown = client.get(page).content.decode()
    assert "own@example.com" in shown
    assert "Add a mailbox" not in shown
    assert client.post(page, {**BOX, "password": "x"}).status_code == 403
    assert SeedMailbox.objects.count() == 1


def test_one_press_at_the_check_sends_the_variant_and_leads_to_where_it_lands() -> None:
    people(2)
    of, client = campaign(), factories.signed_in("marketer")
    address = reverse("campaigns:campaign-seeds", args=[of.pk])
    assert "An admin adds them" in client.get(address).content.decode()
    assert "no seed mailbox" in client.post(address, follow=True).content.decode()
    seed()
    assert "1 seed mailbox," in client.get(address).content.decode()
    chosen = people(1, prefix="chosen")[0]
    answer = client.post(address, {"person": chosen.pk, "variant": "zzz"})
    test = SeedTest.objects.get()
    assert answer.url == reverse("campaigns:seed-test", args=[test.pk])
    assert (test.campaign, test.customer, test.title) == (of, chosen, "News")
    assert test.content["utm"]["campaign"] == "news"
    shown = client.get(answer.url).content.decode()
    assert "Waits to be sent" in shown
    assert (
        "hx-get" in client.get(reverse("campaigns:seed-results", args=[test.pk])).content.decode()
    )
    assert "awaited 1" in client.get(address).content.decode()


def test_the_editor_sends_what_is_in_it_saved_or_not() -> None:
    people(1)
    seed()
    client = factories.signed_in("marketer")
    written = {"name": "Letter", "subject": "Hi {{ first_name }}", "preheader": "", "mjml": MJML}
    address = reverse("campaigns:template-seeds")
    said = client.post(address, {**written, "written_in": "mjml"}).content.decode()
    test = SeedTest.objects.get()
    assert reverse("campaigns:seed-test", args=[test.pk]) in said
    assert test.template is None
    assert test.content["template"]["subject"] == "Hi {{ first_name }}"
    bad = {**written, "subject": "Hi {{ last_name }}", "written_in": "mjml"}
    assert "last_name is missing" in client.post(address, bad).content.decode()
    assert SeedTest.objects.count() == 1


def test_other_messages_than_mails_and_other_roles_send_nothing() -> None:
    people(1)
    seed()
    of = campaign()
    address = reverse("campaigns:campaign-seeds", args=[of.pk])
    for role in ("analyst", "integrator"):
        client = factories.signed_in(role)
        assert client.post(address).status_code == 403
        assert client.post(reverse("campaigns:template-seeds")).status_code == 403
    of.template = Template.objects.create(name="T", kind=Channel.Kind.SMS, parts={"text": "Hi"})
    of.save()
    said = factories.signed_in("marketer").post(address, follow=True).content.decode()
    assert "Only mails" in said
    assert not SeedTest.objects.exists()


def test_pages_ask_little_however_many_tests_there_were(django_assert_max_num_queries) -> None:
    people(1)
    for n in range(3):
        seed(address=f"s{n}@example.com")
    of, user = campaign(), factories.user("marketer")
    tests = [
        sending.of_campaign(
            campaign_id=of.pk, variant="", customer_id=None, user=user, now=factories.now()
        )
        for _ in range(8)
    ]
    SeedCopy.objects.filter(test=tests[0]).update(state="found", place="spam")
    client = factories.signed_in("marketer")
    for name, args in (("seed-list", []), ("seed-test", [tests[-1].pk])):
        with django_assert_max_num_queries(14):
            assert "spam 3" in client.get(reverse(f"campaigns:{name}", args=args)).content.decode()
