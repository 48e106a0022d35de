"""Kinds of blocks: what each is called, and what can be said about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy, pgettext_lazy


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
    pgettext_lazy("alignment", "Stands"),
    "choice",
    "left",
    (
        ("left", pgettext_lazy("alignment", "Left")),
        ("center", pgettext_lazy("alignment", "Centred")),
        ("right", pgettext_lazy("alignment", "Right")),
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
# Whose offers a block shows, by the key of the plan; empty: the newest plan.
PLAN = "plan"
KINDS: tuple[Kind, ...] = (
    Kind(
        "logo",
        gettext_lazy("Logo"),
        "flag",
        (
            Setting(
                "align",
                pgettext_lazy("alignment", "Stands"),
                "choice",
                "center",
                _ALIGN.options,
            ),
            Setting("tone", _TONE.label, "choice", "paper", _TONE.options),
        ),
    ),
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
        "offer",
        gettext_lazy("Offer"),
        "gift",
        (
            Setting(PLAN, gettext_lazy("Of which plan"), PLAN),
            Setting("title", gettext_lazy("Heading"), "line", "{{ offer.name }}"),
            Setting("text", gettext_lazy("Text"), "text"),
            Setting(
                "less",
                gettext_lazy("Said of a discount"),
                "line",
                gettext_lazy("{{ offer.discount }} less, for you"),
            ),
            Setting("label", gettext_lazy("Words of the button"), "line", gettext_lazy("Look")),
            Setting("instead", gettext_lazy("Said to whoever has no offer"), "text"),
            _TONE,
        ),
    ),
    Kind(
        "columns",
        pgettext_lazy("layout", "Columns"),
        "columns-2",
        (Setting("columns", pgettext_lazy("layout", "Columns"), "columns"), _TONE),
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
        "saved",
        gettext_lazy("Saved block"),
        "bookmark",
        (Setting("saved", gettext_lazy("Which one"), "saved"),),
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
# Stands for blocks of the library, so it is chosen there and not from the kinds.
SAVED = "saved"
BY_NAME: Mapping[str, Kind] = {kind.name: kind for kind in KINDS}


def column_settings() -> tuple[Setting, ...]:
    """What can be said about one of several columns."""
    return _COLUMN
