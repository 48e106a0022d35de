"""The numbers of a page that are links, each with how many it leads to."""

import re
from html import unescape

from django.test import Client

_OPENS = re.compile(r'<a(?: class="(?:link|opens)[^"]*")? href="([^"]+)">(?:<b[^>]*>)?([\d,]+)<')


def opened(client: Client, html: str) -> dict[str, tuple[int, int]]:
    """Address → the number that stands there, and how many stand on the page it leads to."""
    found = {}
    for address, number in _OPENS.findall(html):
        address = unescape(address)
        there = client.get(address)
        assert there.status_code == 200, address
        found[address] = int(number.replace(",", "")), shown(there)
    return found


def shown(there) -> int:
    """How many messages or people a page lists."""
    if "page" in there.context and there.context["page"] is not None:
        return there.context["page"].paginator.count
    return len(there.context["rows"])
