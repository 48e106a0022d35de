"""The global hold-out: a share of all people to whom no campaign is ever sent.

It tells what all campaigns together cause, which no campaign alone can. Who is in it follows from a
hash with a salt that stays, so people stay in it, and a larger share keeps those of a smaller one.
"""

import secrets
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns.models import GlobalHoldout
from marketing.core import audit
from marketing.core.db import advisory_lock
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import ApiKey, User

MOST = 20.0


def standing() -> GlobalHoldout | None:
    """The one that stands now."""
    return GlobalHoldout.objects.filter(ended_at=None).first()


def keep(
    *, percent: object, user: User | ApiKey | None, now: datetime, anew: bool = False
) -> GlobalHoldout:
    """Keep this share of people out from now on; `anew` draws others than before.

    The report begins again with every change, for before it other people were kept out.
    """
    try:
        share = float(str(percent).strip().replace(",", "."))
    except ValueError:
        share = -1.0
    if not 0.1 <= share <= MOST:
        raise Invalid(
            _("Keep out between 0.1 and 20 percent of people."), code="bad_share", field="percent"
        )
    with transaction.atomic(), advisory_lock("global_holdout"):
        before = standing()
        if before is not None and before.percent == share and not anew:
            raise Conflict(
                _("That share is kept out already. Nothing was changed."), code="same_share"
            )
        last = GlobalHoldout.objects.order_by("-id").first()
        if before is not None:
            before.ended_at = now
            before.save(update_fields=["ended_at"])
        made = GlobalHoldout.objects.create(
            percent=share,
            salt=secrets.token_hex(16) if last is None or anew else last.salt,
            since=now,
            created_by=user if isinstance(user, User) else None,
        )
        audit.record(
            actor=user, action="holdout.kept", obj=made, detail={"percent": share, "anew": anew}
        )
    return made


def end(*, user: User | ApiKey | None, now: datetime) -> None:
    """Write to everybody again. The report of what was stays."""
    with transaction.atomic(), advisory_lock("global_holdout"):
        before = standing()
        if before is None:
            raise Conflict(_("Nobody is kept out. Nothing was changed."), code="no_holdout")
        before.ended_at = now
        before.save(update_fields=["ended_at"])
        audit.record(actor=user, action="holdout.ended", obj=before)
