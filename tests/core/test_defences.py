"""Rules of defence that no single page or module owns, held over all of the code at once."""

import ast
import re
from pathlib import Path

import pytest
from django.contrib.auth.hashers import get_hasher
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from marketing import settings as ours
from marketing.core.models import AuditEntry
from tests import factories

ROOT = Path(__file__).resolve().parents[2]
APPS = ("marketing", "ingestion", "models_ml", "recommendations", "campaigns")
CODE = [path for app in APPS for path in sorted((ROOT / app).rglob("*.py"))]
RUNS = {"eval", "exec", "compile", "__import__"}
UNSAFE = {"mark_safe", "SafeString", "RawSQL", "extra", "unsafe_load"}
# Their statements are written in the code alone, with every value bound.
ALLOWED = {
    "campaigns/ads/exporting.py: RawSQL", "campaigns/reporting/behind.py: RawSQL",
    "campaigns/content/history.py: extra", "campaigns/content/references.py: extra",
    "campaigns/reporting/behind.py: extra", "campaigns/variants/rounds.py: extra",
    "campaigns/variants/routed.py: extra", "ingestion/queries.py: RawSQL",
}  # fmt: skip
# Each takes the names from a list in the code: of fields, axes, columns, choices of a page.
SPREAD = {
    "campaigns/ads/figures.py", "campaigns/api/journey_people.py", "campaigns/recipients/routes.py",
    "campaigns/reporting/behind.py", "campaigns/seeds/history.py",
    "campaigns/segments/comparing.py", "campaigns/segments/marks.py",
    "campaigns/segments/moments.py", "campaigns/segments/naming.py",
    "campaigns/segments/preview.py", "campaigns/segments/purchases.py",
    "campaigns/segments/standing.py", "ingestion/api/consents.py", "ingestion/consent/asking.py",
    "ingestion/privacy/sweeping.py", "ingestion/views/events.py", "ingestion/views/people.py",
    "models_ml/api/versions.py", "models_ml/insights/rfm.py", "models_ml/views/effects.py",
}  # fmt: skip
# Whoever speaks to other machines, each over `outbound` or `reach`, which look at the address.
SPEAKS = {
    "campaigns/answers/boxes.py", "campaigns/messaging/imap.py", "campaigns/seeds/lines.py",
    "campaigns/messaging/providers/email_anymail/amazon.py",
    "campaigns/messaging/providers/email_anymail/sending.py",
    "campaigns/messaging/providers/email_smtp/session.py", "ingestion/connectors/places.py",
    "ingestion/connectors/sql.py", "ingestion/quality/alerts.py", "marketing/core/outbound.py",
    "marketing/core/reach.py",
}  # fmt: skip
# What starts, measures and looks at the platform on its own machine.
OWN_MACHINE = {"benchmarks", "deploy", "embedded", "management", "soak"}
# Texts of Django's own beside form fields, and a mail in plain text.
LOOSE = {"templates/cotton/field.html", "templates/email/confirm.txt"}


