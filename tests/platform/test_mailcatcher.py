"""The demo's mail server takes real SMTP, keeps every mail as a file, and forwards nothing."""

import os
import signal
import smtplib
import socket
import sys
from email import message_from_bytes

from marketing import startup
from marketing.supervisor import Program, Supervisor


def test_every_mail_becomes_a_whole_file_in_the_order_of_arrival(start_process, wait_for, tmp_path):
    port, folder = startup.free_port(0), tmp_path / "caught"
    process = start_process(
        "manage.py", "mailcatcher", "--port", str(port), "--folder", str(folder)
    )

    def connected() -> smtplib.SMTP | None:
        try:
            return smtplib.SMTP("127.0.0.1", port, timeout=5)
        except OSError:
            return None

    line = wait_for(connected)
    assert line.ehlo()[0] == 250
    assert line.has_extn("pipelining")
    for n in range(20):
        body = f"Subject: {n}\r\n\r\n.\r\n..two\r\nköln\r\n".encode()
        line.sendmail("me@shop.example", [f"p{n}@example.com", "other@example.com"], body)
    line.quit()
    files = sorted((folder / "new").iterdir())
    assert len(files) == 20
    mail = message_from_bytes(files[7].read_bytes())
    assert mail["X-Envelope-From"] == "me@shop.example"
    assert mail.get_all("X-Envelope-To") == ["p7@example.com", "other@example.com"]
    assert mail["Subject"] == "7"
    assert mail.get_payload(decode=True) == ".\r\n..two\r\nköln\r\n".encode()
    assert list((folder / "tmp").iterdir()) == []
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_a_mail_that_comes_while_the_catcher_starts_again_waits_and_is_taken(tmp_path, wait_for):
    with startup.take_port(0) as held:
        number = held.fileno()
        catcher = [sys.executable, "manage.py", "mailcatcher", "--descriptor", str(number)]
        catcher += ["--folder", str(tmp_path / "caught")]
        supervisor = Supervisor(tmp_path / "log", lambda _words: None)
        supervisor.start(Program("mailcatcher", catcher, descriptors=(number,)))
        os.kill(supervisor.processes()["mailcatcher"], signal.SIGKILL)
        wait_for(lambda: not supervisor.processes())
        with socket.create_connection(held.getsockname(), timeout=30) as waiting:
            wait_for(lambda: supervisor.watch() or supervisor.processes())
            assert waiting.recv(100).startswith(b"220 ")
        supervisor.stop()


def test_a_port_in_use_is_said_with_what_to_do(start_process, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        process = start_process(
            "manage.py", "mailcatcher", "--port", str(port), "--folder", str(tmp_path / "caught")
        )
        assert process.wait(30) == 1
    said = (tmp_path / "process-0.log").read_text()
    assert f"Port {port} on 127.0.0.1 cannot be used" in said
    assert "--port" in said
    assert "Traceback" not in said
