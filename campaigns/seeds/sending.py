"""The very mail to every seed mailbox: written and handed over as a campaign's mails are.

Nothing of it counts. A copy has an id of its own that no message has, so its unsubscribe link, its
links and its picture lead nowhere in the figures, and no consent can change by it. Each is marked
by a header, for mailboxes and filters of one's own.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import locks
from campaigns.content import seeing, testing
from campaigns.messaging import contents, context, occasions, providers
from campaigns.messaging.claims import Claimed
from campaigns.messaging.providers.base import Outgoing, Unreachable, Verdict
from campaigns.models import Campaign, SeedCopy, SeedMailbox, SeedTest, Template
from campaigns.seeds import lines, mailboxes
from campaigns.sending import runs
from ingestion.models import Customer
from marketing.core import audit, bus
from marketing.core.db import holding
from marketing.core.errors import Invalid
from marketing.core.models import User

State = SeedCopy.State
FIRST_LOOK = timedelta(seconds=3)
# A worker that died with a copy in its hands: it may have left, and looking tells.
DEAD_AFTER = timedelta(minutes=2)


def of_campaign(
    *, campaign_id: int, variant: str, customer_id: int | None, user: User, now: datetime
) -> SeedTest:
    """Send a campaign's mail, or that of one of its variants, to all seed mailboxes."""
    found = Campaign.objects.select_related("segment", "template")
    campaign = locks.known(campaign_id, found)
    if campaign.template is None:
        raise Invalid(_("Choose the mail to send."), code="no_template", field="template")
    mails = dict(runs.mails(campaign, campaign.template))
    key = variant if variant in mails else next(iter(mails))
    frozen = contents.freeze(
        template=mails[key],
        sender=runs.sender(campaign),
        channel=mails[key].kind,
        utm=runs.utm(campaign, campaign.template)[key],
    )
    test = SeedTest(
        campaign=campaign,
        template=mails[key],
        title=campaign.name,
        variant=key if len(mails) > 1 else "",
        content=frozen,
    )
    return _begin(test, customer_id, user, now)


def of_mail(*, said: Template, customer_id: int | None, user: User, now: datetime) -> SeedTest:
    """Send a mail as it stands in the editor, saved or not."""
    frozen = contents.freeze(template=said, sender=runs.sender(Campaign()), channel="email")
    test = SeedTest(template_id=said.pk, title=said.name or said.subject[:120], content=frozen)
    return _begin(test, customer_id, user, now)


def _begin(test: SeedTest, customer_id: int | None, user: User, now: datetime) -> SeedTest:
    if test.content["channel"] != "email":
        raise Invalid(
            _("Only mails can be sent to seed mailboxes. Nothing was sent."), code="no_mail"
        )
    seeds = list(mailboxes.enabled())
    if not seeds:
        raise Invalid(
            _("There is no seed mailbox yet, so nothing was sent."),
            code="no_seeds",
            remedy=_("Add some in Settings, Seed mailboxes."),
        )
    test.customer = _person(customer_id)
    try:
        writer = Writer(test)
        writer.write(seeds[0].address, uuid4().hex, now)
    except contents.Unwritable as fault:
        raise Invalid(
            _("Nothing was sent: %(why)s.") % {"why": fault}, code="bad_template"
        ) from None
    testing.take_turn(user=user, number=len(seeds))
    test.asked_by, test.at = user, now
    with transaction.atomic():
        test.save()
        SeedCopy.objects.bulk_create(_copy(test, seed, writer, now) for seed in seeds)
        detail = {"mail": test.title, "mailboxes": len(seeds)}
        audit.record(actor=user, action="seeds.sent", obj=test, detail=detail)
        bus.announce("seeds.waiting")
    return test


def _person(customer_id: int | None) -> Customer:
    chosen = Customer.objects.filter(pk=customer_id).first() if customer_id else None
    found = chosen or next(iter(seeing.people()), None)
    if found is None:
        raise Invalid(_("There are no people yet, so there is no mail to send."), code="no_people")
    return found


