"""After the password comes a code: at every door, once each, and guessed five times at most."""

from datetime import timedelta

import pyotp
import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from marketing.core import auth, factors, vault
from marketing.core.errors import Invalid
from marketing.core.models import AuditEntry, SecondFactor, User
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.now()


@pytest.fixture
def ada() -> User:
    cache.clear()
    return factories.user("admin", username="ada", is_staff=True)


def code_of(user: User, *, ahead: int = 0) -> str:
    secret = factors.secret_of(SecondFactor.objects.get(user=user))
    return pyotp.TOTP(secret).at(factories.now() + timedelta(seconds=30 * ahead))


def enrolled(user: User) -> list[str]:
    """Set up with a code of a minute ago, so that the present ones are unused."""
    factors.begin(user=user, now=NOW)
    before = factories.now() - timedelta(seconds=60)
    code = pyotp.TOTP(factors.secret_of(SecondFactor.objects.get(user=user))).at(before)
    return factors.confirm(user=user, code=code, now=before)


def password(client: Client, door: str = "/login/", word: str = factories.PASSWORD) -> str:
    answer = client.post(door, {"username": "ada", "password": word, "next": "/jobs/"})
    return answer.headers.get("Location", "")


def gave(client: Client, code: str) -> int:
    return client.post(reverse("code"), {"code": code, "next": "/jobs/"}).status_code


@pytest.mark.parametrize("door", ["/login/", "/admin/login/"])
def test_the_password_alone_opens_no_page_no_api_and_no_admin(ada: User, door: str) -> None:
    enrolled(ada)
    client = Client()
    assert password(client, door) == "/jobs/"
    assert client.get("/jobs/")["Location"] == "/login/code/?next=%2Fjobs%2F"
    assert client.get("/admin/")["Location"] == "/login/code/?next=%2Fadmin%2F"
    assert client.get("/login/")["Location"] == "/login/code/"
    assert client.get("/api/v1/jobs/").status_code == 401
    assert client.post(reverse("core:theme"), {"theme": "dark"})["Location"] == "/login/code/"
    assert client.post(reverse("core:factor"), {"do": "begin"})["Location"] == "/login/code/"
    answer = client.post(reverse("code"), {"code": code_of(ada), "next": "/jobs/"})
    assert answer["Location"] == "/jobs/"
    assert client.get("/jobs/").status_code == client.get("/admin/").status_code == 200
    client.post("/logout/")
    assert client.get("/jobs/")["Location"].startswith("/login/?")


def test_a_code_counts_once_and_so_does_a_spare_one(ada: User) -> None:
    spare = enrolled(ada)
    code, first, second = code_of(ada), Client(), Client()
    password(first)
    password(second)
    assert (gave(first, code), gave(second, code)) == (302, 422)
    assert gave(second, spare[0].lower().replace("-", " ")) == 302
    third = Client()
    password(third)
    assert gave(third, spare[0]) == 422
    assert AuditEntry.objects.get(action="factor.spare_used").detail == {"left": 9}


def test_five_wrong_codes_hold_the_account_however_often_the_password_is_given(ada: User) -> None:
    enrolled(ada)
    for _n in range(5):
        client = Client(REMOTE_ADDR=f"203.0.113.{_n}")
        password(client)
        assert gave(client, "000000") == 422
    client = Client(REMOTE_ADDR="203.0.113.99")
    password(client)
    assert gave(client, code_of(ada)) == 422
    assert "Too many wrong codes" in client.post(reverse("code"), {"code": "1"}).content.decode()
    later = factories.now() + timedelta(minutes=16)
    with pytest.raises(Invalid, match="not right"):
        factors.check(user=ada, code="000000", now=later)
    later_code = pyotp.TOTP(factors.secret_of(SecondFactor.objects.get(user=ada))).at(later)
    factors.check(user=ada, code=later_code, now=later)
    assert SecondFactor.objects.get(user=ada).tries == 0


def test_a_new_password_does_not_skip_it(ada: User) -> None:
    enrolled(ada)
    client = Client()
    password(client)
    gave(client, code_of(ada))
    ada.set_password("another horse battery")
    ada.save()
    assert client.get("/jobs/")["Location"].startswith("/login/?")
    password(client, word="another horse battery")
    assert client.get("/jobs/")["Location"].startswith("/login/code/")


