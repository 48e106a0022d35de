"""What links say of where a visit came from: utm_source and its sisters, for web statistics.

A link that carries such words already is left as written, and so are the pages on which people
unsubscribe or say what they want. Fragments and what a link asks for stay as they were.
"""

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import quote

from campaigns.messaging.links import MAX_URL

NAMES = ("source", "medium", "campaign", "content", "term")
OFF = "off"
LONGEST = 100
_KEPT = 20_000
_TAGGED = re.compile(r"[?&#;]utm(?:_|%5f)[a-z_]+=", re.IGNORECASE)
_APART = re.compile(r"[^\w.]+")


def slug(name: str) -> str:
    """A name as statistics show it: lower case, words joined by hyphens, letters of any script."""
    plain = unicodedata.normalize("NFKC", name).lower()
    return _APART.sub("-", plain).strip("-.")[:LONGEST].rstrip("-.")


def merged(
    *, own: Mapping[str, object], usual: Mapping[str, str], variant: str = ""
) -> dict[str, str] | None:
    """What links carry: one's own words before the usual ones; None where it is turned off.

    A `variant` is told apart in `content`, whatever else stands there.
    """
    if own.get(OFF):
        return None
    said = {name: str(own.get(name) or usual.get(name) or "") for name in NAMES}
    if variant:
        said["content"] = "-".join(filter(None, (said["content"], slug(variant))))
    return {name: value for name, value in said.items() if value}


def query(said: Mapping[str, str]) -> str:
    """The words as they stand in a link."""
    return "&".join(f"utm_{name}={quote(said[name], safe='')}" for name in NAMES if said.get(name))


class Tagger:
    """Adds the words of one content to its links."""

    def __init__(self, said: Mapping[str, str], leave: tuple[str, ...] = ()) -> None:
        """`leave`: how the addresses begin that are left as they are."""
        self.query = query(said)
        self._leave = tuple(address.lower() for address in leave)
        self._seen: dict[str, str] = {}

    def tag(self, url: str) -> str:
        """The address with the words; as it was where it has some, or would become too long."""
        known = self._seen.get(url)
        if known is not None:
            return known
        made = self._made(url)
        if len(self._seen) < _KEPT:
            self._seen[url] = made
        return made

    def _made(self, url: str) -> str:
        begin = url[:300].lower()
        if not begin.startswith(("http://", "https://")) or begin.startswith(self._leave):
            return url
        if _TAGGED.search(url):
            return url
        address, mark, fragment = url.partition("#")
        joint = "&" if "?" in address else "?"
        if address.endswith(("?", "&")):
            joint = ""
        made = f"{address}{joint}{self.query}{mark}{fragment}"
        return made if len(made) <= MAX_URL else url
