"""What goes over the wire as no client would send it, to the real HTTP server."""

import base64
import socket
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from ingestion import events
from ingestion.models import Event, Source
from ingestion.tracking import keys
from tests.conftest import wait_for

BODY = b'{"userId":"7","event":"x"}'
THREADS = 8


@pytest.fixture
def source(transactional_db: None) -> Source:
    return keys.create(name="shop.example.com", actor=None, now=timezone.now())


@pytest.fixture
def port(source: Source, start_process: Callable[..., Any]) -> int:
    """The platform's own web server with one process of few threads."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = probe.getsockname()[1]
    start_process(
        *("-m", "granian", "marketing.wsgi:application", "--interface", "wsgi"),
        *("--host", "127.0.0.1", "--port", str(number), "--workers", "1"),
        *("--blocking-threads", str(THREADS), "--no-ws", "--log-level", "warning"),
        WEB_THREADS=str(THREADS),
    )

    def answers() -> bool:
        try:
            return get(number, "/t.js").startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    wait_for(answers, 60)
    return number


def connect(port: int, seconds: float = 20) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", port), timeout=seconds)
    line.settimeout(seconds)
    return line


def get(port: int, path: str) -> bytes:
    with connect(port) as line:
        line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        )
        return line.recv(4000)


def head(source: Source, *more: str) -> bytes:
    basic = base64.b64encode(f"{source.write_key}:".encode()).decode()
    lines = [
        "POST /v1/track HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Basic {basic}",
        "Content-Type: application/json",
        *more,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def talk(port: int, *parts: bytes) -> int:
    """The status of the answer; 0 if the server only hung up."""
    with connect(port) as line:
        try:
            for part in parts:
                line.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            answer = line.recv(4000)
        except ConnectionResetError:
            return 0
    return int(answer.split()[1]) if answer else 0


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def test_odd_lengths_and_chunks_are_read_or_refused_and_never_break_the_server(
    port: int, source: Source
) -> None:
    length = f"Content-Length: {len(BODY)}"
    chunked = "Transfer-Encoding: chunked"
    assert talk(port, head(source, length), BODY) == 200
    assert talk(port, head(source, chunked), chunk(BODY[:5]), chunk(BODY[5:]), chunk(b"")) == 200
    assert talk(port, head(source)) == 400
    assert talk(port, head(source, "Content-Length: 10"), BODY) == 400
    assert talk(port, head(source, "Content-Length: 99999999999"), BODY) == 413
    for wrong in ("-5", "abc", "1e3"):
        assert talk(port, head(source, f"Content-Length: {wrong}"), BODY) == 400
    endless = [chunk(b" " * 60_000)] * 20
    assert talk(port, head(source, chunked), *endless) in (413, 0)
    assert talk(port, head(source, length), BODY) == 200
    events.drain()
    assert Event.objects.count() == 3


def test_people_who_send_a_byte_and_wait_do_not_hold_the_house(port: int, source: Source) -> None:
    lines = [connect(port) for _ in range(6 * THREADS)]
    for line in lines[:THREADS]:
        line.sendall(head(source, "Content-Length: 400") + b'{"userId":')
    for line in lines[THREADS : 2 * THREADS]:
        line.sendall(head(source, "Transfer-Encoding: chunked") + chunk(b"{"))
    for line in lines[2 * THREADS :]:
        line.sendall(head(source, "Content-Length: 400") + b'{"userId":')
    for path in ("/t.js", "/login/", "/t.js"):
        assert get(port, path).startswith(b"HTTP/1.1 200")
    told = [status for line in lines if (status := heard(line))]
    assert set(told) == {b"503"}
    for line in lines:
        line.close()
    good = head(source, f"Content-Length: {len(BODY)}")
    wait_for(lambda: talk(port, good, BODY) == 200, 20)


def heard(line: socket.socket) -> bytes:
    """The status that came on a line so far; empty if none did."""
    line.settimeout(0.02)
    try:
        return [*line.recv(100).split(), b"", b""][1]
    except (TimeoutError, ConnectionResetError):
        return b""
