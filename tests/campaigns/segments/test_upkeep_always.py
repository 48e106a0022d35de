"""Whatever happens, in whatever order: stored members are those the rule means, and the moves
replayed give the same people.
"""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.models import PersonList, PersonListMember, Segment, SegmentMember
from campaigns.segments import compile as compiler
from campaigns.segments import definitions, membership, moves, upkeep
from ingestion import changes, consent, events, rollups
from ingestion.identity import merging
from ingestion.models import Change, Customer, Merge, Product
from models_ml.models import Prediction, Score, Traits
from tests import factories

pytestmark = pytest.mark.django_db

RULES: list[dict[str, Any]] = [
    {"all": []},
    {"field": "customer.country", "op": "=", "value": "GB"},
    {"not": {"bought": {"any": True}, "days": 30}},
    {"bought": {"category": "tea"}, "at_least": 2, "days": 10},
    {"did": "page", "at_least": 2, "days": 3},
    {"did": "page", "when": {"last": {"hours": 5}}},
    {"not": {"did": "search"}},
    {"field": "can_email", "op": "=", "value": True},
    {"consent": "email", "purpose": "profiling", "answer": "no"},
    {"field": "traits.orders", "op": ">=", "value": 2},
    {"score": "churn", "op": "top", "value": 50},
    {"field": "rollup.last_order_at", "op": "not_within_days", "value": 5},
    {"field": "customer.first_seen_at", "op": "within_days", "value": 2},
    {"did": "page", "when": {"calendar": "today"}},
    {"attribute": "born", "as": "date", "op": "anniversary_within", "value": 3},
    {"sequence": [{"did": "page"}, {"did_not": "search", "within": {"hours": 6}}], "days": 4},
    {"ordered": "money", "op": ">=", "value": 9, "when": {"days_ago": [9, 2]}},
]


