"""SMS through any gateway that takes one HTTP request a message."""

import re
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import orjson
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns.messaging.providers import base, calls
from campaigns.messaging.providers.base import (
    Answer,
    Connection,
    Field,
    Outgoing,
    Policy,
    Unreachable,
    Verdict,
)
from campaigns.messaging.providers.sms_gateway.paths import at
from marketing.core import outbound
from marketing.core.errors import Invalid, Refused

NAMES = ("to", "from", "text", "id", "secret")
_PLACE = re.compile(r"\{\{\s*([a-z]+)\s*\}\}")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,60}")
_PATH = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_JSON = '{"to": "{{ to }}", "from": "{{ from }}", "text": "{{ text }}"}'


def _fill(value: Any, values: Mapping[str, str]) -> Any:
    """The same shape with its texts filled in: a value never becomes structure."""
    if isinstance(value, dict):
        return {key: _fill(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill(inner, values) for inner in value]
    if isinstance(value, str):
        return _PLACE.sub(lambda place: values.get(place[1], ""), value)
    return value


def _path(text: str) -> Any:
    if text and not _PATH.fullmatch(text):
        return _("Name the way to the value with dots, as in result.0.status.")
    return ""


def _header(text: str) -> Any:
    return "" if not text or _HEADER.fullmatch(text) else _("This is not the name of a header.")


class Provider(base.Provider):
    kind = "sms"
    label = gettext_lazy("HTTP gateway")
    about = gettext_lazy("Any SMS gateway that takes one HTTP request for each message.")
    sender = "phone"
    fields = (
        Field("url", gettext_lazy("Address"), required=True, placeholder="https://", limit=2_000),
        Field(
            "method",
            gettext_lazy("Method"),
            kind="select",
            default="POST",
            choices=(("POST", "POST"), ("PUT", "PUT"), ("GET", "GET")),
        ),
        Field(
            "format",
            gettext_lazy("Send as"),
            kind="select",
            default="json",
            choices=(("json", "JSON"), ("form", gettext_lazy("Form fields"))),
        ),
        Field(
            "body",
            gettext_lazy("Body"),
            kind="long",
            required=True,
            default=_JSON,
            limit=5_000,
            hint=gettext_lazy(
                "As JSON, or for form fields one name=value a line. Values: {{ to }}, {{ from }}, "
                "{{ text }}, {{ id }} (the same on every try) and {{ secret }}."
            ),
        ),
        Field(
            "header",
            gettext_lazy("Header for signing in"),
            placeholder="Authorization",
            check=_header,
        ),
        Field(
            "secret",
            gettext_lazy("Secret"),
            secret=True,
            hint=gettext_lazy("The header's value, for example Bearer and your key."),
        ),
        Field(
            "success_path",
            gettext_lazy("Where the answer says that it worked"),
            placeholder="result.status",
            hint=gettext_lazy("Left empty, any status of 200 to 299 means that it worked."),
            check=_path,
        ),
        Field("success_value", gettext_lazy("What stands there then"), placeholder="queued"),
        Field(
            "ref_path",
            gettext_lazy("Where the answer names the message"),
            placeholder="result.id",
            check=_path,
        ),
        Field(
            "repeats",
            gettext_lazy("When no answer comes"),
            kind="select",
            default="never",
            choices=(
                ("never", gettext_lazy("Do not try again: the message may have gone out")),
                ("dropped", gettext_lazy("Try again: the gateway drops repeats of the same id")),
            ),
        ),
        Field(
            "reply_from",
            gettext_lazy("Where a reply names its sender"),
            default="from",
            hint=gettext_lazy("Of the texts that the gateway brings to the address for reports."),
            check=_path,
        ),
        Field("reply_text", gettext_lazy("Where its text stands"), default="text", check=_path),
        Field("reply_id", gettext_lazy("Where its own name stands"), default="id", check=_path),
        Field("reply_secret", gettext_lazy("Secret for replies"), secret=True, made=True),
    )
    goes_to = ("url", "header")
    hooks = "campaigns.messaging.providers.sms_gateway.hooks"

    @classmethod
    def make(cls) -> dict[str, str]:
        return {"reply_secret": secrets.token_urlsafe(32)}

    @classmethod
    def policy(cls, given: Mapping[str, str]) -> Policy:
        dropped = given.get("repeats") == "dropped"
        return Policy.EXACTLY_ONCE if dropped else Policy.AT_MOST_ONCE

    @classmethod
    def refuse_nonsense(cls, given: Mapping[str, str]) -> None:
        outbound.parse(given["url"])
        body = given["body"]
        for place in _PLACE.finditer(body):
            if place[1] not in NAMES:
                raise Invalid(
                    _("There is no value called %(name)s.") % {"name": place[1]},
                    code="bad_setting",
                    field="body",
                )
        if "text" not in {place[1] for place in _PLACE.finditer(body)}:
            raise Invalid(
                _("The body does not hold {{ text }}, so nobody would read anything."),
                code="bad_setting",
                field="body",
            )
        if given.get("format") == "form" or given.get("method") == "GET":
            if not _lines(body):
                raise Invalid(_("Write one name=value a line."), code="bad_setting", field="body")
            return
        try:
            orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Invalid(
                _('This is not JSON. Put values in quotes, as in {"to": "{{ to }}"}.'),
                code="bad_setting",
                field="body",
            ) from None

    @classmethod
    def connect(cls, given: Mapping[str, str]) -> Connection:
        return Gateway(given, repeats=cls.policy(given) is Policy.EXACTLY_ONCE)


def _lines(body: str) -> list[tuple[str, str]]:
    pairs = [line.partition("=") for line in body.splitlines() if line.strip()]
    if not all(name.strip() and equals for name, equals, _value in pairs):
        return []
    return [(name.strip(), value.strip()) for name, _equals, value in pairs]


class Gateway:
    def __init__(self, given: Mapping[str, str], *, repeats: bool) -> None:
        self._given, self._repeats = given, repeats
        self._kept = outbound.Kept()
        self._method = given.get("method") or "POST"
        self._is_form = given.get("format") == "form" or self._method == "GET"
        self._headers = {
            "Content-Type": "application/x-www-form-urlencoded"
            if self._is_form
            else "application/json"
        }
        if given.get("header") and given.get("secret"):
            self._headers[given["header"]] = given["secret"]

    def send(self, outgoing: Outgoing) -> Answer:
        values = {
            "to": outgoing.recipient,
            "from": outgoing.sender or self._given.get("from_address", ""),
            "text": orjson.loads(outgoing.body)["text"],
            "id": outgoing.key,
            "secret": self._given.get("secret", ""),
        }
        url, body = self._written(values)
        headers = {
            k: v for k, v in self._headers.items() if body is not None or k != "Content-Type"
        }
        try:
            reply = calls.call(
                url=url, method=self._method, headers=headers, body=body, kept=self._kept
            )
        except calls.Lost as error:
            if self._repeats:
                return Answer(Verdict.RETRY, str(error))
            return calls.lost(error)
        except Refused as error:
            raise Unreachable(str(error)) from None
        return self._answer(reply)

    def _written(self, values: Mapping[str, str]) -> tuple[str, bytes | None]:
        url, body = self._given["url"], self._given["body"]
        if not self._is_form:
            return url, orjson.dumps(_fill(orjson.loads(body), values))
        pairs = [(name, str(_fill(value, values))) for name, value in _lines(body)]
        if self._method != "GET":
            return url, urlencode(pairs).encode()
        parts = urlsplit(url)
        query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), *pairs])
        return urlunsplit(parts._replace(query=query)), None

    def _answer(self, reply: calls.Reply) -> Answer:
        if reply.status in (401, 403):
            raise Unreachable(
                _("The gateway does not accept the sign-in: %(why)s") % {"why": reply.text}
            )
        if reply.status in (429, 503):
            return calls.later(reply)
        if 200 <= reply.status < 300:
            said = reply.json()
            ref = at(said, self._given["ref_path"]) if self._given.get("ref_path") else ""
            if path := self._given.get("success_path"):
                found, wanted = at(said, path), self._given.get("success_value", "")
                if found is None or (wanted and str(found).lower() != wanted.lower()):
                    return Answer(Verdict.FAILED, reply.text)
            return Answer(Verdict.SENT, reply.text[:200], ref=str(ref or "")[:200])
        if 400 <= reply.status < 500:
            return Answer(Verdict.FAILED, reply.text)
        return Answer(Verdict.RETRY if self._repeats else Verdict.UNKNOWN, reply.text)

    def close(self) -> None:
        self._kept.close()
