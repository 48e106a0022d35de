"""Integrators read who is in a segment, since when, and who came and went."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from campaigns.segments import upkeep
from ingestion.models import Customer
from marketing.core import auth
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db
BRITISH = {"field": "customer.country", "op": "=", "value": "GB"}
Ask = Callable[[str], Any]


@pytest.fixture
def ask(client: Any) -> Ask:
    _key, secret = auth.create_key(
        name="test", scopes=["segments:read"], user=factories.user("integrator")
    )
    return lambda path: client.get(
        f"/api/v1/segments/{path}", headers={"Authorization": f"Bearer {secret}"}
    )


def test_members_are_told_with_the_moment_they_entered(ask: Ask) -> None:
    ada = factories.customer("ada")
    segment = factories.segment("British", BRITISH)
    before = ask(f"{segment.pk}/members/").json()["data"]
    assert [(row["id"], row["since"]) for row in before] == [(ada.pk, None)]
    upkeep.refresh(now=NOW)
    after = ask(f"{segment.pk}/members/").json()["data"]
    assert [(row["id"], row["since"]) for row in after] == [(ada.pk, "2026-11-22T09:00:00+00:00")]


def test_moves_are_told_once_to_whoever_goes_on_where_they_stopped(ask: Ask) -> None:
    ada, ben = factories.customer("ada"), factories.customer("ben", country="FR")
    segment = factories.segment("British", BRITISH)
    other = factories.segment("Everyone", {"all": []})
    upkeep.refresh(now=NOW)
    first = ask(f"moves/?segment_id={segment.pk}").json()
    assert [(m["customer_id"], m["kind"], m["cause"]) for m in first["moves"]] == [
        (ada.pk, "entered", "rule")
    ]
    Customer.objects.filter(pk=ada.pk).update(country="FR")
    Customer.objects.filter(pk=ben.pk).update(country="GB")
    upkeep.refresh(now=NOW + timedelta(minutes=1))
    after = ask(f"moves/?segment_id={segment.pk}&after={first['after']}").json()
    assert [(m["customer_id"], m["kind"], m["cause"]) for m in after["moves"]] == [
        (ada.pk, "left", "change"),
        (ben.pk, "entered", "change"),
    ]
    again = ask(f"moves/?segment_id={segment.pk}&after={after['after']}").json()
    assert again == {"moves": [], "after": after["after"]}
    everything = ask("moves/?limit=2").json()
    assert len(everything["moves"]) == 2
    assert {m["segment_id"] for m in ask("moves/").json()["moves"]} == {segment.pk, other.pk}


@pytest.mark.parametrize("query", ["after=-1", "after=x", "limit=0", "limit=1001", "after=١"])
def test_numbers_that_are_none_are_refused(ask: Ask, query: str) -> None:
    answer = ask(f"moves/?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_number")


def test_moves_of_a_segment_that_is_not_there_are_not_found(ask: Ask) -> None:
    assert ask("moves/?segment_id=999999").status_code == 404
