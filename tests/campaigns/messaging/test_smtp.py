"""What a server does with a mail is told as it was, and lines are kept between mails."""

import socket
import threading
from collections.abc import Callable

import pytest

from campaigns.messaging.providers.base import Answer, Outgoing, Unreachable, Verdict
from campaigns.messaging.providers.email_smtp.session import Server, SmtpConnection
from tests.campaigns.postbox import Postbox


@pytest.fixture
def box():
    box = Postbox()
    yield box
    box.close()


MAIL = b"Subject: x\r\n\r\nx\r\n"


def hand(
    line: SmtpConnection, recipient: str, mail: bytes = MAIL, sender: str = "me@shop.example"
) -> Answer:
    return line.send(Outgoing("k1", sender, recipient, mail))


def to(box: Postbox, recipient: str = "ada@example.com", mail: bytes = MAIL) -> Answer:
    line = SmtpConnection(Server("127.0.0.1", box.port, timeout=5))
    try:
        return hand(line, recipient, mail)
    finally:
        line.close()


def test_a_mail_arrives_byte_for_byte_dots_and_all(box):
    mail = b".\r\nSubject: x\r\n\r\n.\r\n..\r\n.a\r\n"
    assert to(box, mail=mail).verdict is Verdict.SENT
    assert box.mails == [("ada@example.com", mail)]


def test_one_line_carries_many_mails_and_is_opened_again_when_the_server_hangs_up(box):
    line = SmtpConnection(Server("127.0.0.1", box.port, timeout=5))
    assert hand(line, "a@example.com").verdict is Verdict.SENT
    assert hand(line, "b@example.com").verdict is Verdict.SENT
    assert box.sessions == 1
    box.hang_up_at_rcpt = {"c@example.com"}
    assert hand(line, "c@example.com").verdict is Verdict.RETRY
    assert hand(line, "c@example.com").verdict is Verdict.SENT
    assert box.sessions == 2
    line.close()


@pytest.mark.parametrize(
    ("reply", "verdict", "bounced"),
    [
        ("450 4.2.1 later", Verdict.RETRY, False),
        ("451 greylisted", Verdict.RETRY, False),
        ("454 4.7.0 later", Verdict.RETRY, False),
        ("550 5.1.1 no such user", Verdict.FAILED, True),
        ("550 no such user", Verdict.FAILED, True),
        ("550 5.7.1 policy", Verdict.FAILED, False),
        ("552 5.2.2 full", Verdict.FAILED, False),
        ("553 5.1.3 bad address", Verdict.FAILED, True),
        ("554 5.7.1 blocked", Verdict.FAILED, False),
    ],
)
def test_each_refusal_of_a_recipient_is_told_apart(box, reply, verdict, bounced):
    box.refuse = {"ada@example.com": reply}
    answer = to(box)
    assert (answer.verdict, answer.bounced, answer.text) == (verdict, bounced, reply)
    assert box.mails == []


def test_after_a_refusal_the_same_line_takes_the_next_mail(box):
    box.refuse = {"no@example.com": "550 5.1.1 no"}
    line = SmtpConnection(Server("127.0.0.1", box.port, timeout=5))
    assert hand(line, "no@example.com").verdict is Verdict.FAILED
    assert hand(line, "yes@example.com").verdict is Verdict.SENT
    assert box.sessions == 1
    line.close()


def test_a_refusal_of_the_content_is_final_and_no_bounce(box):
    box.reply_to_data = "554 5.6.0 not this"
    answer = to(box)
    assert (answer.verdict, answer.bounced) == (Verdict.FAILED, False)


def test_a_line_that_breaks_after_the_mail_was_handed_over_leaves_it_unknown(box):
    box.hang_up_after_data = {"ada@example.com"}
    assert to(box).verdict is Verdict.UNKNOWN
    assert len(box.mails) == 1


def test_a_server_that_never_answers_the_mail_leaves_it_unknown(box):
    box.pause_seconds = 3.0
    line = SmtpConnection(Server("127.0.0.1", box.port, timeout=0.3))
    answer = hand(line, "b@x.example")
    assert answer.verdict is Verdict.UNKNOWN


def test_a_server_that_cannot_be_reached_is_not_an_answer():
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        hand(SmtpConnection(Server("127.0.0.1", 1)), "b@x")


def test_a_server_that_could_not_be_reached_beforehand_is_not_waited_for_twice():
    dialled = []

    def dial(host: str, port: int, timeout: float) -> socket.socket:
        dialled.append(host)
        raise TimeoutError("nobody there")

    line = SmtpConnection(Server("far.example", 25, timeout=5, dial=dial))
    line.make_ready()
    with pytest.raises(Unreachable):
        hand(line, "ada@example.com")
    assert len(dialled) == 1
    with pytest.raises(Unreachable):
        hand(line, "ada@example.com")
    assert len(dialled) == 2


def test_mail_never_goes_in_clear_when_encryption_is_wanted(box):
    line = SmtpConnection(Server("127.0.0.1", box.port, security="starttls", timeout=5))
    with pytest.raises(Unreachable, match="STARTTLS"):
        hand(line, "b@x.example")
    assert box.mails == []


@pytest.mark.parametrize("bad", ["a@x.example\r\nRCPT TO:<eve@x.example>", "a@x.example> X", "a"])
def test_an_address_never_becomes_a_command(box, bad):
    assert to(box, recipient=bad).verdict is Verdict.FAILED
    assert box.mails == []


def scripted(talk: Callable[[socket.socket], None]) -> int:
    """A server of one session that says what the test wants; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        session, _address = listener.accept()
        with session, listener:
            talk(session)

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


def pipelined(*replies: bytes) -> Callable[[socket.socket], None]:
    def talk(session: socket.socket) -> None:
        session.sendall(b"220 hi\r\n")
        session.recv(1000)
        session.sendall(b"250-hi\r\n250 PIPELINING\r\n")
        for reply in replies:
            session.recv(10_000)
            session.sendall(reply)
        session.recv(1000)

    return talk


@pytest.mark.parametrize(
    ("replies", "verdict"),
    [
        ((b"250 ok\r\n250 ok\r\n354 go\r\n", b"250 taken\r\n"), Verdict.SENT),
        ((b"250 ok\r\n550 5.1.1 no\r\n554 nobody\r\n", b"250 reset\r\n"), Verdict.FAILED),
        ((b"250 ok\r\n450 later\r\n503 no\r\n", b"250 reset\r\n"), Verdict.RETRY),
        (
            (b"250 ok\r\n550 5.1.1 no\r\n354 go\r\n", b"554 nobody\r\n", b"250 ok\r\n"),
            Verdict.FAILED,
        ),
        ((b"451 wait\r\n503 no\r\n503 no\r\n", b"250 reset\r\n"), Verdict.RETRY),
        ((b"250 ok\r\n250 ok\r\n451 wait\r\n", b"250 reset\r\n"), Verdict.RETRY),
    ],
)
def test_commands_sent_together_are_answered_one_by_one(replies, verdict):
    line = SmtpConnection(Server("127.0.0.1", scripted(pipelined(*replies)), timeout=5))
    answer = hand(line, "b@x.example")
    assert answer.verdict is verdict
