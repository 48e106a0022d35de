"""The platform calls public addresses only, checked at the moment of the call."""

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from marketing.core import outbound, reach

INNER = [
    "http://127.0.0.1/",
    "http://127.0.0.1:5432/",
    "http://127.1/",
    "http://127.255.255.254/",
    "http://localhost/",
    "http://localhost./",
    "http://LOCALHOST:8000/",
    "http://0.0.0.0/",
    "http://0/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://0x7f.0.0.1/",
    "http://017700000001/",
    "http://0177.0.0.1/",
    "http://127.0.0.0x1/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a00:1::1]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/",
    "http://[ff02::1]/",
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/",
    "http://168.63.129.16/",
    "http://100.100.100.200/",
    "http://10.0.0.1/",
    "http://10.255.255.255/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.0.1/",
    "http://192.0.0.1/",
    "http://198.18.0.1/",
    "http://100.64.0.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://①②⑦.⓪.⓪.①/",
    "http://127。0。0。1/",
]
ODD = [
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://127.0.0.1:6379/_FLUSHALL",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "//example.com/",
    "example.com",
    "",
    "http://",
    "http:///path",
    "http://user:secret@example.com/",
    "http://example.com@127.0.0.1/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com/\r\nHost: other",
    "http://exa mple.com/",
    "http://93.184.216.34:6379/",
    "http://93.184.216.34:22/",
    "https://93.184.216.34:25/",
]


@pytest.mark.parametrize("url", INNER)
def test_no_notation_of_an_inner_address_is_called(url: str) -> None:
    with pytest.raises(outbound.Blocked):
        outbound.fetch(url=url)


@pytest.mark.parametrize("url", ODD)
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(outbound.Blocked):
        outbound.fetch(url=url)


@pytest.mark.parametrize(
    ("address", "public"),
    [("93.184.216.34", True), ("2606:2800:220:1::1", True), ("::ffff:93.184.216.34", True),
     ("::ffff:10.0.0.1", False), ("2002:c0a8:1::", False), ("192.88.99.1", True)],
)  # fmt: skip
def test_public_addresses_are_told_from_inner_ones(address: str, public: bool) -> None:
    assert reach.is_public(reach.ipaddress.ip_address(address)) is public


