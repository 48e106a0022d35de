"""Whose requests are taken: the key of a source, off, on again, and replaced."""

import pytest

from ingestion.models import Source
from ingestion.tracking import keys
from marketing.core.models import AuditEntry
from tests.ingestion.tracking.conftest import VIEW

pytestmark = pytest.mark.django_db


def test_an_unknown_key_is_refused(post) -> None:
    for key in ("wk_none", "", "x" * 1000, "\0" * 10, "ключ-ключ"):
        answer = post("track", VIEW, key=key)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bad_write_key")
        assert "Basic" in answer["WWW-Authenticate"]
    assert post("track", VIEW, key="", HTTP_AUTHORIZATION="Basic !!!").status_code == 401


def test_a_key_that_is_turned_off_is_refused_and_may_be_turned_on_again(
    post, shop_source: Source
) -> None:
    assert post("track", VIEW).status_code == 200
    keys.switch(source=shop_source, enabled=False, actor=None)
    assert post("track", VIEW).status_code == 401
    keys.switch(source=shop_source, enabled=True, actor=None)
    assert post("track", VIEW).status_code == 200
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == [
        "write_key.created",
        "write_key.disabled",
        "write_key.enabled",
    ]


def test_another_process_turning_the_key_off_counts_within_seconds(
    post, shop_source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post("track", VIEW).status_code == 200
    Source.objects.filter(pk=shop_source.pk).update(enabled=False)
    assert keys.REMEMBERED <= 5
    later = keys.time.monotonic() + keys.REMEMBERED
    monkeypatch.setattr(keys.time, "monotonic", lambda: later)
    assert post("track", VIEW).status_code == 401


def test_a_replaced_key_is_refused(post, shop_source: Source) -> None:
    old = shop_source.write_key
    assert post("track", VIEW).status_code == 200
    keys.rotate(source=shop_source, actor=None)
    assert post("track", VIEW, key=old).status_code == 401
    assert post("track", VIEW, key=shop_source.write_key).status_code == 200
