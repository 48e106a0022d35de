"""A campaign of ads with two creatives in two placements, and people who agreed to ads."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from campaigns.ads import choosing, defining
from campaigns.models import AdCampaign
from ingestion import consent
from ingestion.consent import answers
from ingestion.models import Customer
from marketing.core import auth, jobs, passing
from tests import factories


@pytest.fixture(autouse=True)
def nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(answers, "_purposes", (0.0, frozenset()))
    # Its own connection does not see the rows of a test: a slow job would lose its lease.
    monkeypatch.setattr(jobs, "HEARTBEAT_SECONDS", 600.0)
    choosing.forget()
    passing.forget()
    yield
    choosing.forget()


def advert(key: str = "summer", *, start: bool = True, **values: Any) -> AdCampaign:
    """A running campaign: a pound a day for the thousand, in `top` and `side`, `red` and `blue`."""
    now = values.pop("now", factories.NOW)
    for place in ("top", "side"):
        defining.save_placement(key=place, values={"name": place.title()}, actor=None, now=now)
    today: date = now.date()
    values = {
        "name": key.title(),
        "budget": "300",
        "price": "1",
        "starts_on": today - timedelta(days=10),
        "ends_on": today + timedelta(days=19),
        "placements": ["top", "side"],
        **values,
    }
    made, _new = defining.save(key=key, values=values, actor=None, now=now)
    for creative in ("red", "blue"):
        defining.save_creative(
            ad_key=key, key=f"{key}-{creative}", values={"name": creative.title()}, actor=None,
            now=now,
        )  # fmt: skip
    if start:
        made = defining.move(key=key, to="start", actor=None, now=now)
    return made


def agree(
    *people: Customer, channel: str = "email", granted: bool = True, purpose: str = "ads"
) -> None:
    """What these people said to ads."""
    at = factories.NOW - timedelta(days=50)
    answers = [consent.Answer(one.pk, granted, at, {"form": "banner"}) for one in people]
    consent.record(answers=answers, channel=channel, purpose=purpose, source="banner", now=at)


def api_key(*scopes: str) -> dict[str, str]:
    """The header of a new key."""
    wanted = list(scopes) or ["ads:read", "ads:write"]
    _key, secret = auth.create_key(name="ads", scopes=wanted, user=factories.user("integrator"))
    return {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
