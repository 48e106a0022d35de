"""Nobody stays signed in at a desk they left, and who comes back goes on where they were."""

from datetime import datetime, timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from marketing.core import sessions
from tests import factories

pytestmark = pytest.mark.django_db
START = factories.now()
PART = {"HTTP_HX_REQUEST": "true", "HTTP_HX_CURRENT_URL": "http://testserver/jobs/?state=done"}


class Clock:
    at = START

    def now(self) -> datetime:
        return self.at

    def move(self, **by: float) -> None:
        self.at += timedelta(**by)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(sessions, "_now", made.now)
    return made


@pytest.fixture
def ada(clock: Clock) -> Client:
    factories.user("marketer", username="ada")
    client = Client()
    client.post("/login/", {"username": "ada", "password": factories.PASSWORD})
    return client


def test_after_twelve_hours_of_nothing_one_signs_in_again_and_goes_on(ada, clock) -> None:
    clock.move(hours=11.9)
    assert ada.get("/settings/?x=1").status_code == 200
    clock.move(hours=12.1)
    sent = ada.get("/settings/?x=1")
    assert sent["Location"] == "/login/?next=%2Fsettings%2F%3Fx%3D1&idle=1"
    assert "nothing was done for a while" in ada.get(sent["Location"]).content.decode()
    assert not Session.objects.exists()
    back = ada.post(
        "/login/",
        {"username": "ada", "password": factories.PASSWORD, "next": "/settings/?x=1"},
    )
    assert back["Location"] == "/settings/?x=1"


def test_a_form_and_a_part_of_a_page_lead_back_to_the_page(ada, clock) -> None:
    clock.move(hours=13)
    sent = ada.post("/settings/theme/", HTTP_REFERER="http://testserver/settings/")
    assert sent["Location"] == "/login/?next=%2Fsettings%2F&idle=1"
    part = ada.get("/jobs/ring/", **PART)
    assert (part.status_code, part.content) == (200, b"")
    assert part["HX-Redirect"] == "/login/?next=%2Fjobs%2F%3Fstate%3Ddone"
    elsewhere = ada.post("/settings/theme/", HTTP_REFERER="https://evil.example/settings/")
    assert elsewhere["Location"] == "/login/?next=%2F"


def test_what_a_page_asks_by_itself_keeps_nobody_signed_in(ada, clock) -> None:
    for _n in range(13):
        clock.move(hours=1)
        answer = ada.get("/jobs/ring/", HTTP_X_UNATTENDED="1", **PART)
    assert "HX-Redirect" in answer


def test_a_busy_person_costs_a_write_every_twelve_minutes(ada, clock) -> None:
    def writes() -> str:
        ada.get("/settings/")
        return Session.objects.get().session_data

    before = writes()
    clock.move(minutes=11)
    assert writes() == before
    clock.move(minutes=2)
    assert writes() != before


def test_two_weeks_after_the_sign_in_it_ends_however_busy_one_was(ada, clock) -> None:
    before = Session.objects.get().expire_date
    assert before - START == timedelta(days=14)
    for _n in range(20):
        clock.move(hours=10)
        assert ada.get("/settings/").status_code == 200
    assert Session.objects.get().expire_date == before