class Site(BaseHTTPRequestHandler):
    """Answers by path; remembers what it was asked."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, str, dict[str, str]]] = []

    def log_message(self, *_arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.asked.append((self.server.server_port, self.path, headers))  # type: ignore[attr-defined]
        name = self.path.split("?")[0].strip("/").split("/")
        getattr(self, f"answer_{name[0]}", self.answer_hello)(*name[1:])

    do_POST = do_HEAD = do_GET

    def answer_hello(self, *_rest: str) -> None:
        self.send(b'{"hello": "world"}')

    def answer_bomb(self) -> None:
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
        body = b"".join(packer.compress(b"\0" * 1_000_000) for _ in range(50)) + packer.flush()
        self.send(body, {"Content-Encoding": "gzip"})

    def answer_zipped(self) -> None:
        self.send(gzip.compress(b"unpacked"), {"Content-Encoding": "gzip"})

    def answer_bare(self, status: str) -> None:
        self.send_response(int(status))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("ETag", "a1")
        self.end_headers()

    def answer_broken(self) -> None:
        self.send(gzip.compress(b"unpacked" * 1000)[:-20] + b"x" * 20, {"Content-Encoding": "gzip"})

    def answer_endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        with_pipe = threading.Event()
        while not with_pipe.is_set():
            try:
                self.wfile.write(b"x" * 65_536)
            except OSError:
                with_pipe.set()
        self.close_connection = True

    def answer_drip(self, where: str = "body") -> None:
        if where == "body":
            self.send_response(200)
            self.end_headers()
        else:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        for _ in range(200):
            try:
                self.wfile.write(b"x")
                self.wfile.flush()
            except OSError:
                break
            time.sleep(0.05)
        self.close_connection = True

    def answer_short(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"short")
        self.close_connection = True

    def answer_redirect(self, port: str, *rest: str) -> None:
        self.send_response(302)
        self.send_header("Location", f"http://127.0.0.1:{port}/{'/'.join(rest)}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer_loop(self) -> None:
        self.answer_redirect(str(self.server.server_port), "loop")  # type: ignore[attr-defined]

    def answer_scheme(self) -> None:
        self.send_response(302)
        self.send_header("Location", "file:///etc/passwd")
        self.end_headers()

    def send(self, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(200)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def site() -> Iterator[Callable[[], int]]:
    Site.asked = []
    servers = []

    def start() -> int:
        server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        servers.append(server)
        return server.server_port

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def port(site: Callable[[], int], settings) -> int:  # type: ignore[no-untyped-def]
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    return site()


def test_a_host_that_the_server_names_is_called(port: int) -> None:
    answer = outbound.fetch(url=f"http://127.0.0.1:{port}/hello?a=1", headers={"X-Mine": "yes"})
    assert (answer.status, answer.ok, answer.json()) == (200, True, {"hello": "world"})
    assert Site.asked[0][1] == "/hello?a=1"
    assert Site.asked[0][2]["x-mine"] == "yes"
    assert Site.asked[0][2]["host"] == f"127.0.0.1:{port}"


def test_an_entry_with_a_port_allows_that_port_alone(site, settings) -> None:  # type: ignore[no-untyped-def]
    first, second = site(), site()
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{first}"]
    assert outbound.fetch(url=f"http://127.0.0.1:{first}/").ok
    with pytest.raises(outbound.Blocked, match="OUTBOUND_ALLOW"):
        outbound.fetch(url=f"http://127.0.0.1:{second}/")


def test_a_network_allows_every_host_in_it(site, settings) -> None:  # type: ignore[no-untyped-def]
    settings.OUTBOUND_ALLOW = ["127.0.0.0/8"]
    assert outbound.fetch(url=f"http://localhost:{site()}/").ok


def test_a_name_that_answers_differently_a_moment_later_leads_nowhere(
    port: int,
    settings,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first look-up is public, every later one is this machine: only one is ever made."""
    settings.OUTBOUND_ALLOW = []
    real, asked = socket.getaddrinfo, []
    called: list[tuple[str, int]] = []

    def answers(host: str, port: int, *rest: object, **named: object) -> list:  # type: ignore[type-arg]
        if host == "rebind.example":
            asked.append(host)
            address = "93.184.216.34" if len(asked) == 1 else "127.0.0.1"
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]
        return real(host, port, *rest, **named)  # type: ignore[arg-type]

    def connects(address: tuple[str, int], timeout: float) -> socket.socket:
        called.append(address)
        raise OSError("nobody there")

    monkeypatch.setattr(socket, "getaddrinfo", answers)
    monkeypatch.setattr(socket, "create_connection", connects)
    with pytest.raises(outbound.Unreachable):
        outbound.fetch(url="http://rebind.example/")
    assert asked == ["rebind.example"]
    assert called == [("93.184.216.34", 80)]
    with pytest.raises(outbound.Blocked):
        outbound.fetch(url="http://rebind.example/")
    assert Site.asked == []


def test_one_inner_address_among_public_ones_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, port, **_named: [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
            for address in ("93.184.216.34", "10.0.0.8")
        ],
    )
    with pytest.raises(outbound.Blocked):
        outbound.check("https://mixed.example/")


def test_a_redirect_within_the_same_place_is_followed(port: int) -> None:
    answer = outbound.fetch(url=f"http://127.0.0.1:{port}/redirect/{port}/hello")
    assert (answer.status, answer.url) == (200, f"http://127.0.0.1:{port}/hello")


