"""Many names, one person; nobody is made twice and no name changes hands."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from ingestion.identity import identify
from ingestion.identity.identify import Person
from ingestion.models import Customer, Identity
from tests.ingestion.conftest import NOW


def resolve(*people: Person) -> list[int | None]:
    return identify.resolve(people=people, source="test", now=NOW)


@pytest.mark.django_db
def test_the_strongest_known_name_decides() -> None:
    (by_number,) = resolve(Person(external_id="7"))
    (by_mail,) = resolve(Person(email="ada@example.com"))
    assert by_number != by_mail
    assert resolve(Person(external_id="7", email="ada@example.com")) == [by_number]
    assert Identity.objects.get(kind="email", value="ada@example.com").customer_id == by_mail


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
    (person,) = resolve(Person(anonymous_id="v1", email="ada@example.com"))
    assert resolve(Person(anonymous_id="v1")) == [person]


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
)


class EveryBatch(TestCase):
    @given(st.lists(names, max_size=8))
    def test_asking_again_gives_the_same_people_and_adds_nothing(
        self, people: list[Person]
    ) -> None:
        first = resolve(*people)
        rows, known = Customer.objects.count(), Identity.objects.count()
        again = resolve(*people)
        assert [found is None for found in first] == [not person.names for person in people]
        assert again == first
        assert (Customer.objects.count(), Identity.objects.count()) == (rows, known)
        for name in ("external_id", "email"):
            values = [v for v in Customer.objects.values_list(name, flat=True) if v]
            assert len(values) == len(set(values))
