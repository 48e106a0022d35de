"""A mail channel never speaks in clear when encryption was chosen, and signs in as it was told."""

import contextlib
import socket
import ssl
import threading
import time

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from campaigns.messaging import providers
from campaigns.messaging.providers.base import Outgoing, Unreachable, Verdict
from campaigns.messaging.providers.email_smtp.session import Server, SmtpConnection
from tests.campaigns.peers import servers

MAIL = Outgoing("k1", "me@shop.example", "ada@example.com", b"Subject: x\r\n\r\nx\r\n")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of localhost that signs itself; its file, with the key."""
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    servers.certificate(path)
    return path


class Taken:
    """What the server took, and over what."""

    def __init__(self) -> None:
        self.mails: list[tuple[bytes, bool, str]] = []

    async def handle_DATA(self, server, session, envelope):
        user = session.auth_data.login.decode() if session.auth_data else ""
        is_secret = server.transport.get_extra_info("sslcontext") is not None
        self.mails.append((envelope.original_content, is_secret, user))
        return "250 taken"


def check(server, session, envelope, mechanism, auth_data):
    is_right = auth_data.password == b"right"
    return AuthResult(success=is_right, handled=False, auth_data=auth_data)


@pytest.fixture
def start(certificate, settings):
    running = []

    def begin(*, first_byte=False, offers=True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        taken = Taken()
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        made = Controller(
            taken,
            hostname="127.0.0.1",
            port=port,
            ssl_context=context if first_byte else None,
            tls_context=context if offers and not first_byte else None,
            authenticator=check,
            auth_require_tls=False,
        )
        made.start()
        running.append(made)
        settings.OUTBOUND_ALLOW = [f"127.0.0.1:{port}"]
        return taken, port

    yield begin
    for made in running:
        made.stop()


def line(port, **given):
    made = providers.load("email_smtp")
    return made.connect({"host": "127.0.0.1", "port": str(port), **given})


def trust(monkeypatch, certificate):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def test_a_mail_goes_encrypted_and_signed_in_by_starttls(start, monkeypatch, certificate):
    trust(monkeypatch, certificate)
    taken, port = start()
    made = line(port, security="starttls", username="shop", password="right")
    assert made.send(MAIL).verdict is Verdict.SENT
    made.close()
    assert taken.mails == [(MAIL.body, True, "shop")]


def test_a_mail_goes_encrypted_from_the_first_byte(start, monkeypatch, certificate):
    trust(monkeypatch, certificate)
    taken, port = start(first_byte=True)
    made = line(port, security="tls")
    assert made.send(MAIL).verdict is Verdict.SENT
    made.close()
    assert [mail[1] for mail in taken.mails] == [True]


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_whose_certificate_nobody_vouches_for_gets_nothing(start, security):
    taken, port = start(first_byte=security == "tls")
    with pytest.raises(Unreachable, match="certificate"):
        line(port, security=security).send(MAIL)
    assert taken.mails == []


def test_a_server_that_lost_its_encryption_gets_nothing(start):
    taken, port = start(offers=False)
    with pytest.raises(Unreachable, match="STARTTLS"):
        line(port, security="starttls").send(MAIL)
    assert taken.mails == []


def test_encryption_that_breaks_while_it_begins_sends_nothing_in_clear(settings):
    heard = []
    listener = socket.create_server(("127.0.0.1", 0))
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]

    def talk():
        session, _address = listener.accept()
        with session, listener:
            session.sendall(b"220 hi\r\n")
            session.recv(1000)
            session.sendall(b"250-hi\r\n250 STARTTLS\r\n")
            session.recv(1000)
            session.sendall(b"220 go\r\n")
            heard.append(session.recv(1000)[:1])
            session.sendall(b"500 no\r\n")
            with contextlib.suppress(OSError):
                while more := session.recv(1000):
                    heard.append(more)

    thread = threading.Thread(target=talk, daemon=True)
    thread.start()
    with pytest.raises(Unreachable):
        line(listener.getsockname()[1], security="starttls").send(MAIL)
    thread.join(5)
    assert heard[0] == b"\x16"  # a TLS handshake
    assert not any(b"MAIL FROM" in said for said in heard)


def test_a_wrong_password_stops_the_sending_and_blames_no_mail(start, monkeypatch, certificate):
    trust(monkeypatch, certificate)
    taken, port = start()
    with pytest.raises(Unreachable, match="535"):
        line(port, security="starttls", username="shop", password="wrong").send(MAIL)
    assert taken.mails == []


def test_a_server_inside_this_network_is_reached_only_when_it_is_named(start, settings):
    taken, port = start()
    settings.OUTBOUND_ALLOW = []
    with pytest.raises(Unreachable, match="OUTBOUND_ALLOW"):
        line(port, security="none").send(MAIL)
    assert taken.mails == []


def test_a_server_that_drips_is_left_after_a_while_and_its_mail_is_not_known(settings):
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def talk():
        session, _address = listener.accept()
        with session, listener:
            session.sendall(b"220 hi\r\n")
            for reply in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
                session.recv(10_000)
                session.sendall(reply)
            session.recv(10_000)
            while not over.wait(0.1):
                try:
                    session.sendall(b"2")
                except OSError:
                    return

    threading.Thread(target=talk, daemon=True).start()
    made = SmtpConnection(Server("127.0.0.1", listener.getsockname()[1], timeout=0.4))
    began = time.monotonic()
    answer = made.send(MAIL)
    over.set()
    assert answer.verdict is Verdict.UNKNOWN
    assert time.monotonic() - began < 30
