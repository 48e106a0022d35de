"""The pages of sources: each says how it is, and the flow from a new source to its rows works."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ingestion import sources
from ingestion.events import tallies
from ingestion.models import Connector, ImportJob, Mention, Pull, Source
from marketing.core import jobs
from marketing.core.models import Job
from tests import factories
from tests.ingestion.connectors.conftest import connect, fetch, site

__all__ = ["connect", "site"]  # fixtures
pytestmark = pytest.mark.django_db
FEED = b"<rss version='2.0'><channel><item><guid>1</guid><title>Hi</title></item></channel></rss>"


@pytest.fixture
def marketer(client: Client) -> Client:
    client.force_login(factories.user("marketer"))
    return client


def line_of(name: str) -> sources.Line:
    return next(line for line in sources.overview(now=timezone.now()) if line.source.name == name)


def test_a_new_installation_is_asked_for_its_first_source(marketer: Client) -> None:
    page = marketer.get(reverse("ingestion:source-list")).content.decode()
    assert "No source yet" in page
    assert reverse("ingestion:source-new") in page


def test_every_kind_of_source_can_be_begun(marketer: Client) -> None:
    page = marketer.get(reverse("ingestion:source-new")).content.decode()
    for kind in ("sql", "folder", "http_json", "feed"):
        assert reverse("ingestion:connector-new", args=[kind]) in page
        assert marketer.get(reverse("ingestion:connector-new", args=[kind])).status_code == 200
    assert reverse("ingestion:import-new") in page
    assert marketer.get(reverse("ingestion:connector-new", args=["nonsense"])).status_code == 404


@pytest.mark.parametrize("variant", ["local", "s3", "gcs", "sftp", "web", "nonsense"])
def test_the_form_asks_only_for_what_its_kind_needs(marketer: Client, variant: str) -> None:
    url = reverse("ingestion:connector-new", args=["folder"]) + f"?variant={variant}"
    page = marketer.get(url).content.decode()
    assert ('name="s_bucket"' in page) is (variant in ("s3", "gcs"))
    assert ('name="s_fingerprint"' in page) is (variant == "sftp")


def test_a_source_is_tested_added_fetched_and_mapped(marketer: Client, site: Any) -> None:
    rows = [
        {"no": f"o{n}", "when": "2026-10-01", "sku": "A", "qty": 1, "price": "2.5"}
        for n in range(3)
    ]
    site.pages["/rows"] = lambda _q, _h: (200, {}, orjson.dumps(rows))
    url = reverse("ingestion:connector-new", args=["http_json"])
    form = {
        "name": "Till", "every": "15", "s_url": f"{site.url}/rows", "s_auth": "none",
        "s_paging": "none",
    }  # fmt: skip
    tested = marketer.post(url, {**form, "do": "test"}, headers={"HX-Request": "true"})
    assert "The first page has 3 rows" in tested.content.decode()
    assert Source.objects.count() == 0  # a test keeps nothing

    answer = marketer.post(url, {**form, "do": "save"})
    source = Source.objects.get()
    detail = reverse("ingestion:source-detail", args=[source.pk])
    assert answer["Location"] == detail
    assert "Fetching now" in marketer.get(detail).content.decode()
    jobs.run(job_id=Job.objects.get().pk)
    record = ImportJob.objects.get()
    page = marketer.get(detail).content.decode()
    assert "Needs columns" in page
    assert reverse("ingestion:import-map", args=[record.public_id]) in page


def test_a_wrong_setting_stands_at_its_field(marketer: Client) -> None:
    answer = marketer.post(
        reverse("ingestion:connector-new", args=["feed"]),
        {"name": "x", "every": "", "s_url": "file:///etc/passwd", "do": "save"},
    )
    assert answer.status_code == 422
    assert "http:// or https://" in answer.content.decode()
    assert Source.objects.count() == 0


def test_a_name_that_is_taken_is_refused(marketer: Client) -> None:
    Source.objects.create(name="Till")
    answer = marketer.post(
        reverse("ingestion:connector-new", args=["feed"]),
        {"name": "Till", "every": "", "s_url": "https://example.com/f", "do": "save"},
    )
    assert answer.status_code == 422
    assert "a source of this name already" in answer.content.decode()


def test_the_saved_connection_is_tested_with_a_clear_result(
    marketer: Client, site: Any, connect: Callable[..., Connector]
) -> None:
    connector = connect("feed", url=f"{site.url}/feed")
    url = reverse("ingestion:connector-test", args=[connector.source_id])
    assert "status 404" in marketer.post(url, headers={"HX-Request": "true"}).content.decode()
    site.pages["/feed"] = lambda _q, _h: (
        200, {}, FEED,
    )  # fmt: skip
    assert "1 entry" in marketer.post(url, headers={"HX-Request": "true"}).content.decode()
    assert Mention.objects.count() == 0


def test_pause_resume_and_fetch_now(
    marketer: Client, site: Any, connect: Callable[..., Connector]
) -> None:
    connector = connect("feed", url=f"{site.url}/feed")
    switch = reverse("ingestion:connector-switch", args=[connector.source_id])
    marketer.post(switch, {"do": "pause"})
    connector.refresh_from_db()
    assert (connector.state, line_of("shop").health) == (Connector.State.PAUSED, sources.PAUSED)
    marketer.post(switch, {"do": "resume"})
    connector.refresh_from_db()
    assert connector.state == Connector.State.ACTIVE
    marketer.post(reverse("ingestion:connector-run", args=[connector.source_id]))
    marketer.post(reverse("ingestion:connector-run", args=[connector.source_id]))
    assert Pull.objects.count() == 1


def test_a_source_whose_rows_are_here_stays(marketer: Client) -> None:
    full, empty = Source.objects.create(name="full"), Source.objects.create(name="empty")
    ImportJob.objects.create(source=full, path="x", original_name="x.csv")
    for source in (full, empty):
        marketer.post(reverse("ingestion:source-remove", args=[source.pk]))
    assert list(Source.objects.values_list("name", flat=True)) == ["full"]


def test_volumes_add_up_over_files_events_and_mentions(
    site: Any, connect: Callable[..., Connector]
) -> None:
    now = timezone.now()
    files = Source.objects.create(name="files")
    ImportJob.objects.create(
        source=files, path="x", original_name="x", state="done", received=10, stored=6, duplicate=1,
        quarantined=2, left_out=1, finished_at=now - timedelta(days=2),
    )  # fmt: skip
    Source.objects.create(name="web", kind="tracking")
    tallies.add(source="web", door="tracking", now=now, received=5, stored=3, duplicate=1)
    tallies.add(source="files", door="file", now=now, received=10, stored=10)
    site.pages["/feed"] = lambda _q, _h: (
        200, {}, FEED,
    )  # fmt: skip
    connector = connect("feed", "press", url=f"{site.url}/feed")
    fetch(connector)
    fetch(connector)
    lines = {line.source.name: line for line in sources.overview(now=timezone.now())}
    assert lines["files"].total == sources.Volume(10, 6, 1, 2, 1)
    assert lines["files"].spark == [0, 0, 0, 0, 10, 0, 0]
    assert lines["files"].day == sources.Volume()
    assert lines["web"].total == lines["web"].day == sources.Volume(5, 3, 1, 1)
    assert lines["press"].total == sources.Volume(2, 1, 1, 0)
    assert all(line.total.adds_up for line in lines.values())


def test_health_is_said_in_words() -> None:
    now = timezone.now()
    Source.objects.create(name="never", kind="tracking")
    Source.objects.create(name="off", kind="tracking", enabled=False)
    Source.objects.create(name="quiet", kind="tracking")
    tallies.add(source="quiet", door="tracking", now=now - timedelta(days=3), received=1, stored=1)
    Source.objects.create(name="good", kind="tracking")
    tallies.add(source="good", door="tracking", now=now, received=1, stored=1)
    late = Connector.objects.create(
        source=Source.objects.create(name="late", kind="connector"), kind="feed", state="active",
        every_minutes=5, next_at=now - timedelta(hours=1),
    )  # fmt: skip
    Pull.objects.create(connector=late, state="done", finished_at=now - timedelta(hours=2))
    health = {line.source.name: line.health for line in sources.overview(now=now)}
    assert health == {
        "never": sources.NEW, "off": sources.OFF, "quiet": sources.QUIET_, "good": sources.OK,
        "late": sources.LATE_,
    }  # fmt: skip
    assert line_of("quiet").words == "Nothing came for 3 days."


def test_a_name_under_which_events_came_by_the_api_is_a_source(marketer: Client) -> None:
    tallies.add(source="ERP", door="api", now=timezone.now(), received=1, stored=1)
    assert "ERP" in marketer.get(reverse("ingestion:source-list")).content.decode()
    assert Source.objects.get(name="ERP").kind == "api"


@pytest.mark.parametrize("count", [1, 12])
def test_the_list_asks_as_much_for_many_sources_as_for_one(
    marketer: Client, django_assert_max_num_queries: Any, count: int
) -> None:
    for n in range(count):
        source = Source.objects.create(name=f"s{n}", kind="connector")
        connector = Connector.objects.create(source=source, kind="feed", state="active")
        Pull.objects.create(connector=connector, state="done", finished_at=timezone.now())
    with django_assert_max_num_queries(20):
        assert marketer.get(reverse("ingestion:source-list")).status_code == 200
    with django_assert_max_num_queries(20):
        marketer.get(reverse("ingestion:source-detail", args=[Source.objects.latest("id").pk]))


def test_what_a_mention_says_is_text(marketer: Client) -> None:
    source = Source.objects.create(name="press", kind="api")
    Mention.objects.create(
        source=source, external_id="1", title="<script>alert(1)</script>", text="{{7*7}}",
        published_at=timezone.now(),
    )  # fmt: skip
    page = marketer.get(reverse("ingestion:source-detail", args=[source.pk])).content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "{{7*7}}" in page
