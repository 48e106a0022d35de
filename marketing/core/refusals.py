"""Sign-ins that were refused, in the audit trail: who is being tried, from where, how often.

Entries are only ever added, so a count cannot grow in one. The first refusal of an account from an
address stands there at once; what follows within a quarter of an hour is added up in a row of its
own, and told in one more entry when that time is over. An account is told apart by a few addresses,
all others together, and every name that is no account's is one account. So whoever floods the door
adds no more than some dozens of entries for each account that exists.

What was typed is kept nowhere: people type their password into the wrong field.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketing.core import audit, counting
from marketing.core.models import AuditEntry, RefusedSignIn, User
from marketing.core.wording import moment

ACTION = "sign_in.refused"
NOT_SIGNED_IN, UNKNOWN = "not signed in", "unknown account"
PASSWORD, CODE, HELD, NO_RIGHT, AGAIN = "password", "code", "held_back", "no_right", "again"
WINDOW = timedelta(minutes=15)
ADDRESSES = 10  # of one account, told apart for each cause
BATCH = 500


def account_of(name: str) -> User | None:
    """The account that somebody means who types this name, in whatever case."""
    return User.objects.filter(username__iexact=name.strip()[:150]).order_by("pk").first()


def note(*, account: User | None, address: str, why: str, now: datetime) -> None:
    """Add a refusal up, and tell the first of its kind at once."""
    times = 1
    if why == HELD:
        # These cost whoever tries nothing: they are written at their 1st, 2nd, 4th, 8th … only.
        who = account.pk if account else ""
        seconds = int(WINDOW.total_seconds())
        count = counting.count(key=f"sign-in-held:{who}:{address}", seconds=seconds) or 1
        if count & (count - 1):
            return
        times = count - count // 2
    with transaction.atomic():
        row, new = _row(account, address, why, now)
        more = {"told": 1} if new else {}
        RefusedSignIn.objects.filter(pk=row.pk).update(tries=F("tries") + times, until=now, **more)
        if new:
            _tell(row, tries=1)


def _row(account: User | None, address: str, why: str, now: datetime) -> tuple[RefusedSignIn, bool]:
    rows = RefusedSignIn.objects.filter(account=account, why=why)
    if (found := rows.filter(address=address).first()) is not None:
        return found, False
    if rows.count() >= ADDRESSES:
        address = ""
        # PostgreSQL 14 does not hold nobody's rows apart, so there may be two.
        if (found := rows.filter(address=address).first()) is not None:
            return found, False
    return RefusedSignIn.objects.get_or_create(
        account=account, address=address, why=why, defaults={"since": now, "until": now}
    )


def tell(*, now: datetime) -> int:
    """Tell the rest of every quarter of an hour that is over; how many entries that took."""
    told = 0
    with transaction.atomic():
        over = RefusedSignIn.objects.select_for_update(skip_locked=True, of=("self",))
        rows = list(
            over.select_related("account").filter(since__lte=now - WINDOW).order_by("id")[:BATCH]
        )
        for row in rows:
            if row.tries > row.told:
                _tell(row, tries=row.tries - row.told, rest=True)
                told += 1
        RefusedSignIn.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return told


def _tell(row: RefusedSignIn, *, tries: int, rest: bool = False) -> None:
    detail: dict[str, Any] = {"why": row.why, "from": row.address, "tries": tries}
    if rest:
        detail |= {"since": row.since.isoformat(), "until": row.until.isoformat()}
    entry = {"actor": row.account if row.why == AGAIN else None, "obj": row.account}
    if row.account is None:
        detail["account"] = UNKNOWN
    audit.record(action=ACTION, detail=detail, nobody=NOT_SIGNED_IN, **entry)


def unknown(entry: AuditEntry) -> str:
    """What stands for the account of such an entry where none exists, in English."""
    return UNKNOWN if entry.action == ACTION and "account" in entry.detail else ""


def explain(entry: AuditEntry) -> str:
    """What such an entry says, in the reader's words; empty for entries of other kinds."""
    told = entry.detail
    if entry.action != ACTION or not isinstance(told.get("tries"), int):
        return ""
    n = told["tries"]
    said = {
        PASSWORD: ngettext("%(n)d wrong password", "%(n)d wrong passwords", n),
        CODE: ngettext(
            "%(n)d wrong code after the right password",
            "%(n)d wrong codes after the right password",
            n,
        ),
        HELD: ngettext(
            "%(n)d try was not looked at, after too many wrong ones",
            "At least %(n)d tries were not looked at, after too many wrong ones",
            n,
        ),
        NO_RIGHT: ngettext(
            "%(n)d try at the admin's door by an account that may not use it",
            "%(n)d tries at the admin's door by an account that may not use it",
            n,
        ),
        AGAIN: ngettext(
            "%(n)d wrong password when it was asked for again",
            "%(n)d wrong passwords when it was asked for again",
            n,
        ),
    }.get(str(told.get("why")))
    if said is None:
        return ""
    place = str(told.get("from") or "")
    values = {
        "what": said % {"n": n},
        "where": _("from %(address)s") % {"address": place} if place else _("from other addresses"),
    }
    if "since" not in told:
        return _("%(what)s %(where)s.") % values
    since, until = (datetime.fromisoformat(str(told[end])) for end in ("since", "until"))
    values |= {"since": moment(since), "until": f"{timezone.localtime(until):%H:%M}"}
    return _("%(what)s %(where)s; the first at %(since)s, the last at %(until)s.") % values
