"""Mail that came back, read: bounces (RFC 3464), complaints (RFC 5965), and what is neither.

Whoever can write to a mailbox can send something that looks like a bounce. So a report names one of
our messages by the random id that only its recipient and the servers on its way have seen; without
it nothing follows from a report but a line in the list of what came back.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from enum import StrEnum

SIZE_LIMIT = 2_000_000
DEPTH_LIMIT = 8
TEXT_LIMIT = 64_000


class Kind(StrEnum):
    """What a returned mail is."""

    BOUNCE = "bounce"
    DELAY = "delay"
    COMPLAINT = "complaint"
    AUTO_REPLY = "auto_reply"
    OTHER = "other"


class Cause(StrEnum):
    """Why a mail bounced, by what can be done about it."""

    MAILBOX = "mailbox"  # does not exist: never again
    FULL = "full"  # over its quota, or away for now: another time
    POLICY = "policy"  # refused for who we are or how we send: our own work
    CONTENT = "content"  # refused for this mail: too large, or what it holds
    TEMPORARY = "temporary"  # tried for long enough without success
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Recipient:
    """What happened to one recipient."""

    address: str
    kind: Kind
    cause: Cause
    status: str = ""
    text: str = ""


@dataclass(frozen=True)
class Report:
    """A returned mail. `key` is our message's 32 hexadecimal digits, or empty."""

    kind: Kind
    key: str = ""
    recipients: tuple[Recipient, ...] = field(default_factory=tuple)
    subject: str = ""
    feedback: str = ""


_KEY = re.compile(r"<?\b([0-9a-f]{32})@")
_STATUS = re.compile(r"\b([245]\.\d{1,3}\.\d{1,3})\b")
_CODE = re.compile(r"\b([45]\d\d)[ -]")
_ADDRESS = re.compile(r"[!#-'*+\-/-9=?A-Z^-~.]{1,64}@[A-Za-z0-9.-]{1,250}")
_NO_MAILBOX = re.compile(
    r"user unknown|unknown user|no such (?:user|recipient|mailbox|person)|does not exist"
    r"|(?:recipient|address|mailbox|user)[^.]{0,30} (?:not found|rejected|unknown|invalid)"
    r"|invalid (?:recipient|mailbox|address)|account (?:has been |is )?disabled"
    r"|unrouteable address|no mailbox",
    re.IGNORECASE,
)
_FULL = re.compile(r"quota|mailbox (?:is )?full|over ?quota|insufficient storage", re.IGNORECASE)
_POLICY = re.compile(
    r"spam|blacklist|blocklist|block(?:ed|list)|reputation|policy|dmarc|spf|dkim|denied|banned",
    re.IGNORECASE,
)
_DAEMON = re.compile(r"mailer-daemon|postmaster|mail delivery|bounce", re.IGNORECASE)
_FAILED = re.compile(
    r"undeliver|delivery (?:status|fail)|returned|failure notice|not delivered", re.IGNORECASE
)


def cause_of(status: str, text: str) -> Cause:
    """Why, from an enhanced status code (RFC 3463) and the server's words."""
    kind, _dot, detail = status.partition(".")
    if kind == "4":
        return Cause.FULL if detail.startswith("2.2") or _FULL.search(text) else Cause.TEMPORARY
    if detail in ("1.1", "1.2", "1.3", "1.6", "1.10", "2.1"):
        return Cause.MAILBOX
    if detail == "2.2":
        return Cause.FULL
    if detail in ("2.3", "3.4") or detail.startswith("6."):
        return Cause.CONTENT
    if detail.startswith("7."):
        return Cause.POLICY
    # No code that says more: the words do, and the firmer conclusion needs the clearer words.
    for words, cause in (
        (_FULL, Cause.FULL),
        (_NO_MAILBOX, Cause.MAILBOX),
        (_POLICY, Cause.POLICY),
    ):
        if words.search(text):
            return cause
    return Cause.UNKNOWN


def read(data: bytes) -> Report:
    """What a returned mail says. Never raises for what a mail may hold."""
    if len(data) > SIZE_LIMIT:
        data = data[:SIZE_LIMIT]
    try:
        return _read(message_from_bytes(data, policy=policy.compat32))
    except (LookupError, ValueError, TypeError, AttributeError, IndexError, RecursionError):
        return Report(Kind.OTHER)


def _read(mail: Message) -> Report:
    subject = _text(mail.get("Subject", ""))[:300]
    parts = list(_parts(mail, 0))
    key = _key_of(parts, mail)
    report = str(mail.get_param("report-type") or "").lower()
    if report == "feedback-report":
        return _complaint(parts, key, subject)
    if report == "disposition-notification":
        return Report(Kind.OTHER, key, subject=subject)
    told = [part for part in parts if part.get_content_type() == "message/delivery-status"]
    if told:
        found = tuple(_recipients(told[0]))
        if len(found) == 1 and found[0].cause == Cause.UNKNOWN:
            found = (_explained(found[0], _words(parts)),)
        kinds = {recipient.kind for recipient in found}
        kind = Kind.BOUNCE if Kind.BOUNCE in kinds else Kind.DELAY if kinds else Kind.OTHER
        return Report(kind, key, found, subject)
    automatic = str(mail.get("Auto-Submitted", "no")).strip().lower()
    if _DAEMON.search(str(mail.get("From", ""))) and _FAILED.search(subject):
        return _in_words(parts, key, subject)
    if automatic.startswith("auto-replied") or mail.get("X-Autoreply") or mail.get("X-Autorespond"):
        return Report(Kind.AUTO_REPLY, key, subject=subject)
    return Report(Kind.OTHER, key, subject=subject)


