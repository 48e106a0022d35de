"""The bandit's rounds: more of what works, a floor for the rest, and what it is worth first."""

import random
from datetime import timedelta
from typing import Any

import pytest

from campaigns.ads import choosing, sharing
from campaigns.ads.choosing import Viewer
from campaigns.api import ads as ads_api
from campaigns.models import AdCampaign, AdRound
from tests import factories
from tests.campaigns.ads.conftest import advert

pytestmark = pytest.mark.django_db
NOW = factories.NOW


def play(n: int, *, red: float, blue: float, seed: int = 4, hours: float = 3) -> None:
    """So many choices that are shown; creatives are clicked at these rates."""
    rng = random.Random(seed)
    at = NOW - timedelta(hours=hours)
    items: list[dict[str, Any]] = []
    for number in range(n):
        made = choosing.choose(placement="top", who=Viewer(), now=NOW, draw=rng.random)
        assert made.creative is not None
        name = f"{seed}:{number}"
        items.append({"kind": "impression", "id": name, "at": at.isoformat(),
                      "decision": str(made.decision)})  # fmt: skip
        if rng.random() < (red if made.creative.name == "Red" else blue):
            items.append({"kind": "click", "id": name, "impression": name,
                          "at": (at + timedelta(minutes=1)).isoformat()})  # fmt: skip
    for start in range(0, len(items), 5_000):
        counts = ads_api.take_hits(items[start : start + 5_000])["counts"]
        assert set(counts) == {"stored"}


def share_of(round: AdRound | None, name: str) -> float:
    assert round is not None
    return float(round.shares[str(round.ad.creatives.get(name=name).pk)])


def test_more_is_shown_of_what_works_and_the_floor_holds():
    ad = advert(mode="bandit", price="0.01", floor_percent=10)
    play(1_200, red=0.02, blue=0.12)
    made = sharing.share(ad_id=ad.pk, now=NOW)
    assert share_of(made, "Blue") == pytest.approx(0.9, abs=0.01)
    assert share_of(made, "Red") == pytest.approx(0.1, abs=0.01)
    assert made is not None
    assert made.reason == "shares"
    assert made.values["shares"]["value"] > made.values["equal"]["value"]
    assert made.seen[str(ad.creatives.get(name="Blue").pk)][1] > 40
    # What was shown at random tells what the shares would have earned: near the truth.
    low, high = made.values["shares"]["low"], made.values["shares"]["high"]
    assert low <= 0.9 * 0.12 + 0.1 * 0.02 <= high
    assert sharing.share(ad_id=ad.pk, now=NOW) is None


def test_before_much_is_known_shares_stay_near_equal():
    ad = advert(mode="bandit", price="0.01")
    made = sharing.share(ad_id=ad.pk, now=NOW)
    assert made is not None
    assert made.reason == "started"
    assert share_of(made, "Red") == pytest.approx(0.5)


def test_fixed_shares_and_campaigns_that_rest_hold_no_rounds():
    ad = advert(price="0.01")
    assert sharing.share(ad_id=ad.pk, now=NOW) is None
    AdCampaign.objects.update(mode="bandit", state="paused")
    assert sharing.share(ad_id=ad.pk, now=NOW) is None
    assert sharing.share_all(now=NOW) == 0


def test_shares_that_would_surely_earn_less_are_held_back():
    ad = AdCampaign(mode="bandit")
    worse = {"standing": {"value": 0.10}, "shares": {"value": 0.05, "high": 0.08}}
    better = {"standing": {"value": 0.10}, "shares": {"value": 0.11, "high": 0.14}}
    assert sharing._reason(ad, worse) == sharing.HELD
    assert sharing._reason(ad, better) == sharing.SHARED


def test_a_choice_for_each_person_goes_live_only_where_it_earns_more():
    ad = AdCampaign(mode="person")
    values = {
        "standing": {"value": 0.10}, "shares": {"value": 0.11, "high": 0.14},
        "person": {"value": 0.12, "rows": 400.0},
    }  # fmt: skip
    assert sharing._reason(ad, values) == sharing.SUITED
    assert sharing._reason(ad, values | {"person": {"value": 0.12, "rows": 20.0}}) == "shares"
    assert sharing._reason(ad, values | {"person": {"value": 0.105, "rows": 400.0}}) == "shares"
