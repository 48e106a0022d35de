"""From what a marketer writes (MJML) to what mailboxes show (HTML) and read aloud (text).

Runs when a template is saved, never per mail. Template expressions are set aside first, so that
quotes and comparison signs inside them never meet the XML parser, and come back unchanged.
"""

import re
from html import escape
from html.parser import HTMLParser

from mjml import mjml2html

from campaigns.messaging.faults import Fault, gettext_noop

LINK = re.compile(r"(<a\b[^>]*?\shref\s*=\s*)(\"[^\"]*\"|'[^']*'|[^\s>]+)", re.IGNORECASE)
EXPRESSION = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_HELD = re.compile(r"pnq(\d{4})qnp")
_RAW = re.compile(r"(<mj-raw\b[^>]*(?<!/)>)(.*?)(</mj-raw>)", re.DOTALL)
_HELD_RAW = re.compile(r"pnr(\d{4})rnp")
_PRODUCTS = re.compile(r"<mj-products\b([^>]*?)/?>(?:\s*</mj-products>)?")
_COUNT = re.compile(r'\bcount="(\d{1,2})"')
_CLASS = re.compile(r'\bcss-class="([a-z0-9 -]{1,40})"')
_TITLE = re.compile(r'\btitle="([^"]{1,120})"')
_OF_EVENT = re.compile(r'\bof="event"')
SOURCE_LIMIT = 200_000
_TAG = re.compile(r"<(mj-[a-z-]*)")
_KNOWN_TAGS = frozenset(
    f"mj-{name}"
    for name in [
        "accordion",
        "accordion-element",
        "accordion-text",
        "accordion-title",
        "all",
        "attributes",
        "body",
        "breakpoint",
        "button",
        "carousel",
        "carousel-image",
        "class",
        "column",
        "divider",
        "group",
        "head",
        "hero",
        "html-attributes",
        "image",
        "navbar",
        "navbar-link",
        "preview",
        "products",
        "raw",
        "section",
        "selector",
        "social",
        "social-element",
        "spacer",
        "style",
        "table",
        "text",
        "title",
        "wrapper",
    ]
)

# ruff: noqa: E501  the block is HTML as mail clients want it
_PRODUCT_BLOCK = """<mj-raw>{{% if {products} %}}</mj-raw>
<mj-section{css} background-color="#ffffff" padding="4px 36px 26px"><mj-column>{title}<mj-table padding="0">
{{% for product in {products} %}}{{% if loop.index <= {count} %}}<tr>
<td width="60" valign="top" aria-hidden="true" style="padding:14px 0;border-top:1px solid #eee8dd"><table role="presentation" cellpadding="0" cellspacing="0" border="0"><tr>{picture}</tr></table></td>
<td valign="top" style="padding:14px 12px 14px 16px;border-top:1px solid #eee8dd"><span style="font-size:16px;line-height:22px;color:#1f1a13">{{% if product.url %}}<a href="{{{{ product.url }}}}" style="color:#1f1a13;text-decoration:none">{{{{ product.name }}}}</a>{{% else %}}{{{{ product.name }}}}{{% endif %}}</span><br /><span style="font-size:14px;line-height:20px;color:#6b6457">{reason}</span></td>
<td valign="top" align="right" style="padding:14px 0;border-top:1px solid #eee8dd;font-size:16px;line-height:22px;color:#1f1a13;white-space:nowrap">{price}</td>
</tr>{{% endif %}}{{% endfor %}}
</mj-table></mj-column></mj-section>
<mj-raw>{{% endif %}}</mj-raw>"""
_TILE = """<td width="56" height="56" align="center" valign="middle" bgcolor="{{ product.colour }}" style="width:56px;height:56px;border-radius:10px;font-family:Georgia,'Times New Roman',serif;font-size:22px;line-height:56px;color:#2b241b">{{ product.initial }}</td>"""
_PICTURE = f"""{{% if product.image_url %}}<td width="56" height="56"><img src="{{{{ product.image_url }}}}" width="56" height="56" alt="" style="display:block;border-radius:10px" /></td>{{% else %}}{_TILE}{{% endif %}}"""
_QUANTITY = "{% if product.quantity %}× {{ product.quantity }}{% endif %}"
_PRODUCT_TITLE = (
    '<mj-text font-size="20px" line-height="28px" color="#1f1a13" padding="0 0 12px">{}</mj-text>'
)


class LayoutRefused(Fault):
    """The layout cannot become a mail; the text says why."""


def expand_products(source: str) -> str:
    """Replace <mj-products count="4" title="…"/> by the block that lists a person's picks.

    With of="event", the products of the event that began their stay in a journey.
    """

    def block(match: re.Match[str]) -> str:
        count = _COUNT.search(match[1])
        title = _TITLE.search(match[1])
        css = _CLASS.search(match[1])
        of_event = _OF_EVENT.search(match[1]) is not None
        return _PRODUCT_BLOCK.format(
            products="event.products" if of_event else "products",
            picture=_PICTURE if of_event else _TILE,
            price='{{ product.price|default("") }}',
            reason=_QUANTITY if of_event else "{{ product.reason }}",
            count=int(count[1]) if count else 4,
            css=f' css-class="{css[1]}"' if css else "",
            title=_PRODUCT_TITLE.format(title[1]) if title else "",
        )

    return _PRODUCTS.sub(block, source)