def _text(value: object) -> str:
    return str(value).replace("\r", " ").replace("\n", " ").replace("\x00", "").strip()


def _parts(mail: Message, depth: int) -> Iterator[Message]:
    yield mail
    payload = mail.get_payload()
    if depth < DEPTH_LIMIT and isinstance(payload, list):
        for part in payload:
            if isinstance(part, Message | EmailMessage):
                yield from _parts(part, depth + 1)


def _body(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    return data[:TEXT_LIMIT].decode("utf-8", "replace")


def _key_of(parts: list[Message], mail: Message) -> str:
    """Our id, from the returned headers first, else from the text that quotes them."""
    for part in parts:
        if part is not mail and (match := _KEY.search(str(part.get("Message-ID", "")))):
            return match[1]
    for part in parts:
        if part.get_content_type() in ("text/rfc822-headers", "message/rfc822", "text/plain"):
            match = re.search(
                r"^\s*>?\s*Message-ID:\s*<?([0-9a-f]{32})@",
                _body(part),
                re.IGNORECASE | re.MULTILINE,
            )
            if match:
                return match[1].lower()
    match = re.search(r"\+([0-9a-f]{32})@", str(mail.get("To", "")))
    if match:
        return match[1]
    for name in ("In-Reply-To", "References"):
        if match := _KEY.search(str(mail.get(name, ""))):
            return match[1]
    return ""


def _recipients(status: Message) -> Iterator[Recipient]:
    blocks = status.get_payload()
    for block in blocks if isinstance(blocks, list) else ():
        if not isinstance(block, Message):
            continue
        named = block.get("Original-Recipient") or block.get("Final-Recipient")
        if not named:
            continue
        address = _text(named).rpartition(";")[2].strip().strip("<>").lower()
        action = _text(block.get("Action", "")).lower()
        text = _text(block.get("Diagnostic-Code", "")).partition(";")[2].strip()[:400]
        code = _STATUS.search(_text(block.get("Status", "")))
        status_code = code[1] if code else ""
        better = _STATUS.search(text)
        if better and status_code in ("", "5.0.0", "4.0.0"):
            status_code = better[1]
        if action == "failed" or (not action and status_code.startswith("5")):
            yield Recipient(address, Kind.BOUNCE, cause_of(status_code, text), status_code, text)
        elif action == "delayed":
            yield Recipient(address, Kind.DELAY, Cause.TEMPORARY, status_code, text)


def _words(parts: list[Message]) -> str:
    plain = [_text(_body(part)) for part in parts if part.get_content_type() == "text/plain"]
    return " ".join(plain)[:TEXT_LIMIT]


def _explained(found: Recipient, words: str) -> Recipient:
    """Some servers give a general code to programs and the reason to people alone."""
    if not found.status.startswith("5"):
        return found
    code = _STATUS.search(words)
    status = code[1] if code and code[1].startswith("5") else found.status
    text = found.text or words[:400]
    return replace(found, status=status, text=text, cause=cause_of(status, words))


def _complaint(parts: list[Message], key: str, subject: str) -> Report:
    address, feedback = "", "other"
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            blocks = part.get_payload()
            if isinstance(blocks, list) and blocks and isinstance(blocks[0], Message):
                fields = blocks[0]
            else:
                fields = message_from_bytes(_body(part).encode(), policy=policy.compat32)
            feedback = _text(fields.get("Feedback-Type", "other")).lower()[:40]
            address = _text(fields.get("Original-Rcpt-To", "")).strip("<>").lower()
    kind = Kind.OTHER if feedback == "not-spam" else Kind.COMPLAINT
    found = (Recipient(address, kind, Cause.UNKNOWN),) if address else ()
    return Report(kind, key, found, subject, feedback)


def _in_words(parts: list[Message], key: str, subject: str) -> Report:
    """A bounce of a server that writes prose."""
    words = _words(parts)
    code = _STATUS.search(words)
    plain = _CODE.search(words)
    status = code[1] if code else f"{plain[1][0]}.0.0" if plain else ""
    address = _ADDRESS.search(words)
    if not address:
        return Report(Kind.BOUNCE, key, (), subject)
    found = Recipient(
        address[0].lower().rstrip("."), Kind.BOUNCE, cause_of(status, words), status, words[:400]
    )
    return Report(Kind.BOUNCE, key, (found,), subject)
