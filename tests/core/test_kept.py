"""A connection that is kept goes only where it was checked, and is left when it may be stale."""

import socket
import threading
from collections.abc import Iterator

import pytest

from marketing.core import outbound, reach

FIRST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"


class Server:
    """Answers each request on a line with the next of `answers`; `lines` counts connections."""

    def __init__(self) -> None:
        self.lines = 0
        self.asked: list[bytes] = []
        self.answers: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://hook.example:{self.port}/"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _place = self._socket.accept()
            except OSError:
                return
            self.lines += 1
            threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        with line:
            while heard := line.recv(65_536):
                self.asked.append(heard)
                answer = self.answers.pop(0) if self.answers else FIRST + b"\r\nok"
                line.sendall(answer)
                if b"Connection: close" in answer:
                    return

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def server(settings, monkeypatch) -> Iterator[Server]:
    made = Server()
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    places = {"hook.example": "127.0.0.1"}
    real = socket.getaddrinfo

    def look(host, *rest, **more):
        return real(places.get(host, host), *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look)
    made.places = places  # type: ignore[attr-defined]
    yield made
    made.close()


@pytest.fixture
def kept() -> Iterator[outbound.Kept]:
    made = outbound.Kept()
    yield made
    made.close()


def ask(server: Server, kept: outbound.Kept, **more) -> bytes:
    return outbound.fetch(url=server.url, kept=kept, **more).body


def test_many_calls_to_one_place_share_a_connection(server, kept) -> None:
    assert {ask(server, kept) for _ in range(5)} == {b"ok"}
    assert (server.lines, len(server.asked)) == (1, 5)
    assert b"connection: keep-alive" in server.asked[0].lower()
    assert outbound.fetch(url=server.url).body == b"ok"  # whoever keeps none asks for none
    assert b"connection: close" in server.asked[-1].lower()


def test_an_answer_without_a_body_leaves_the_connection_open(server, kept) -> None:
    server.answers = [b"HTTP/1.1 204 No Content\r\n\r\n"]
    assert [ask(server, kept), ask(server, kept)] == [b"", b"ok"]
    assert server.lines == 1


def test_a_name_that_moves_inside_takes_no_kept_connection_along(server, kept, settings) -> None:
    """The connection stays with the checked address; a new one is checked anew."""
    ask(server, kept)
    server.places["hook.example"] = "10.0.0.1"
    assert ask(server, kept) == b"ok"
    assert server.lines == 1  # still the address that was checked
    kept.close()
    with pytest.raises(outbound.Blocked):
        ask(server, kept)


def test_an_address_that_may_be_called_no_more_is_not(server, kept, settings) -> None:
    ask(server, kept)
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(outbound.Blocked):
        ask(server, kept)
    assert len(server.asked) == 1


@pytest.mark.parametrize("limit", ["REST_SECONDS", "AGE_SECONDS"])
def test_a_connection_that_rested_or_grew_old_is_made_anew(server, monkeypatch, limit) -> None:
    monkeypatch.setattr(outbound.Kept, limit, 0.0)
    kept = outbound.Kept()
    assert [ask(server, kept), ask(server, kept)] == [b"ok", b"ok"]
    assert server.lines == 2
    kept.close()


def test_a_server_that_hangs_up_after_its_answer_is_called_anew(server, kept) -> None:
    server.answers = [FIRST + b"Connection: close\r\n\r\nok"]
    assert [ask(server, kept), ask(server, kept)] == [b"ok", b"ok"]
    assert server.lines == 2


def test_an_answer_that_was_not_read_to_its_end_ends_the_connection(server, kept) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + b"x" * 100]
    with pytest.raises(outbound.TooMuch):
        ask(server, kept, limits=outbound.Limits(body=10))
    with outbound.stream(url=server.url, kept=kept) as answer:
        assert answer.status == 200  # and left there
    assert ask(server, kept) == b"ok"
    assert server.lines == 3


def test_a_second_answer_that_nobody_asked_for_is_nobodys(server, kept) -> None:
    server.answers = [FIRST + b"\r\nok" + FIRST + b"\r\nno"]
    assert [ask(server, kept), ask(server, kept)] == [b"ok", b"ok"]


def test_each_place_has_a_connection_of_its_own_and_few_are_kept(server, kept) -> None:
    others = [Server() for _ in range(5)]
    for other in [*others, *others[-1:]]:
        assert ask(other, kept) == b"ok"
    assert [other.lines for other in others] == [1, 1, 1, 1, 1]
    assert len(kept._open) <= outbound.Kept.MOST
    for other in others:
        other.close()


def test_a_refused_port_stays_refused(server, kept) -> None:
    with pytest.raises(reach.Blocked):
        outbound.fetch(url="http://127.0.0.2:1/", kept=kept)
