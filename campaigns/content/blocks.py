"""Blocks of a mail: an ordered list of small forms, checked, and made into MJML.

The MJML is an ordinary template of its own: whoever goes on in MJML loses nothing but the forms.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.messaging import layout
from marketing.core.errors import Invalid

MOST = 60
MOST_COLUMNS = 3
_LONG = 5_000
_SHORT = 300
_HTML = 50_000
_ID = re.compile(r"[a-z0-9]{1,12}")
# Neither mails nor the parser of MJML take these.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_SLANTED = re.compile(r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])")
_NAMED_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_TONES = {"white": "#ffffff", "paper": "", "dark": "#27362f", "warm": "#f6e7d3"}
_INK = {"dark": ("#fbf6ec", "#e6ddcc", "#e8c79a")}
_SIZES = {"large": ("33px", "41px"), "medium": ("25px", "32px"), "small": ("19px", "26px")}


@dataclass(frozen=True)
class Setting:
    """One thing that can be said about a block. `kind` is how it is asked for."""

    name: str
    label: Any
    kind: str = "line"
    default: Any = ""
    options: tuple[tuple[str, Any], ...] = ()
    low: int = 0
    high: int = 0


@dataclass(frozen=True)
class Kind:
    """A kind of block: what it is called, and what can be said about it."""

    name: str
    label: Any
    icon: str
    settings: tuple[Setting, ...]


_TONE = Setting(
    "tone",
    gettext_lazy("Background"),
    "choice",
    "white",
    (
        ("white", gettext_lazy("White")),
        ("paper", gettext_lazy("Paper")),
        ("warm", gettext_lazy("Warm")),
        ("dark", gettext_lazy("Dark")),
    ),
)
_ALIGN = Setting(
    "align",
    gettext_lazy("Stands"),
    "choice",
    "left",
    (
        ("left", gettext_lazy("Left")),
        ("center", gettext_lazy("Centred")),
        ("right", gettext_lazy("Right")),
    ),
)
_PICTURE = Setting("src", gettext_lazy("Address of the picture"), "address")
_ALT = Setting("alt", gettext_lazy("What it shows, for those who cannot see it"))
_LINK = Setting("url", gettext_lazy("Where it leads"), "address")
_COLUMN = (
    _PICTURE,
    _ALT,
    Setting("heading", gettext_lazy("Heading")),
    Setting("text", gettext_lazy("Text"), "text"),
    Setting("label", gettext_lazy("Words of the button")),
    _LINK,
)
KINDS: tuple[Kind, ...] = (
    Kind(
        "heading",
        gettext_lazy("Heading"),
        "letter-case",
        (
            Setting("text", gettext_lazy("Heading"), "line", gettext_lazy("A heading")),
            Setting(
                "size",
                gettext_lazy("Size of the letters"),
                "choice",
                "large",
                (
                    ("large", gettext_lazy("Large")),
                    ("medium", gettext_lazy("Medium")),
                    ("small", gettext_lazy("Small")),
                ),
            ),
            _ALIGN,
            _TONE,
        ),
    ),
    Kind(
        "text",
        gettext_lazy("Text"),
        "typography",
        (
            Setting("text", gettext_lazy("Text"), "text", gettext_lazy("Say it here.")),
            _ALIGN,
            _TONE,
        ),
    ),
    Kind(
        "button",
        gettext_lazy("Button"),
        "click",
        (
            Setting("label", gettext_lazy("Words of the button"), "line", gettext_lazy("Look")),
            Setting("url", gettext_lazy("Where it leads"), "address", "{{ shop_url }}"),
            _ALIGN,
            _TONE,
        ),
    ),
    Kind(
        "image",
        gettext_lazy("Picture"),
        "photo",
        (
            _PICTURE,
            _ALT,
            _LINK,
            Setting("width", gettext_lazy("Width in pixels"), "number", 600, low=40, high=600),
            _TONE,
        ),
    ),
    Kind(
        "products",
        gettext_lazy("Products"),
        "shopping-bag",
        (
            Setting(
                "of",
                gettext_lazy("Which"),
                "choice",
                "picks",
                (
                    ("picks", gettext_lazy("Recommended to each person")),
                    ("event", gettext_lazy("Of the event that began the journey")),
                ),
            ),
            Setting("title", gettext_lazy("Heading")),
            Setting("count", gettext_lazy("How many"), "number", 4, low=1, high=12),
            Setting("instead", gettext_lazy("Said where nobody has picks"), "text"),
        ),
    ),
    Kind(
        "columns",
        gettext_lazy("Columns"),
        "columns-2",
        (Setting("columns", gettext_lazy("Columns"), "columns"), _TONE),
    ),
    Kind("divider", gettext_lazy("Divider"), "separator", (_TONE,)),
    Kind(
        "spacer",
        gettext_lazy("Space"),
        "arrow-down",
        (
            Setting("height", gettext_lazy("Height in pixels"), "number", 24, low=4, high=200),
            _TONE,
        ),
    ),
    Kind(
        "html",
        "HTML",
        "code",
        (Setting("source", gettext_lazy("HTML, left as written"), "source"),),
    ),
    Kind(
        "footer",
        gettext_lazy("Footer"),
        "layout-sidebar",
        (
            Setting(
                "text",
                gettext_lazy("Why they get it, and who you are"),
                "text",
                gettext_lazy(
                    "You get this because you shop at {{ shop_name }} and said yes to hearing "
                    "from us."
                ),
            ),
            Setting(
                "label",
                gettext_lazy("Words of the unsubscribe link"),
                "line",
                gettext_lazy("Unsubscribe"),
            ),
        ),
    ),
)
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}


def column_settings() -> tuple[Setting, ...]:
    """What can be said about one of several columns."""
    return _COLUMN


def starter() -> list[dict[str, Any]]:
    """What a new mail of blocks begins with."""
    return read(
        [
            {"kind": "heading", "text": "{{ shop_name }}", "size": "small", "align": "center",
             "tone": "paper"},
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


def _columns(place: int, raw: object) -> list[dict[str, str]]:
    columns = raw if isinstance(raw, list) and raw else [{}, {}]
    if not 2 <= len(columns) <= MOST_COLUMNS:
        raise _refuse(place, _("Two or three columns stand beside each other."))
    made = []
    for column in columns:
        if not isinstance(column, Mapping):
            raise _refuse(place, _("The blocks of this mail cannot be read."))
        made.append({setting.name: _value(place, setting, column) for setting in _COLUMN})
    return made


def compile_blocks(blocks: Sequence[Mapping[str, Any]]) -> str:
    """MJML of blocks that went through `read`."""
    body = "\n".join(_MAKERS[block["kind"]](block) for block in blocks)
    return f"""<mjml>
  <mj-head>
    <mj-title>{{{{ shop_name }}}}</mj-title>
    <mj-attributes>
      <mj-all font-family="Georgia, 'Times New Roman', serif" />
      <mj-text font-size="17px" line-height="27px" color="#3b352c" padding="6px 0" />
    </mj-attributes>
  </mj-head>
  <mj-body background-color="#f4efe6" width="600px">
{body}
  </mj-body>
