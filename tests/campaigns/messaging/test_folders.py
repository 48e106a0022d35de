"""Folders are known by the names that people read, and the one for spam is told from the others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.messaging import folders

GMAIL = [
    b'(\\HasNoChildren) "/" "INBOX"',
    b'(\\HasChildren \\Noselect) "/" "[Gmail]"',
    b'(\\All \\HasNoChildren) "/" "[Gmail]/All Mail"',
    b'(\\HasNoChildren \\Junk) "/" "[Gmail]/Spam"',
    b'(\\HasNoChildren \\Sent) "/" "[Gmail]/Sent Mail"',
    b'(\\HasNoChildren) "/" "Receipts"',
]


def test_a_server_that_marks_its_folder_for_spam_is_believed() -> None:
    found = folders.read(GMAIL)
    assert [folder.name for folder in found] == [
        "INBOX", "[Gmail]/Spam", "[Gmail]/Sent Mail", "Receipts",
    ]  # fmt: skip
    assert folders.spam_of(found) == "[Gmail]/Spam"
    assert folders.others(found, ["inbox", "[Gmail]/Spam"]) == ["Receipts"]


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b'() "." INBOX.Spam', "INBOX.Spam"),
        (b'(\\HasNoChildren) "/" "Junk E-mail"', "Junk E-mail"),
        (b'() "/" "&V4NXPpCuTvY-"', "垃圾邮件"),
        (b'() NIL "Bulk"', "Bulk"),
        (b'() "/" "Receipts"', ""),
    ],
)
def test_elsewhere_it_is_guessed_by_the_names_that_providers_use(line: bytes, name: str) -> None:
    assert folders.spam_of(folders.read([b'() "/" "INBOX"', line])) == name


def test_odd_lines_harm_nothing() -> None:
    literal = (b'(\\HasNoChildren) "/" {6}', b'a"b\\cd')
    assert [one.raw for one in folders.read([b"", b"nonsense", literal, b'() "/" "a\\"b"'])] == [
        'a"b\\cd',
        'a"b',
    ]


@given(st.text(st.characters(min_codepoint=32, blacklist_categories=("Cs", "Cc")), max_size=30))
def test_names_go_to_the_server_and_back_unchanged(name: str) -> None:
    raw = folders.written(name)
    assert raw.isascii()
    assert folders.shown(raw) == name