def test_credentials_never_follow_a_redirect_to_another_place(
    site: Callable[[], int], port: int
) -> None:
    other = site()
    with pytest.raises(outbound.Blocked, match="Redirects to another place"):
        outbound.fetch(
            url=f"http://127.0.0.1:{port}/redirect/{other}/hello",
            headers={"Authorization": "Bearer canary-7c1", "X-Signature": "canary-7c1"},
        )
    assert [asked[0] for asked in Site.asked] == [port]


def test_a_post_is_never_sent_on(port: int) -> None:
    with pytest.raises(outbound.Blocked):
        outbound.fetch(url=f"http://127.0.0.1:{port}/redirect/{port}/x", method="POST", body=b"{}")
    assert len(Site.asked) == 1


@pytest.mark.parametrize("path", ["loop", "scheme"])
def test_a_redirect_in_circles_or_out_of_the_web_is_refused(port: int, path: str) -> None:
    with pytest.raises(outbound.Blocked):
        outbound.fetch(url=f"http://127.0.0.1:{port}/{path}")


def test_a_packed_answer_is_unpacked_and_counted_unpacked(port: int) -> None:
    assert outbound.fetch(url=f"http://127.0.0.1:{port}/zipped").body == b"unpacked"
    with pytest.raises(outbound.TooMuch, match="more than 1 MB"):
        outbound.fetch(url=f"http://127.0.0.1:{port}/bomb", limits=outbound.Limits(body=1_000_000))


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("POST", 204), ("GET", 304)]
)
def test_an_answer_without_a_body_is_whole(port: int, method: str, status: int) -> None:
    url = f"http://127.0.0.1:{port}/bare/{status}"
    answer = outbound.fetch(url=url, method=method)
    assert (answer.status, answer.headers["etag"], answer.body) == (status, "a1", b"")


def test_an_endless_answer_is_cut(port: int) -> None:
    with pytest.raises(outbound.TooMuch):
        outbound.fetch(
            url=f"http://127.0.0.1:{port}/endless", limits=outbound.Limits(body=1_000_000)
        )


@pytest.mark.parametrize("where", ["body", "head"])
def test_a_server_that_drips_is_left_at_the_deadline(port: int, where: str) -> None:
    with pytest.raises(outbound.Unreachable, match="in time"):
        outbound.fetch(
            url=f"http://127.0.0.1:{port}/drip/{where}",
            limits=outbound.Limits(total=0.6, read=5),
        )


@pytest.mark.parametrize("path", ["short", "broken"])
def test_a_broken_answer_is_never_taken_for_whole(port: int, path: str) -> None:
    with pytest.raises(outbound.Unreachable):
        outbound.fetch(url=f"http://127.0.0.1:{port}/{path}")


def test_nobody_there_and_unknown_names_are_said_to_be_unreachable(settings) -> None:  # type: ignore[no-untyped-def]
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(outbound.Unreachable):
            outbound.fetch(url=f"http://127.0.0.1:{unused.getsockname()[1]}/")
    with pytest.raises(outbound.Unreachable):
        outbound.fetch(url="http://nobody.invalid/")
    with pytest.raises(outbound.Unreachable, match=r"nobody\.invalid"):
        outbound.check("http://nobody.invalid/")


def test_messages_carry_neither_query_nor_sign_in(port: int) -> None:
    with pytest.raises(outbound.Refused) as refused:
        outbound.fetch(url=f"http://127.0.0.1:{port}/loop?token=canary-7c1")
    assert "canary-7c1" not in str(refused.value)
    with pytest.raises(outbound.Blocked) as refused:
        outbound.fetch(url="http://root:canary-7c1@example.com/")
    assert "canary-7c1" not in str(refused.value)


def test_the_environment_sends_nothing_through_a_proxy(
    port: int, site: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = site()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy}")
    assert outbound.fetch(url=f"http://127.0.0.1:{port}/").ok
    assert [asked[0] for asked in Site.asked] == [port]
