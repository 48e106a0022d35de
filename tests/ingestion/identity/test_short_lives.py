"""Who is who after a few calls whose names collide, told apart from how they came: by the rules.

The rules are worked out here a second time and plainly, from all calls at once: a weak name belongs
to whoever claimed it first, customer numbers that an alias joined are one person, an event is its
strongest known name's, and of every trait the latest saying counts.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from ingestion import events
from ingestion.events import Incoming
from ingestion.identity.names import ANONYMOUS, DEVICE, EMAIL, EXTERNAL, PEOPLE, PHONE, RANK, Name
from ingestion.models import Customer, Event, Identity, IdentityLink, Merge
from tests.ingestion.conftest import NOW

FIELDS = {
    EXTERNAL: "external_id",
    EMAIL: "email",
    PHONE: "phone",
    DEVICE: "device_id",
    ANONYMOUS: "anonymous_id",
}
Pair = tuple[Name, Name]


class Told(NamedTuple):
    """A call and whether what came so far is stored before the next one is looked at."""

    call: Incoming
    stored: bool = True


def call(minute: int = 0, *, traits: dict[str, Any] | None = None, **names: Any) -> Incoming:
    kind = "alias" if "previous_id" in names else "identify" if traits else "track"
    return Incoming(
        type=kind if kind != "track" else "page_viewed",
        call=kind,
        at=NOW + timedelta(minutes=minute - 60),
        traits=traits or {},
        **names,
    )


def numbered(calls: Iterable[Incoming]) -> list[Incoming]:
    return [one._replace(message_id=f"m{place}") for place, one in enumerate(calls)]


def one_by_one(*calls: Incoming) -> list[Told]:
    return [Told(one) for one in numbered(calls)]


minutes = st.integers(0, 3)
people = st.fixed_dictionaries(
    {},
    optional={
        "external_id": st.sampled_from(["1", "2", "3"]),
        "email": st.sampled_from(["a@x.io", "b@x.io"]),
        "phone": st.sampled_from(["+4412345", "+4467890"]),
    },
).filter(bool)
machines = st.fixed_dictionaries(
    {"anonymous_id": st.sampled_from(["v1", "v2"])},
    optional={"device_id": st.sampled_from(["d1", "d2"])},
)
saying = st.dictionaries(
    st.sampled_from(["plan", "firstName"]), st.sampled_from(["Ada", "Bea", None]), min_size=1
)
visits = st.builds(lambda at, names: call(at, **names), minutes, machines)
meetings = st.builds(lambda at, a, b: call(at, **a, **b), minutes, people, machines)
sayings = st.builds(lambda at, a, said: call(at, traits=said, **a), minutes, people, saying)
murmurs = st.builds(lambda at, a, said: call(at, traits=said, **a), minutes, machines, saying)
aliases = st.builds(
    lambda at, new, old: call(at, external_id=new, previous_id=old),
    minutes,
    st.sampled_from(["1", "2", "3"]),
    st.sampled_from(["1", "2", "3", "4", "v1"]),
)


@st.composite
def lives(draw: st.DrawFn) -> list[Told]:
    """Up to nine calls in any order, some sent twice, in batches of any size."""
    calls = numbered(
        draw(
            st.lists(st.one_of(meetings, sayings, visits, murmurs, aliases), min_size=2, max_size=9)
        )
    )
    calls += draw(st.lists(st.sampled_from(calls), max_size=2))
    return [Told(one, draw(st.booleans())) for one in calls]


A_BROWSER_ON_ANOTHERS_DEVICE = one_by_one(
    call(0, external_id="1", anonymous_id="v1"),
    call(2, external_id="2", device_id="d1"),
    call(1, device_id="d1", anonymous_id="v1"),  # the same as if it came before the device's owner
)
NUMBERS_IN_A_CHAIN = one_by_one(
    call(0, external_id="2", previous_id="3"),
    call(0, external_id="1", previous_id="4"),
    call(0, external_id="4", previous_id="3"),
    call(0, traits={"plan": "Ada"}, external_id="3"),
    call(0, traits={"plan": "Bea"}, external_id="2"),
)
SAID_BEFORE_ANYBODY_KNEW_WHO = one_by_one(
    call(1, traits={"plan": "Ada", "firstName": "Ada"}, anonymous_id="v1"),
    call(0, traits={"plan": "Bea"}, external_id="1"),
    call(2, external_id="1", anonymous_id="v1"),
)
CLAIM_MADE_EARLIER_TWICE = one_by_one(
    call(3, external_id="1", email="a@x.io", anonymous_id="v1"),
    call(3, external_id="2", email="a@x.io", anonymous_id="v1"),
    call(2, external_id="2", email="a@x.io", anonymous_id="v1"),
    call(1, external_id="3", email="a@x.io", anonymous_id="v1"),
    call(0, external_id="2", email="a@x.io", anonymous_id="v1"),
)


def arrive(told: Sequence[Told]) -> None:
    batch: list[Incoming] = []
    for place, (one, stored) in enumerate(told, start=1):
        batch.append(one)
        if stored or place == len(told):
            events.accept(batch=batch, source="shop", now=NOW)
            events.drain(now=NOW)
            batch = []


class Rules:
    """What must be known once all calls have come, however they came."""

    def __init__(self, told: Sequence[Told]) -> None:
        self.calls = list({one.message_id: one for one, _stored in told}.values())
        self.claims: dict[Pair, datetime] = {}
        self.aliases: set[Pair] = set()
        self.met: set[Name] = set()
        for one in self.calls:
            self._hear(one)
        self.holder: dict[Name, Name] = {}
        for stronger, weaker in sorted(self.claims, key=self._turn, reverse=True):
            self.holder[weaker] = stronger

    def _hear(self, one: Incoming) -> None:
        first, *others = given_names(one)
        old = one.previous_id
        if first[0] == EXTERNAL and old not in ("", first[1]):
            others.append((ANONYMOUS, old))
            self.aliases.add((first, (EXTERNAL, old)))
            self.met.add((EXTERNAL, old))
        for weaker in others:
            self.claims[first, weaker] = min(one.at, self.claims.get((first, weaker), one.at))
        self.met |= {first, *others}

    def _turn(self, pair: Pair) -> tuple[datetime, int, Name]:
        return self.claims[pair], RANK[pair[0][0]], pair[0]

    def persons(self) -> set[frozenset[Name]]:
        groups = {name: {name} for name in self.met}
        for one, other in [*self.holder.items(), *self.aliases]:
            if groups[one] is not groups[other]:
                groups[one] |= groups[other]
                groups |= dict.fromkeys(groups[one], groups[one])
        return {
            frozenset(group)
            for group in groups.values()
            if any(kind in PEOPLE for kind, _value in group)
        }

    def profiles(self) -> dict[frozenset[Name], tuple[Any, ...]]:
        found = {}
        for person in self.persons():
            traits: dict[str, Any] = {}
            for one in sorted(self.calls, key=lambda one: (one.at, one.message_id)):
                if spoken_by(one) in person:
                    traits |= one.traits
            numbers = [value for kind, value in person if kind == EXTERNAL]
            previous = {weaker[1] for _stronger, weaker in self.aliases}
            found[person] = (
                min(numbers, key=lambda one: (one in previous, one), default=None),
                self._first_claimed(person, EMAIL) or None,
                self._first_claimed(person, PHONE),
                traits.pop("firstName", None) or "",
                {name: value for name, value in traits.items() if value is not None},
            )
        return found

    def _first_claimed(self, person: frozenset[Name], kind: str) -> str:
        def turn(name: Name) -> tuple[bool, datetime, str]:
            by = self.holder.get(name)
            return by is not None, self.claims[by, name] if by else NOW, name[1]

        return min((name for name in person if name[0] == kind), key=turn, default=("", ""))[1]

    def whose(self) -> dict[str, frozenset[Name] | None]:
        person_of = {name: person for person in self.persons() for name in person}
        return {one.message_id: person_of.get(spoken_by(one)) for one in self.calls}

    def outvoted(self) -> dict[Pair, datetime]:
        return {pair: at for pair, at in self.claims.items() if self.holder[pair[1]] != pair[0]}


def given_names(one: Incoming) -> list[Name]:
    return [(kind, value) for kind, field in FIELDS.items() if (value := getattr(one, field))]


def spoken_by(one: Incoming) -> Name:
    """The strongest name; where machines alone are named, the browser."""
    given = given_names(one)
    return given[0] if given[0][0] in PEOPLE else given[-1]


class WhatIsStored:
    """The same questions, answered by the tables."""

    def __init__(self) -> None:
        rows = list(Identity.objects.all())
        self.name_of = {row.pk: (row.kind, row.value) for row in rows}
        self.names: dict[int, set[Name]] = {}
        for row in rows:
            if row.customer_id is not None:
                self.names.setdefault(row.customer_id, set()).add((row.kind, row.value))
        self.holder = {
            self.name_of[row.pk]: (self.name_of[row.parent_id], row.linked_at)
            for row in rows
            if row.parent_id is not None
        }

    def profiles(self) -> dict[frozenset[Name], tuple[Any, ...]]:
        columns = ("external_id", "email", "phone", "first_name", "attributes")
        return {
            frozenset(self.names.get(pk, ())): tuple(values)
            for pk, *values in Customer.objects.values_list("pk", *columns)
        }

    def whose(self) -> dict[str, frozenset[Name] | None]:
        return {
            message: None if customer is None else frozenset(self.names.get(customer, ()))
            for message, customer in Event.objects.values_list("message_id", "customer_id")
        }

    def waiting(self) -> dict[Pair, datetime]:
        links = IdentityLink.objects.filter(state=IdentityLink.State.WAITING)
        return {
            (self.name_of[link.stronger_id], self.name_of[link.weaker_id]): link.at
            for link in links
        }


class ShortLives(TestCase):
    @settings(max_examples=200)
    @given(lives())
    @example(A_BROWSER_ON_ANOTHERS_DEVICE)
    @example(NUMBERS_IN_A_CHAIN)
    @example(CLAIM_MADE_EARLIER_TWICE)
    @example(SAID_BEFORE_ANYBODY_KNEW_WHO)
    def test_any_calls_in_any_order_and_batches_end_as_the_rules_say(
        self, told: list[Told]
    ) -> None:
        arrive(told)
        rules, stored = Rules(told), WhatIsStored()
        assert stored.profiles() == rules.profiles()
        assert stored.whose() == rules.whose()
        assert stored.holder == {
            name: (by, rules.claims[by, name]) for name, by in rules.holder.items()
        }
        assert stored.waiting().items() >= rules.outvoted().items()
        self._nobody_is_left_behind()

    def _nobody_is_left_behind(self) -> None:
        """Rows that were merged point at rows that stand, and the log tells of each once."""
        gone = Customer.every.filter(merged_into__isnull=False)
        assert not gone.filter(merged_into__merged_into__isnull=False).exists()
        log = Merge.objects.filter(undone_at=None).values_list("gone_id", flat=True)
        assert sorted(log) == sorted(gone.values_list("pk", flat=True))
        whose = dict(Identity.objects.values_list("pk", "customer_id"))
        found = Event.objects.filter(customer_id__isnull=False)
        for customer, name in found.values_list("customer_id", "identity_id"):
            assert whose.get(name or 0) == customer
