"""Mentions come from feeds once, as plain text, and only when the feed has changed."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingestion.connectors import feed, mentions
from ingestion.models import Connector, Mention, Pull, Source
from marketing.core.errors import Refused
from tests.ingestion.connectors.conftest import NOW, fetch

RSS = """<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>News</title><language>en-gb</language>{items}</channel></rss>"""
ITEM = """<item><guid isPermaLink="false">{guid}</guid><title>{title}</title>
<link>{link}</link><author>ada@example.com (Ada)</author>
<pubDate>Sat, 21 Nov 2026 10:00:00 GMT</pubDate>
<content:encoded><![CDATA[{body}]]></content:encoded></item>"""


def item(guid: str, body: str = "<p>Lovely&nbsp;mugs</p>", **values: str) -> str:
    return ITEM.format(
        guid=guid, body=body, title=values.get("title", "A mug"),
        link=values.get("link", "https://news.example.com/1"),
    )  # fmt: skip


def rss(*items: str) -> bytes:
    return RSS.format(items="".join(items)).encode()


def test_entries_become_mentions_once(site: Any, connect: Callable[..., Connector]) -> None:
    entries = [item("a"), item("b")]
    site.pages["/feed"] = lambda _q, _h: (200, {}, rss(*entries))
    connector = connect("feed", url=f"{site.url}/feed")
    first = fetch(connector)
    assert (first.state, first.received, first.stored, first.duplicate) == ("done", 2, 2, 0)
    entries.append(item("c"))
    second = fetch(connector)
    assert (second.received, second.stored, second.duplicate) == (3, 1, 2)
    mention = Mention.objects.get(external_id="a")
    assert (mention.title, mention.text, mention.language) == ("A mug", "Lovely mugs", "en-gb")
    assert mention.url == "https://news.example.com/1"
    assert mention.published_at == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert mention.sentiment is None


@pytest.mark.parametrize(
    ("answers", "asks"),
    [({"ETag": '"v1"'}, "if-none-match"), ({"Last-Modified": "yesterday"}, "if-modified-since")],
)
def test_an_unchanged_feed_is_not_sent_again(
    site: Any, connect: Callable[..., Connector], answers: dict[str, str], asks: str
) -> None:
    def page(_query: dict[str, str], headers: dict[str, str]) -> Any:
        return (304, {}, b"") if headers.get(asks) else (200, answers, rss(item("a")))

    site.pages["/feed"] = page
    connector = connect("feed", url=f"{site.url}/feed")
    assert fetch(connector).received == 1
    again = fetch(connector)
    assert (again.state, again.received, Mention.objects.count()) == (Pull.State.DONE, 0, 1)


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>safe",
        "<img src=x onerror=alert(1)>safe",
        "<style>body{}</style>safe<svg/onload=x>",
        "<a href='javascript:x'>safe</a>",
        "safe<iframe src=//evil></iframe>",
    ],
)
def test_markup_is_text_and_nothing_else(markup: str) -> None:
    found = feed.read(rss(item("a", markup)), now=NOW)
    assert found[0].text == "safe"


def test_an_address_that_is_no_web_address_is_left_out() -> None:
    assert feed.read(rss(item("a", link="javascript:alert(1)")), now=NOW)[0].url == ""


def test_atom_and_a_time_in_the_future_and_none_at_all() -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="de"><title>x</title>
    <entry><id>1</id>
    <title type="html">&lt;b&gt;Hallo&lt;/b&gt;</title><updated>2099-01-01T00:00:00Z</updated>
    <author><name>Ben</name></author><summary>Kurz</summary></entry>
    <entry><id>2</id><title>Ohne Zeit</title></entry></feed>"""
    first, second = feed.read(body, now=NOW)
    assert (first.title, first.author, first.text) == ("Hallo", "Ben", "Kurz")
    assert first.published_at == second.published_at == NOW


BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><rss><channel><title>&j;</title></channel></rss>"
)
OUTSIDE = (
    b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b"<rss version='2.0'><channel><item><guid>1</guid><title>&x;</title></item></channel></rss>"
)


@pytest.mark.parametrize("body", [BOMB, OUTSIDE, b"", b"<html><p>no feed</p></html>", b"\xff\xfe"])
def test_what_is_no_plain_feed_is_refused(body: bytes) -> None:
    with pytest.raises(Refused):
        feed.read(body, now=NOW)


def test_a_name_too_long_for_its_column_still_tells_two_apart(db: None) -> None:
    source = Source.objects.create(name="x", kind="connector")
    long = "https://example.com/" + "a" * 500
    found = [
        mentions.Found(
            long + n, NOW - timedelta(days=1), text="\ud800 x".encode("utf-8", "replace").decode()
        )
        for n in "aab"
    ]
    assert mentions.store(found=found, source=source, now=NOW) == [True, False, True]
    assert mentions.store(found=found, source=source, now=NOW) == [False, False, False]
    assert Mention.objects.count() == 2
