"""The demo's mail server takes real SMTP, keeps every mail as a file, and forwards nothing."""

import signal
import smtplib
import socket
from email import message_from_bytes


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_every_mail_becomes_a_whole_file_in_the_order_of_arrival(start_process, wait_for, tmp_path):
    port, folder = free_port(), tmp_path / "caught"
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