def called(path: Path) -> list[tuple[str, int]]:
    """(name, line) of every call of a plain name, and of methods named like what is unsafe."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                found.append((node.func.id, node.lineno))
            elif isinstance(node.func, ast.Attribute) and node.func.attr in UNSAFE:
                found.append((node.func.attr, node.lineno))
    return found


def test_nothing_that_anybody_wrote_is_run_as_code_or_marked_as_safe() -> None:
    places = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in CODE
        for name, _line in called(path)
        if name in RUNS | UNSAFE
    }
    assert places == ALLOWED


def test_names_of_columns_come_from_lists_of_our_own() -> None:
    """A dictionary that is spread into a query names columns: each place is known and looked at."""
    asks = {"filter", "exclude", "annotate", "alias", "order_by", "values", "values_list", "get"}
    spreads = [path for path in CODE if "benchmarks" not in path.parts and "**" in path.read_text()]
    places = {
        str(path.relative_to(ROOT))
        for path in spreads
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ((isinstance(node.func, ast.Attribute) and node.func.attr in asks)
             or (isinstance(node.func, ast.Name) and node.func.id == "Q"))
        and any(word.arg is None for word in node.keywords)
    }  # fmt: skip
    assert places == SPREAD


def test_nobody_opens_a_connection_but_past_the_one_gate() -> None:
    libraries = re.compile(
        r"^\s*(?:from|import) (?:aiohttp|boto3|botocore|fsspec|ftplib|gcsfs|http\.client|httpx"
        r"|imaplib|paramiko|pymysql|requests|s3fs|smtplib|sqlalchemy|urllib\.request|urllib3)\b"
        r"|\bcreate_connection\(",
        re.MULTILINE,
    )
    speaking = {
        str(path.relative_to(ROOT))
        for path in CODE
        if not OWN_MACHINE & set(path.parts)
        and not path.stem.startswith("bench")
        and libraries.search(path.read_text())
    }
    assert speaking == SPEAKS


def test_templates_escape_everything_and_no_serializer_takes_every_column() -> None:
    pages = [*(ROOT / "templates").rglob("*.html"), *(ROOT / "templates").rglob("*.txt")]
    assert len(pages) > 100
    loose = re.compile(r"\|\s*safe\b|autoescape\s+off|\|\s*safeseq\b")
    found = {str(page.relative_to(ROOT)) for page in pages if loose.search(page.read_text())}
    assert found == LOOSE
    every = re.compile(r"fields\s*=\s*[\"']__all__[\"']")
    assert [str(path) for path in CODE if every.search(path.read_text())] == []


def test_a_weak_key_starts_nothing_and_a_made_one_is_long_and_private(monkeypatch, tmp_path):
    for key, why in (
        ("changeme", "at least 50"),
        ("django-insecure-" + "k3y" * 20, "can be guessed"),
        ("changeme" * 10, "can be guessed"),
    ):
        monkeypatch.setenv("SECRET_KEY", key)
        with pytest.raises(ImproperlyConfigured, match=why):
            ours._secret_key()
    monkeypatch.delenv("SECRET_KEY")
    monkeypatch.setattr(ours, "VAR_DIR", tmp_path)
    assert len(ours._secret_key()) >= 90
    assert ours._secret_key() == (tmp_path / "secret_key").read_text()
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


@pytest.fixture
def ada(db):
    made = factories.user("marketer", username="ada")
    made.set_password("right horse battery")
    made.save()
    return made


def signed_in_by_form() -> Client:
    client = Client()
    client.post("/login/", {"username": "ada", "password": "right horse battery"})
    return client


def test_a_session_is_new_at_sign_in_and_ends_with_sign_out_and_a_new_password(ada):
    client = Client()
    client.get("/login/")
    client.cookies["sessionid"] = "chosenbysomebodyelse0000000000000"
    client.post("/login/", {"username": "ada", "password": "right horse battery"})
    ours_now = client.cookies["sessionid"]
    assert ours_now.value != "chosenbysomebodyelse0000000000000"
    assert (ours_now["httponly"], ours_now["samesite"]) == (True, "Lax")
    other = signed_in_by_form()
    assert other.get("/settings/").status_code == 200
    told = AuditEntry.objects.filter(action="user.signed_in").values_list("actor", "detail")
    assert list(told) == [(ada.pk, {"door": "pages"})] * 2
    copied = Client()
    copied.cookies["sessionid"] = ours_now.value
    client.post("/logout/")
    assert copied.get("/settings/").status_code == 302
    ada.set_password("another horse battery")
    ada.save()
    assert other.get("/settings/").status_code == 302
    third = Client()
    third.force_login(ada)
    ada.is_active = False
    ada.save()
    assert third.get("/settings/").status_code == 302


def test_known_and_unknown_names_hear_the_same_and_cost_a_hash_each(ada, monkeypatch):
    hashed: list[str] = []
    hasher = type(get_hasher())
    encode = hasher.encode

    def counted(self, password, *rest, **named):
        hashed.append(password)
        return encode(self, password, *rest, **named)

    monkeypatch.setattr(hasher, "encode", counted)
    heard = {
        re.sub(
            r'value="[^"]*"|nonce-[^" ]+',
            "",
            Client().post("/login/", {"username": name, "password": "wrong"}).content.decode(),
        )
        for name in ("ada", "nobody")
    }
    assert len(heard) == 1
    assert hashed == ["wrong", "wrong"]


@pytest.mark.parametrize("page", ["/", "/login/", "/settings/", "/api/docs/", "/nowhere/"])
def test_every_answer_carries_the_headers_that_browsers_obey(ada, page):
    client = Client()
    client.force_login(ada)
    headers = client.get(page).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


def test_one_cannot_be_led_to_another_site_by_signing_in(ada):
    for place in (
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
    ):
        answer = Client().post(
            "/login/", {"username": "ada", "password": "right horse battery", "next": place}
        )
        assert answer["Location"] == "/"
