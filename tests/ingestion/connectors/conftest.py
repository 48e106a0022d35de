"""Real other sides: a second database, small web servers, and a way to fetch now."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone

from ingestion.connectors import configuring, schedule
from ingestion.imports import uploads
from ingestion.models import Connector, ImportJob, Pull
from marketing.core import jobs

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Site(BaseHTTPRequestHandler):
    """Answers by the functions in `pages`: path → (query, headers) → (status, headers, body)."""

    protocol_version = "HTTP/1.1"
    pages: dict[str, Callable[..., tuple[int, dict[str, str], bytes]]]
    asked: list[tuple[str, str, dict[str, str]]]

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        self.asked.append((self.command, self.path, headers))
        page = self.pages.get(parts.path)
        status, extra, body = page(query, headers) if page else (404, {}, b"")
        self.send_response(status)
        for name, value in extra.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET


@pytest.fixture
def site(settings) -> Iterator[Any]:  # type: ignore[no-untyped-def]
    """A web server of our own: `.pages` to fill, `.asked` to read, `.url` to call."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    handler = type("Handler", (Site,), {"pages": {}, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    handler.url = f"http://127.0.0.1:{server.server_port}"  # type: ignore[attr-defined]
    yield handler
    server.shutdown()
    server.server_close()


@pytest.fixture
def connect(db: None) -> Callable[..., Connector]:
    """connect(kind, name, **settings) → a new connector."""

    def make(kind: str, name: str = "shop", /, **given: Any) -> Connector:
        return configuring.create(kind=kind, name=name, given=given, actor=None, now=NOW)

    return make


def fetch(connector: Connector, *, now: datetime = NOW) -> Pull:
    """Fetch now, as a worker would; the ended fetch."""
    connector.refresh_from_db()
    pull = schedule.begin(connector=connector, by_hand=True, now=now)
    assert pull.job is not None
    jobs.run(job_id=pull.job.pk)
    pull.refresh_from_db()
    return pull


def settle_columns(pull: Pull, kind: str, mapping: dict[str, str], **options: Any) -> ImportJob:
    """Choose the columns of what a first fetch brought, as a person does, and import it."""
    record = pull.imports.get()
    header = record.options["header"]
    uploads.choose(
        record=record,
        kind=kind,
        mapping={field: header.index(column) for field, column in mapping.items()},
        options={**record.options, **options},
        now=NOW,
    )
    uploads.start(record=record, now=NOW)
    schedule.activate(now=NOW)
    return run_import(record)


def run_import(record: ImportJob) -> ImportJob:
    """Let a started import run to its end."""
    record.refresh_from_db()
    assert record.job is not None
    jobs.run(job_id=record.job.pk)
    record.refresh_from_db()
    record.job.refresh_from_db()
    assert record.job.state == "done", record.job.error
    return record


def long_ago() -> float:
    """A moment at which a file was surely done being written."""
    return (timezone.now() - timedelta(hours=1)).timestamp()
