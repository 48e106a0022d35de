"""One person's life told in any order: the same profile, the same names, the same events."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import orjson
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from ingestion import events
from ingestion.events import Incoming
from ingestion.models import Customer, Identity
from tests.ingestion.conftest import NOW

WEB, APP, OLD = (
    {"anonymous_id": "web-1"},
    {"anonymous_id": "app-1", "device_id": "phone-1"},
    {"anonymous_id": "web-0"},
)
BIRTH = NOW - timedelta(days=300)
SIZE = 1_000


def scripted() -> list[Incoming]:
    """A thousand calls: visits, sign-up, two devices, a change of number, and stragglers."""
    told: list[Incoming] = []
    draw = random.Random(7)

    def call(minute: float, kind: str, names: dict[str, Any], **more: Any) -> None:
        told.append(
            Incoming(
                type=kind if kind in ("identify", "alias") else "page_viewed",
                call=kind,
                at=BIRTH + timedelta(minutes=minute),
                message_id=f"m{len(told)}",
                **names,
                **more,
            )
        )

    def visits(start: int, count: int, names: dict[str, Any]) -> None:
        for step in range(count):
            call(start + step, "track", names, properties={"page": draw.randrange(50)})

    visits(0, 150, OLD)  # before anybody knows
    call(151, "identify", {**OLD, "email": "ada@example.com"}, traits={"firstName": "Ada"})
    visits(152, 100, OLD)
    visits(300, 200, WEB)
    call(520, "identify", {**WEB, "external_id": "old-77"}, traits={"plan": "trial", "age": 30})
    visits(530, 150, WEB)
    call(700, "identify", {"external_id": "old-77", "email": "ada@example.com"}, traits={"age": 31})
    visits(710, 180, APP)
    call(900, "identify", {**APP, "external_id": "77"}, traits={"plan": "paid", "city": "Leeds"})
    call(910, "alias", {"external_id": "77", "previous_id": "old-77"})
    call(920, "alias", {"external_id": "old-77", "previous_id": "77"})  # a cycle does no harm
    call(930, "identify", {"external_id": "77", "phone": "+441134960000"}, traits={"city": None})
    for step in range(60):  # the same property many times, two at the very same moment
        call(
            1000 + step // 2,
            "identify",
            {"external_id": "77"} if step % 3 else {"email": "ada@example.com"},
            traits={"score": step, "lastName": f"Name{step}"},
        )
    rest = SIZE - 30 - len(told)
    visits(1100, rest, {"external_id": "77", **WEB})
    told += [told[draw.randrange(len(told))] for _ in range(30)]  # sent twice
    return told


LIFE = scripted()


def arrive(calls: Iterable[list[Incoming]]) -> None:
    for batch in calls:
        events.accept(batch=batch, source="shop", now=NOW)
        events.drain(now=NOW)


def outcome() -> tuple[Any, ...]:
    """Everything that is known, without the ids of rows."""
    names: dict[int | None, set[tuple[Any, ...]]] = defaultdict(set)
    for kind, value, customer, parent, linked_at in Identity.objects.values_list(
        "kind", "value", "customer_id", "parent_id", "linked_at"
    ):
        above = Identity.objects.filter(pk=parent).values_list("kind", "value").first()
        names[customer].add((kind, value, above, linked_at))
    people = []
    for row in Customer.objects.order_by("external_id"):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT message_id FROM ingestion_event WHERE customer_id = %s", [row.pk]
            )
            seen = sorted(m for (m,) in cursor.fetchall())
        columns = (row.external_id, row.email, row.phone, row.first_name, row.last_name)
        profile = orjson.dumps((row.attributes, row.attribute_times), option=orjson.OPT_SORT_KEYS)
        people.append((columns, profile, frozenset(names[row.pk]), seen))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(customer_id), count(DISTINCT message_id) FROM ingestion_event"
        )
        counts = cursor.fetchone()
    return tuple(people), counts


class EveryOrder(TestCase):
    def test_the_life_told_in_order_is_one_person_with_everything(self) -> None:
        arrive([LIFE])
        ((columns, profile, names, seen),), counts = outcome()
        assert columns == ("77", "ada@example.com", "+441134960000", "Ada", "Name59")
        attributes, times = orjson.loads(profile)
        assert attributes == {"plan": "paid", "age": 31, "score": 59}
        assert times["city"][0] == int((BIRTH + timedelta(minutes=930)).timestamp() * 1e6)
        assert {(kind, value) for kind, value, _above, _at in names} == {
            ("external", "77"), ("external", "old-77"), ("email", "ada@example.com"),
            ("phone", "+441134960000"), ("device", "phone-1"), ("anonymous", "web-0"),
            ("anonymous", "web-1"), ("anonymous", "app-1"), ("anonymous", "old-77"),
            ("anonymous", "77"),
        }  # fmt: skip
        assert len(seen) == SIZE - 30
        assert counts == (SIZE - 30, SIZE - 30, SIZE - 30)

    @settings(max_examples=40)  # collisions of names are the matter of test_short_lives
    @given(seed=st.integers(0, 2**32), batches=st.integers(1, 3))
    def test_any_order_in_batches_of_any_size_gives_the_same(self, seed: int, batches: int) -> None:
        draw = random.Random(seed)
        calls = list(LIFE)
        draw.shuffle(calls)
        cuts = sorted(draw.randrange(1, len(calls)) for _ in range(batches - 1))
        arrive(calls[a:b] for a, b in zip([0, *cuts], [*cuts, len(calls)], strict=True))
        assert outcome() == _told_in_order()


_expected: list[tuple[Any, ...]] = []


def _told_in_order() -> tuple[Any, ...]:
    """The outcome of the life told in order; worked out once, in a corner that is wiped again."""
    if not _expected:
        _expected.append(_in_a_corner())
    return _expected[0]


def _in_a_corner() -> tuple[Any, ...]:
    from django.db import transaction

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM ingestion_event; DELETE FROM ingestion_eventkey;"
                " DELETE FROM ingestion_inbox"
            )
        Identity.objects.all().delete()
        Customer.every.all().delete()
        arrive([LIFE])
        found = outcome()
        transaction.set_rollback(True)
    return found
