"""The fast writer's bytes mean the same to the standard library's parser, whatever is put in."""

from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.header import decode_header, make_header

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.messaging import mime
from campaigns.messaging.mime import HeaderRefused, Writer
from campaigns.messaging.rendering import Rendered

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WRITER = Writer(
    from_name="Alder & Finch, Ltd", from_email="hello@shop.example", reply_to="us@shop.example"
)
LINE = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")),
    min_size=1,
    max_size=200,
)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=500)


def write(subject="Hello", html="<p>x</p>", text="x", name="", to="ada@example.com", **extra):
    return WRITER.write(
        key="a" * 32,
        to=to,
        to_name=name,
        mail=Rendered(subject, html, text),
        unsubscribe_url="https://m.example/u/T",
        at=AT,
        **extra,
    )


def lines_of(text: str) -> str:
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    return plain if plain.endswith("\n") else plain + "\n"


@settings(max_examples=200)
@given(LINE, TEXT, TEXT, LINE)
def test_whatever_is_written_is_read_back_the_same(subject, html, text, name):
    data = write(subject, html, text, name)
    mail = message_from_bytes(data, policy=policy.default)
    assert str(mail["Subject"]) == subject
    assert [a.addr_spec for a in mail["To"].addresses] == ["ada@example.com"]
    wanted = " ".join(name.split())
    raw = message_from_bytes(data)["To"].rpartition(" <")[0]
    if len(wanted.encode()) <= 45:
        assert mail["To"].addresses[0].display_name == wanted
    elif not wanted.isascii():  # the parser puts spaces between encoded words of a name
        assert str(make_header(decode_header(raw))) == wanted
    parts = list(mail.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    for part, content in zip(parts, (text, html), strict=True):
        payload = part.get_payload(decode=True).decode().replace("\r\n", "\n")
        assert payload.rstrip("\n") == lines_of(content).rstrip("\n")
        assert not part.defects
    assert not mail.defects
    bare = data.replace(b"\r\n", b"")
    assert b"\n" not in bare
    assert b"\r" not in bare
    assert max(len(line) for line in data.split(b"\r\n")) <= 998


def test_every_header_that_mailboxes_ask_for_is_there_once():
    mail = message_from_bytes(write(), policy=policy.default)
    assert mail.items() == [
        ("From", '"Alder & Finch, Ltd" <hello@shop.example>'),
        ("Reply-To", "us@shop.example"),
        ("To", "ada@example.com"),
        ("Subject", "Hello"),
        ("Date", "Fri, 02 Jan 2026 03:04:05 +0000"),
        ("Message-ID", f"<{'a' * 32}@shop.example>"),
        ("List-Unsubscribe", "<https://m.example/u/T>"),
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        ("MIME-Version", "1.0"),
        ("Content-Type", f'multipart/alternative; boundary="=_{"a" * 32}"'),
    ]
    assert mail["Date"].datetime == AT


@pytest.mark.parametrize("bad", ["a\r\nBcc: eve@example.com", "a\nb", "a\rb", "a\x00b"])
def test_a_line_break_in_any_header_is_refused(bad):
    with pytest.raises(HeaderRefused):
        write(subject=bad)
    with pytest.raises(HeaderRefused):
        write(name=bad)
    with pytest.raises(HeaderRefused):
        write(to=f"{bad}@example.com")
    with pytest.raises(HeaderRefused):
        Writer(from_name=bad, from_email="a@example.com")
    with pytest.raises(HeaderRefused):
        Writer(from_name="", from_email="a@example.com", reply_to=bad)
    with pytest.raises(HeaderRefused):
        WRITER.write(
            key="a",
            to="a@example.com",
            to_name="",
            mail=Rendered("s", "h", "t"),
            unsubscribe_url=f"https://m.example/{bad}",
            at=AT,
        )


@pytest.mark.parametrize(
    "bad",
    ["", "ada", "ada@", "@example.com", "a b@example.com", "a@b@example.com", "<a@example.com>",
     "a@example.com,b@example.com", "ä@example.com", "a@exa mple.com", "a" * 65 + "@example.com"],
)  # fmt: skip
def test_what_is_not_one_plain_address_is_refused(bad):
    with pytest.raises(HeaderRefused, match="not a mail address"):
        mime.address("To", bad)


def test_a_name_of_any_length_is_read_back_in_lines_that_servers_take():
    name = "Ada " * 499 + "Ada"
    mail = Writer(from_name=name, from_email="a@example.com").write(
        key="a", to="b@example.com", to_name="", mail=Rendered("s", "h", "t"),
        unsubscribe_url="https://m.example/u/T", at=AT,
    )  # fmt: skip
    assert max(map(len, mail.split(b"\r\n"))) <= 998
    read = str(make_header(decode_header(message_from_bytes(mail)["From"])))
    assert read == f"{name} <a@example.com>"


def test_a_foreign_domain_is_written_as_the_network_wants_it():
    assert mime.address("To", "ada@münchen.example") == "ada@xn--mnchen-3ya.example"
    # By IDNA 2003 this mail would go to strasse.example, which belongs to somebody else.
    assert mime.address("To", "ada@straße.example") == "ada@xn--strae-oqa.example"
    with pytest.raises(mime.HeaderRefused):
        mime.address("To", "ada@i❤.example")


def test_a_date_is_written_in_utc_whatever_zone_it_came_in():
    local = datetime(2026, 1, 1, 1, 0, tzinfo=timezone(timedelta(hours=5)))
    assert mime.date_line(local) == "Wed, 31 Dec 2025 20:00:00 +0000"


def test_mostly_foreign_text_takes_the_shorter_encoding():
    assert b"base64" in mime.body_part("plain", "你好" * 100)
    assert b"quoted-printable" in mime.body_part("plain", "hello köln " * 50)


def test_a_lone_dot_never_ends_the_mail_early():
    part = mime.body_part("plain", ".\n..\nx\n.")
    assert b"\n." not in part.partition(b"\r\n\r\n")[2]


@settings(max_examples=300)
@given(st.lists(TEXT | st.text("a .=\t\n", max_size=200), min_size=1, max_size=6), st.data())
def test_html_put_together_from_pieces_reads_as_the_whole_in_lines_of_76(pieces, data):
    fixed = data.draw(st.sets(st.sampled_from(pieces)))
    part = message_from_bytes(mime.Pieces(fixed).part(pieces), policy=policy.default)
    read = part.get_payload(decode=True).decode().replace("\r\n", "\n")
    assert read == lines_of("".join(lines_of(piece + "x")[:-2] for piece in pieces))
    body = mime.Pieces(fixed).part(pieces).partition(b"\r\n\r\n")[2]
    dots = body.replace(b"\n=2E", b"\n.")
    assert max(len(line) for line in dots.split(b"\r\n")) <= 76
    assert not any(line.startswith(b".") for line in body.split(b"\r\n"))
