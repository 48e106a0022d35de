"""A name has one form, whichever door it comes through; what cannot be right is refused."""

import pytest
from django.test import Client
from django.urls import reverse

from ingestion import events, intake, people
from ingestion.events import Incoming
from ingestion.identity import likeness, traits
from ingestion.models import Customer, Identity
from ingestion.preprocess import values
from marketing.core.errors import Refused
from tests import factories
from tests.ingestion.conftest import NOW


@pytest.mark.parametrize(
    "text",
    [
        " Ada.Lovelace+News@BÜCHER.example. ",
        "<ada.lovelace+news@bücher.example>",
        "ADA.LOVELACE+NEWS@XN--BCHER-KVA.EXAMPLE",
    ],
)
def test_an_address_is_the_same_through_every_door(text: str) -> None:
    expected = "ada.lovelace+news@xn--bcher-kva.example"
    assert values.email(text) == (expected, "")
    assert intake.customer({"email": text}, now=NOW).person.email == expected
    assert traits.read({"email": text}) == {"email": expected}


@pytest.mark.parametrize(
    "text",
    [
        "x" * 308 + "@example.com", "a@b", "a@@b.example", "a@b@c.example", '"a b"@c.example',
        "a@[127.0.0.1]", "a@c.example\r\nBcc: x@y.example", "a@c.example\nX: y", "@c.example",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused_at_every_door(text: str) -> None:
    assert values.email(text) == ("", "bad_email")
    with pytest.raises(Refused):
        intake.customer({"email": text}, now=NOW)
    assert traits.read({"email": text, "plan": "paid"}) == {"plan": "paid"}


def test_letters_that_only_look_alike_are_another_address() -> None:
    latin, cyrillic = values.email("ada@example.com")[0], values.email("аda@example.com")[0]
    assert latin != cyrillic
    assert cyrillic


@pytest.mark.parametrize(
    "text",
    [
        "+44 113 496 0000", "0044 113 4960000", "＋４４ １１３ ４９６ ００００",
        "+44 (0)113 496 0000",
        "+44-113-496-0000 ext. 12", "+44.113.496.0000 x7", "+٤٤ ١١٣ ٤٩٦ ٠٠٠٠",
    ],
)  # fmt: skip
def test_a_phone_number_is_the_same_however_it_is_written(text: str) -> None:
    assert values.phone(text) == ("+441134960000", "")
    assert intake.customer({"phone": text[:30]}, now=NOW).person.phone == "+441134960000"
    assert traits.read({"phone": text}) == {"phone": "+441134960000"}


@pytest.mark.parametrize("text", ["+44", "123", "1" * 30, "+1 800 FLOWERS", "call me", "+00000000"])
def test_what_is_no_phone_number_is_refused(text: str) -> None:
    assert values.phone(text) == ("", "bad_phone")


@pytest.mark.django_db
def test_a_number_without_its_country_joins_nobody() -> None:
    for external in ("7", "8"):
        item = intake.customer({"external_id": external, "phone": "0113 4960000"}, now=NOW)
        people.upsert(items=[item], source="till", now=NOW)
    assert Customer.objects.count() == 2
    assert not Identity.objects.filter(kind="phone").exists()
    assert set(Customer.objects.values_list("phone", flat=True)) == {"01134960000"}


NAMES = [
    "O'Brien", "<script>alert(1)</script>", "{{7*7}}", "{% include 'x' %}", "\u202eevil",
    "Zo\u0308e", "a\u200bb", "🎉" * 90,
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_text_wherever_it_is_shown(client: Client, name: str) -> None:
    told = Incoming(
        "identify", NOW, "m1", call="identify", external_id="7", traits={"lastName": name}
    )
    events.accept(batch=[told], source="web", now=NOW)
    events.drain(now=NOW)
    person = Customer.objects.get()
    client.force_login(factories.user("admin"))
    text = client.get(reverse("customer", args=[person.pk])).content.decode()
    assert "<script>alert" not in text
    assert person.last_name
    assert "49" not in person.last_name


def test_names_written_with_other_code_points_are_alike() -> None:
    assert likeness.plain("Zoë") == likeness.plain("Zoe\u0308") == "zoe"
