"""What a mail caused: those it was meant for against those held out of it, in orders and in money.

While days are still to come the answer is the interval that may be looked at every day; when they
are over, the plain one, which is narrower and good for one look.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from campaigns.experiments import Lift, balance, cuped, difference, means, power, sequential
from campaigns.models import Run
from campaigns.reporting import costs, readings
from campaigns.reporting.tallies import HELD, LATER, WINDOW, Arms, Tally

# With fewer orders on a side an interval of money says less than it seems to.
LEAST_ORDERS = 20
LEAST_PEOPLE = 50
# An order of people without a past. A wrong guess widens the daily interval and spoils nothing.
TYPICAL = 50.0
# What a verdict may be.
ALARM, MORE, LESS, NOT_YET, CANNOT_TELL, TOO_FEW = (
    "alarm", "more", "less", "not_yet", "cannot_tell", "too_few",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """One question: the plain difference, the daily one, and which of them counts now.

    `left` is the part of the variance that what was known before leaves; `smallest` the true
    difference that so many people find four times in five.
    """

    plain: Lift
    always: Lift
    judged: Lift
    adjusted: Lift | None
    left: float
    smallest: float | None
    verdict: str

    @property
    def proven(self) -> bool:
        return self.verdict in (MORE, LESS)


@dataclass(frozen=True)
class Effect:
    """The report of a campaign that held people out."""

    treated: Tally
    control: Tally
    until: datetime
    ends_at: datetime
    over: bool
    balance: balance.Balance
    orders: Answer
    money: Answer
    cost: Decimal
    sent: int

    @property
    def mailed(self) -> int:
        return self.treated.people

    @property
    def held(self) -> int:
        return self.control.people

    @property
    def lift(self) -> Lift:
        """In who ordered, as judged now."""
        return self.orders.judged

    @property
    def caused(self) -> Lift:
        """Money that came because of the mail, from everybody it was meant for together."""
        return self.money.judged.times(self.treated.people)

    @property
    def roi(self) -> Lift | None:
        """(caused − cost) / cost with its interval; None where nothing was spent."""
        cost = float(self.cost)
        if cost <= 0:
            return None
        caused = self.caused
        return Lift(
            treated=0.0,
            control=0.0,
            difference=(caused.difference - cost) / cost,
            low=(caused.low - cost) / cost,
            high=(caused.high - cost) / cost,
            error=caused.error / cost,
        )


def effect(*, run: Run, now: datetime | None = None) -> Effect | None:
    """What this send caused until now; None when nobody was held out of it."""
    now = now or timezone.now()
    reading = readings.latest(run=run, now=now)
    return of_arms(
        arms=reading.arms,
        shares=(1 - _held(run), _held(run)),
        until=reading.until,
        ends_at=run.started_at + WINDOW,
        cost=costs.total(campaign_id=run.campaign_id, sent=reading.sent(run)),
    )


def _held(run: Run) -> float:
    return float(run.snapshot.get("holdout_percent") or 0) / 100


def of_arms(
    *,
    arms: Arms,
    shares: Sequence[float],
    until: datetime,
    ends_at: datetime,
    cost: Decimal = Decimal(0),
    control: str = HELD,
    planned: int = 0,
) -> Effect | None:
    """The report of these sums. `shares` are those by which the two sides were drawn.

    Where people keep coming in, as into a journey, `planned` is for how many the daily interval is
    made; it may not depend on what is seen.
    """
    held = arms.get(control, Tally())
    treated = sum((tally for arm, tally in arms.items() if arm != control), Tally())
    if not held.people or not treated.people:
        return None
    drawn = balance.Balance(1.0, ())
    if min(shares) > 0:
        drawn = balance.check(counts=[treated.people, held.people], shares=shares)
    over = until >= ends_at
    return Effect(
        treated=treated,
        control=held,
        until=until,
        ends_at=ends_at,
        over=over,
        balance=drawn,
        orders=_orders(treated, held, over, drawn.alarm, planned),
        money=_money(treated, held, over, drawn.alarm, planned),
        cost=cost,
        sent=treated.sent,
    )


def _orders(treated: Tally, control: Tally, over: bool, alarm: bool, grows: int) -> Answer:
    plain = difference(
        treated=treated.people,
        treated_converted=treated.ordered,
        control=control.people,
        control_converted=control.ordered,
    )
    assert plain is not None
    both = treated + control
    planned = sequential.planned_share(
        treated=treated.people, control=control.people, rate=both.earlier / both.people
    )
    always = sequential.always(
        lift=plain,
        planned=planned,
        converted=max(plain.treated, plain.control),
        people=both.people,
        grows=grows,
    )
    adjusted = cuped.adjust(treated=treated.of_orders, control=control.of_orders)
    rate = both.ordered / both.people
    return _answer(
        plain=plain,
        always=always,
        judged=plain if over else always,
        adjusted=adjusted,
        smallest=power.smallest(
            treated=treated.people, control=control.people, variance=rate * (1 - rate)
        ),
        over=over,
        alarm=alarm,
        enough=_enough(treated, control, grows),
    )


def _enough(treated: Tally, control: Tally, grows: int) -> bool:
    """The first who come into a journey are too few for an interval that counts on many."""
    ordered = treated.ordered + control.ordered
    if not grows:
        return ordered > 0
    return ordered >= LEAST_ORDERS and min(treated.people, control.people) >= LEAST_PEOPLE


def _money(treated: Tally, control: Tally, over: bool, alarm: bool, grows: int) -> Answer:
    """Judged with what people spent before taken out, which only narrows it."""
    sides = treated.of_money, control.of_money
    plain = means(treated=sides[0], control=sides[1]) or _unknown(treated, control)
    adjusted = cuped.adjust(treated=sides[0], control=sides[1])
    both = sides[0] + sides[1]
    best = adjusted.lift if adjusted else plain
    always = sequential.always(
        lift=best,
        planned=sequential.planned_money(
            treated=treated.people,
            control=control.people,
            variance=both.variance_before,
            typical=TYPICAL,
        ),
        people=treated.people + control.people,
        grows=grows,
    )
    left = adjusted.left if adjusted else 1.0
    return _answer(
        plain=plain,
        always=always,
        judged=best if over else always,
        adjusted=adjusted,
        smallest=power.smallest(
            treated=treated.people, control=control.people, variance=both.variance * left
        ),
        over=over,
        alarm=alarm,
        enough=min(treated.buyers, control.buyers) >= LEAST_ORDERS,
    )


def _unknown(treated: Tally, control: Tally) -> Lift:
    a, b = treated.of_money.mean, control.of_money.mean
    return Lift(a, b, a - b, -math.inf, math.inf)


def _answer(
    *,
    plain: Lift,
    always: Lift,
    judged: Lift,
    adjusted: cuped.Adjusted | None,
    smallest: float | None,
    over: bool,
    alarm: bool,
    enough: bool,
) -> Answer:
    verdict = CANNOT_TELL if over else NOT_YET
    if alarm:
        verdict = ALARM
    elif not enough:
        verdict = TOO_FEW
    elif judged.proven:
        verdict = MORE if judged.difference > 0 else LESS
    return Answer(
        plain=plain,
        always=always,
        judged=judged,
        adjusted=adjusted.lift if adjusted else None,
        left=adjusted.left if adjusted else 1.0,
        smallest=smallest,
        verdict=verdict,
    )


def later(arm: str) -> bool:
    """Whether these are people of a later round."""
    return arm.endswith(LATER)
