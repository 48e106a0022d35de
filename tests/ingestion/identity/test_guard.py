"""No name glues strangers together, and one person may have as many browsers as they like."""

from datetime import timedelta

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from ingestion import events
from ingestion.events import Incoming
from ingestion.identity import guard, identify
from ingestion.identity.identify import Person
from ingestion.models import Customer, Event, Identity, IdentityLink, RefusedName
from tests.ingestion.conftest import NOW


def resolve(*people: Person) -> list[int | None]:
    return identify.resolve(people=people, source="shop", now=NOW)


@pytest.mark.parametrize(
    "name",
    [
        ("external", "null"), ("external", "undefined"), ("external", "0"), ("external", "-1"),
        ("external", "anonymous"), ("external", "Guest"), ("external", "[object Object]"),
        ("external", "{{ user.id }}"), ("anonymous", "00000000-0000-0000-0000-000000000000"),
        ("email", "none@none.com"), ("email", "noreply@shop.example"), ("email", "test@test.com"),
        ("phone", "+0000000000"), ("phone", "1111111111"),
    ],
)  # fmt: skip
def test_placeholders_are_known(name: tuple[str, str]) -> None:
    assert guard.is_placeholder(name)


@pytest.mark.parametrize(
    "name",
    [
        ("external", "17850"), ("external", "nullam"), ("external", "guest-house-7"),
        ("external", "10"), ("email", "test@example.com"), ("email", "nonesuch@x.io"),
        ("phone", "+441134960000"), ("anonymous", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
    ],
)  # fmt: skip
def test_names_of_people_are_not_taken_for_placeholders(name: tuple[str, str]) -> None:
    assert not guard.is_placeholder(name)


@given(st.text(max_size=12) | st.from_regex(guard._NOBODY) | st.from_regex(guard._ZERO_UUID))
def test_a_name_that_needs_no_closer_look_is_no_placeholder(value: str) -> None:
    if value not in guard.doubtful([value]):
        assert not guard.is_placeholder(("external", value))


@pytest.mark.django_db
def test_a_placeholder_joins_nobody_and_is_listed() -> None:
    found = resolve(
        Person(external_id="null", email="ada@x.io"),
        Person(external_id="null", email="ben@x.io"),
        Person(external_id="null"),
    )
    assert found[0] != found[1]
    assert found[2] is None
    assert not Identity.objects.filter(value="null").exists()
    listed = RefusedName.objects.get()
    assert (listed.value, listed.reason, listed.times, listed.source) == (
        "null",
        "placeholder",
        3,
        "shop",
    )


@pytest.mark.django_db
def test_a_placeholder_that_somebody_allowed_is_a_name_like_any_other() -> None:
    resolve(Person(external_id="0"))
    RefusedName.objects.update(allowed=True)
    assert resolve(Person(external_id="0")) != [None]


@pytest.mark.django_db
def test_a_shop_adds_its_own_placeholders(settings) -> None:  # type: ignore[no-untyped-def]
    settings.IDENTITY_PLACEHOLDERS = frozenset({"kiosk"})
    assert resolve(Person(external_id="Kiosk")) == [None]


@pytest.mark.django_db
def test_a_name_that_too_many_claim_stops_joining(settings) -> None:  # type: ignore[no-untyped-def]
    settings.IDENTITY_MAX_OWNERS = 3
    for n in range(5):
        at = NOW + timedelta(minutes=n)
        resolve(Person(external_id=f"c{n}", phone="+441134960000", at=at))
    assert Customer.objects.count() == 5
    listed = RefusedName.objects.get()
    assert (listed.reason, listed.people) == ("many_owners", 3)
    assert resolve(Person(phone="+441134960000")) == [None]
    assert IdentityLink.objects.count() == 3  # no further claims pile up


@pytest.mark.django_db
def test_aliases_cannot_glue_a_crowd(settings) -> None:  # type: ignore[no-untyped-def]
    settings.IDENTITY_MAX_ALIASES = 3
    for n in range(8):
        resolve(Person(external_id="hub", previous_id=f"c{n}"))
    assert Identity.objects.filter(kind="external", customer__external_id="hub").count() == 4
    assert RefusedName.objects.get().value == "hub"
    assert Customer.objects.count() == 6


@pytest.mark.django_db
def test_more_visitors_than_one_person_has_are_not_joined(settings) -> None:  # type: ignore[no-untyped-def]
    settings.IDENTITY_MAX_NAMES = 10
    for n in range(14):
        resolve(Person(external_id="hub", anonymous_id=f"v{n}"))
    assert Identity.objects.filter(kind="anonymous").count() == 10
    assert resolve(Person(external_id="hub"), Person(anonymous_id="v13")) == [
        Customer.objects.get().pk,
        None,
    ]
    assert RefusedName.objects.get().reason == "many_names"


@pytest.mark.django_db
def test_a_device_that_found_no_room_leaves_no_claim_behind(settings) -> None:  # type: ignore[no-untyped-def]
    settings.IDENTITY_MAX_NAMES = 3
    for n in range(3):
        resolve(Person(external_id="hub", anonymous_id=f"v{n}"))
    early, late = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
    resolve(
        Person(external_id="hub", device_id="d", at=late),
        Person(external_id="ada", anonymous_id="a", at=early),
        Person(device_id="d", anonymous_id="a", at=late),
    )
    connection.check_constraints()
    assert not Identity.objects.filter(kind="device").exists()
    assert not IdentityLink.objects.exists()
    assert Identity.objects.get(value="a").customer == Customer.objects.get(external_id="ada")


@pytest.mark.django_db
def test_one_number_cannot_glue_a_crowd_of_addresses(settings) -> None:  # type: ignore[no-untyped-def]
    settings.IDENTITY_MAX_OWNERS = 3
    for n in range(5):
        resolve(Person(external_id="till", email=f"p{n}@x.io"))
    assert Customer.objects.count() == 3  # the till, and the two who came after it was full
    listed = RefusedName.objects.get()
    assert (listed.value, listed.reason, listed.people) == ("till", "many_names", 3)


@pytest.mark.django_db
def test_ten_thousand_browsers_of_one_person_are_one_person() -> None:
    visits = [
        Incoming("viewed", NOW - timedelta(hours=1), f"e{n}", anonymous_id=f"v{n}")
        for n in range(10_000)
    ]
    signs = [
        Incoming("identify", NOW, f"i{n}", call="identify", external_id="7", anonymous_id=f"v{n}")
        for n in range(10_000)
    ]
    for start in range(0, 10_000, 2_500):  # half of the visitors are known before their visit
        early = slice(start, start + 2_500)
        batches = (visits, signs) if start % 5_000 else (signs, visits)
        for batch in batches:
            events.accept(batch=batch[early], source="web", now=NOW)
            events.drain(now=NOW)
    assert Customer.objects.count() == 1
    assert Identity.objects.count() == 10_001
    assert Event.objects.filter(customer=Customer.objects.get()).count() == 20_000
    assert not RefusedName.objects.exists()


@pytest.mark.django_db
def test_a_placeholder_is_counted_once_even_when_names_move_in_the_same_batch() -> None:
    resolve(Person(email="ada@x.io"), Person(external_id="7"))
    resolve(Person(external_id="7", email="ada@x.io"), Person(external_id="null"))
    assert RefusedName.objects.get().times == 1
