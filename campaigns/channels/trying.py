"""A message that is truly sent, to see whether a channel works."""

from datetime import datetime
from uuid import uuid4

import orjson
from django.utils.translation import gettext as _

from campaigns.messaging import mime, providers, signing
from campaigns.messaging.providers import registry
from campaigns.messaging.providers.base import Answer, Connection, Outgoing, Unreachable, Verdict
from campaigns.messaging.rendering import Rendered
from campaigns.models import Channel
from ingestion.models import Customer
from marketing.core import brand
from marketing.core.errors import Invalid, Unavailable


def send(*, channel: Channel, to: str, now: datetime) -> Answer:
    """Send one test message by a saved channel. Unavailable when it could not be reached.

    `to` is an address or number; for a notification or an inbox, whoever has this number of yours
    or this address.
    """
    outgoing = _outgoing(channel.kind, to.strip(), channel.from_name, channel.from_address, now)
    answer = _handed(providers.open(channel), outgoing)
    if answer.verdict is Verdict.FAILED:
        registry.note(channel_id=channel.pk, error=answer.text, now=now)
    return answer


def send_with(
    *, provider: str, given: dict[str, str], to: str, from_name: str, now: datetime
) -> Answer:
    """The same with settings that are not saved."""
    made = providers.load(provider)
    address = given.get("from_address", "")
    return _handed(made.connect(given), _outgoing(made.kind, to.strip(), from_name, address, now))


def _handed(line: Connection, outgoing: Outgoing) -> Answer:
    try:
        return line.send(outgoing)
    except Unreachable as error:
        raise Unavailable(str(error), code="unreachable") from None
    finally:
        line.close()


def _outgoing(kind: str, to: str, from_name: str, from_address: str, now: datetime) -> Outgoing:
    key, name = uuid4().hex, brand.now().sender_name
    said = _("This is a test from %(name)s. The channel works.") % {"name": name}
    if kind == "email":
        return _mail(key, to, from_name or name, from_address, said, now)
    if kind == "sms":
        if not to.startswith("+") or not to[1:].isdigit():
            raise Invalid(
                _("Give a number with its country, such as +4915112345678."),
                code="bad_address",
                field="to",
            )
        return Outgoing(key, from_address, to, orjson.dumps({"text": said}))
    if kind == "webhook":
        body = {"url": "", "body": {"type": "test", "from": name, "at": now.isoformat()}}
        return Outgoing(key, "", "0", orjson.dumps(body))
    note = {"title": _("Test from %(name)s") % {"name": name}, "body": said}
    return Outgoing(key, "", str(_person(to)), orjson.dumps(note))


def _mail(
    key: str, to: str, from_name: str, from_address: str, said: str, now: datetime
) -> Outgoing:
    sender = from_address or brand.now().sender_email
    try:
        writer = mime.Writer(from_name=from_name, from_email=sender, signer=signing.of(sender))
        recipient = mime.address("To", to)
        body = writer.write(
            key=key,
            to=to,
            to_name="",
            mail=Rendered(_("Test from %(name)s") % {"name": from_name}, f"<p>{said}</p>", said),
            unsubscribe_url="",
            at=now,
        )
    except mime.HeaderRefused:
        raise Invalid(_("This is not a mail address."), code="bad_address", field="to") from None
    return Outgoing(key, writer.sender, recipient, body, said)


def _person(to: str) -> int:
    found = (
        Customer.objects.filter(external_id=to).first()
        or Customer.objects.filter(email=to.lower()).first()
    )
    if found is None:
        raise Invalid(
            _("Nobody is known by this number or address."), code="customer_unknown", field="to"
        )
    return found.pk
