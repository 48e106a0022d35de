"""Mailboxes that bounces and complaints arrive in, read over IMAP.

A box is read from the last UID on; the UID is moved on in the same transaction that keeps the news,
so a reader that dies repeats at most what the marks already know. Nothing is deleted or changed in
the box but the flag \\Seen.
"""

import contextlib
import imaplib
from collections.abc import Iterator
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.answers import feedback, returned
from campaigns.messaging import imap
from campaigns.models import ReturnBox
from marketing.core import audit, vault
from marketing.core.db import holding
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import User

A_TIME = 200


def row_of(box: ReturnBox) -> str:
    """The name under which a box's password is sealed."""
    return f"returnbox:{box.pk}"


def save(*, box: ReturnBox, password: str, user: User) -> ReturnBox:
    """Keep a box; an empty password keeps the one before. Refuses a password in clear."""
    box.host = box.host.strip().lower()
    if not box.host:
        raise Invalid(_("Give the name of the mail server."), code="no_host", field="host")
    imap.refuse_odd(box, password=password)
    before = ReturnBox.objects.filter(pk=box.pk).first() if box.pk else None
    imap.refuse_no_password(box, before=before, password=password)
    read_from = ("host", "username", "folder")
    with transaction.atomic():
        if before is not None and any(getattr(before, f) != getattr(box, f) for f in read_from):
            box.validity, box.last_uid = 0, 0
        box.save()
        if password:
            box.secret = vault.seal(text=password, row=row_of(box))
            box.save(update_fields=["secret"])
        audit.record(actor=user, action="return_box.saved", obj=box)
    return box


def remove(*, box_id: int, user: User) -> None:
    """Stop reading a box and forget its password."""
    box = ReturnBox.objects.filter(pk=box_id).first()
    if box is None:
        raise NotFound(_("There is no such mailbox."), code="box_unknown")
    audit.record(actor=user, action="return_box.removed", obj=box)
    box.delete()


@contextlib.contextmanager
def _inside(box: ReturnBox) -> Iterator[tuple[imaplib.IMAP4, int]]:
    """The folder, open, and its UID validity. Raises imap.Trouble."""
    with imap.opened(box, row=row_of(box), user=box.username) as line:
        imap.select(line, box.folder, readonly=False)
        _kind, validity = line.response("UIDVALIDITY")
        yield line, int(validity[0]) if validity and validity[0] else 0


def read(*, box_id: int, now: datetime) -> int:
    """Read what is new in one box; how many mails were looked at. Its trouble is kept on its row.

    A second call beside a running one looks at nothing.
    """
    with holding(f"returnbox:{box_id}") as mine:
        box = ReturnBox.objects.filter(pk=box_id, enabled=True).first()
        if not mine or box is None:
            return 0
        seen = 0
        try:
            with _inside(box) as (line, validity):
                if validity != box.validity:
                    box.validity, box.last_uid = validity, 0
                for uid in _new(line, box.last_uid)[:A_TIME]:
                    _one(line, box, uid, now)
                    seen += 1
            box.error = ""
        except imap.Trouble as trouble:
            box.error = str(trouble)
        box.checked_at = now
        box.save(update_fields=["validity", "last_uid", "checked_at", "error"])
    return seen


def _new(line: imaplib.IMAP4, last: int) -> list[int]:
    answer, told = line.uid("SEARCH", f"UID {last + 1}:*")
    if answer != "OK":
        raise imaplib.IMAP4.error(imap.words(told))
    # The range's end names the newest mail even when that is an old one.
    return sorted(uid for uid in map(int, (told[0] or b"").split()) if uid > last)


def _one(line: imaplib.IMAP4, box: ReturnBox, uid: int, now: datetime) -> None:
    answer, told = line.uid("FETCH", str(uid), f"(BODY.PEEK[]<0.{returned.SIZE_LIMIT}>)")
    if answer != "OK":
        raise imaplib.IMAP4.error(imap.words(told))
    data = next((part[1] for part in told if isinstance(part, tuple)), b"")
    report = returned.read(data)
    mark = f"{box.pk}:{box.validity}:{uid}"
    news = feedback.news_of(report, source="mailbox", at=now, mark=mark)
    with transaction.atomic():
        feedback.hear(news=news, now=now)
        box.last_uid = uid
        box.save(update_fields=["validity", "last_uid"])
    line.uid("STORE", str(uid), "+FLAGS", "(\\Seen)")


def read_all(*, now: datetime) -> int:
    """Read every box that is on."""
    keys = ReturnBox.objects.filter(enabled=True).values_list("pk", flat=True)
    return sum(read(box_id=key, now=now) for key in list(keys))


def check(*, box: ReturnBox) -> str:
    """Try a box now: an empty text, or what went wrong in words for a person."""
    try:
        with _inside(box):
            return ""
    except imap.Trouble as trouble:
        return str(trouble)
