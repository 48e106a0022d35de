"""Impressions, clicks and conversions come in once each, and the sums follow."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campaigns.ads import choosing, permission
from campaigns.ads.reading import key_of
from campaigns.api import ads as ads_api
from campaigns.models import AdDay, AdHit, AdHour
from ingestion.models import Consent
from tests import factories
from tests.campaigns.ads.conftest import advert, agree, api_key

pytestmark = pytest.mark.django_db
AT = factories.NOW - timedelta(hours=2)


def seen(name: str, **values: Any) -> dict[str, Any]:
    """An impression of the red creative at the top."""
    base = {"kind": "impression", "id": name, "at": AT.isoformat(), "creative": "summer-red",
            "placement": "top", "cost": "0.001"}  # fmt: skip
    return {**base, **values}


def clicked(name: str, of: str, **values: Any) -> dict[str, Any]:
    at = AT + timedelta(minutes=1)
    return {"kind": "click", "id": name, "impression": of, "at": at.isoformat(), **values}


def bought(name: str, of: str, **values: Any) -> dict[str, Any]:
    at = AT + timedelta(hours=1)
    return {
        "kind": "conversion", "id": name, "click": of, "at": at.isoformat(), "value": "12.50",
        **values,
    }  # fmt: skip


def send(*items: Any) -> dict[str, Any]:
    return ads_api.take_hits(list(items))


def sums() -> dict[str, Any]:
    names = ("impressions", "clicks", "conversions", "answered", "turned", "cost", "value")
    return {name: sum(getattr(row, name) for row in AdHour.objects.all()) for name in names}


def test_what_came_is_stored_and_added_up_by_hour():
    advert()
    answer = send(seen("i1"), seen("i2"), clicked("c1", "i1"), bought("v1", "c1"))
    assert answer == {"received": 4, "counts": {"stored": 4}, "results": []}
    assert sums() == {
        "impressions": 2, "clicks": 1, "conversions": 1, "answered": 1, "turned": 1,
        "cost": Decimal("0.002"), "value": Decimal("12.50"),
    }  # fmt: skip
    # The click belongs to the hour of its impression, the conversion to that of its click.
    assert AdHour.objects.get(hour=AT.replace(minute=0)).turned == 1
    assert AdDay.objects.get(day=AT.date()).spent == Decimal("0.002")


def test_a_repeat_changes_nothing_and_is_named():
    advert()
    send(seen("i1"), clicked("c1", "i1"))
    before = sums()
    answer = send(seen("i1"), clicked("c1", "i1"), seen("i3"), seen("i3"))
    assert answer["counts"] == {"stored": 1, "duplicate": 3}
    assert [result["index"] for result in answer["results"]] == [0, 1, 3]
    assert sums()["impressions"] == before["impressions"] + 1
    assert sums()["clicks"] == before["clicks"]


def test_the_same_id_with_other_content_is_a_conflict_and_the_first_is_kept():
    advert()
    send(seen("i1"))
    answer = send(seen("i1", cost="5"))
    assert answer["results"][0]["status"] == "conflict"
    assert AdHit.objects.get().cost == Decimal("0.001")


def test_a_click_may_stand_before_its_impression_in_a_batch():
    advert()
    answer = send(clicked("c1", "i1"), seen("i1"))
    assert answer["counts"] == {"stored": 2}
    click = AdHit.objects.get(kind=AdHit.CLICK)
    assert (click.creative.key, click.placement.key) == ("summer-red", "top")


def test_every_fault_is_told_for_its_item_and_the_rest_is_stored():
    advert()
    answer = send(
        seen("good"),
        {"kind": "view"},
        seen(""),
        seen("x", creative="nobody"),
        seen("y", placement="nowhere"),
        clicked("c9", "never"),
        seen("z", cost=-1),
        seen("w", device="fridge"),
        seen("v", colour="red"),
        seen("u", at="yesterday"),
        "text",
    )
    assert answer["counts"] == {"stored": 1, "invalid": 10}
    codes = {result["index"]: result["error"]["code"] for result in answer["results"]}
    assert codes == {
        1: "unknown_kind", 2: "missing", 3: "unknown_creative", 4: "unknown_placement",
        5: "unknown_cause", 6: "negative", 7: "unknown_device", 8: "unknown_field",
        9: "not_a_date", 10: "not_an_object",
    }  # fmt: skip


def test_what_is_nested_too_deep_to_be_kept_is_a_fault_of_its_item():
    advert()
    deep: list[Any] = []
    for _level in range(300):
        deep = [deep]
    answer = send(seen("i1"), seen("i2", click=deep))
    assert answer["counts"] == {"stored": 1, "invalid": 1}
    assert answer["results"][0]["error"]["code"] == "not_json"


def test_people_are_kept_only_where_they_agreed_to_ads():
    advert()
    permission.add_purpose(user=None, now=factories.NOW)
    yes, no, never = (factories.customer(name) for name in ("yes", "no", "never"))
    agree(yes)
    agree(no, granted=False)
    send(*(
        seen(one.external_id, external_id=one.external_id, country="FR") for one in (yes, no, never)
    ))  # fmt: skip
    assert list(AdHit.objects.exclude(customer=None).values_list("customer_id", flat=True)) == [
        yes.pk
    ]
    assert AdHit.objects.filter(learnable=True).count() == 1


def test_a_visitor_who_agreed_there_is_learned_from_and_a_known_no_wins_over_it():
    advert()
    permission.add_purpose(user=None, now=factories.NOW)
    no = factories.customer("no")
    agree(no, granted=False)
    send(
        seen("a", consent=True),
        seen("b", consent=True, external_id=no.external_id),
        seen("c", consent=True, anonymous_id="device-1"),
        seen("d"),
    )
    assert AdHit.objects.filter(learnable=True).count() == 2
    assert AdHit.objects.filter(customer__isnull=False).count() == 0


def test_what_followed_in_the_same_batch_is_of_the_person_of_its_impression():
    advert()
    permission.add_purpose(user=None, now=factories.NOW)
    yes, no = factories.customer("yes"), factories.customer("no")
    agree(yes)
    agree(no, granted=False)
    send(
        seen("i1", external_id=yes.external_id),
        clicked("c1", "i1"),
        seen("i2", consent=True, external_id=no.external_id),
        clicked("c2", "i2"),
    )
    found = AdHit.objects.filter(kind=AdHit.CLICK).values_list("customer_id", "learnable")
    assert sorted(found, key=str) == [(yes.pk, True), (None, False)]


def test_a_no_said_between_a_choice_and_its_answers_counts():
    advert()
    permission.add_purpose(user=None, now=factories.NOW)
    who = factories.customer("ada")
    agree(who)
    known = choosing.viewer(external_id=str(who.external_id), now=factories.NOW)
    made = choosing.choose(placement="top", who=known, now=factories.NOW)
    send(seen("i1", external_id=who.external_id))
    Consent.objects.filter(customer=who).update(granted=False)
    send(
        {"kind": "impression", "id": "i2", "decision": str(made.decision), "consent": True},
        clicked("c1", "i1"),
    )
    later = AdHit.objects.filter(key__in=[key_of(1, "i2"), key_of(2, "c1")])
    assert list(later.values_list("customer_id", "learnable")) == [(None, False)] * 2


def test_nobody_is_made_known_by_an_ad():
    advert()
    permission.add_purpose(user=None, now=factories.NOW)
    send(seen("a", external_id="stranger"), seen("b", email="stranger@example.org"))
    assert not type(factories.customer()).objects.filter(external_id="stranger").exists()


def test_a_thousand_hits_cost_as_many_statements_as_ten():
    advert()

    def statements(n: int, mark: str) -> int:
        items = [seen(f"{mark}{i}") for i in range(n)]
        with CaptureQueriesContext(
            connection,
        ) as found:
            send(*items)
        return len(found)

    statements(1, "warm")
    assert statements(10, "few") == statements(1000, "many")


def test_a_day_is_that_of_the_campaigns_own_clock():
    advert(timezone="Asia/Tokyo")
    late = datetime(2026, 11, 20, 16, 30, tzinfo=AT.tzinfo)  # half past one on the 21st there
    send(seen("i1", at=late.isoformat()))
    assert AdDay.objects.exclude(spent=0).get().day.isoformat() == "2026-11-21"


def test_programs_send_them_with_a_key_of_the_right_scope(client: Client):
    advert()
    sent = {"data": [seen("i1")], "content_type": "application/json"}
    assert client.post("/api/v1/ads/hits/", **sent).status_code in (401, 403)
    other = client.post("/api/v1/ads/hits/", **sent, **api_key("events:write"))
    assert other.status_code == 403
    done = client.post("/api/v1/ads/hits/", **sent, **api_key())
    assert (done.status_code, done.json()["counts"]) == (200, {"stored": 1})


def test_too_many_at_once_or_something_else_are_refused_whole(client: Client):
    key = api_key()

    def post(body: Any) -> tuple[int, str]:
        done = client.post("/api/v1/ads/hits/", data=body, content_type="application/json", **key)
        return done.status_code, done.json()["error"]["code"]

    assert post([{}] * 10_001) == (413, "too_many_items")
    assert post([]) == (422, "not_a_list")
    assert post('"text"') == (422, "not_a_list")
    assert post("{not json")[1] == "not_json"
