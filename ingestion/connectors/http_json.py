"""Rows of an HTTP API that answers in JSON, page by page."""

import base64
import email.utils
import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.connectors.base import (
    Batch,
    Cursor,
    Field,
    Kind,
    Later,
    Row,
    Sample,
    nap,
    show,
    wrong,
)  # fmt: skip
from marketing.core import outbound
from marketing.core.errors import Unavailable

PAGES = 10_000
PATIENCE = 60.0  # seconds of waiting within one fetch; a longer wish ends it until then
TRIES = 5
_LIMITS = outbound.Limits(read=30, total=90, body=50_000_000)
_LINK = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?', re.IGNORECASE)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_PAGED = ("page", "offset")


class HttpApi(Kind):
    """Rows of one address."""

    key = "http_json"
    goes_to = ("url", "auth", "header", "user")
    reads_from = (
        "url", "rows_path", "since_param", "since_field", "paging", "page_param", "next_path",
    )  # fmt: skip
    fields = (
        Field(
            "url",
            gettext_lazy("Address"),
            required=True,
            limit=2000,
            placeholder="https://api.example.com/v2/orders?limit=200",
        ),
        Field(
            "rows_path",
            gettext_lazy("Where the rows are"),
            placeholder="data.items",
            hint=gettext_lazy("Names joined by dots. Empty finds the first list by itself."),
        ),
        Field(
            "auth",
            gettext_lazy("Sign-in"),
            kind="select",
            default="none",
            choices=(
                ("none", gettext_lazy("None")),
                ("bearer", gettext_lazy("Bearer token")),
                ("basic", gettext_lazy("User name and password")),
                ("header", gettext_lazy("Header")),
            ),
        ),
        Field(
            "user",
            gettext_lazy("User name"),
            limit=200,
            hint=gettext_lazy("Only with user name and password."),
        ),
        Field(
            "header",
            gettext_lazy("Name of the header"),
            limit=100,
            placeholder="X-Api-Key",
            hint=gettext_lazy("Only with a header."),
        ),
        Field("secret", gettext_lazy("Token or password"), secret=True, limit=4000),
        Field(
            "paging",
            gettext_lazy("Pages"),
            kind="select",
            default="auto",
            choices=(
                ("auto", gettext_lazy("Link to the next page, in the body or header")),
                ("page", gettext_lazy("Page number")),
                ("offset", gettext_lazy("Offset")),
                ("cursor", gettext_lazy("Cursor in the body")),
                ("none", gettext_lazy("One page only")),
            ),
        ),
        Field(
            "page_param",
            gettext_lazy("Parameter of the page"),
            limit=100,
            placeholder="page",
            hint=gettext_lazy("For page numbers, offsets and cursors."),
        ),
        Field(
            "next_path",
            gettext_lazy("Where the next page is"),
            placeholder="paging.next",
            hint=gettext_lazy("Names joined by dots. Empty tries next, links.next and the header."),
        ),
        Field(
            "since_param",
            gettext_lazy("Parameter for what is new"),
            limit=100,
            placeholder="updated_since",
            hint=gettext_lazy("Empty reads everything each time."),
        ),
        Field(
            "since_field",
            gettext_lazy("Field of a row to remember for it"),
            limit=200,
            placeholder="updated_at",
        ),
    )

    @classmethod
    def refuse_nonsense(cls, given: Mapping[str, Any]) -> None:
        outbound.parse(str(given.get("url") or ""))
        auth = given.get("auth") or "none"
        if auth != "none" and not given.get("secret"):
            raise wrong("secret", _("This may not be empty."))
        if any(ch in str(given.get("secret") or "") for ch in "\r\n\0"):
            raise wrong("secret", _("This may not hold a line break."))
        if auth == "header" and not _HEADER.fullmatch(str(given.get("header") or "")):
            raise wrong("header", _("This is not the name of a header."))
        if given.get("paging") in ("page", "offset", "cursor") and not given.get("page_param"):
            raise wrong("page_param", _("This may not be empty."))
        start = dict(parse_qsl(urlsplit(str(given.get("url"))).query)).get(
            str(given.get("page_param")), "0"
        )
        if given.get("paging") in _PAGED and not re.fullmatch(r"[0-9]{1,12}", start):
            raise wrong("url", _("The first page in the address must be a number."))
        if given.get("paging") == "cursor" and not given.get("next_path"):
            raise wrong("next_path", _("This may not be empty."))
        if bool(given.get("since_param")) != bool(given.get("since_field")):
            raise wrong("since_field", _("Give both the parameter and the field, or neither."))

    # --- asking ----------------------------------------------------------------------------

    def _headers(self) -> dict[str, str]:
        secret = str(self.given.get("secret") or "")
        headers = {"Accept": "application/json"}
        match self.text("auth"):
            case "bearer":
                headers["Authorization"] = f"Bearer {secret}"
            case "basic":
                pair = f"{self.text('user')}:{secret}".encode()
                headers["Authorization"] = "Basic " + base64.b64encode(pair).decode()
            case "header":
                headers[self.text("header")] = secret
        return headers

    def _ask(self, url: str, *, patient: bool = True) -> tuple[Any, outbound.Answer]:
        """One page. Waits where the server asks for it, and tries again what may pass."""
        waited = 0.0
        for attempt in range(1, TRIES + 1):
            try:
                answer = outbound.fetch(url=url, headers=self._headers(), limits=_LIMITS)
            except outbound.Unreachable:
                if not patient or attempt == TRIES:
                    raise
                pause = 2.0 ** (attempt - 1)
            else:
                if answer.ok:
                    return self._json(answer), answer
                if answer.status not in (429, 500, 502, 503, 504):
                    raise _refused(answer)
                pause = _retry_after(answer, self.now) or 2.0 ** (attempt - 1)
                if pause > PATIENCE - waited:
                    raise Later(
                        _("%(url)s asks to wait %(n)d seconds.")
                        % {"url": outbound.shown(url), "n": round(pause)},
                        seconds=min(pause, 86_400.0),
                    )
                if not patient or attempt == TRIES:
                    raise _refused(answer)
            waited += pause
            nap(pause, self.check)
        raise AssertionError("every way out of the loop was taken above")

    def _json(self, answer: outbound.Answer) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise Unavailable(
                _("%(url)s did not answer with sound JSON.") % {"url": outbound.shown(answer.url)},
                code="not_json",
            ) from None

    def _rows(self, body: Any) -> list[Row]:
        path = self.text("rows_path")
        found = pick(body, path) if path else _first_list(body)
        if isinstance(found, dict):
            found = [found]
        if not isinstance(found, list):
            raise Unavailable(
                _("The answer holds no list at “%(path)s”.") % {"path": path or "…"},
                code="no_rows",
                remedy=_("Look at what it answers, and say where its rows are."),
            )
        return [row if isinstance(row, dict) else {"value": row} for row in found]

    # --- going from page to page -----------------------------------------------------------

    def _first(self, cursor: Cursor) -> str:
        url = self.text("url")
        if self.text("since_param") and cursor.get("since"):
            url = with_param(url, self.text("since_param"), str(cursor["since"]))
        if self.text("paging") in _PAGED and self.text("page_param") not in dict(
            parse_qsl(urlsplit(url).query)
        ):
            start = "1" if self.text("paging") == "page" else "0"
            url = with_param(url, self.text("page_param"), start)
        return url

    def _next(self, url: str, body: Any, answer: outbound.Answer, rows: int) -> str:
        paging, param = self.text("paging") or "auto", self.text("page_param")
        if paging == "none":
            return ""
        if paging in _PAGED:
            here = int(dict(parse_qsl(urlsplit(url).query))[param])
            return (
                with_param(url, param, str(here + (1 if paging == "page" else rows)))
                if rows
                else ""
            )
        path = self.text("next_path")
        if paging == "cursor":
            value = pick(body, path)
            return with_param(url, param, str(value)) if value not in (None, "", False) else ""
        target: Any = None
        for place in [path] if path else ["next", "links.next", "_links.next.href", "paging.next"]:
            found = pick(body, place)
            target = target or (found.get("href") if isinstance(found, dict) else found)
        if not target and (match := _LINK.search(answer.headers.get("link", ""))):
            target = match[1]
        if not isinstance(target, str) or not target:
            return ""
        there = urljoin(url, target)
        if outbound.origin(there) != outbound.origin(url):
            raise Unavailable(
                _("The next page lies at another place (%(url)s), which is not called.")
                % {"url": outbound.shown(there)},
                code="other_origin",
            )
        return there

    def test(self) -> Sample:
        self.refuse_nonsense(self.given)
        body, _answer = self._ask(self._first({}), patient=False)
        rows = self._rows(body)
        if not rows:
            return Sample(_("Connected. The first page has no rows."))
        return Sample(
            _("Connected. The first page has %(n)d rows.") % {"n": len(rows)}, *show(rows)
        )

    def pull(self, cursor: Cursor) -> Iterator[Batch]:
        field = self.text("since_field")
        newest = cursor.get("newest", cursor.get("since"))
        url, seen = cursor.get("page") or self._first(cursor), set(cursor.get("seen", ()))
        for _page in range(PAGES):
            self.check()
            body, answer = self._ask(url)
            rows = self._rows(body)
            for row in rows if field else ():
                newest = later(newest, pick(row, field))
            there = self._next(url, body, answer, len(rows))
            mark = _mark(there)
            if there and mark in seen:
                raise Unavailable(
                    _("The same page came twice: the next one could not be told."),
                    code="page_again",
                    remedy=_("Look at how the pages are asked for."),
                )
            seen.add(mark)
            yield Batch(
                rows,
                {
                    "since": cursor.get("since"),
                    "newest": newest,
                    "page": there,
                    "seen": sorted(seen),
                },
            )
            if not there:
                return
            url = there

    def closing(self, cursor: Cursor) -> Cursor:
        if cursor.get("page"):  # cut off: the next fetch goes on with the page that was not read
            return {**cursor, "seen": []}
        newest = cursor.get("newest")
        return {"since": newest} if newest is not None else {}


