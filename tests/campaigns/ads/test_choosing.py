"""What to show now: drawn by chances that are written down, within the money of the day."""

import random
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.ads import choosing, defining, permission, purses, steering
from campaigns.ads.choosing import Viewer
from campaigns.api import ads as ads_api
from campaigns.models import AdCampaign, AdChoice, AdCreative, AdDay, AdHit, AdRound
from marketing.core.errors import NotFound
from tests import factories
from tests.campaigns.ads.conftest import advert, agree, api_key

pytestmark = pytest.mark.django_db


def ask(place: str = "top", who: Viewer = Viewer(), **values: Any) -> choosing.Answer:  # noqa: B008
    return choosing.choose(placement=place, who=who, now=values.pop("now", factories.NOW), **values)


def shown(n: int, seed: int = 3, place: str = "top") -> Counter[str]:
    draw = random.Random(seed).random
    found = [ask(place, draw=draw) for _time in range(n)]
    return Counter(one.creative.name if one.creative else one.reason for one in found)


def promised() -> Decimal:
    return purses.promised(ad_id=AdCampaign.objects.get().pk, day=factories.NOW.date())


def test_creatives_are_shown_by_their_weights_and_the_chance_is_written_down():
    advert(price="0.01")
    AdCreative.objects.filter(name="Red").update(weight=3)
    found = shown(300)
    assert set(found) == {"Red", "Blue"}
    assert 195 <= found["Red"] <= 255
    assert set(AdChoice.objects.values_list("creative__name", "chance")) == {
        ("Red", 0.75), ("Blue", 0.25),
    }  # fmt: skip


def test_an_unknown_placement_is_refused_and_an_empty_one_answers_nothing():
    advert()
    defining.save_placement(key="footer", values={}, actor=None, now=factories.NOW)
    with pytest.raises(NotFound):
        ask("nowhere")
    assert ask("footer").reason == choosing.NONE


def test_a_paused_campaign_or_a_creative_that_is_off_is_not_shown():
    advert()
    AdCreative.objects.filter(name="Red").update(active=False)
    assert shown(20) == {"Blue": 20}
    defining.move(key="summer", to="pause", actor=None, now=factories.NOW)
    choosing.forget()
    assert ask().reason == choosing.NONE


def test_the_pace_holds_back():
    ad = advert()
    ad.refresh_from_db()
    AdCampaign.objects.update(pace={**ad.pace, "chance": 0.25})
    found = shown(400)
    assert 70 <= 400 - found[choosing.PACED] <= 130


def test_no_more_is_promised_than_the_day_may_cost():
    advert(daily_cap="0.01")  # ten impressions at a tenth of a penny
    assert shown(30)[choosing.SPENT] == 20
    day = AdDay.objects.get()
    assert (day.cap, day.promised) == (Decimal("0.01"), Decimal("0.01"))


def test_another_campaign_takes_the_place_of_one_that_is_spent():
    advert(daily_cap="0.01")
    advert("winter", price="0.5")
    found = shown(80)
    assert found[choosing.SPENT] == 0
    assert AdChoice.objects.filter(ad__key="summer").count() == 10
    assert AdChoice.objects.filter(ad__key="winter").count() == 70


def test_an_impression_turns_a_promise_into_money_and_keeps_the_chance():
    advert()
    made = ask()
    assert made.decision is not None
    hit = {"kind": "impression", "id": "i1", "decision": str(made.decision), "cost": "0.0008"}
    assert ads_api.take_hits([hit])["counts"] == {"stored": 1}
    stored = AdHit.objects.get()
    assert (stored.chance, stored.creative_id) == (0.5, made.creative.pk if made.creative else 0)
    assert promised() == 0
    assert AdChoice.objects.get().shown


def test_what_was_chosen_and_never_shown_is_free_again_after_an_hour():
    advert()
    ask()
    steering.steer_all(now=factories.NOW + timedelta(minutes=30))
    assert promised() == Decimal("0.001")
    steering.steer_all(now=factories.NOW + timedelta(minutes=61))
    assert promised() == 0


def test_a_person_is_known_only_where_they_agreed():
    advert()
    permission.add_purpose(user=None, now=factories.NOW)
    yes, no = factories.customer("yes"), factories.customer("no")
    agree(yes)
    known = choosing.viewer(external_id=str(yes.external_id), now=factories.NOW)
    assert (known.customer_id, known.country) == (yes.pk, "GB")
    assert choosing.viewer(email=str(yes.email), now=factories.NOW).customer_id == yes.pk
    assert choosing.viewer(external_id=str(no.external_id), now=factories.NOW) == Viewer()
    agree(yes, purpose="profiling", granted=False)
    assert choosing.viewer(external_id=str(yes.external_id), now=factories.NOW) == Viewer()


def test_shares_of_the_newest_round_are_followed_and_a_new_creative_gets_its_try():
    ad = advert(mode="bandit", price="0.01")
    red, blue = ad.creatives.order_by("pk")
    AdRound.objects.create(
        ad=ad, at=factories.NOW, shares={str(red.pk): 0.9, str(blue.pk): 0.1}, reason="shares"
    )
    assert shown(200)["Red"] > 165
    defining.save_creative(
        ad_key="summer", key="summer-new", values={"name": "New"}, actor=None, now=factories.NOW
    )
    choosing.forget()
    assert 30 <= shown(200)["New"] <= 75


def test_a_choice_costs_two_statements_for_a_person():
    advert(now=factories.now())
    permission.add_purpose(user=None, now=factories.NOW)
    who = factories.customer("ada")
    agree(who)
    body = {"placement": "top", "external_id": who.external_id}
    ads_api.ChoiceDoor.take(body)
    with CaptureQueriesContext(connection) as found:
        ads_api.ChoiceDoor.take(body)
    assert len(found) == 2


def test_programs_ask_with_a_key_and_get_all_they_need(client: Client):
    now = factories.now()
    advert(now=now)
    done = client.post(
        "/api/v1/ads/choice/", {"placement": "top"}, content_type="application/json", **api_key()
    )
    answer = done.json()
    assert done.status_code == 200
    assert answer["ad"] == "summer"
    assert answer["creative"]["key"] in ("summer-red", "summer-blue")
    assert (answer["chance"], answer["price"]) == (0.5, "0.001000")
    bad = client.post(
        "/api/v1/ads/choice/", {"placement": "top", "device": "fridge"},
        content_type="application/json", **api_key(),
    )  # fmt: skip
    assert (bad.status_code, bad.json()["error"]["field"]) == (422, "device")
