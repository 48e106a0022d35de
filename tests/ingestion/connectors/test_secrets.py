"""Secrets go in and are used; they never come out. Settings change only by those who may."""

import io
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.core import serializers
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from ingestion.connectors import configuring
from ingestion.connectors.configuring import Timing
from ingestion.models import Connector, Pull
from ingestion.webhooks import endpoints
from marketing.core import auth
from marketing.core.errors import Invalid
from marketing.core.models import AuditEntry, Job
from tests import factories
from tests.ingestion.connectors.conftest import NOW, fetch

CANARY = "canary-4d1f-secret-token-7788"


@pytest.fixture
def secretive(connect: Callable[..., Connector], site: Any) -> Connector:
    return connect("http_json", url=f"{site.url}/rows", auth="bearer", secret=CANARY)


def whole_database() -> str:
    """Every row of every table, as text."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            found += [row[0] for row in cursor.fetchall()]
    return "\n".join(found)


def test_no_secret_stands_in_any_table_log_or_message(
    secretive: Connector, site: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for status in (404, 401, 200):
        site.pages["/rows"] = lambda _q, h, status=status: (
            status, {}, h.get("authorization", "").encode(),
        )  # fmt: skip
        Pull.objects.filter(state="open").update(state="failed")
        fetch(secretive)
    assert any(CANARY in str(headers) for _m, _p, headers in site.asked)  # it was really used
    assert CANARY not in whole_database()
    assert CANARY not in caplog.text
    assert CANARY not in serializers.serialize("json", Connector.objects.all())
    assert [job.state for job in Job.objects.all()] == ["failed"] * 3


def test_a_fault_that_quotes_the_secret_is_kept_without_it(
    secretive: Connector, site: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def leaky(self: Any, cursor: Any) -> Any:
        raise RuntimeError(f"could not send {CANARY}")

    monkeypatch.setattr("ingestion.connectors.http_json.HttpApi.pull", leaky)
    pull = fetch(secretive)
    assert "RuntimeError" in pull.error
    assert CANARY not in whole_database() + caplog.text


@pytest.mark.parametrize("role", ["admin", "marketer", "analyst", "integrator"])
def test_no_page_shows_a_secret_whoever_looks(
    secretive: Connector, client: Client, role: str
) -> None:
    client.force_login(factories.user(role))
    source = secretive.source_id
    detail = client.get(reverse("ingestion:source-detail", args=[source])).content.decode()
    assert "Set, ends in …7788" in detail
    pages = [detail, client.get(reverse("ingestion:source-list")).content.decode()]
    edit = client.get(reverse("ingestion:connector-edit", args=[source]))
    assert edit.status_code == (403 if role == "analyst" else 200)
    pages.append(edit.content.decode())
    posted = client.post(
        reverse("ingestion:connector-edit", args=[source]), {"name": "", "s_secret": CANARY}
    )
    pages.append(posted.content.decode())  # a refused form does not hand the secret back
    assert not any(CANARY in page for page in pages)


def test_the_admin_shows_no_secret_either(secretive: Connector, client: Client) -> None:
    client.force_login(factories.user("admin", is_staff=True, is_superuser=True))
    for address in ("/admin/", "/admin/ingestion/", "/admin/ingestion/connector/"):
        assert CANARY not in client.get(address).content.decode()
    sealed = next(iter(secretive.secrets.values()))
    change = client.get(f"/admin/ingestion/connector/{secretive.pk}/change/").content.decode()
    assert CANARY not in change
    assert sealed not in change


def test_an_answer_says_which_secrets_are_set_and_no_more(
    secretive: Connector, api: APIClient
) -> None:
    answer = api.get(reverse("api:source-detail", args=[secretive.source_id]))
    assert answer.json()["connector"]["secrets_set"] == ["secret"]
    assert CANARY not in answer.content.decode()
    assert "v1." not in answer.content.decode()


def test_the_audit_trail_names_the_secret_and_does_not_hold_it(secretive: Connector) -> None:
    entry = AuditEntry.objects.get(action="source.created")
    assert entry.detail["secrets"] == ["secret"]
    assert CANARY not in str(entry.detail)


def test_an_empty_field_keeps_the_secret_and_a_new_one_replaces_it(
    secretive: Connector,
) -> None:
    config = dict(secretive.config)
    kept = configuring.change(
        connector=secretive, name="shop", given={**config, "rows_path": "x", "secret": ""},
        timing=Timing(), actor=None, now=NOW,
    )  # fmt: skip
    assert configuring.secrets_of(kept) == {"secret": CANARY}
    new = configuring.change(
        connector=kept, name="shop", given={**config, "secret": "another-secret"},
        timing=Timing(), actor=None, now=NOW,
    )  # fmt: skip
    assert configuring.secrets_of(new) == {"secret": "another-secret"}


def test_a_kept_secret_is_never_sent_to_another_place(secretive: Connector, site: Any) -> None:
    elsewhere = {**secretive.config, "url": "https://attacker.example/", "secret": ""}
    with pytest.raises(Invalid, match="enter it again"):
        configuring.change(
            connector=secretive, name="shop", given=elsewhere, timing=Timing(), actor=None, now=NOW
        )
    with pytest.raises(Invalid, match="enter it again"):
        configuring.trial(kind="http_json", given=elsewhere, connector=secretive, now=NOW)
    secretive.refresh_from_db()
    assert secretive.config["url"] == f"{site.url}/rows"
    assert site.asked == []


def test_a_sealed_secret_copied_to_another_source_is_worthless(
    secretive: Connector, connect: Callable[..., Connector], site: Any
) -> None:
    other = connect("http_json", "other", url=f"{site.url}/theirs", auth="bearer", secret="mine")
    Connector.objects.filter(pk=other.pk).update(secrets=secretive.secrets)
    pull = fetch(other)
    assert "cannot be opened" in pull.error
    assert site.asked == []


def test_secrets_are_sealed_anew_under_a_new_key(secretive: Connector, settings: Any) -> None:
    endpoint, _text = endpoints.create(
        name="hook", scheme="standard", secret="webhook-secret", user=None, now=NOW
    )
    old, settings.SECRET_KEY = settings.SECRET_KEY, "a-new-key-" * 6
    settings.SECRET_KEY_FALLBACKS = [old]
    call_command("renew_secrets", stdout=(said := io.StringIO()))
    assert said.getvalue() == "2 secrets renewed.\n"
    settings.SECRET_KEY_FALLBACKS = []
    secretive.refresh_from_db()
    endpoint.refresh_from_db()
    assert configuring.secrets_of(secretive) == {"secret": CANARY}
    assert endpoints.secrets_of(endpoint, now=NOW) == ["webhook-secret"]


# --- who may -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "status"), [("analyst", 403), ("marketer", 200), ("admin", 200)])
def test_settings_change_only_by_those_who_may(
    secretive: Connector, role: str, status: int
) -> None:
    client = APIClient()
    client.force_login(factories.user(role))
    answer = client.patch(
        reverse("api:source-detail", args=[secretive.source_id]),
        {"settings": {"rows_path": "changed"}},
        format="json",
    )
    assert answer.status_code == status
    secretive.refresh_from_db()
    assert (secretive.config["rows_path"] == "changed") is (status == 200)


def test_a_key_that_may_only_read_changes_and_starts_nothing(secretive: Connector) -> None:
    _key, secret = auth.create_key(name="reader", scopes=["sources:read"], user=None)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    detail = reverse("api:source-detail", args=[secretive.source_id])
    pulls = reverse("api:pull-list", args=[secretive.source_id])
    assert client.get(detail).status_code == 200
    assert client.patch(detail, {"name": "x"}, format="json").status_code == 403
    assert client.post(pulls).status_code == 403
    assert Pull.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        {"id": 7},
        {"kind": "feed"},
        {"created_by": 1},
        {"settings": {"secrets": "x"}},
        {"settings": {"__class__": "x"}},
        {"connector": {"state": "active"}},
        {"state": "active"},
        {"cursor": {}},
        [],
        "x",
    ],
)
def test_nothing_but_settings_can_be_changed(
    secretive: Connector, api: APIClient, body: Any
) -> None:
    before = Connector.objects.values().get()
    answer = api.patch(
        reverse("api:source-detail", args=[secretive.source_id]), body, format="json"
    )
    assert answer.status_code in (400, 422)
    assert Connector.objects.values().get() == before


@pytest.mark.parametrize("name", ["connector-run", "connector-switch", "source-remove"])
def test_buttons_of_a_source_refuse_those_who_may_only_look(
    secretive: Connector, client: Client, name: str
) -> None:
    client.force_login(factories.user("analyst"))
    answer = client.post(reverse(f"ingestion:{name}", args=[secretive.source_id]), {"do": "pause"})
    assert answer.status_code == 403
    secretive.refresh_from_db()
    assert (secretive.state, Pull.objects.count()) == (Connector.State.DRAFT, 0)


def test_an_address_that_may_not_be_called_is_refused_when_it_is_used(
    secretive: Connector, api: APIClient, settings: Any, site: Any
) -> None:
    """However it came to be stored: the worker asks again, at the moment of the call."""
    settings.OUTBOUND_ALLOW = []
    for url in ("http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:6379/"):
        Connector.objects.update(config={**secretive.config, "url": url})
        assert "not called" in fetch(secretive).error
        Pull.objects.filter(state="open").update(state="failed")
    assert site.asked == []
