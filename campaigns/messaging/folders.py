"""Folders of a mailbox: their names as IMAP writes them, and which of them is for spam."""

import base64
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_LINE = re.compile(rb'\(([^)]*)\)\s+(?:"(?:[^"\\]|\\.)*"|NIL)\s+(.*)', re.IGNORECASE | re.DOTALL)
# Views of mails that lie elsewhere, and folders that cannot be opened.
_UNREAL = frozenset(["\\noselect", "\\nonexistent", "\\all", "\\flagged", "\\important"])
_OUR_OWN = frozenset(["\\sent", "\\drafts"])
_JUNK = "\\junk"
# What providers call it where the server does not say.
_SPAM_NAMES = (
    "junk", "spam", "junk e-mail", "junk email", "junk-e-mail", "junk mail", "bulk mail", "bulk",
    "spamverdacht", "courrier indésirable", "indésirables", "posta indesiderata",
    "correo no deseado", "ongewenste e-mail", "垃圾邮件", "垃圾箱", "迷惑メール", "спам",
)  # fmt: skip


class Folder(NamedTuple):
    """A folder by its name as it is written on the line, as a person reads it, and its marks."""

    raw: str
    name: str
    marks: frozenset[str]


def shown(raw: str) -> str:
    """A name in IMAP's own UTF-7 (RFC 3501, 5.1.3) as a person reads it."""

    def piece(match: re.Match[str]) -> str:
        coded = match[1]
        if not coded:
            return "&"
        try:
            data = base64.b64decode(coded.replace(",", "/") + "=" * (-len(coded) % 4))
            return data.decode("utf-16-be")
        except ValueError:
            return match[0]

    return re.sub(r"&([A-Za-z0-9+,]*)-", piece, raw)


def written(name: str) -> str:
    """The same name as it is written on the line."""

    def piece(match: re.Match[str]) -> str:
        coded = base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=")
        return f"&{coded.replace('/', ',')}-"

    return re.sub(r"[^\x20-\x7e]+", piece, name.replace("&", "&-"))


def read(lines: Iterable[bytes | tuple[bytes, bytes]]) -> list[Folder]:
    """The answer to LIST, without folders that hold nothing of their own."""
    found = []
    for line in lines:
        literal = line[1] if isinstance(line, tuple) else None
        match = _LINE.match(line[0] if isinstance(line, tuple) else line or b"")
        if match is None:
            continue
        text = (literal if literal is not None else match[2]).decode("ascii", "replace").strip()
        if literal is None and text.startswith('"') and text.endswith('"'):
            text = re.sub(r"\\(.)", r"\1", text[1:-1])
        marks = frozenset(mark.lower() for mark in match[1].decode("ascii", "replace").split())
        if not marks & _UNREAL:
            found.append(Folder(text, shown(text), marks))
    return found


def spam_of(found: Sequence[Folder]) -> str:
    """The name of the folder for spam, as a person reads it; empty when none can be told."""
    marked = next((folder for folder in found if _JUNK in folder.marks), None)
    if marked is not None:
        return marked.name
    lasts = {re.split(r"[/.\\]", folder.name)[-1].lower(): folder.name for folder in found}
    return next((lasts[name] for name in _SPAM_NAMES if name in lasts), "")


def others(found: Sequence[Folder], known: Iterable[str]) -> list[str]:
    """Names of folders that a mail may lie in beside those that are `known`."""
    left = {name.lower() for name in known}
    return [
        folder.name
        for folder in found
        if folder.name.lower() not in left and not folder.marks & _OUR_OWN
    ]
