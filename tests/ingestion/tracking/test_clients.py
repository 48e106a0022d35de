"""Published clients against a running server: only the host is ours."""

import http.client
import json
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.utils import timezone
from pytest_django.live_server_helper import LiveServer
from segment.analytics.client import Client

from ingestion import events
from ingestion.models import Customer, Event, Refusal, Source
from ingestion.tracking import keys

NODE = Path(__file__).resolve().parents[2] / "clients" / "node"


@pytest.fixture
def source(transactional_db: None) -> Source:
    return keys.create(name="shop.example.com", actor=None, now=timezone.now())


def stored() -> list[Event]:
    events.drain()
    return list(Event.objects.order_by("id"))


class Trouble:
    """A network in front of the server that fails as it is told, one answer after another."""

    def __init__(self, target: str, faults: list[Any]) -> None:
        self.seen: list[int | str] = []
        trouble, place = self, urlsplit(target)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                fault = faults.pop(0) if faults else None
                if isinstance(fault, int):
                    trouble.seen.append(fault)
                    self.send_response(fault)
                    if fault == 429:
                        self.send_header("Retry-After", "1")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                onward = http.client.HTTPConnection(place.hostname or "", place.port)
                onward.request("POST", self.path, body, dict(self.headers))
                answer = onward.getresponse()
                content = answer.read()
                onward.close()
                if fault == "cut":  # it arrived, and nobody heard of it
                    trouble.seen.append("cut")
                    self.connection.close()
                    return
                trouble.seen.append(answer.status)
                self.send_response(answer.status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def trouble(live_server: LiveServer) -> Iterator[Callable[[list[Any]], Trouble]]:
    made: list[Trouble] = []

    def make(faults: list[Any]) -> Trouble:
        made.append(Trouble(live_server.url, faults))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def python_client(source: Source, host: str, **options: Any) -> tuple[Client, list[Any]]:
    failures: list[Any] = []
    client = Client(
        str(source.write_key),
        host=host,
        on_error=lambda error, items: failures.append((error, items)),
        upload_interval=0.1,
        **options,
    )
    return client, failures


@pytest.mark.parametrize("packed", [False, True])
def test_the_python_client_works_by_changing_its_host(
    live_server: LiveServer, source: Source, packed: bool
) -> None:
    client, failures = python_client(source, live_server.url, gzip=packed)
    client.identify("17", {"email": "Ada@example.com", "firstName": " Ada", "plan": "gold"})
    client.track("17", "Product Viewed", {"product_id": "teapot-1", "price": 24.5})
    client.page("17", "Shop", "Teapots", {"path": "/teapots"})
    client.screen("17", "App", "Start")
    client.group("17", "club", {"size": 3})
    client.alias("17-before", "17")
    for number in range(300):
        client.track("17", "Clicked", {"n": number})
    client.shutdown()
    assert failures == []
    rows = stored()
    assert len(rows) == 306
    assert sorted(row.properties["n"] for row in rows if row.type == "Clicked") == list(range(300))
    view = next(row for row in rows if row.type == "view")
    assert (view.properties["sku"], view.context["event"]) == ("TEAPOT-1", "Product Viewed")
    person = Customer.objects.get(external_id="17")
    assert {row.customer_id for row in rows} == {person.pk}
    assert (person.email, person.first_name, person.attributes["plan"]) == (
        "ada@example.com",
        "Ada",
        "gold",
    )
    assert events.ledger("shop.example.com").adds_up


def test_the_python_client_sends_again_until_it_is_answered_and_nothing_doubles(
    trouble, source: Source
) -> None:
    network = trouble([500, 429, "cut", 503])
    client, failures = python_client(source, network.url)
    for number in range(10):
        client.track("17", "Clicked", {"n": number})
    client.flush()
    client.shutdown()
    assert failures == []
    assert {500, 429, "cut", 200} <= set(network.seen)
    rows = stored()
    assert sorted(row.properties["n"] for row in rows) == list(range(10))
    ledger = events.ledger("shop.example.com")
    assert ledger.stored == 10
    assert ledger.duplicate > 0
    assert not Refusal.objects.exists()


def test_the_python_client_is_told_of_a_wrong_key(live_server: LiveServer, source: Source) -> None:
    source.write_key = "wk_nobody_knows_this"
    client, failures = python_client(source, live_server.url)
    client.track("17", "Clicked")
    client.shutdown()
    ((error, items),) = failures
    assert (error.status, len(items)) == (401, 1)
    assert stored() == []


@pytest.fixture(scope="session")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the published Node client, installed by its lock file."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("Node is not installed; see docs/tracking.md, “Proof with real clients”.")
    folder = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json", "send.mjs"):
        shutil.copy(NODE / name, folder)
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--prefer-offline"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"npm could not install the Node client: {done.stderr[-300:]}")
    return folder


def run_node(folder: Path, host: str, key: str, prefix: str) -> dict[str, Any]:
    done = subprocess.run(
        ["node", "send.mjs", host, key, prefix],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_node_client_works_by_changing_its_host(
    live_server: LiveServer, source: Source, node_client: Path
) -> None:
    assert run_node(node_client, live_server.url, str(source.write_key), "grace") == {
        "problems": []
    }
    rows = stored()
    assert sorted({row.type for row in rows}) == [
        "Clicked",
        "alias",
        "group",
        "identify",
        "page",
        "screen",
        "view",
    ]
    assert len(rows) == 26
    person = Customer.objects.get(external_id="grace-17")
    assert (person.email, person.first_name) == ("grace@example.com", "Grace")
    assert {row.customer_id for row in rows} == {person.pk}


def test_the_node_client_sends_again_and_nothing_doubles(
    trouble, source: Source, node_client: Path
) -> None:
    network = trouble([500, "cut", 503])
    run_node(node_client, network.url, str(source.write_key), "grace")
    assert {500, "cut", 200} <= set(network.seen)
    assert len(stored()) == 26
    assert events.ledger("shop.example.com").stored == 26
