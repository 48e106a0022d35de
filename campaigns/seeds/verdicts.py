"""What the receiving server says of SPF, DKIM and DMARC: Authentication-Results (RFC 8601).

Every server on the way may write such a header, and anybody may forge one further down. The server
that keeps the mailbox writes last, which is at the top; only what carries its name is believed.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

METHODS = ("spf", "dkim", "dmarc")
RESULTS = frozenset(
    ["pass", "fail", "softfail", "neutral", "none", "policy", "temperror", "permerror"]
)
# Of several signatures the best one counts: one good signature is what DMARC asks for.
_BEST = ("pass", "policy", "neutral", "softfail", "fail", "temperror", "permerror", "none")
_RESULT = re.compile(r"\s*([a-z][a-z0-9-]*)\s*(?:/\s*\d+\s*)?=\s*([a-z]+)", re.IGNORECASE)
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_BLANK = re.compile(r"\s+")


class Verdicts(NamedTuple):
    """Results by method, "" where the server wrote none, and the words they stand in."""

    spf: str = ""
    dkim: str = ""
    dmarc: str = ""
    text: str = ""


def _without_comments(text: str) -> str:
    out, depth = [], 0
    for piece in re.split(r"([()])", text):
        if piece == "(":
            depth += 1
        elif piece == ")":
            depth = max(depth - 1, 0)
        elif not depth:
            out.append(piece)
    return "".join(out)


def _read(header: str) -> tuple[str, dict[str, list[str]]]:
    """The server's name and the results it gives."""
    # A quoted text may hold the signs that part results; what is in it is no result.
    plain = _without_comments(_QUOTED.sub('""', header))
    who, *results = plain.split(";")
    found: dict[str, list[str]] = {}
    for one in results:
        match = _RESULT.match(one)
        if match and match[2].lower() in RESULTS:
            found.setdefault(match[1].lower(), []).append(match[2].lower())
    name = who.split()[0].lower() if who.split() else ""
    if "=" in name:  # some servers leave their name out
        return "", _read(f";{header}")[1] if results or _RESULT.match(who) else {}
    return name, found


def read(headers: Sequence[str]) -> Verdicts:
    """Of the Authentication-Results headers of a mail, the top one first."""
    told = [(text, *_read(text)) for text in headers]
    if not told:
        return Verdicts()
    mine = told[0][1]
    ours = [(text, found) for text, who, found in told if who == mine]
    best = {
        method: next(
            (r for r in _BEST if any(r in found.get(method, ()) for _text, found in ours)), ""
        )
        for method in METHODS
    }
    text = " | ".join(_BLANK.sub(" ", text).strip() for text, _found in ours)
    return Verdicts(best["spf"], best["dkim"], best["dmarc"], text)
