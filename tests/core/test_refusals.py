"""Admins read in the trail who was tried at the door; nobody floods it, and it holds no secret."""

import json
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from marketing.core import audit, factors, refusals
from marketing.core.models import AuditEntry, RefusedSignIn, User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> User:
    cache.clear()
    return factories.user("marketer", username="ada")


def tried(
    name: str, password: str, *, address: str = "198.51.100.7", door: str = "/login/"
) -> None:
    Client(REMOTE_ADDR=address).post(door, {"username": name, "password": password})


def told() -> list[tuple[str, str]]:
    rows = AuditEntry.objects.filter(action=refusals.ACTION).order_by("id")
    return [(row.object_label or refusals.unknown(row), refusals.explain(row)) for row in rows]


def test_a_guesser_is_told_at_once_and_counted_when_the_quarter_of_an_hour_is_over(ada) -> None:
    for n in range(5 + 9):
        tried("Ada", f"guess {n}")
    assert told() == [
        ("ada", "1 wrong password from 198.51.100.7."),
        ("ada", "1 try was not looked at, after too many wrong ones from 198.51.100.7."),
    ]
    assert refusals.tell(now=factories.now()) == 0
    later = factories.now() + refusals.WINDOW
    assert refusals.tell(now=later) == 2
    counts = list(
        AuditEntry.objects.filter(action=refusals.ACTION).order_by("id").values_list(
            "detail__why", "detail__tries"
        )
    )  # fmt: skip
    assert counts[2:] == [("password", 4), ("held_back", 7)]
    assert "the first at" in told()[2][1]
    assert refusals.tell(now=later) == 0
    assert not RefusedSignIn.objects.exists()


def test_what_was_typed_is_kept_nowhere(ada) -> None:
    tried("my secret in the wrong field", "pass-1")
    tried("ada", "pass-2")
    kept = json.dumps(list(AuditEntry.objects.values()), default=str)
    kept += json.dumps(list(RefusedSignIn.objects.values()), default=str)
    assert not any(text in kept for text in ("secret", "pass-1", "pass-2"))
    assert [what for what, _said in told()] == ["unknown account", "ada"]


def test_many_names_and_many_addresses_add_few_entries(ada) -> None:
    for n in range(30):
        address = f"198.51.{n}.7"
        refusals.note(account=None, address=address, why=refusals.PASSWORD, now=factories.NOW)
        refusals.note(account=ada, address=address, why=refusals.PASSWORD, now=factories.NOW)
    refusals.tell(now=factories.NOW + timedelta(hours=1))
    for account in ("unknown account", "ada"):
        said = [text for what, text in told() if what == account]
        assert len(said) == refusals.ADDRESSES + 2
        assert said[-1].startswith("19 wrong passwords from other addresses; ")


def test_a_wrong_second_factor_and_a_door_that_is_not_ones_own_are_told_apart(ada) -> None:
    tried("ada", factories.PASSWORD, door="/admin/login/")
    factors.begin(user=ada, now=factories.now())
    ada.second_factor.confirmed_at = factories.now()
    ada.second_factor.save()
    client = Client(REMOTE_ADDR="2001:db8::5")
    client.post("/login/", {"username": "ada", "password": factories.PASSWORD})
    for _n in range(6):
        client.post(reverse("code"), {"code": "000000"})
    assert [text for _what, text in told()] == [
        "1 try at the admin's door by an account that may not use it from 198.51.100.7.",
        "1 wrong code after the right password from 2001:db8::/64.",
        "1 try was not looked at, after too many wrong ones from 2001:db8::/64.",
    ]


def test_the_password_that_is_asked_for_again_is_told_of_whoever_is_signed_in(ada) -> None:
    client = Client()
    client.force_login(ada)
    client.post(reverse("core:confirm"), {"password": "wrong"})
    assert told() == [("ada", "1 wrong password when it was asked for again from 127.0.0.1.")]
    assert AuditEntry.objects.get(action=refusals.ACTION).actor == ada


def test_an_admin_finds_them_on_the_page_in_plain_words(ada) -> None:
    tried("nobody", "wrong")
    audit.record(actor=None, action="segment.saved")
    client = factories.signed_in("admin", username="grace")
    page = client.get(reverse("core:audit")).content.decode()
    assert f'href="?action={refusals.ACTION}"' in page
    page = client.get(reverse("core:audit") + f"?action={refusals.ACTION}").content.decode()
    for text in ("not signed in", "unknown account", "1 wrong password from 198.51.100.7."):
        assert text in page
    assert "segment.saved" not in page
