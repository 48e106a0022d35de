"""Pages of sources in a real browser: sound in both themes and widths, and a test on the spot."""

from typing import Any

import orjson
import pytest
from django.urls import reverse
from django.utils import timezone

from ingestion.connectors import configuring
from ingestion.models import Connector, ImportJob, Mention, Pull, PulledFile, Source
from tests import factories
from tests.browser.conftest import Visit
from tests.ingestion.connectors.conftest import site

__all__ = ["site"]  # a fixture
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
LONG = "A very long name of a source that somebody gave in a hurry, with no end in sight"


def many_sources() -> list[int]:
    """One source in each state of health, with everything its page can show; their ids."""
    now = timezone.now()
    sql = configuring.create(
        kind="sql", name=LONG, actor=None, now=now,
        given={
            "variant": "postgresql", "host": "db.example.com", "database": "shop", "user": "reader",
            "password": "a-long-secret-0123", "query": "SELECT " + ", ".join(["column"] * 30),
        },
    )  # fmt: skip
    Connector.objects.filter(pk=sql.pk).update(
        state="paused", failures=6, paused_reason="It failed 6 times in a row. " + "x" * 200
    )
    Source.objects.filter(pk=sql.source_id).update(mapping={"orders": {"order_id": "no" * 30}})
    pull = Pull.objects.create(
        connector=sql, state="failed", error="https://example.com/" + "y" * 300, finished_at=now
    )
    pull.imports.add(
        ImportJob.objects.create(
            source=sql.source, path="x", original_name="rows.jsonl.gz", received=9, stored=5,
            duplicate=2, quarantined=2, state="done", finished_at=now,
        )
    )  # fmt: skip
    folder = configuring.create(
        kind="folder", name="drop", given={"variant": "local", "path": "."}, actor=None, now=now
    )
    PulledFile.objects.create(
        connector=folder, name="z" * 200, version="1", problem="No table. " * 9
    )
    feed = configuring.create(
        kind="feed", name="press", given={"url": "https://example.com/feed"}, actor=None, now=now
    )
    Mention.objects.create(
        source=feed.source, external_id="1", title="t" * 200, text="w " * 400, author="ada",
        url="https://example.com/" + "u" * 300, published_at=now,
    )  # fmt: skip
    Source.objects.create(name="site", kind="tracking", write_key="k" * 32)
    return list(Source.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("width", ["desk", "phone"])
def test_pages_of_sources_are_sound(visit: Visit, width: str) -> None:
    visitor = visit(factories.user("admin"), width=width)
    paths = [reverse("ingestion:source-list")]
    paths += [reverse("ingestion:source-detail", args=[pk]) for pk in many_sources()]
    paths += [
        reverse("ingestion:connector-new", args=[kind]) + f"?variant={variant}"
        for kind, variant in [("sql", "sqlite"), ("folder", "sftp"), ("folder", "s3")]
    ]
    found = [line for path in paths for line in visitor.unsound(path)]
    assert "\n".join(found + visitor.errors) == ""


def test_a_connection_is_tested_on_the_spot_and_then_added(visit: Visit, site: Any) -> None:
    rows = [{"no": "o1", "sku": "MUG"}]
    site.pages["/rows"] = lambda _q, h: (
        (200, {}, orjson.dumps(rows)) if h.get("authorization") else (401, {}, b"{}")
    )
    visitor = visit(factories.user("integrator"))
    page = visitor.page
    visitor.go(reverse("ingestion:source-new"))
    page.get_by_role("link", name="HTTP API").click()
    page.get_by_label("Name of the source").fill("Till")
    page.get_by_label("Address", exact=True).fill(f"{site.url}/rows")
    page.get_by_role("button", name="Test connection").click()
    page.get_by_text("status 401").wait_for()
    page.get_by_label("Sign-in").select_option("bearer")
    page.get_by_label("Token or password").fill("canary-in-the-browser")
    page.get_by_role("button", name="Test connection").click()
    page.get_by_text("The first page has 1 rows").wait_for()
    assert page.get_by_role("cell", name="MUG").count() == 1
    page.get_by_role("button", name="Add and fetch").click()
    page.get_by_text("Fetching now").first.wait_for()
    assert "canary-in-the-browser" not in page.content()
    assert visitor.errors == []
