"""What a mail provider reports of a mail later, in the words that anymail knows for each."""

import warnings
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from anymail.exceptions import AnymailError, AnymailWebhookValidationFailure
from django.core.exceptions import SuspiciousOperation
from django.test import RequestFactory
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from campaigns.messaging.providers.base import Report
from marketing.core.errors import Forbidden, Invalid

_VIEWS = {
    "amazon_ses": "amazon_ses.AmazonSESTrackingWebhookView",
    "brevo": "brevo.BrevoTrackingWebhookView",
    "mailersend": "mailersend.MailerSendTrackingWebhookView",
    "mailgun": "mailgun.MailgunTrackingWebhookView",
    "mailjet": "mailjet.MailjetTrackingWebhookView",
    "postmark": "postmark.PostmarkTrackingWebhookView",
    "resend": "resend.ResendTrackingWebhookView",
    "sendgrid": "sendgrid.SendGridTrackingWebhookView",
    "sparkpost": "sparkpost.SparkPostTrackingWebhookView",
}
# The services that sign what they report, and what their key is called; the others sign in.
_SIGNED = {
    "mailgun": "webhook_signing_key",
    "mailersend": "signing_secret",
    "resend": "signing_secret",
}
_WHAT = {
    "delivered": "delivered",
    "bounced": "bounced",
    "complained": "complained",
    "deferred": "deferred",
    "rejected": "failed",
    "failed": "failed",
}


def read(
    *,
    method: str,
    headers: Mapping[str, str],
    query: Mapping[str, str],
    body: bytes,
    url: str,
    given: Mapping[str, str],
) -> Sequence[Report]:
    """The reports of one request; Forbidden when its signature or sign-in does not fit."""
    service, secret = given["variant"], given.get("hook_secret", "")
    if not secret:
        raise Forbidden(
            _("This channel takes no reports: its secret for reports is not set."),
            code="no_hook_secret",
        )
    values: dict[str, Any] = (
        {_SIGNED[service]: secret} if service in _SIGNED else {"webhook_secret": secret}
    )
    names = {name.lower(): value for name, value in headers.items()}
    request = RequestFactory().generic(
        method,
        f"/?{urlencode(query)}",
        body,
        content_type=names.get("content-type", "application/json"),
        headers={
            k: v for k, v in names.items() if k not in ("content-type", "content-length", "host")
        },
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        view = import_string(f"anymail.webhooks.{_VIEWS[service]}")(**values)
    try:
        view.run_validators(request)
        events = view.parse_events(request)
    except (AnymailWebhookValidationFailure, SuspiciousOperation):
        raise Forbidden(
            _("The signature does not fit; nothing was stored."), code="bad_signature"
        ) from None
    except (AnymailError, ValueError, KeyError, TypeError) as error:
        raise Invalid(
            _("The report cannot be read: %(why)s.") % {"why": str(error)[:200]}, code="bad_report"
        ) from None
    return [found for event in events if (found := _report(event)) is not None]


def _report(event: Any) -> Report | None:
    what = _WHAT.get(event.event_type)
    if what is None:
        return None
    metadata = event.metadata if isinstance(event.metadata, Mapping) else {}
    return Report(
        what,
        str(event.message_id or "")[:200],
        event.timestamp or datetime.now(UTC),
        key=str(metadata.get("key") or ""),
        address=str(event.recipient or ""),
        text=str(event.description or event.mta_response or "")[:400],
        lasting=what == "bounced" and event.reject_reason in ("bounced", "invalid"),
        event_id=str(event.event_id or ""),
    )
