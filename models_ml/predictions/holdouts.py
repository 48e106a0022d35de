"""Sends that held people out by chance, and why those of others do not tell what a mail does."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketing.core import wording
from marketing.core.errors import Invalid
from models_ml.features import mailings
from models_ml.features.mailings import Mailing
from models_ml.features.targets import Target

NAMED = 3


def usable(*, target: Target, horizon: timedelta, as_of: datetime) -> list[Mailing]:
    """Sends that held somebody out and whose time is over. Invalid, by name, without any."""
    sent = mailings.finished(campaign=target.campaign)
    if not sent:
        raise Invalid(
            _not_sent(target),
            code="no_mails",
            field="target.campaign",
            remedy=_("Send a campaign that holds some people out. Nothing was changed."),
        )
    counts = mailings.count(runs=[one.run for one in sent])
    held = [one for one in sent if min(counts.get(one.run, (0, 0))) > 0]
    if not held:
        names = _names(sent)
        raise Invalid(
            ngettext(
                "Nobody was held out of %(names)s, so nobody can tell what it changed.",
                "Nobody was held out of %(names)s, so nobody can tell what they changed.",
                len({one.campaign for one in sent}),
            )
            % {"names": names},
            code="no_holdout",
            field="target.campaign",
            remedy=_(
                "Hold some people out by chance in the next campaign, one in ten or more. People"
                " who got no mail for want of consent do not count. Nothing was changed."
            ),
        )
    over = [one for one in held if one.at + horizon <= as_of]
    if not over:
        raise Invalid(
            _("The %(days)d days after %(names)s are not over.")
            % {"days": horizon.days, "names": _names(held)},
            code="too_recent",
            remedy=_("Train again after %(day)s. Nothing was changed.")
            % {"day": wording.day(held[0].at + horizon)},
        )
    return over


def _not_sent(target: Target) -> str:
    name = mailings.name_of(campaign=target.campaign) if target.campaign is not None else ""
    if name:
        return _("“%(name)s” has not been sent to its end.") % {"name": name}
    return _("No campaign has been sent to its end.")


def _names(sent: Sequence[Mailing]) -> str:
    names = list(dict.fromkeys(one.name for one in reversed(sent)))
    text = ", ".join(f"“{name}”" for name in names[:NAMED])
    more = len(names) - NAMED
    return text if more <= 0 else _("%(names)s and %(n)d more") % {"names": text, "n": more}
