"""Blocks of a mail: an ordered list of small forms, checked as they come in."""

import re
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from campaigns.content.kinds import BY_NAME, KINDS, PLAN, SAVED, Kind, Setting, column_settings
from campaigns.content.weaving import compile_blocks
from marketing.core.errors import Invalid

__all__ = [
    "BY_NAME", "KINDS", "SAVED", "Kind", "Setting", "column_settings", "compile_blocks", "read",
    "starter",
]  # fmt: skip
MOST = 60
MOST_COLUMNS = 3
_LONG = 5_000
_SHORT = 300
_HTML = 50_000
_ID = re.compile(r"[a-z0-9]{1,12}")
_KEY = re.compile(r"[a-z0-9-]{1,50}")
# Neither mails nor the parser of MJML take these.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def starter() -> list[dict[str, Any]]:
    """What a new mail of blocks begins with."""
    return read(
        [
            {"kind": "logo"},
            {"kind": "heading", "tone": "dark",
             "text": _('{{ first_name|default("Hello") }}, we kept a few things aside.')},
            {"kind": "text", "text": _(
                "These are from the shelves today, chosen by what people with a basket like yours "
                "came back for.")},
            {"kind": "products", "count": 4, "instead": _(
                "The whole shelf is open: have a look.")},
            {"kind": "button", "label": _("See them all"), "url": "{{ shop_url }}"},
            {"kind": "footer"},
        ]
    )  # fmt: skip


def read(raw: object) -> list[dict[str, Any]]:
    """Blocks as they are kept: every setting present and in bounds. Invalid names the block."""
    if not isinstance(raw, list):
        raise _refuse(0, _("The blocks of this mail cannot be read."))
    if len(raw) > MOST:
        raise _refuse(0, _("A mail holds at most %(n)d blocks.") % {"n": MOST})
    found: list[dict[str, Any]] = []
    taken: set[str] = set()
    for place, given in enumerate(raw, 1):
        if not isinstance(given, Mapping) or given.get("kind") not in BY_NAME:
            raise _refuse(place, _("There is no such kind of block."))
        kind = BY_NAME[str(given["kind"])]
        key = str(given.get("id", ""))
        if not _ID.fullmatch(key) or key in taken:
            key = _free(taken)
        taken.add(key)
        said = {setting.name: _value(place, setting, given) for setting in kind.settings}
        found.append({"id": key, "kind": kind.name, **said})
    return found


def _free(taken: set[str]) -> str:
    number = len(taken) + 1
    while f"b{number}" in taken:
        number += 1
    return f"b{number}"


def _refuse(place: int, why: str) -> Invalid:
    where = _("Block %(n)d: %(why)s") % {"n": place, "why": why} if place else why
    return Invalid(where, code="bad_template", field="blocks")


def _value(place: int, setting: Setting, given: Mapping[str, Any]) -> Any:
    value = given.get(setting.name)
    if setting.kind == "columns":
        return _columns(place, value)
    if setting.kind == "saved":
        return _saved(place, value)
    if value is None:
        value = setting.default
    if setting.kind == "number":
        try:
            number = int(value)
        except (TypeError, ValueError):
            number = -1
        if isinstance(value, bool) or not setting.low <= number <= setting.high:
            raise _refuse(
                place,
                _("%(what)s: between %(low)d and %(high)d.")
                % {"what": setting.label, "low": setting.low, "high": setting.high},
            )
        return number
    text = _CONTROL.sub("", str(value).replace("\r\n", "\n"))
    if setting.kind == PLAN:
        if text and not _KEY.fullmatch(text):
            raise _refuse(place, _("%(what)s: choose one of them.") % {"what": setting.label})
        return text
    if setting.kind == "choice":
        if text not in dict(setting.options):
            raise _refuse(place, _("%(what)s: choose one of them.") % {"what": setting.label})
        return text
    most = {"text": _LONG, "source": _HTML, "address": 2_000}.get(setting.kind, _SHORT)
    if len(text) > most:
        raise _refuse(
            place,
            _("%(what)s: at most %(n)d characters.") % {"what": setting.label, "n": most},
        )
    if setting.kind in ("line", "address"):
        text = " ".join(text.split())
    return text


def _saved(place: int, value: Any) -> int:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 19 and int(text)):
        raise _refuse(place, _("Choose one of the saved blocks."))
    return int(text)


def _columns(place: int, raw: object) -> list[dict[str, str]]:
    columns = raw if isinstance(raw, list) and raw else [{}, {}]
    if not 2 <= len(columns) <= MOST_COLUMNS:
        raise _refuse(place, _("Two or three columns stand beside each other."))
    made = []
    for column in columns:
        if not isinstance(column, Mapping):
            raise _refuse(place, _("The blocks of this mail cannot be read."))
        made.append({setting.name: _value(place, setting, column) for setting in column_settings()})
    return made
