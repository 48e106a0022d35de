"""Mentions from an RSS or Atom feed."""

import html
import io
import re
from calendar import timegm
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import feedparser
import nh3
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ingestion.connectors.base import Cursor, Field, Kind, News, Sample
from ingestion.connectors.mentions import Found
from marketing.core import outbound
from marketing.core.errors import Unavailable

_LIMITS = outbound.Limits(body=10_000_000)
_ENTRIES = 2_000
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


class Feed(Kind):
    """Entries of one feed."""

    key = "feed"
    gives = "mentions"
    fields = (
        Field(
            "url",
            gettext_lazy("Address of the feed"),
            required=True,
            limit=2000,
            placeholder="https://news.example.com/feed.xml",
            hint=gettext_lazy("RSS or Atom."),
        ),
    )
    reads_from = ("url",)

    @classmethod
    def refuse_nonsense(cls, given: Mapping[str, Any]) -> None:
        outbound.parse(str(given.get("url") or ""))

    def test(self) -> Sample:
        self.refuse_nonsense(self.given)
        found = self.news({}).found
        rows = [[f.title[:80], f.author[:40], f.published_at.isoformat()[:16]] for f in found[:5]]
        return Sample(
            ngettext(
                "Connected. The feed has %(n)d entry.",
                "Connected. The feed has %(n)d entries.",
                len(found),
            )
            % {"n": len(found)},
            [_("Title"), _("Author"), _("Published")],
            rows,
        )

    def news(self, cursor: Cursor) -> News:
        headers = {
            "Accept": "application/atom+xml, application/rss+xml, application/xml, */*;q=0.5"
        }
        if cursor.get("etag"):
            headers["If-None-Match"] = cursor["etag"]
        if cursor.get("modified"):
            headers["If-Modified-Since"] = cursor["modified"]
        answer = outbound.fetch(url=self.text("url"), headers=headers, limits=_LIMITS)
        if answer.status == 304:
            return News([], cursor)
        if not answer.ok:
            raise Unavailable(
                _("%(url)s answered with status %(status)d.")
                % {"url": outbound.shown(answer.url), "status": answer.status},
                code="bad_status",
            )
        kept = {
            "etag": answer.headers.get("etag", "")[:300],
            "modified": answer.headers.get("last-modified", "")[:100],
        }
        return News(read(answer.body, now=self.now), kept)


def read(body: bytes, *, now: datetime) -> list[Found]:
    """The entries of a feed, as text without markup. Unavailable when it is none."""
    # A feed needs no document type; what one declares could unfold without end.
    if _DOCTYPE.search(body[:200_000].replace(b"\0", b"")) and b"ENTITY" in body:
        raise Unavailable(_("The feed declares entities, which are not read."), code="entities")
    found = feedparser.parse(io.BytesIO(body), resolve_relative_uris=False)
    if not found.get("version") and not found.get("entries"):
        raise Unavailable(
            _("This is not an RSS or Atom feed."),
            code="not_a_feed",
            remedy=_("Look for the address that its page names as the feed."),
        )
    language = text(found.feed.get("language", ""))[:10]
    entries = [_entry(entry, language, now) for entry in found.entries[:_ENTRIES]]
    return [entry for entry in entries if entry.external_id]


def _entry(entry: Any, language: str, now: datetime) -> Found:
    content = entry.get("content") or [{}]
    body = text(content[0].get("value", "")) or text(entry.get("summary", ""))
    title = text(entry.get("title", ""))
    link = str(entry.get("link", ""))
    url = link if link.lower().startswith(("https://", "http://")) else ""
    moment = entry.get("published_parsed") or entry.get("updated_parsed")
    try:
        published = datetime.fromtimestamp(timegm(moment), UTC) if moment else now
    except (ValueError, OverflowError, OSError, TypeError):
        published = now
    return Found(
        external_id=text(entry.get("id", "")) or url or title,
        published_at=min(published, now),
        author=text(entry.get("author", "")),
        title=title,
        text=body,
        url=url,
        language=text(content[0].get("language") or "")[:10] or language,
    )


def text(markup: Any) -> str:
    """Markup as plain text: nothing in it can run or be drawn."""
    bare = nh3.clean(str(markup or ""), tags=set(), clean_content_tags={"script", "style"})
    plain = html.unescape(bare).replace("\0", "")
    plain = plain.encode("utf-8", "replace").decode()
    return re.sub(r"\s+", " ", plain).strip()
