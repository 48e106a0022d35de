"""A test mail to somebody of the team: marked, never counted, nothing in it is tracked."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.utils.translation import gettext as _

from campaigns.content import seeing
from campaigns.messaging import mime, providers, signing, wording
from campaigns.messaging.providers.base import Outgoing, Unreachable, Verdict
from campaigns.messaging.rendering import Rendered
from campaigns.models import Channel
from marketing.core import audit, brand, counting
from marketing.core.errors import Invalid, Unavailable
from marketing.core.models import User

# More than anybody writes in an hour, and too few to fill a colleague's mailbox.
TESTS_AN_HOUR = 60


def team() -> list[User]:
    """Whoever may get a test: everybody who can sign in and has an address."""
    return list(User.objects.filter(is_active=True).exclude(email="").order_by("username")[:100])


def send(
    *,
    parts: Mapping[str, Any],
    customer_id: int | None,
    to_user_id: int | None,
    sender: Mapping[str, str] | None = None,
    user: User,
    now: datetime,
) -> str:
    """Send a mail as one person would get it to a colleague; the address it went to.

    `parts` are subject, html and text. No message row is made: it is in no report.
    """
    colleague = colleague_of(user=user, to_user_id=to_user_id)
    seen = seeing.preview(parts=parts, customer_id=customer_id)
    channel = providers.find(kind="email")
    return deliver(
        kind="email",
        channel=channel,
        write=lambda: (_written(seen, channel, colleague, sender or {}, now), colleague.email),
        fault=seen.fault,
        user=user,
    )


def deliver(
    *,
    kind: str,
    channel: Channel | None,
    write: Callable[[], tuple[Outgoing, str]],
    fault: str,
    user: User,
) -> str:
    """Send a test by a channel; where it went. `write` makes the message and says where it goes.

    Refused with the reason: for a `fault` of what is written, too many tests, or what the channel
    says.
    """
    if fault:
        raise Invalid(
            _("Nothing was sent: %(why)s.") % {"why": fault}, code="bad_template", field="to"
        )
    outgoing, where = write()
    take_turn(user=user)
    line = providers.open(channel, kind=kind)
    try:
        answer = line.send(outgoing)
    except Unreachable as error:
        raise Unavailable(
            _("The channel could not be reached, so nothing was sent: %(why)s") % {"why": error},
            code="unreachable",
        ) from None
    finally:
        line.close()
    if answer.verdict is not Verdict.SENT:
        raise Unavailable(
            _("The channel did not take it: %(why)s") % {"why": answer.text or answer.verdict},
            code="not_taken",
        )
    audit.record(actor=user, action="template.tested", detail={"to": where, "kind": kind})
    return where


def colleague_of(*, user: User, to_user_id: int | None) -> User:
    """Whom a test goes to: oneself, or somebody of the team with a mail address."""
    colleague = user if to_user_id in (None, user.pk) else _colleague(to_user_id)
    if not colleague.email:
        raise Invalid(
            _("%(name)s has no mail address, so nothing was sent.")
            % {"name": colleague.display_name},
            code="no_address",
            field="to",
            remedy=_("Add one to the profile."),
        )
    return colleague


def take_turn(*, user: User, number: int = 1) -> None:
    """Count mails that are no campaign; Invalid when this would be too many within an hour.

    Copies to seed mailboxes count like tests. What is refused does not count.
    """
    key = f"tests:{user.pk}"
    times = counting.count(key=key, seconds=3_600, times=number)
    if times is None or times <= TESTS_AN_HOUR:
        return
    counting.count(key=key, seconds=3_600, times=-number)
    raise Invalid(
        _("You sent %(n)s tests within an hour, so this one was not sent.") % {"n": TESTS_AN_HOUR}
        if number == 1
        else _("That would be more than %(n)s tests within an hour, so nothing was sent.")
        % {"n": TESTS_AN_HOUR},
        code="too_many_tests",
        field="to",
        remedy=_("Look at the preview, or wait a while."),
    )


def _colleague(user_id: int | None) -> User:
    found = next((user for user in team() if user.pk == user_id), None)
    if found is None:
        raise Invalid(
            _("Tests go to people of your team only. Nothing was sent."),
            code="not_of_the_team",
            field="to",
        )
    return found


def _written(
    seen: seeing.Preview,
    channel: Channel | None,
    colleague: User,
    sender: Mapping[str, str],
    now: datetime,
) -> Outgoing:
    address = sender.get("from_email") or (channel.from_address if channel else "")
    address = address or brand.now().sender_email
    name = sender.get("from_name") or (channel.from_name if channel else "")
    key = uuid4().hex
    try:
        writer = mime.Writer(
            from_name=name or brand.now().sender_name,
            from_email=address,
            reply_to=sender.get("reply_to", ""),
            signer=signing.of(address),
        )
        body = writer.write(
            key=key,
            to=colleague.email,
            to_name="",
            mail=Rendered(
                _("[Test] %(subject)s") % {"subject": seen.subject}, seen.html, seen.text
            ),
            unsubscribe_url="",
            at=now,
        )
        recipient = mime.address("To", colleague.email)
    except mime.HeaderRefused as error:
        raise Invalid(
            _("Nothing was sent: %(why)s.") % {"why": wording.said(error)},
            code="bad_address",
            field="to",
        ) from None
    return Outgoing(key, writer.sender, recipient, body, seen.subject)
