"""Who came to the shop with a campaign's words in the address, as the shop's own pages tell it."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.cache import cache
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from campaigns.models import Run
from campaigns.reporting import visits
from ingestion import events
from ingestion.models import Customer
from marketing.core import bus
from tests import factories
from tests.campaigns.conftest import people

pytestmark = pytest.mark.django_db
AT = factories.NOW - timedelta(days=3)


@pytest.fixture(autouse=True)
def nothing_kept() -> None:
    cache.clear()


def sent(*words: str) -> Run:
    utm = {n: {"utm": {"source": "shop", "campaign": word}} for n, word in enumerate(words)}
    return factories.run(
        factories.campaign("Spring", state="finished", segment=factories.segment()),
        list(Customer.objects.all()),
        started_at=AT,
        snapshot={"holdout_percent": 0, "contents": utm or {"a": {}}},
    )


def page(
    name: str | None, *, hours: float = 1, session: str | None = None, kind: str = "page", **who
) -> events.Incoming:
    context = {"campaign": {"name": name, "source": "shop"}} if name else {}
    if session:
        context["session"] = {"id": session}
    return events.Incoming(
        type=kind,
        at=AT + timedelta(hours=hours),
        message_id=f"m{next(factories._number)}",
        context=context,
        **who,
    )


def store(*found: events.Incoming) -> None:
    events.record(batch=list(found), source="web", now=factories.NOW)


def test_visits_people_and_their_orders_are_those_that_came_with_the_words():
    ada, ben, cleo = people(3)
    run = sent("spring", "spring-b")
    store(
        page("spring", session="s1", customer_id=ada.pk),
        page("spring", session="s1", customer_id=ada.pk, hours=1.1),
        page("spring-b", session="s2", customer_id=ada.pk, hours=30),
        page("spring", session="s3", anonymous_id="v1"),
        # Another client tells no visit: one a day and visitor.
        page("spring", customer_id=ben.pk), page("spring", customer_id=ben.pk, hours=2),
        page("spring", customer_id=ben.pk, hours=26),
        # Not of this send: other words, none, no page, before and long after it.
        page("summer", session="s4", customer_id=cleo.pk), page(None, customer_id=cleo.pk),
        page("spring", session="s5", kind="view", customer_id=cleo.pk),
        page("spring", session="s6", hours=-1, customer_id=cleo.pk),
    )  # fmt: skip
    cup = [(factories.product("CUP", price=Decimal("10")), 1)]
    for buyer, hours, values in (
        (ada, 2, {}), (ada, 31, {}), (ben, 60, {}), (cleo, 2, {}), (ada, 0.5, {}),
        (ben, 3, {"status": "cancelled"}),
    ):  # fmt: skip
        factories.order(buyer, placed_at=AT + timedelta(hours=hours), lines=cup, **values)
    found = visits.of(run=run)
    assert found == visits.Visits(
        words=("spring", "spring-b"), visits=5, people=3, known=2, orders=2, money=Decimal("20"),
        until=AT + visits.WINDOW,
    )  # fmt: skip


def test_a_send_whose_links_carried_no_words_has_no_visits_of_its_own():
    people(1)
    assert visits.of(run=sent()) is None


def test_a_word_of_any_length_harms_no_event_and_is_found_by_its_beginning():
    (ada,) = people(1)
    long = "".join(chr(0x4E00 + n * 7 % 20_000) for n in range(9_000))
    store(page(long, session="s1", customer_id=ada.pk))
    found = visits.of(run=sent(long))
    assert found is not None
    assert found.visits == 1


def test_pages_are_found_by_their_index_and_not_by_looking_at_every_event():
    (ada,) = people(1)
    store(*(page(None, hours=n / 100, customer_id=ada.pk) for n in range(400)))
    store(page("spring", customer_id=ada.pk))
    values = {"words": ["spring"], "start": AT, "end": AT + timedelta(days=30),
              "within": visits.BOUGHT_WITHIN}  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingestion_event")
        cursor.execute(f"EXPLAIN {visits._VISITS}", values)
        plan = "\n".join(row[0] for row in cursor.fetchall())
        read = re.findall(r"Seq Scan on (ingestion_event\w*)", plan)
        for part in read:  # an empty one has nothing to find
            cursor.execute(f"SELECT count(*) FROM {part}")
            assert cursor.fetchone() == (0,)
    assert "left" in plan


def test_the_page_tells_it_beside_clicks(django_assert_max_num_queries):
    (ada,) = people(1)
    run = sent("spring")
    client = factories.signed_in("marketer")
    address = reverse("campaigns:campaign-visits", args=[run.campaign_id])
    assert "No visit told it yet" in client.get(address).content.decode()
    store(page("spring", session="s1", customer_id=ada.pk))
    with django_assert_max_num_queries(20):
        said = client.get(address).content.decode()
    assert "utm_campaign=spring" in said
    assert "1 of them known" in said
    whole = reverse("campaigns:campaign-detail", args=[run.campaign_id])
    with django_assert_max_num_queries(20):
        assert address in client.get(whole).content.decode()
    run.delete()
    assert address not in client.get(whole).content.decode()
    assert client.get(address).content.strip() == b""


def test_too_many_to_count_are_said_to_be_so():
    people(1)
    found = visits.of(run=sent("spring"), milliseconds=1)
    assert found is not None
    assert found.words == ("spring",)


def test_what_is_too_much_for_a_page_is_counted_by_a_worker_and_kept(monkeypatch):
    (ada,) = people(1)
    run = sent("spring")
    store(page("spring", session="s1", customer_id=ada.pk))
    asked: list[dict] = []
    monkeypatch.setattr(bus, "nudge", lambda *given, **ids: asked.append(ids))
    now, quick = timezone.now(), visits._VISITS
    monkeypatch.setattr(visits, "COUNT_MS", 50)
    monkeypatch.setattr(visits, "_VISITS", "SELECT 0, 0, 0, 0, 0 FROM pg_sleep(5)")
    first = visits.shown(run=run, now=now)
    again = visits.shown(run=run, now=now)
    assert first is not None
    assert (first.waits, first.counted) == (True, False)
    assert again == first
    assert asked == [{"run_id": run.pk}]  # however many look
    client = factories.signed_in("marketer")
    address = reverse("campaigns:campaign-visits", args=[run.campaign_id])
    said = client.get(address).content.decode()
    assert "counted beside this page" in said
    assert f'hx-get="{address}"' in said
    monkeypatch.setattr(visits, "_VISITS", quick)
    visits.count(run_id=run.pk, now=now)
    monkeypatch.setattr(visits, "_VISITS", "SELECT 0, 0, 0, 0, 0 FROM pg_sleep(5)")
    found = visits.shown(run=run, now=now)
    assert found is not None
    assert (found.visits, found.counted_at, found.waits) == (1, now, False)
    assert "1 of them known" in client.get(address).content.decode()
    # What was counted is shown while it is counted anew.
    assert visits.shown(run=run, now=now + visits.FRESH * 2) == found
    assert asked == [{"run_id": run.pk}] * 2
    visits.count(run_id=run.pk, now=now, milliseconds=50)
    assert "There is too much to count" in client.get(address).content.decode()