def test_it_is_set_up_with_the_password_and_a_first_code_and_turned_off_with_one(ada: User) -> None:
    client, other, page = Client(), Client(), reverse("core:factor")
    client.force_login(ada)
    other.force_login(ada)
    assert client.post(page, {"do": "begin"})["Location"].startswith("/settings/confirm/?")
    client.post(reverse("core:confirm"), {"password": factories.PASSWORD})
    client.post(page, {"do": "begin"})
    shown = client.get(page).content.decode()
    row = SecondFactor.objects.get(user=ada)
    secret = factors.secret_of(row)
    assert " ".join(secret[n : n + 4] for n in range(0, 32, 4)) in shown
    assert "otpauth://totp/" in shown
    assert "data:image/svg+xml" in shown
    assert secret not in row.secret
    assert client.post(page, {"do": "confirm", "code": "000000"}).status_code == 422
    assert other.get("/jobs/").status_code == 200  # not on yet
    answer = client.post(page, {"do": "confirm", "code": code_of(ada)})
    spare = answer.context["spare"]
    assert len(set(spare)) == 10
    assert not set(spare) & set(SecondFactor.objects.get(user=ada).recovery)
    assert client.get("/jobs/").status_code == 200
    assert other.get("/jobs/")["Location"].startswith("/login/code/")
    renewed = client.post(page, {"do": "spare"}).context["spare"]
    assert client.post(page, {"do": "off", "code": spare[0]}).status_code == 422
    assert client.post(page, {"do": "off", "code": renewed[0]}).status_code == 302
    assert not SecondFactor.objects.exists()
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == [
        "factor.on", "factor.spare_renewed", "factor.spare_used", "factor.off"
    ]  # fmt: skip


def test_an_admin_takes_away_what_somebody_lost_and_nobody_else_does(ada: User) -> None:
    ben = factories.user("marketer", username="ben")
    enrolled(ben)
    url = reverse("core:factor-reset", args=[ben.pk])
    client = Client()
    client.force_login(ada)
    assert factories.signed_in("marketer").post(url).status_code == 403
    assert client.post(url)["Location"].startswith("/settings/confirm/?")
    client.post(reverse("core:confirm"), {"password": factories.PASSWORD})
    assert "Take away" in client.get(reverse("core:team")).content.decode()
    client.post(url)
    assert not SecondFactor.objects.filter(user=ben).exists()
    entry = AuditEntry.objects.get(action="factor.reset")
    assert (entry.actor, entry.object_label) == (ada, "ben")


def test_roles_that_need_one_see_nothing_before_they_have_it(ada: User, settings) -> None:
    settings.SECOND_FACTOR_FOR = frozenset({"admin"})
    client = Client()
    client.force_login(ada)
    assert client.get("/jobs/")["Location"] == "/settings/factor/?next=%2Fjobs%2F"
    assert client.get("/api/v1/jobs/").status_code == 401
    assert "Your role needs a second factor" in client.get("/settings/factor/").content.decode()
    client.post(reverse("core:confirm"), {"password": factories.PASSWORD})
    client.post("/settings/factor/", {"do": "begin"})
    client.post("/settings/factor/", {"do": "confirm", "code": code_of(ada)})
    assert client.get("/jobs/").status_code == 200
    off = client.post("/settings/factor/", {"do": "off", "code": code_of(ada, ahead=1)})
    assert off.status_code == 422
    assert factories.signed_in("marketer").get("/jobs/").status_code == 200


def test_keys_of_programs_are_not_asked_and_secrets_move_to_a_new_key(ada: User, settings) -> None:
    enrolled(ada)
    _key, secret = auth.create_key(name="shop", scopes=["jobs:read"], user=ada)
    client = Client(headers={"authorization": f"Bearer {secret}"})
    assert client.get("/api/v1/jobs/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "n" * 60
    assert factors.renew_secrets() == 1
    assert vault.is_current(SecondFactor.objects.get(user=ada).secret)
