"""Looking for copies: where each lies, how long it took, and what the receiving server said.

A mailbox is opened once for all copies that are due in it. Whatever is not there is looked for
again with growing pauses, for an hour.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from campaigns.messaging import folders, imap
from campaigns.models import SeedCopy, SeedMailbox
from campaigns.seeds import lines, mailboxes, verdicts
from marketing.core.db import holding

State, Place = SeedCopy.State, SeedCopy.Place
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=5), timedelta(minutes=10)
GIVE_UP = timedelta(hours=1)
MOST_FOLDERS = 40


def wait_after(looks: int) -> timedelta:
    """How long until the next look, after so many: doubling from five seconds to ten minutes."""
    return min(FIRST_WAIT * 2 ** min(max(looks - 1, 0), 20), LONGEST_WAIT)


def look(*, now: datetime) -> int:
    """Look for every copy that is due; how many were found."""
    due = SeedCopy.objects.filter(state=State.LOOKING, next_look_at__lte=now)
    by_mailbox: dict[SeedMailbox | None, list[SeedCopy]] = defaultdict(list)
    for copy in due.select_related("mailbox").order_by("id")[:500]:
        by_mailbox[copy.mailbox].append(copy)
    return sum(_look_into(mailbox, copies) for mailbox, copies in by_mailbox.items())


def _look_into(mailbox: SeedMailbox | None, copies: list[SeedCopy]) -> int:
    if mailbox is None or not mailbox.host:
        keys = [copy.pk for copy in copies]
        SeedCopy.objects.filter(pk__in=keys).update(state=State.UNSEEN, next_look_at=None)
        return 0
    with holding(f"seedmailbox:{mailbox.pk}") as mine:
        if not mine:
            return 0
        trouble = ""
        found: dict[int, tuple[str, lines.Seen]] = {}
        try:
            with lines.opened(mailbox) as line:
                _search(line, mailbox, copies, found)
        except imap.Trouble as said:
            trouble = str(said)
        now = timezone.now()
        mailboxes.note(mailbox=mailbox, error=trouble, now=now)
        for copy in copies:
            _settle(copy, found.get(copy.pk), trouble, now)
    return len(found)


def _search(
    line: lines.Line,
    mailbox: SeedMailbox,
    copies: Sequence[SeedCopy],
    found: dict[int, tuple[str, lines.Seen]],
) -> None:
    mailbox.spam = mailbox.spam or folders.spam_of(line.folders())
    known = [(Place.INBOX, mailbox.inbox)]
    known += [(Place.SPAM, mailbox.spam)] if mailbox.spam else []
    rest = folders.others(line.folders(), [name for _place, name in known])
    _search_in(line, copies, known, found)
    _search_in(line, copies, [(Place.OTHER, name) for name in rest[:MOST_FOLDERS]], found)


def _search_in(
    line: lines.Line,
    copies: Sequence[SeedCopy],
    places: Iterable[tuple[str, str]],
    found: dict[int, tuple[str, lines.Seen]],
) -> None:
    for place, folder in places:
        for copy in copies:
            if copy.pk not in found and (seen := line.find(folder, copy)) is not None:
                found[copy.pk] = place, seen


def _settle(
    copy: SeedCopy, found: tuple[str, lines.Seen] | None, trouble: str, now: datetime
) -> None:
    copy.looks, copy.looked_at, copy.error = copy.looks + 1, now, trouble[:500]
    assert copy.sent_at is not None
    if found is not None:
        copy.state, copy.next_look_at, copy.error = State.FOUND, None, ""
        copy.place, seen = found
        copy.folder = seen.folder
        # Its clock is the mail server's; ours says between which moments it must have come.
        copy.arrived_at = min(max(seen.arrived_at or now, copy.sent_at), now)
        said = verdicts.read(seen.authentication)
        copy.spf, copy.dkim, copy.dmarc = said.spf, said.dkim, said.dmarc
        copy.authentication = said.text[:2000]
    elif now - copy.sent_at >= GIVE_UP:
        copy.state, copy.next_look_at = State.MISSING, None
    else:
        copy.next_look_at = min(now + wait_after(copy.looks), copy.sent_at + GIVE_UP)
    copy.save()
