"""A test of a text, a notification or a call, as one of the people would get it.

It goes to the team alone: to whoever among the people has a colleague's mail address. What calls
other systems goes to the address that it would call. It is in no report, and nothing is counted.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import uuid4

import orjson
from django.utils.translation import gettext as _

from campaigns.channels import writing
from campaigns.content import testing
from campaigns.messaging import providers
from campaigns.messaging.providers.base import Outgoing
from ingestion.models import Customer
from marketing.core.errors import Invalid
from marketing.core.models import User


def send(
    *,
    kind: str,
    values: Mapping[str, str],
    customer_id: int | None,
    to_user_id: int | None,
    user: User,
    now: datetime,
) -> str:
    """Send what a form holds; where it went. Refused with the reason when it did not."""
    seen = writing.preview(kind=kind, values=values, customer_id=customer_id)
    channel = providers.find(kind=kind)

    def write() -> tuple[Outgoing, str]:
        said = dict(seen.said)
        if kind == "webhook":
            said["body"] = orjson.loads(said["body"])
            to, where = "0", said["url"] or (channel.name if channel else "")
        else:
            to, where = _place(kind, testing.colleague_of(user=user, to_user_id=to_user_id))
        if "title" in said:
            said["title"] = _("[Test] %(subject)s") % {"subject": said["title"]}
        address = channel.from_address if channel else ""
        return Outgoing(uuid4().hex, address, to, orjson.dumps(said)), where

    return testing.deliver(kind=kind, channel=channel, write=write, fault=seen.fault, user=user)


def _place(kind: str, colleague: User) -> tuple[str, str]:
    """Where a colleague gets this kind of message, and how to say so."""
    person = Customer.objects.filter(email=colleague.email.lower()).order_by("pk").first()
    if person is None or (kind == "sms" and not person.phone):
        raise Invalid(
            _("No phone number is known of %(email)s, so nothing was sent.")
            % {"email": colleague.email}
            if kind == "sms"
            else _("Nobody among your people has the address %(email)s, so nothing was sent.")
            % {"email": colleague.email},
            code="no_address",
            field="to",
            remedy=_("Add a person with this mail address and a phone number.")
            if kind == "sms"
            else _("Add a person with this mail address."),
        )
    return (person.phone, person.phone) if kind == "sms" else (str(person.pk), colleague.email)
