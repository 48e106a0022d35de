"""The report of the global hold-out: everybody written to beside those kept out of everything."""

from django.utils.translation import gettext as _

from campaigns.models import GlobalHoldout
from campaigns.reporting import readings
from campaigns.reporting.effects import ALARM, LESS, MORE, Effect, of_arms
from campaigns.reporting.readings import Read
from campaigns.reporting.tallies import KEPT
from campaigns.reporting.wording import Said, amount, points
from ingestion.models import Customer
from marketing.core import wording


def effect(*, holdout: GlobalHoldout, read: Read) -> Effect | None:
    """What all campaigns caused since it began. It may be looked at every day until it ends."""
    share = holdout.percent / 100
    return of_arms(
        arms=read.arms,
        shares=(1 - share, share),
        until=read.until,
        ends_at=holdout.ended_at or (read.until + readings.DAY),
        control=KEPT,
    )


def history(*, holdout: GlobalHoldout) -> list[Effect]:
    """The report of each day that was read."""
    rows = [readings.of_row(row) for row in holdout.readings.order_by("day")]
    return [one for read in rows if (one := effect(holdout=holdout, read=read)) is not None]


def people() -> int:
    """How many people there are, of whom a share may be kept out."""
    return Customer.objects.count()


def headline(report: Effect) -> Said:
    """What all campaigns together do, in one sentence."""
    verdicts = (report.orders.verdict, report.money.verdict)
    lift, caused = report.orders.judged, report.caused
    numbers = {
        "a": wording.pct(lift.treated, 2),
        "b": wording.pct(lift.control, 2),
        "points": points(lift.difference),
        "low": points(lift.low),
        "high": points(lift.high),
        "caused": amount(caused.difference, 0),
        "least": amount(caused.low, 0),
        "most": amount(caused.high, 0),
    }
    text = _(
        "%(a)s of people who may be written to ordered, %(b)s of those kept out: %(points)s points "
        "(%(low)s to %(high)s). In money about %(caused)s in all (%(least)s to %(most)s)."
    )
    if ALARM in verdicts:
        return Said(
            "bad",
            _("The two sides are not as they were drawn"),
            _("Find out who is missing on one side before you believe any number here."),
        )
    if MORE in verdicts:
        return Said("good", _("Your campaigns make a difference"), text % numbers)
    if LESS in verdicts:
        return Said("bad", _("Your campaigns do harm"), text % numbers)
    return Said(
        "",
        _("Nothing is proven yet"),
        _(
            "So far people who are written to and people who are not order alike, as far as can be "
            "told. Leave it standing: every day adds to what it knows."
        ),
    )
