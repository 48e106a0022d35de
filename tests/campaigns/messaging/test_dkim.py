"""Mails are signed so that others' libraries agree, and nothing in them can be changed after."""

import dkim as others
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.messaging import dkim, mime
from campaigns.messaging.rendering import Rendered
from tests import factories

KEYS = {name: dkim.make(name) for name in dkim.ALGORITHMS}
ZONE = {
    f"{name}1._domainkey.shop.example.".encode(): dkim.record(
        algorithm=name, public=KEYS[name][1]
    ).encode()
    for name in dkim.ALGORITHMS
}


def signer(*names: str) -> dkim.Signer:
    return dkim.Signer(
        domain="shop.example", keys=[dkim.Key(n, f"{n}1", KEYS[n][0]) for n in names]
    )


def written(text: str = "Hello", html: str = "<p>Hello</p>", subject: str = "News") -> bytes:
    writer = mime.Writer(
        from_name="Alder & Finch", from_email="hello@shop.example", reply_to="r@shop.example"
    )
    return writer.write(
        key="0123456789abcdef0123456789abcdef",
        to="ada@example.com",
        to_name="Ada Löve",
        mail=Rendered(subject, html, text),
        unsubscribe_url="https://m.example/u/" + "t" * 38,
        at=factories.NOW,
    )


def signed(mail: bytes, *names: str) -> bytes:
    return signer(*names).sign(mail, at=factories.NOW)


def is_valid(mail: bytes, index: int = 0) -> bool:
    try:
        return others.DKIM(mail).verify(idx=index, dnsfunc=lambda name, timeout=5: ZONE.get(name))
    except others.DKIMException:
        return False


@pytest.mark.parametrize("name", dkim.ALGORITHMS)
def test_another_library_finds_the_signature_right(name):
    mail = signed(written(), name)
    assert is_valid(mail)
    assert mail.endswith(written())
    assert max(len(line) for line in mail.split(b"\r\n")) <= 998


def test_a_mail_signed_by_both_keys_is_right_by_each():
    mail = signed(written(subject="Köm över " * 12), "rsa", "ed25519")
    assert [is_valid(mail, 0), is_valid(mail, 1)] == [True, True]


def test_the_addresses_for_leaving_stand_inside_the_signature():
    head = signed(written(), "rsa").partition(b" bh=")[0]
    names = head.partition(b" h=")[2].replace(b"\r\n ", b"").replace(b" ", b"").rstrip(b";\r\n")
    assert names.split(b":").count(b"list-unsubscribe") == 2
    assert names.split(b":").count(b"list-unsubscribe-post") == 2
    changed = signed(written(), "rsa").replace(b"/u/t", b"/u/x")
    assert not is_valid(changed)


@pytest.mark.parametrize(
    "add",
    [
        b"From: eve@evil.example\r\n",
        b"Subject: You won\r\n",
        b"List-Unsubscribe: <https://evil.example>\r\n",
        b"Content-Type: text/html\r\n",
    ],
)
def test_nobody_can_put_a_second_header_beside_a_signed_one(add):
    mail = signed(written(), "rsa")
    first, rest = mail.split(b"From:", 1)
    assert not is_valid(first + add + b"From:" + rest)
    head, body = mail.split(b"\r\n\r\n", 1)
    assert not is_valid(head + b"\r\n" + add.rstrip() + b"\r\n\r\n" + body)


def test_a_changed_word_breaks_the_signature_and_a_trimmed_space_does_not():
    mail = signed(written(text="Two  spaces   here"), "ed25519")
    assert is_valid(mail.replace(b"Two  spaces   here", b"Two spaces here"))
    assert is_valid(mail + b"\r\n\r\n")
    assert not is_valid(mail.replace(b"Two  spaces", b"Ten  spaces"))


@settings(max_examples=60)
@given(
    st.text(max_size=300),
    st.text(max_size=300),
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=120),
)
def test_whatever_a_mail_says_its_signature_is_right(text, html, subject):
    assert is_valid(signed(written(text, html, subject), "ed25519"))


def test_keys_are_of_the_sizes_that_mailboxes_ask_for():
    assert dkim._opened(KEYS["rsa"][0]).key_size == 2048
    assert len(KEYS["ed25519"][1]) == 44
