"""Which mailboxes get a copy, and how each is looked into."""

import re
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from campaigns.messaging import folders, imap, mime
from campaigns.models import SeedMailbox
from campaigns.seeds import lines
from marketing.core import audit, vault
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import User

MOST = 30
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def enabled() -> QuerySet[SeedMailbox]:
    """Those that get copies."""
    return SeedMailbox.objects.filter(enabled=True)


def save(*, mailbox: SeedMailbox, password: str, user: User) -> SeedMailbox:
    """Keep a mailbox; an empty password keeps the one before. Refuses a password in clear."""
    mailbox.host, mailbox.inbox = mailbox.host.strip().lower(), mailbox.inbox.strip() or "INBOX"
    mailbox.address = mailbox.address.strip()
    _refuse_odd(mailbox, password)
    before = SeedMailbox.objects.filter(pk=mailbox.pk).first() if mailbox.pk else None
    if before is None and SeedMailbox.objects.count() >= MOST:
        raise Invalid(
            _("There are %(n)d seed mailboxes already. Nothing was added.") % {"n": MOST},
            code="too_many",
            field="address",
            remedy=_("Remove one first."),
        )
    if mailbox.host:
        imap.refuse_no_password(mailbox, before=before, password=password)
    with transaction.atomic():
        if not mailbox.host:
            mailbox.secret = ""
        mailbox.save()
        if mailbox.host and password:
            mailbox.secret = vault.seal(text=password, row=lines.row_of(mailbox))
            mailbox.save(update_fields=["secret"])
        audit.record(actor=user, action="seed_mailbox.saved", obj=mailbox)
    return mailbox


def _refuse_odd(mailbox: SeedMailbox, password: str) -> None:
    try:
        mime.address("To", mailbox.address)
    except mime.HeaderRefused:
        raise Invalid(
            _("This is not a mail address."), code="bad_address", field="address"
        ) from None
    for name in ("label", "inbox", "spam"):
        if _CONTROL.search(getattr(mailbox, name)):
            raise Invalid(_("Write it in one line."), code="bad_text", field=name)
    imap.refuse_odd(mailbox, password=password)


def check(*, mailbox: SeedMailbox, now: datetime) -> str:
    """Open it now and find out its folder for spam: an empty text, or what went wrong."""
    if not mailbox.host:
        return ""
    trouble = ""
    try:
        with lines.opened(mailbox) as line:
            found = line.folders()
    except imap.Trouble as said:
        trouble = str(said)
    else:
        mailbox.spam = mailbox.spam or folders.spam_of(found)
    note(mailbox=mailbox, error=trouble, now=now)
    return trouble


def note(*, mailbox: SeedMailbox, error: str, now: datetime) -> None:
    """Remember how it went when somebody last looked into it."""
    mailbox.error, mailbox.checked_at = error[:500], now
    mailbox.save(update_fields=["error", "checked_at", "spam"])


def remove(*, mailbox_id: int, user: User) -> None:
    """Send it no more copies and forget its password. What was found in it stays."""
    mailbox = SeedMailbox.objects.filter(pk=mailbox_id).first()
    if mailbox is None:
        raise NotFound(_("There is no such mailbox."), code="mailbox_unknown")
    audit.record(actor=user, action="seed_mailbox.removed", obj=mailbox)
    mailbox.delete()