class World:
    """A small shop in which things happen."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.now = factories.NOW
        self.people = [factories.customer() for _ in range(4)]
        self.list = PersonList.objects.create(name="Fair", read_at=factories.NOW)
        self.prediction = Prediction.objects.create(
            key="churn", title="Churn", kind="chance", horizon_days=30
        )
        self.version = factories.model_version("churn")
        factories.product("TEA", category="tea")
        factories.product("CUP", category="cups")
        self.segments = [
            factories.segment(str(number), rule) for number, rule in enumerate(readable())
        ]
        self.segments.append(factories.segment("list", {"in_list": self.list.pk}))
        named = self.chance.choice(self.segments).pk
        both = {"any": [{"in_segment": self.segments[4].pk}, {"not": {"in_segment": named}}]}
        self.segments.append(factories.segment("named", both))
        self.messages = 0

    def anybody(self) -> Customer:
        chosen = self.chance.choice(self.people)
        return Customer.every.get(pk=chosen.pk)

    def come(self) -> None:
        self.people.append(factories.customer(first_seen_at=self.now))

    def move_house(self) -> None:
        country = self.chance.choice(["GB", "FR", ""])
        Customer.objects.filter(pk=self.anybody().pk).update(country=country)

    def be_born(self) -> None:
        day = self.now + timedelta(days=self.chance.randint(-3, 6))
        born = {"born": f"1990-{day:%m-%d}"}
        Customer.objects.filter(pk=self.anybody().pk).update(
            attributes=born, timezone=self.chance.choice(["", "Asia/Tokyo", "Pacific/Auckland"])
        )

    def order(self) -> None:
        sku = self.chance.choice(["TEA", "CUP"])
        buyer = self.anybody()
        if buyer.merged_into_id is None:
            days = self.chance.choice([0, 1.5, 4.99, 9.9, 29.95, 40])
            goods = Product.objects.get(sku=sku)
            placed = self.now - timedelta(days=days)
            factories.order(buyer, placed_at=placed, lines=[(goods, self.chance.randint(1, 3))])
            rollups.refresh(customer_ids=[buyer.pk])

    def act(self) -> None:
        self.messages += 1
        who: dict[str, Any] = {"customer_id": self.anybody().pk}
        if self.chance.random() < 0.2:
            who = {"anonymous_id": f"visitor{self.chance.randint(0, 2)}"}
        hours = self.chance.choice([0, 0.5, 4.9, 5.95, 20, 71.5, 95.9])
        said = {
            "type": self.chance.choice(["page", "page", "search"]),
            "at": self.now - timedelta(hours=hours),
            "message_id": str(self.messages),
            **who,
        }
        events.record(batch=[said], source="shop", now=self.now)

    def sign_in(self) -> None:
        self.messages += 1
        person = self.anybody()
        said = {
            "type": "identify",
            "call": "identify",
            "at": self.now,
            "message_id": f"i{self.messages}",
            "anonymous_id": f"visitor{self.chance.randint(0, 2)}",
            "external_id": person.external_id or "c0",
        }
        events.record(batch=[said], source="shop", now=self.now)

    def answer(self) -> None:
        asked = {"channel": "email", "purpose": self.chance.choice(["marketing", "profiling"])}
        ids = [self.anybody().pk]
        if self.chance.random() < 0.5:
            proof = {"form": 1}
            consent.grant(customer_ids=ids, source="form", proof=proof, now=self.now, **asked)
        else:
            consent.revoke(customer_ids=ids, source="form", now=self.now, **asked)

    def suppress(self) -> None:
        address = self.anybody().email or "nobody@example.com"
        if self.chance.random() < 0.5:
            consent.suppress(addresses=[address], reason="bounced", now=self.now)
        else:
            consent.lift(address=address)

    def merge(self) -> None:
        kept, gone = (merging.current(self.anybody().pk) for _ in range(2))
        if kept != gone:
            merging.merge(kept=kept, gone=gone, actor=None, now=self.now)

    def undo(self) -> None:
        row = Merge.objects.filter(undone_at=None).order_by("-id").first()
        if row is not None:
            merging.undo(merge_id=row.pk, actor=None, now=self.now)

    def count(self) -> None:
        for person in Customer.objects.all():
            factories.traits(person, orders=self.chance.randint(0, 4), as_of=self.now)
        changes.note(kind=changes.TRAITS, people=None)

    def predict(self) -> None:
        Score.objects.all().delete()
        Score.objects.bulk_create(
            Score(
                prediction=self.prediction,
                customer=person,
                value=0.5,
                percentile=self.chance.randint(1, 100),
                version=self.version,
            )
            for person in Customer.objects.all()
        )
        changes.note(kind=changes.SCORE, what="churn", people=None)

    def put_on_list(self) -> None:
        person = self.anybody()
        found = PersonListMember.objects.filter(list=self.list, customer=person)
        if found.exists():
            found.delete()
        else:
            PersonListMember.objects.bulk_create(
                [PersonListMember(list=self.list, customer=person)]
            )

    def sort_goods(self) -> None:
        Product.objects.filter(sku="CUP").update(category=self.chance.choice(["tea", "cups"]))

    def think_again(self) -> None:
        segment = self.chance.choice(self.segments[:-2])
        definitions.save(
            name=segment.name,
            rule=self.chance.choice(readable()),
            actor=None,
            segment=Segment.objects.get(pk=segment.pk),
            now=self.now,
        )

    def wait(self) -> None:
        minutes = self.chance.choice([1, 5, 61, 300, 1500])
        self.now += timedelta(minutes=minutes)

    def look(self) -> None:
        self.now += timedelta(seconds=30)
        before = {s.pk: replayed(s.pk) for s in self.segments}
        upkeep.refresh(now=self.now, seconds=1000)
        Change.objects.all().delete()  # another transaction would be told them once
        for segment in Segment.objects.filter(state="live"):
            meant = membership.members(
                compiler.read(segment.rule), as_of=self.now, within=(segment.pk,)
            )
            wanted = set(meant.values_list("pk", flat=True))
            inside = set(
                SegmentMember.objects.filter(segment=segment).values_list("customer_id", flat=True)
            )
            assert inside == wanted, (segment.rule, before[segment.pk], inside, wanted)
            assert replayed(segment.pk) == wanted


def readable() -> list[dict[str, Any]]:
    found = []
    for rule in RULES:
        compiler.read(rule)
        found.append(rule)
    return found


def replayed(segment_id: int) -> set[int]:
    inside: set[int] = set()
    for move in moves.since(segment_id=segment_id, limit=100_000):
        assert (move.customer_id in inside) != move.entered, "a move that moved nobody"
        inside ^= {move.customer_id}
    return inside


HAPPENINGS: list[Callable[[World], None]] = [
    World.come, World.move_house, World.be_born, World.order, World.order, World.act, World.act,
    World.act, World.sign_in, World.answer, World.suppress, World.merge, World.undo, World.count,
    World.predict, World.put_on_list, World.sort_goods, World.think_again, World.wait, World.wait,
    World.look, World.look,
]  # fmt: skip


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), steps=st.lists(st.integers(0, len(HAPPENINGS) - 1), max_size=25))
def test_members_are_those_the_rule_means_and_moves_tell_how_they_came(
    seed: int, steps: list[int]
) -> None:
    with transaction.atomic():
        world = World(seed)
        world.look()
        for step in steps:
            HAPPENINGS[step](world)
        world.look()
        transaction.set_rollback(True)


def test_a_person_is_in_the_segments_whose_stored_members_they_are() -> None:
    world = World(5)
    for happening in HAPPENINGS * 3:
        happening(world)
    world.look()
    segments = list(Segment.objects.all())
    for person in Customer.objects.all():
        found = membership.of_person(customer_id=person.pk, segments=segments, as_of=world.now)
        mine = SegmentMember.objects.filter(customer=person)
        assert found == set(mine.values_list("segment_id", flat=True))
    assert Traits.objects.exists()
