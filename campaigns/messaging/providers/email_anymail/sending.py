"""A mail handed to a provider's API as anymail writes it, over our own client."""

import email
import email.policy
import logging
import warnings
from collections.abc import Mapping
from email.message import EmailMessage as Parsed
from io import BytesIO
from typing import Any

from anymail.exceptions import AnymailAPIError, AnymailError, AnymailRecipientsRefused
from django.core.mail import EmailMultiAlternatives
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from campaigns.messaging.providers import calls
from campaigns.messaging.providers.base import Answer, Outgoing, Unreachable, Verdict
from campaigns.messaging.providers.email_anymail import amazon
from marketing.core import outbound
from marketing.core.errors import Refused

logger = logging.getLogger(__name__)

# What each service's key is called.
_KEYS = {"postmark": "server_token", "mailersend": "api_token"}
# Headers that each service sets or takes apart from the others.
_OWN = frozenset(
    ["from", "to", "subject", "date", "mime-version", "content-type", "content-transfer-encoding",
     "reply-to", "dkim-signature"]
)  # fmt: skip


class _Ours(BaseAdapter):
    """Carries the requests that anymail prepares over the client that checks addresses."""

    def __init__(self) -> None:
        super().__init__()
        self._kept = outbound.Kept()

    def send(self, request: PreparedRequest, *_given: Any, **_more: Any) -> Response:
        body = request.body
        reply = calls.call(
            url=str(request.url),
            method=str(request.method),
            headers={
                name: str(value)
                for name, value in request.headers.items()
                if name.lower() not in ("content-length", "connection", "accept-encoding")
            },
            body=body.encode() if isinstance(body, str) else body,  # type: ignore[arg-type]
            kept=self._kept,
        )
        response = Response()
        response.status_code, response.request = reply.status, request
        response.headers = CaseInsensitiveDict(reply.headers)
        response.url, response.raw, response.encoding = (
            str(request.url),
            BytesIO(reply.body),
            "utf-8",
        )
        return response

    def close(self) -> None:
        self._kept.close()


def backend(given: Mapping[str, str]) -> Any:
    """Anymail's own object for a service, with a session that goes out by our client."""
    service = given["variant"]
    if service == "amazon_ses":
        return amazon.backend(given)
    values: dict[str, Any] = {_KEYS.get(service, "api_key"): given["api_key"]}
    values |= {
        name: given[name]
        for name in ("secret_key", "sender_domain", "message_stream", "api_url")
        if given.get(name)
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = import_string(f"anymail.backends.{service}.EmailBackend")(
            ignore_unsupported_features=True, **values
        )
    session = Session()
    session.trust_env = False
    session.mount("https://", _Ours())
    session.mount("http://", _Ours())
    made.session = session
    return made


def message(outgoing: Outgoing) -> EmailMultiAlternatives:
    """The mail as Django's mail library holds one; our own id goes along for later reports."""
    read = email.message_from_bytes(outgoing.body, policy=email.policy.default)
    assert isinstance(read, Parsed)
    text, html = read.get_body(("plain",)), read.get_body(("html",))
    made = EmailMultiAlternatives(
        subject=str(read["Subject"] or ""),
        body=str(text.get_content()) if text else "",
        from_email=str(read["From"]),
        to=[str(read["To"] or outgoing.recipient)],
        reply_to=[str(read["Reply-To"])] if read["Reply-To"] else None,
        headers={name: str(value) for name, value in read.items() if name.lower() not in _OWN},
    )
    if html is not None:
        made.attach_alternative(str(html.get_content()), "text/html")
    made.metadata = {"key": outgoing.key}  # type: ignore[attr-defined]
    return made


class Anymail:
    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self._backend: Any = None

    def send(self, outgoing: Outgoing) -> Answer:
        if self._backend is None:
            self._backend = backend(self._given)
        mail = message(outgoing)
        try:
            self._backend._send(mail)
        except calls.Lost as error:
            return calls.lost(error)
        except AnymailRecipientsRefused as error:
            return self._refused(mail, error)
        except AnymailAPIError as error:
            return self._failed(error)
        except AnymailError as error:
            return Answer(Verdict.FAILED, str(error)[:400])
        except (Refused, Unreachable) as error:
            raise Unreachable(str(error)) from None
        except Exception as error:  # an answer that the library did not expect: it may have gone
            logger.exception("an answer of %s was not understood", self._given["variant"])
            return Answer(Verdict.UNKNOWN, f"{type(error).__name__}: {error}"[:400])
        status = mail.anymail_status  # type: ignore[attr-defined]
        code = getattr(status.esp_response, "status_code", 200)
        if not status.status <= {"sent", "queued"} and code >= 400:
            return Answer(Verdict.FAILED, f"{code} {status.esp_response.text}"[:400])
        ref = status.message_id
        return Answer(Verdict.SENT, ref=str(ref)[:200] if isinstance(ref, str) else "")

    def _refused(self, mail: Any, error: Exception) -> Answer:
        states = mail.anymail_status.status or set()
        return Answer(Verdict.FAILED, str(error)[:400], bounced="invalid" in states)

    def _failed(self, error: AnymailAPIError) -> Answer:
        code = getattr(error, "status_code", None) or 0
        if not code and isinstance(error.response, dict):
            code = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        text = f"{code} {error}"[:400]
        if code in (401, 403):
            raise Unreachable(
                _("The provider does not accept the sign-in: %(why)s") % {"why": text}
            )
        if code == 429 or code >= 500:
            headers = getattr(error.response, "headers", {})
            return Answer(Verdict.RETRY, text, wait_seconds=calls.wait_asked(headers))
        if not code:
            raise Unreachable(text)
        return Answer(Verdict.FAILED, text)

    def close(self) -> None:
        if self._backend is not None:
            self._backend.close()
            self._backend = None
