"""Whoever guesses passwords is held back, and nobody else is; what they saw is kept in no cache."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client

from tests import factories


@pytest.fixture
def ada(db):
    cache.clear()
    made = factories.user("marketer", username="ada")
    made.set_password("right horse battery")
    made.save()
    return made


def tried(
    password: str, *, name: str = "ada", address: str = "198.51.100.7", door: str = "/login/"
):
    answer = Client(REMOTE_ADDR=address).post(door, {"username": name, "password": password})
    return (
        "in"
        if answer.status_code == 302
        else ("held" if "Too many tries" in answer.content.decode() else "no")
    )


@pytest.mark.parametrize("door", ["/login/", "/admin/login/"])
def test_the_sixth_wrong_password_is_not_looked_at_and_neither_is_a_right_one(ada, door):
    ada.is_staff = True
    ada.save()
    assert [tried(f"guess {n}", door=door) for n in range(7)] == ["no"] * 5 + ["held"] * 2
    assert tried("right horse battery", door=door) == "held"
    assert tried("right horse battery", name="ADA ", door=door) == "held"


def test_a_guesser_locks_nobody_out_who_signs_in_from_elsewhere(ada):
    for n in range(6):
        tried(f"guess {n}")
    assert tried("right horse battery", address="203.0.113.9") == "in"


def test_behind_a_proxy_no_address_that_somebody_claims_makes_a_new_start(ada, settings):
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    def claimed(n: int, seen: str = "203.0.113.7") -> bool:
        client = Client(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}, {seen}")
        answer = client.post("/login/", {"username": "ada", "password": "wrong"})
        return "Too many tries" in answer.content.decode()

    assert [claimed(n) for n in range(7)] == [False] * 5 + [True] * 2
    assert not claimed(1, seen="203.0.113.8")


def test_a_right_password_forgets_the_wrong_ones_before_it(ada):
    for _round in range(3):
        assert [tried("wrong") for _n in range(4)] == ["no"] * 4
        assert tried("right horse battery") == "in"


def test_an_address_that_tries_many_accounts_is_held_back(ada):
    heard = [tried("wrong", name=f"name-{n}") for n in range(52)]
    assert heard == ["no"] * 50 + ["held"] * 2


@pytest.mark.django_db(transaction=True)
def test_many_tries_at_once_pass_no_further_than_a_few(ada):
    def one(n: int) -> str:
        try:
            return tried(f"guess {n}")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(one, range(24)))
    assert heard.count("no") == 5


def test_pages_of_whoever_is_signed_in_are_kept_in_no_cache(ada):
    client = factories.signed_in("marketer")
    for page in ("/", "/settings/", "/jobs/"):
        assert "no-store" in client.get(page).headers["Cache-Control"]
