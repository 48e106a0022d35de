"""A report in words and in small drawings."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from campaigns.experiments import Lift
from campaigns.reporting.effects import (
    ALARM,
    CANNOT_TELL,
    LESS,
    MORE,
    NOT_YET,
    TOO_FEW,
    Answer,
    Effect,
)
from marketing.core import brand, wording

WIDTH, HEIGHT = 110, 18
PLOT_WIDTH, PLOT_HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 220, 52, 12, 10, 30


@dataclass(frozen=True)
class Said:
    """What a report says first. `tone` is the colour of its badge."""

    tone: str
    title: str
    text: str


def points(share: float) -> str:
    """A difference of shares, in points, with its sign."""
    return f"{'+' if share >= 0 else '−'}{abs(share) * 100:.2f}"


def amount(value: float, digits: int = 2) -> str:
    """A difference of money with its sign."""
    shown = wording.money(abs(value), brand.now().currency)
    if not digits:
        shown = wording.money0(abs(value), brand.now().currency)
    return f"{'+' if value >= 0 else '−'}{shown}"


def headline(effect: Effect) -> Said:
    """The one sentence that a marketer takes away."""
    verdicts = (effect.orders.verdict, effect.money.verdict)
    if ALARM in verdicts:
        return Said(
            "bad",
            _("The two sides are not as they were drawn"),
            _(
                "%(mailed)s people are on one side and %(held)s on the other, which chance alone "
                "hardly does. Somebody was lost on one side. Find out who before you believe any "
                "number here."
            )
            % {"mailed": wording.comma(effect.mailed), "held": wording.comma(effect.held)},
        )
    if LESS in verdicts and MORE in verdicts:
        return Said("warn", _("It cut both ways"), _both(effect))
    if MORE in verdicts:
        return Said("good", _("It made a difference"), _both(effect))
    if LESS in verdicts:
        return Said("bad", _("It did harm"), _both(effect))
    if NOT_YET in verdicts:
        return Said(
            "",
            _("Too early to tell"),
            _(
                "Nothing is proven yet. Days are still to come; look as often as you like, the "
                "intervals are made for it."
            ),
        )
    if CANNOT_TELL in verdicts:
        return Said(
            "warn",
            _("We cannot tell"),
            _(
                "What was seen would be nothing unusual if it had done nothing at all. That is not "
                "the same as no effect: with so many people only one of %(points)s points or more "
                "would have shown."
            )
            % {"points": f"{100 * (effect.orders.smallest or 0):.2f}"},
        )
    return Said(
        "",
        _("Too few orders to tell"),
        _("Hardly anybody has ordered yet on one of the sides, so nothing can be compared."),
    )


def _both(effect: Effect) -> str:
    return _(
        "%(a)s of those it was meant for ordered, %(b)s of those held out: %(points)s points "
        "(%(low)s to %(high)s). In money about %(caused)s in all (%(least)s to %(most)s)."
    ) % numbers(effect)


def numbers(effect: Effect) -> dict[str, str]:
    """What a sentence about both sides says of them."""
    lift, caused = effect.orders.judged, effect.caused
    return {
        "a": wording.pct(lift.treated, 2),
        "b": wording.pct(lift.control, 2),
        "points": points(lift.difference),
        "low": points(lift.low),
        "high": points(lift.high),
        "caused": amount(caused.difference, 0),
        "least": amount(caused.low, 0),
        "most": amount(caused.high, 0),
    }


VERDICTS = {
    ALARM: ("bad", "alarm"),
    MORE: ("good", "proven"),
    LESS: ("bad", "proven"),
    NOT_YET: ("", "open"),
    CANNOT_TELL: ("warn", "open"),
    TOO_FEW: ("", "open"),
}


def verdict(answer: Answer) -> str:
    """One or two words for a table."""
    return {
        ALARM: _("Not to be trusted"),
        MORE: _("More"),
        LESS: _("Less"),
        NOT_YET: _("Not yet"),
        CANNOT_TELL: _("Cannot tell"),
        TOO_FEW: _("Too few orders"),
    }[answer.verdict]


def picture(lift: Lift, *, widest: float) -> dict[str, Any]:
    """An interval on a line with zero in the middle; `widest` is the farthest bound beside it."""
    span = widest or 1.0

    def at(value: float) -> float:
        return round(WIDTH / 2 + max(-1.0, min(1.0, value / span)) * (WIDTH / 2 - 5), 1)

    return {
        "zero": WIDTH / 2,
        "low": at(lift.low),
        "high": at(lift.high),
        "at": at(lift.difference),
        "proven": lift.proven,
        "harm": lift.high < 0,
    }


def widest(lifts: Sequence[Lift]) -> float:
    """The farthest finite bound of these."""
    bounds = [abs(x) for lift in lifts for x in (lift.low, lift.high) if abs(x) < 1e300]
    return max(bounds, default=1.0)


def days(reports: Sequence[Effect]) -> dict[str, Any] | None:
    """The difference in orders day by day, with the interval that holds on all of them."""
    if len(reports) < 2:
        return None
    always = [report.orders.always for report in reports]
    top = max(*(lift.high for lift in always[1:]), 0.0)
    low = min(*(lift.low for lift in always[1:]), 0.0)
    top, low = min(top, 1.0), max(low, -1.0)
    span = (top - low) or 1.0
    inner = PLOT_HEIGHT - TOP - BOTTOM
    step = (PLOT_WIDTH - LEFT - RIGHT) / max(len(reports) - 1, 1)

    def y(value: float) -> float:
        return round(TOP + (top - max(low, min(top, value))) / span * inner, 1)

    across = [round(LEFT + i * step, 1) for i in range(len(reports))]
    upper = [f"{x},{y(lift.high)}" for x, lift in zip(across, always, strict=True)]
    lower = [f"{x},{y(lift.low)}" for x, lift in zip(across, always, strict=True)]
    line = [f"{x},{y(lift.difference)}" for x, lift in zip(across, always, strict=True)]
    return {
        "w": PLOT_WIDTH,
        "h": PLOT_HEIGHT,
        "band": " ".join([*upper, *reversed(lower)]),
        "line": " ".join(line),
        "zero": y(0.0),
        "y": [{"at": y(v), "text": points(v) if v else "0"} for v in sorted({top, low, 0.0})],
        "x": [
            {"at": x, "text": str(i + 1)}
            for i, x in enumerate(across)
            if i in (0, len(across) - 1) or (len(across) < 16 and i % 2 == 0)
        ],
        "rows": [
            {"day": i + 1, "at": points(v.difference), "low": points(v.low), "high": points(v.high)}
            for i, v in enumerate(always)
        ],
    }
