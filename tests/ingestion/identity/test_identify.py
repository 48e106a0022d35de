"""Many names, one person; nobody is made twice, and a name belongs to whoever claimed it first."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from ingestion.identity import identify
from ingestion.identity.identify import Person
from ingestion.models import Customer, Identity, IdentityLink
from tests.ingestion.conftest import NOW


def resolve(*people: Person) -> list[int | None]:
    return identify.resolve(people=people, source="test", now=NOW)


def after(minutes: float, **names: str) -> Person:
    return Person(**names, at=NOW + timedelta(minutes=minutes))


def owner(kind: str, value: str) -> int | None:
    return Identity.objects.get(kind=kind, value=value).customer_id


@pytest.mark.django_db
def test_a_person_known_by_mail_alone_joins_the_number_that_names_the_address() -> None:
    (by_mail,) = resolve(Person(email="ada@example.com"))
    (by_number,) = resolve(Person(external_id="7", email="ada@example.com"))
    assert by_number == by_mail
    row = Customer.objects.get()
    assert (row.external_id, row.email) == ("7", "ada@example.com")


@pytest.mark.django_db
def test_two_people_of_whom_one_is_the_others_address_become_one() -> None:
    (by_mail,) = resolve(Person(email="ada@example.com"))
    (by_number,) = resolve(Person(external_id="7"))
    assert by_number != by_mail
    assert resolve(Person(external_id="7", email="ada@example.com")) == [by_number]
    assert resolve(Person(email="ada@example.com")) == [by_number]
    assert Customer.objects.get().pk == by_number
    assert Customer.every.get(pk=by_mail).merged_into_id == by_number


@pytest.mark.django_db
def test_numbers_are_never_joined_by_an_address_they_share() -> None:
    first, second = resolve(
        after(0, external_id="7", email="shared@example.com"),
        after(1, external_id="8", email="shared@example.com"),
    )
    assert first != second
    assert owner("email", "shared@example.com") == first
    link = IdentityLink.objects.get()
    assert (link.stronger.value, link.weaker.value, link.state) == (
        "8",
        "shared@example.com",
        "waiting",
    )
    assert (Customer.objects.get(pk=second).email, Customer.objects.get(pk=first).email) == (
        None,
        "shared@example.com",
    )


@pytest.mark.django_db
def test_a_late_claim_from_an_earlier_moment_moves_the_name() -> None:
    (later,) = resolve(after(10, external_id="8", email="shared@example.com"))
    (earlier,) = resolve(after(0, external_id="7", email="shared@example.com"))
    assert owner("email", "shared@example.com") == earlier
    assert Customer.objects.get(pk=earlier).email == "shared@example.com"
    assert Customer.objects.get(pk=later).email is None


@pytest.mark.django_db
def test_new_names_are_added_to_the_person_they_came_with() -> None:
    (person,) = resolve(Person(external_id="7"))
    assert resolve(Person(external_id="7", email="ada@example.com", phone="+441234567")) == [person]
    assert resolve(Person(email="ada@example.com")) == [person]
    row = Customer.objects.get(pk=person)
    assert (row.email, row.phone) == ("ada@example.com", "+441234567")


@pytest.mark.django_db
def test_a_visitor_number_alone_makes_nobody() -> None:
    assert resolve(Person(anonymous_id="v1"), Person()) == [None, None]
    assert not Identity.objects.exists()
    (person,) = resolve(Person(anonymous_id="v1", email="ada@example.com"))
    assert resolve(Person(anonymous_id="v1")) == [person]


@pytest.mark.django_db
def test_a_device_stands_for_the_visitors_seen_on_it_once_its_owner_is_known() -> None:
    assert resolve(Person(device_id="d1", anonymous_id="v1")) == [None]
    (person,) = resolve(Person(external_id="7", device_id="d1"))
    assert resolve(Person(anonymous_id="v1"), Person(device_id="d1", anonymous_id="v2")) == [
        person,
        person,
    ]
    assert resolve(Person(anonymous_id="v2")) == [person]


@pytest.mark.django_db
def test_the_name_that_found_somebody_is_told() -> None:
    (found,) = identify.locate(
        people=[Person(external_id="7", anonymous_id="v1")], source="test", now=NOW
    )
    assert found.identity_id == Identity.objects.get(kind="external").pk
    (found,) = identify.locate(people=[Person(anonymous_id="v1")], source="test", now=NOW)
    assert found.identity_id == Identity.objects.get(kind="anonymous").pk
    assert identify.locate(people=[Person()], source="test", now=NOW) == [(None, None)]


@pytest.mark.django_db
def test_one_batch_may_name_a_person_in_parts() -> None:
    first, second, third = resolve(
        Person(external_id="7", email="ada@example.com"),
        Person(email="ada@example.com", phone="+441234567"),
        Person(phone="+441234567"),
    )
    assert first == second == third
    assert Customer.objects.count() == 1


@pytest.mark.django_db
def test_a_batch_of_known_names_asks_once(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    people = [Person(external_id=f"c{n}", anonymous_id=f"v{n}") for n in range(500)]
    first = resolve(*people)
    with django_assert_num_queries(6) as asked:  # two savepoints, a shared lock and one SELECT
        assert resolve(*people) == first
    assert sum("ingestion_identity" in query["sql"] for query in asked.captured_queries) == 1


@pytest.mark.django_db
def test_empty_columns_are_filled_and_others_only_overwritten_when_asked() -> None:
    (person,) = resolve(Person(external_id="7", first_name="Ada"))
    news = Person(external_id="7", first_name="Augusta", country="GB")
    assert identify.enrich(people=[(person, news)], now=NOW, overwrite=False) == 1
    row = Customer.objects.get(pk=person)
    assert (row.first_name, row.country) == ("Ada", "GB")
    assert identify.enrich(people=[(person, news)], now=NOW, overwrite=True) == 1
    assert identify.enrich(people=[(person, news)], now=NOW, overwrite=True) == 0
    assert Customer.objects.get(pk=person).first_name == "Augusta"


names = st.builds(
    Person,
    external_id=st.sampled_from(["", "1", "2"]),
    email=st.sampled_from(["", "a@x.io", "b@x.io"]),
    phone=st.sampled_from(["", "+4412345", "+4467890"]),
    device_id=st.sampled_from(["", "d1", "d2"]),
    anonymous_id=st.sampled_from(["", "v1", "v2"]),
    at=st.integers(0, 9).map(lambda n: NOW + timedelta(hours=n)),
)


def together() -> set[frozenset[tuple[str, str]]]:
    """Who is who: the names of each person, whatever the ids of the rows."""
    people: dict[int | None, set[tuple[str, str]]] = {}
    for kind, value, customer in Identity.objects.values_list("kind", "value", "customer_id"):
        if customer is not None:
            people.setdefault(customer, set()).add((kind, value))
    return {frozenset(names) for names in people.values()}


def columns() -> set[tuple[object, ...]]:
    return set(Customer.objects.values_list("external_id", "email", "phone"))


class EveryBatch(TestCase):
    @given(st.lists(names, max_size=8))
    def test_asking_again_gives_the_same_people_and_adds_nothing(
        self, people: list[Person]
    ) -> None:
        resolve(*people)
        first = resolve(*people)
        rows, known = Customer.every.count(), Identity.objects.count()
        again = resolve(*people)
        assert again == first
        assert (Customer.every.count(), Identity.objects.count()) == (rows, known)
        for name in ("external_id", "email"):
            values = [v for v in Customer.objects.values_list(name, flat=True) if v]
            assert len(values) == len(set(values))

    @given(st.lists(names, min_size=2, max_size=8), st.data())
    def test_any_order_and_any_batches_give_the_same_people(
        self, people: list[Person], data: st.DataObject
    ) -> None:
        resolve(*people)
        expected, rows = together(), columns()
        self._forget()
        shuffled = data.draw(st.permutations(people))
        while shuffled:
            size = data.draw(st.integers(1, len(shuffled)))
            resolve(*shuffled[:size])
            shuffled = shuffled[size:]
        assert together() == expected
        assert columns() == rows
        self._forget()

    @staticmethod
    def _forget() -> None:
        IdentityLink.objects.all().delete()
        Identity.objects.all().delete()
        Customer.every.all().delete()