</mjml>
"""


def _words(text: str) -> str:
    """Written words as HTML: blank lines part paragraphs, **bold**, *slanted*, [label](address)."""
    held, kept = layout.hold(text)
    html = escape(held.strip())
    html = _NAMED_LINK.sub(lambda m: f'<a href="{m[2]}" style="color:#a4451f">{m[1]}</a>', html)
    html = _SLANTED.sub(r"<i>\1</i>", _BOLD.sub(r"<b>\1</b>", html))
    html = re.sub(r"\n[ \t]*\n\s*", "<br /><br />", html).replace("\n", "<br />")
    return layout.release(html, kept)


def _attribute(text: str) -> str:
    """A setting inside quotes; what stands in expressions stays as it is."""
    held, kept = layout.hold(text)
    return layout.release(escape(held), kept)


def _section(block: Mapping[str, Any], inner: str, padding: str) -> str:
    colour = _TONES[block.get("tone", "paper")]
    ground = f' background-color="{colour}"' if colour else ""
    return (
        f'    <mj-section css-class="pb pb-{block["id"]}"{ground} padding="{padding}">'
        f"{inner}</mj-section>"
    )


def _ink(block: Mapping[str, Any], which: int) -> str:
    return _INK.get(block.get("tone", ""), ("#1f1a13", "#3b352c", "#a4451f"))[which]


def _heading(block: Mapping[str, Any]) -> str:
    size, line = _SIZES[block["size"]]
    text = (
        f'<mj-text font-size="{size}" line-height="{line}" color="{_ink(block, 0)}" '
        f'align="{block["align"]}" padding="0">{_words(block["text"])}</mj-text>'
    )
    return _section(block, f"<mj-column>{text}</mj-column>", "24px 36px 10px")


def _text(block: Mapping[str, Any]) -> str:
    text = (
        f'<mj-text color="{_ink(block, 1)}" align="{block["align"]}" padding="0">'
        f"{_words(block['text'])}</mj-text>"
    )
    return _section(block, f"<mj-column>{text}</mj-column>", "14px 36px 14px")


def _one_button(label: str, url: str, align: str = "left") -> str:
    return (
        '<mj-button background-color="#a4451f" color="#ffffff" border-radius="6px" '
        f'font-size="17px" inner-padding="14px 28px" align="{align}" padding="6px 0" '
        f'href="{_attribute(url)}">{_words(label)}</mj-button>'
    )


def _button(block: Mapping[str, Any]) -> str:
    made = _one_button(block["label"], block["url"], block["align"])
    return _section(block, f"<mj-column>{made}</mj-column>", "8px 36px 24px")


def _one_picture(said: Mapping[str, Any], more: str = "") -> str:
    link = f' href="{_attribute(said["url"])}"' if said.get("url") else ""
    return (
        f'<mj-image src="{_attribute(said["src"])}" alt="{_attribute(said["alt"])}" '
        f'padding="0"{more}{link} />'
    )


def _image(block: Mapping[str, Any]) -> str:
    if not block["src"]:
        return _section(block, "<mj-column></mj-column>", "0")
    width = block["width"]
    made = _one_picture(block, f' width="{width}px"')
    return _section(block, f"<mj-column>{made}</mj-column>", "0" if width == 600 else "10px 0")


def _products(block: Mapping[str, Any]) -> str:
    made = []
    # Mails from before there was a choice show what is recommended.
    of_event = block.get("of") == "event"
    name, more = ("event.products", ' of="event"') if of_event else ("products", "")
    if block["title"]:
        title = {**block, "text": block["title"], "tone": "white", "size": "small", "align": "left"}
        made.append(_shown_if(name, _heading(title)))
    made.append(
        f'    <mj-products{more} css-class="pb pb-{block["id"]}" count="{block["count"]}" />'
    )
    if block["instead"].strip():
        instead = {**block, "text": block["instead"], "tone": "white", "align": "left"}
        made.append(_shown_if(f"not {name}", _text(instead)))
    return "\n".join(made)


def _shown_if(what: str, section: str) -> str:
    return f"    <mj-raw>{{% if {what} %}}</mj-raw>\n{section}\n    <mj-raw>{{% endif %}}</mj-raw>"


def _several(block: Mapping[str, Any]) -> str:
    columns = []
    for said in block["columns"]:
        parts = []
        if said["src"]:
            parts.append(_one_picture({**said, "url": ""}, ' border-radius="8px"'))
        if said["heading"]:
            parts.append(
                f'<mj-text font-size="18px" line-height="24px" color="{_ink(block, 0)}" '
                f'padding="10px 0 0">{_words(said["heading"])}</mj-text>'
            )
        if said["text"].strip():
            parts.append(
                f'<mj-text font-size="15px" line-height="22px" color="{_ink(block, 1)}" '
                f'padding="4px 0">{_words(said["text"])}</mj-text>'
            )
        if said["label"]:
            parts.append(_one_button(said["label"], said["url"]))
        columns.append(f'<mj-column padding="0 10px">{"".join(parts)}</mj-column>')
    return _section(block, "".join(columns), "14px 26px 22px")


def _divider(block: Mapping[str, Any]) -> str:
    made = '<mj-divider border-width="1px" border-color="#d9d2c4" padding="0" />'
    return _section(block, f"<mj-column>{made}</mj-column>", "14px 36px")


def _spacer(block: Mapping[str, Any]) -> str:
    made = f'<mj-spacer height="{block["height"]}px" />'
    return _section(block, f"<mj-column>{made}</mj-column>", "0")


def _html(block: Mapping[str, Any]) -> str:
    return f"    <mj-raw>{block['source']}</mj-raw>"


def _footer(block: Mapping[str, Any]) -> str:
    text = (
        '<mj-text align="center" font-size="13px" line-height="20px" color="#6b6457">'
        f"{_words(block['text'])}<br />"
        f'<a href="{{{{ unsubscribe_url }}}}" style="color:#6b6457">{_words(block["label"])}</a>'
        "</mj-text>"
    )
    return _section(block, f"<mj-column>{text}</mj-column>", "22px 34px 34px")


_MAKERS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "heading": _heading,
    "text": _text,
    "button": _button,
    "image": _image,
    "products": _products,
    "columns": _several,
    "divider": _divider,
    "spacer": _spacer,
    "html": _html,
    "footer": _footer,
}
