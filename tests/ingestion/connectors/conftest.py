"""Real other sides: a second database, small web servers, and a way to fetch now."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest
from django.conf import settings as platform
from django.utils import timezone

from ingestion.connectors import configuring, schedule
from ingestion.imports import choosing, starting
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


@pytest.fixture
def shop(settings) -> Iterator["Shop"]:  # type: ignore[no-untyped-def]
    """A second database on this run's PostgreSQL server, as somebody else's shop."""
    settings.OUTBOUND_ALLOW = ["127.0.0.1", "localhost"]
    made = Shop()
    yield made
    made.drop()


class Shop:
    def __init__(self) -> None:
        self.parts = urlsplit(platform.DATABASE_URL)
        self.name = "somebody_elses_shop"
        self._admin("DROP DATABASE IF EXISTS somebody_elses_shop")
        self._admin("CREATE DATABASE somebody_elses_shop")
        self.run(
            "CREATE TABLE lines (id serial PRIMARY KEY, order_no text, person text,"
            " ordered_at timestamptz, sku text, qty int, price numeric(10,2),"
            " changed_at timestamptz)"
        )

    def _connect(self, name: str) -> "psycopg2.extensions.connection":
        connection = psycopg2.connect(
            host=self.parts.hostname,
            port=self.parts.port,
            user=self.parts.username,
            password=self.parts.password,
            dbname=name,
        )
        connection.autocommit = True
        return connection

    def _admin(self, statement: str) -> None:
        connection = self._connect("postgres")
        connection.cursor().execute(statement)
        connection.close()

    def run(self, statement: str, *values: object) -> None:
        connection = self._connect(self.name)
        connection.cursor().execute(statement, values or None)
        connection.close()

    def add(self, first: int, last: int, changed: datetime, sku: str = "MUG") -> None:
        self.run(
            "INSERT INTO lines (order_no, person, ordered_at, sku, qty, price, changed_at)"
            " SELECT 'o' || n, 'p' || n % 50, '2026-10-01T10:00:00Z', %s, 1 + n %% 3, 2.50, %s"
            " FROM generate_series(%s, %s) n".replace("n % 50", "n %% 50"),
            sku,
            changed,
            first,
            last,
        )

    def given(self, **changes: object) -> dict[str, object]:
        return {
            "variant": "postgresql",
            "host": self.parts.hostname,
            "port": str(self.parts.port),
            "database": self.name,
            "user": self.parts.username,
            "password": self.parts.password,
            "tls": "off",
            "query": "lines",
            "cursor_column": "id",
            **changes,
        }

    def drop(self) -> None:
        self._admin("DROP DATABASE somebody_elses_shop WITH (FORCE)")


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
    choosing.choose(
        record=record,
        kind=kind,
        mapping={field: header.index(column) for field, column in mapping.items()},
        options={**record.options, **options},
        now=NOW,
    )
    starting.start(record=record, now=NOW)
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
    """A moment at which a file was surely done being written, by the real clock and by NOW."""
    return (min(timezone.now(), NOW) - timedelta(hours=1)).timestamp()
