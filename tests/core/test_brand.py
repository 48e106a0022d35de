"""The brand: what the environment says until somebody saves the page, and what is said after."""

import base64
import struct
import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from marketing.core import auth, brand
from marketing.core.brand import pictures
from marketing.core.errors import Invalid
from marketing.core.models import AuditEntry, Brand
from tests import factories

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
SAVED = {
    "name": "Kestrel & Daughters",
    "site_url": "shop.kestrel.example",
    "postal_address": "1 Mill Lane\r\n\r\nOtley LS21",
    "sender_name": "Ada of Kestrel",
    "sender_email": "ada@kestrel.example",
    "color": "#1B4D3E",
    "currency": "eur",
    "timezone": "Asia/Shanghai",
    "language": "zh-hans",
    "cancel_prefix": "CN-",
}


def png(width: int, height: int) -> bytes:
    """A grey picture of this size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    rows = zlib.compress(b"".join(b"\0" + b"\x80" * width for _ in range(height)))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def of_role(role: str) -> Client:
    client = Client()
    client.force_login(factories.user(role))
    return client


def test_the_environment_speaks_until_somebody_saves_the_page(settings: Any) -> None:
    settings.BUSINESS_NAME, settings.SHOP_URL = "Corner shop", "https://corner.example"
    settings.DEFAULT_FROM_EMAIL, settings.DEFAULT_CURRENCY = "hi@corner.example", "SEK"
    found = brand.now()
    assert (found.name, found.sender_name, found.site_url) == (
        "Corner shop", "Corner shop", "https://corner.example",
    )  # fmt: skip
    assert (found.sender_email, found.currency, found.saved_at) == (
        "hi@corner.example",
        "SEK",
        None,
    )
    brand.save(values={"postal_address": "1 Mill Lane"}, actor=None, at=AT)
    settings.SHOP_URL = "https://moved.example"
    assert (brand.now().name, brand.now().site_url) == ("Corner shop", "https://moved.example")


def test_what_an_admin_saves_is_said_everywhere_and_stands_in_the_trail() -> None:
    client = of_role("admin")
    answer = client.post(reverse("core:brand"), SAVED)
    assert (answer.status_code, answer["Location"]) == (302, reverse("core:brand"))
    found = brand.now()
    assert found.name == "Kestrel & Daughters"
    assert found.site_url == "https://shop.kestrel.example"
    assert found.postal_line == "1 Mill Lane, Otley LS21"
    assert (found.color, found.currency, found.timezone) == ("#1b4d3e", "EUR", "Asia/Shanghai")
    assert (found.language, found.cancel_prefix) == ("zh-hans", "CN-")
    assert "Kestrel &amp; Daughters" in client.get(reverse("core:profile")).content.decode()
    entry = AuditEntry.objects.get(action="brand.saved")
    assert entry.detail == {"changed": sorted(SAVED)}
    client.post(reverse("core:brand"), {"name": "Kestrel"})
    assert AuditEntry.objects.filter(action="brand.saved").first().detail == {"changed": ["name"]}  # type: ignore[union-attr]
    assert brand.now().sender_email == "ada@kestrel.example"


@pytest.mark.parametrize("role", ["marketer", "analyst", "integrator"])
def test_only_admins_change_it_and_everybody_may_look(role: str) -> None:
    client = of_role(role)
    assert client.get(reverse("core:brand")).status_code == 200
    assert client.post(reverse("core:brand"), SAVED).status_code == 403
    assert not Brand.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("name", " ", "Say what the business is called."),
        ("site_url", "javascript://x y", "This is not the address of a web site."),
        ("site_url", "https://", "This is not the address of a web site."),
        ("sender_email", "ada at kestrel", "This is not an e-mail address."),
        ("color", "red", "Write the colour as # and six digits"),
        ("color", "#ffd54a", "a contrast of 1.4 of 4.5"),
        ("currency", "pounds", "A currency is three letters"),
        ("timezone", "Europe/Atlantis", "There is no time zone Europe/Atlantis."),
        ("language", "tlh", "Choose one of the languages."),
        ("cancel_prefix", "C 1", "Letters and the signs"),
        ("postal_address", "x" * 301, "At most 300 characters."),
    ],
)
def test_what_cannot_be_right_is_refused_at_its_field(field: str, value: str, why: str) -> None:
    with pytest.raises(Invalid) as refused:
        brand.save(values={**SAVED, field: value}, actor=None, at=AT)
    assert refused.value.field == field
    assert why in str(refused.value)
    answer = of_role("admin").post(reverse("core:brand"), {**SAVED, field: value})
    assert answer.status_code == 422
    assert b'aria-invalid="true"' in answer.content
    assert not Brand.objects.exists()


def test_a_logo_is_shown_to_anybody_and_a_later_one_takes_its_place() -> None:
    client, stranger = of_role("admin"), Client()
    assert stranger.get("/brand/0000.png").status_code == 404
    from django.core.files.uploadedfile import SimpleUploadedFile

    client.post(reverse("core:brand"), {"logo": SimpleUploadedFile("a.png", png(720, 100))})
    first = brand.now()
    assert (first.logo_width, first.logo_height) == (180, 25)
    answer = stranger.get(first.logo_path)
    assert (answer["Content-Type"], answer.content) == ("image/png", png(720, 100))
    assert "immutable" in answer["Cache-Control"]
    brand.save(values={}, logo=png(40, 40), actor=None, at=AT)
    later = stranger.get(first.logo_path)
    assert (later.content, later["Cache-Control"]) == (png(40, 40), "public, max-age=300")
    client.post(reverse("core:brand"), {"without_logo": "1"})
    assert brand.now().logo_url == ""


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "logo_unreadable"),
        (png(20, 20)[:-20], "logo_unreadable"),
        (png(3_000, 20), "logo_size"),
        (png(20, 20) + b"\0" * 300_000, "logo_too_large"),
    ],
)
def test_what_mailboxes_do_not_show_is_no_logo(data: bytes, code: str) -> None:
    with pytest.raises(Invalid) as refused:
        brand.save(values=SAVED, logo=data, actor=None, at=AT)
    assert (refused.value.code, refused.value.field) == (code, "logo")


def test_sizes_are_read_from_each_kind_of_picture() -> None:
    gif = b"GIF89a" + struct.pack("<HH", 90, 30) + b"\0\0\0;"
    frame = b"\xff\xc2" + struct.pack(">HBHH", 8, 8, 33, 99)
    jpeg = b"\xff\xd8\xff\xe0" + struct.pack(">H", 4) + b"ab" + frame + b"\xff\xd9"
    sizes = [(p.kind, p.width, p.height) for d in (gif, jpeg) if (p := pictures.read(d))]
    assert sizes == [("gif", 90, 30), ("jpg", 99, 33)]
    assert pictures.read(b"\xff\xd8\xff\xe0\x00\x00") is None


def test_a_program_reads_it_and_changes_only_what_it_names() -> None:
    _key, secret = auth.create_key(name="shop", scopes=["brand:read", "brand:write"], user=None)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert client.get("/api/v1/brand/").json()["saved_at"] is None
    logo = base64.b64encode(png(32, 32)).decode()
    told = client.patch("/api/v1/brand/", {"name": "Kestrel", "logo": logo}).json()
    assert (told["name"], told["sender_name"]) == ("Kestrel", "Kestrel")
    assert told["logo_url"].endswith(brand.now().logo_path)
    assert client.patch("/api/v1/brand/", {"logo": None}).json()["logo_url"] == ""
    for body, code in (
        ({}, "nothing_named"),
        ({"color": "#ffffff"}, "pale_color"),
        ({"logo": "%%%"}, "logo_unreadable"),
        ({"language": "tlh"}, "invalid"),
    ):
        refused = client.patch("/api/v1/brand/", body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, code)
    assert AuditEntry.objects.filter(action="brand.saved").count() == 2


def test_another_process_hears_of_a_change_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("marketing.core.brand.time.monotonic", lambda: clock[0])
    brand.forget()
    assert brand.now().name == "My shop"
    Brand.objects.create(
        name="Elsewhere", currency="EUR", timezone="UTC", language="en", updated_at=AT
    )
    clock[0] += brand.FRESH_SECONDS
    assert brand.now().name == "My shop"
    clock[0] += 0.1
    assert brand.now().name == "Elsewhere"
