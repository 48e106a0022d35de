"""Blocks become MJML.

The MJML is an ordinary template of its own: whoever goes on in MJML loses nothing but the forms.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from campaigns.messaging import layout

_OFFER = re.compile(r"(?<![\w.\"'\]])offer\.")
_BOLD = re.compile(r"\*\*([^*]+)\*\*")
_SLANTED = re.compile(r"(?<![\w*])\*([^*\s][^*]*)\*(?![\w*])")
_NAMED_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
# Old callers of a template may not know the brand: then it looks as it does without one.
_ACCENT = '{{ brand_colour|default("#a4451f") }}'
_LOGO = 'logo_url|default("")'
_ADDRESS = '{% if postal_address|default("") %}<br />{{ postal_address }}{% endif %}'
_TONES = {"white": "#ffffff", "paper": "", "dark": "#27362f", "warm": "#f6e7d3"}
_INK = {"dark": ("#fbf6ec", "#e6ddcc", "#e8c79a")}
_SIZES = {"large": ("33px", "41px"), "medium": ("25px", "32px"), "small": ("19px", "26px")}


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
    html = _NAMED_LINK.sub(lambda m: f'<a href="{m[2]}" style="color:{_ACCENT}">{m[1]}</a>', html)
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
    return _INK.get(block.get("tone", ""), ("#1f1a13", "#3b352c", _ACCENT))[which]


def _logo(block: Mapping[str, Any]) -> str:
    """The logo where there is one, else the name."""
    picture = (
        f'<mj-text align="{block["align"]}" padding="0"><a href="{{{{ shop_url }}}}">'
        '<img src="{{ logo_url }}" width="{{ logo_width }}" height="{{ logo_height }}" '
        'alt="{{ shop_name }}" style="border:0;display:inline-block" /></a></mj-text>'
    )
    shown = _section(block, f"<mj-column>{picture}</mj-column>", "24px 36px 10px")
    name = _heading({**block, "text": "{{ shop_name }}", "size": "small"})
    return f"{_shown_if(_LOGO, shown)}\n{_shown_if(f'not ({_LOGO})', name)}"


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
        f'<mj-button background-color="{_ACCENT}" color="#ffffff" border-radius="6px" '
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


def _offer(block: Mapping[str, Any]) -> str:
    """What a plan has for each person. In the words of this block `offer` is that offer."""
    root = f'offers["{block["plan"]}"]' if block["plan"] else "offer"

    def own(name: str) -> str:
        return layout.EXPRESSION.sub(lambda m: _OFFER.sub(f"{root}.", m[0]), block[name])

    made = []
    if block["title"]:
        title = {**block, "text": own("title"), "size": "medium", "align": "left"}
        made.append(_shown_if(f"{root}.name", _heading(title)))
    src, alt = f"{{{{ {root}.image_url }}}}", f"{{{{ {root}.product }}}}"
    picture = _one_picture({"src": src, "alt": alt}, ' width="280px" border-radius="8px"')
    picture = _section(block, f"<mj-column>{picture}</mj-column>", "10px 36px")
    made.append(_shown_if(f"{root}.image_url and {root}.product", picture))
    lines = (
        f"{{% if {root}.product %}}<b>{{{{ {root}.product }}}}</b>"
        f"{{% if {root}.price %}} · {{{{ {root}.price }}}}{{% endif %}}<br />{{% endif %}}"
        f"{{% if {root}.discount %}}{_words(own('less'))}<br />{{% endif %}}{_words(own('text'))}"
    )
    text = f'<mj-text color="{_ink(block, 1)}" padding="0">{lines}</mj-text>'
    text = _section(block, f"<mj-column>{text}</mj-column>", "14px 36px 14px")
    made.append(_shown_if(f"{root}.name", text))
    if block["label"]:
        button = _one_button(own("label"), f"{{{{ {root}.url }}}}")
        button = _section(block, f"<mj-column>{button}</mj-column>", "8px 36px 24px")
        made.append(_shown_if(f"{root}.url", button))
    if block["instead"].strip():
        instead = _text({**block, "text": block["instead"], "align": "left"})
        made.append(_shown_if(f"not {root}.name", instead))
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
        f"{_words(block['text'])}{_ADDRESS}<br />"
        f'<a href="{{{{ unsubscribe_url }}}}" style="color:#6b6457">{_words(block["label"])}</a>'
        "</mj-text>"
    )
    return _section(block, f"<mj-column>{text}</mj-column>", "22px 34px 34px")


_MAKERS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "logo": _logo,
    "heading": _heading,
    "text": _text,
    "button": _button,
    "image": _image,
    "products": _products,
    "offer": _offer,
    "columns": _several,
    "divider": _divider,
    "spacer": _spacer,
    "html": _html,
    "footer": _footer,
}
