"""What the API reads and writes: JSON as the standard has it.

Apart from api.py, since the REST framework loads these while it is itself still loading.
"""

import json
from datetime import date
from typing import Any

import orjson
from django.conf import settings
from django.utils.translation import gettext as _
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from marketing.core.errors import Refused, TooLarge


class StrictJSONParser(BaseParser):
    """JSON as the standard has it: UTF-8, no NaN or Infinity, and a size that is capped."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        limit = settings.API_BODY_LIMIT_BYTES
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge(
                _("The body is larger than %(limit)s bytes; nothing was stored.")
                % {"limit": limit},
                code="body_too_large",
                remedy=_("Send smaller batches."),
            )
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Refused(
                _("The body is not valid JSON: %(why)s.") % {"why": error},
                code="not_json",
                remedy=_("Send UTF-8 JSON; NaN and Infinity are not numbers in JSON."),
            ) from error


class FastJSONRenderer(BaseRenderer):
    """Answers as JSON."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None
    ) -> bytes:
        if data is None:
            return b""
        return dumps(data)


def dumps(data: Any) -> bytes:
    """Any answer as JSON. The database may keep a number in more digits than orjson writes."""
    try:
        return orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return json.dumps(data, default=_plain, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)