def _copy(test: SeedTest, seed: SeedMailbox, writer: "Writer", now: datetime) -> SeedCopy:
    key = uuid4().hex
    return SeedCopy(
        test=test,
        mailbox=seed,
        label=seed.label,
        address=seed.address,
        key=key,
        message_id=writer.message_id(key),
        next_look_at=now,
    )


class Writer:
    """Writes the copies of one test; Unwritable when this person cannot be written a mail."""

    def __init__(self, test: SeedTest) -> None:
        made = contents.compiled(test.content)
        assert isinstance(made, contents.Mail)
        self._mail, self._id = made, test.customer_id or 0
        wants = made.wants
        built = context.build(customer_ids=[self._id], wants=wants).get(self._id)
        if built is None:
            raise contents.Unwritable("render", _("this person is gone"))
        self._person: Mapping[str, Any] = {
            **built,
            **occasions.sample(wants=wants, customer_id=self._id),
        }

    def message_id(self, key: str) -> str:
        """The Message-ID of the copy with this key."""
        return self._mail.message_id(key)

    def write(self, address: str, key: str, now: datetime) -> Outgoing:
        """A copy, marked as one. The mark stands before the signature, which it leaves whole."""
        claimed = Claimed(0, self._id, address, key, 0, 1)
        outgoing = self._mail.write(claimed, self._person, now)
        mark = f"{lines.HEADER}: {key}\r\n".encode()
        return outgoing._replace(body=mark + outgoing.body)


def is_copy(*, key: str) -> bool:
    """Whether this is the id of a copy, and of no message."""
    return SeedCopy.objects.filter(key=key).exists()


def send_waiting(*, now: datetime) -> int:
    """Hand over every copy that waits; how many left."""
    lost = SeedCopy.objects.filter(state=State.SENDING, sent_at__lt=now - DEAD_AFTER)
    lost.update(state=State.LOOKING, next_look_at=now)
    waiting = SeedTest.objects.filter(copies__state=State.QUEUED).distinct().order_by("id")
    return sum(_send(test) for test in list(waiting))


def _send(test: SeedTest) -> int:
    with holding(f"seedtest:{test.pk}") as mine:
        if not mine:
            return 0
        copies = list(test.copies.filter(state=State.QUEUED).select_related("mailbox"))
        try:
            writer = Writer(test)
        except contents.Unwritable as fault:
            _refuse(copies, str(fault))
            return 0
        line = providers.open(providers.find(kind="email", channel_id=test.content["channel_id"]))
        sent = 0
        try:
            for n, copy in enumerate(copies):
                try:
                    sent += _hand_over(copy, writer, line)
                except Unreachable as trouble:
                    _refuse(copies[n:], str(trouble))
                    break
        finally:
            line.close()
        return sent


def _hand_over(copy: SeedCopy, writer: Writer, line: Any) -> bool:
    copy.state, copy.sent_at = State.SENDING, timezone.now()
    copy.save(update_fields=["state", "sent_at"])
    try:
        answer = line.send(writer.write(copy.address, copy.key, copy.sent_at))
    except contents.Unwritable as fault:
        _refuse([copy], str(fault))
        return False
    if answer.verdict in (Verdict.RETRY, Verdict.FAILED):
        _refuse([copy], answer.text)
        return False
    is_read = copy.mailbox is not None and bool(copy.mailbox.host)
    copy.state = State.LOOKING if is_read else State.UNSEEN
    copy.sent_at = timezone.now()
    copy.next_look_at = copy.sent_at + FIRST_LOOK if is_read else None
    copy.error = answer.text[:500] if answer.verdict is Verdict.UNKNOWN else ""
    copy.save(update_fields=["state", "sent_at", "next_look_at", "error"])
    return True


def _refuse(copies: list[SeedCopy], why: str) -> None:
    SeedCopy.objects.filter(pk__in=[copy.pk for copy in copies]).update(
        state=State.REFUSED, error=why[:500], sent_at=None, next_look_at=None
    )