def pick(value: Any, path: str) -> Any:
    """What lies at a path of names and positions joined by dots; None if nothing does."""
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isascii() and part.isdigit():
            value = value[int(part)] if int(part) < len(value) else None
        else:
            return None
    return value


def _first_list(body: Any) -> Any:
    if isinstance(body, list):
        return body
    lists = [v for v in body.values() if isinstance(v, list)] if isinstance(body, dict) else []
    return lists[0] if len(lists) >= 1 else None


def later(a: Any, b: Any) -> Any:
    """The later of two moments or numbers as an API writes them."""
    if b is None or isinstance(b, dict | list | bool):
        return a
    if a is None:
        return b
    try:
        return max(a, b, key=_comparable)
    except TypeError:
        return b


def _comparable(value: Any) -> Any:
    if isinstance(value, int | float):
        return float(value)
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def with_param(url: str, name: str, value: str) -> str:
    """An address with one parameter set."""
    parts = urlsplit(url)
    pairs = [(n, v) for n, v in parse_qsl(parts.query, keep_blank_values=True) if n != name]
    return urlunsplit(parts._replace(query=urlencode([*pairs, (name, value)])))


def _mark(url: str) -> str:
    """A short name of an address, to know it again."""
    return hashlib.blake2b(url.encode(), digest_size=12).hexdigest() if url else ""


def _retry_after(answer: outbound.Answer, now: datetime) -> float | None:
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max((email.utils.parsedate_to_datetime(text) - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def _refused(answer: outbound.Answer) -> Unavailable:
    remedy = {
        401: _("Look at how it signs in."),
        403: _("Look at how it signs in, and what that may read."),
        404: _("Look at the address."),
    }
    return Unavailable(
        _("%(url)s answered with status %(status)d.")
        % {"url": outbound.shown(answer.url), "status": answer.status},
        code="bad_status",
        remedy=remedy.get(answer.status),
    )