def hold(source: str) -> tuple[str, list[str]]:
    """Swap every template expression for a word; `release` puts them back."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        if match[0].startswith("{#"):
            return ""
        kept.append(match[0])
        return f"pnq{len(kept) - 1:04d}qnp"

    if _HELD.search(source) or _HELD_RAW.search(source):
        raise LayoutRefused(
            gettext_noop("the text holds a word that is reserved for the template engine")
        )
    held = EXPRESSION.sub(keep, source)
    if len(kept) > 9_999:
        raise LayoutRefused(gettext_noop("the template holds more than 9,999 expressions"))
    return held, kept


def release(held: str, kept: list[str]) -> str:
    """Undo `hold`."""
    return _HELD.sub(lambda match: kept[int(match[1])], held)


def held_numbers(held: str) -> list[int]:
    """The numbers of the expressions that stand in a held text, in order."""
    return [int(number) for number in _HELD.findall(held)]


def split_held(held: str) -> list[str | int]:
    """A held text as its pieces: literal text, and numbers of expressions."""
    pieces: list[str | int] = []
    for position, piece in enumerate(_HELD.split(held)):
        if position % 2:
            pieces.append(int(piece))
        elif piece:
            pieces.append(piece)
    return pieces


def _hold_raw(held: str) -> tuple[str, list[str]]:
    """Swap what stands in mj-raw for words: it is left as written, so the parser never sees it."""
    raw: list[str] = []

    def keep(match: re.Match[str]) -> str:
        raw.append(match[2])
        return f"{match[1]}pnr{len(raw) - 1:04d}rnp{match[3]}"

    return _RAW.sub(keep, held), raw


def compile_mjml(source: str, *, preheader: str = "") -> str:
    """HTML (still a template) of an MJML document; raises LayoutRefused with the parser's reason."""
    if len(source) > SOURCE_LIMIT:
        raise LayoutRefused(
            gettext_noop("the template is longer than %(limit)s characters"),
            limit=f"{SOURCE_LIMIT:,}",
        )
    if re.search(r"<\s*mj-include\b", source):
        raise LayoutRefused(
            gettext_noop("mj-include is not allowed: paste the part into the template")
        )
    if strangers := {tag for tag in _TAG.findall(source) if tag not in _KNOWN_TAGS}:
        raise LayoutRefused(gettext_noop("<%(tag)s> is not part of MJML"), tag=min(strangers))
    held, kept = hold(expand_products(source))
    held, raw = _hold_raw(held)
    if preheader and "<mj-preview" not in held:
        kept.append("")
        words, extra = hold(preheader)
        words = escape(words)
        if extra:
            base = len(kept)
            words = _HELD.sub(lambda m: f"pnq{base + int(m[1]):04d}qnp", words)
            kept.extend(extra)
        preview = f"<mj-preview>{words}</mj-preview>"
        if "<mj-head>" in held:
            held = held.replace("<mj-head>", f"<mj-head>{preview}", 1)
        else:
            held = re.sub(r"(<mjml\b[^>]*>)", rf"\1<mj-head>{preview}</mj-head>", held, count=1)
    try:
        html = mjml2html(held, fonts={})  # no font is fetched from anywhere
    except ValueError as error:
        raise LayoutRefused(gettext_noop("the MJML cannot be read: %(why)s"), why=error) from None
    html = _HELD_RAW.sub(lambda match: raw[int(match[1])], html)
    missing = {number for number in range(len(kept)) if kept[number]} - set(held_numbers(html))
    if missing:
        lost = ", ".join(kept[number] for number in sorted(missing)[:3])
        raise LayoutRefused(
            gettext_noop(
                "%(text)s stands where MJML drops text: put it inside mj-text, mj-table or mj-raw"
            ),
            text=lost,
        )
    return release(html, kept)


_BLOCKS = {"p", "div", "tr", "h1", "h2", "h3", "h4", "ul", "ol", "table", "section", "td"}
_SKIPPED = {"style", "script", "title", "head"}
_VOID = {"img", "br", "hr", "meta", "link", "input", "area", "col", "source", "wbr"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._hidden: list[str] = []
        self._links: list[tuple[str, int]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        style = (values.get("style") or "").replace(" ", "")
        unread = tag in _SKIPPED or "display:none" in style or values.get("aria-hidden") == "true"
        if tag not in _VOID and (self._hidden or unread):
            self._hidden.append(tag)
            return
        if self._hidden:
            return
        if tag == "a":
            self._links.append((values.get("href") or "", len(self.out)))
        elif tag == "img" and values.get("alt"):
            self.out.append(str(values["alt"]))
        elif tag == "br" or tag in _BLOCKS:
            self.out.append("\n")
        elif tag == "li":
            self.out.append("\n- ")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if self._hidden[-1] == tag:
                self._hidden.pop()
            return
        if tag == "a" and self._links:
            href, start = self._links.pop()
            label = "".join(self.out[start:]).strip()
            if href and not href.startswith("#") and href != label:
                self.out.append(f" ({href})")
        elif tag in _BLOCKS:
            self.out.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.out.append(re.sub(r"\s+", " ", data))


def text_from(html: str) -> str:
    """The plain-text alternative of an HTML template, expressions kept."""
    held, kept = hold(html)
    reader = _Reader()
    reader.feed(held)
    reader.close()
    lines = [line.strip() for line in "".join(reader.out).split("\n")]
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
    return release(text, kept) + "\n"
