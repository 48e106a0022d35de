"""What to do with a group of a tree: its size, what it is worth, an action and the reason why.

Rules a marketer can check, not a model: they look at the rate beside everyone's and its interval,
at the money a person of the group spends beside everyone's, and at whether the thing foretold is
wished for. They say what to try, with what to measure, and never that it works.
"""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from models_ml.explorer import questions

HIGH, LOW, EVEN = "high", "low", "even"
# In 100: from here on most of a group does it without being asked, or nobody is left to ask.
MOSTLY, NEARLY_ALL = 50, 95


@dataclass(frozen=True, slots=True)
class Strategy:
    """`expected` is money of the whole group with its 95% ends; None where nothing is known of it.

    `action` is a name for the picture: keep, nudge, win_back, rest, look_alike, watch.
    """

    action: str
    title: str
    why: str
    expected: tuple[float, float, float] | None


def of(
    leaf: dict[str, Any], *, people: int, target: dict[str, Any], everyone: dict[str, Any] | None
) -> Strategy:
    """The suggestion for a leaf as a version keeps it; `everyone` is what a person spends."""
    lift, worth = leaf["lift"], leaf.get("worth")
    side = HIGH if lift["low"] > 1 else LOW if (lift["high"] or 9e9) < 1 else EVEN
    rich = bool(worth and everyone and worth["low"] > everyone["value"])
    expected = None
    if worth:
        expected = (people * worth["value"], people * worth["low"], people * worth["high"])
    facts = {
        "rate": round(100 * leaf["rate"]["value"]),
        "lift": f"{lift['value']:.1f}",
        "ratio": f"{worth['value'] / everyone['value']:.1f}"
        if worth and everyone and everyone["value"] > 0
        else "",
    }
    kind = str(target.get("type", ""))
    if kind in ("segment", "attribute"):
        action, title, why = _membership(side, facts)
    elif kind in questions.UNWANTED:
        action, title, why = _unwanted(side, rich, facts)
    elif kind == "answer":
        action, title, why = _answer(side, facts)
    else:
        action, title, why = _wanted(side, rich, facts)
    return Strategy(action, title, why, expected)


def _wanted(side: str, rich: bool, facts: dict[str, Any]) -> tuple[str, str, str]:
    if side == HIGH and facts["rate"] < MOSTLY:
        return (
            "nudge",
            _("Remind them first"),
            _(
                "%(rate)d in 100 do it, %(lift)s times the average, and most have not decided: a"
                " reminder reaches more buyers here than anywhere else. Hold some back, to compare."
            )
            % facts,
        )
    if side == HIGH:
        return (
            "keep",
            _("Show them what is new, without a discount"),
            _(
                "%(rate)d in 100 do it anyway, %(lift)s times the average: a discount would mostly"
                " go to people who need none."
            )
            % facts,
        )
    if side == LOW and rich:
        return (
            "win_back",
            _("Write to them personally, with an offer"),
            _(
                "Only %(rate)d in 100 do it, but a person here is worth %(ratio)s times the"
                " average: each one won counts. Hold some back, to see what the offer adds."
            )
            % facts,
        )
    if side == LOW:
        return (
            "rest",
            _("Write rarely and cheaply"),
            _(
                "Only %(rate)d in 100 do it, %(lift)s times the average: frequent mails cost"
                " consent and bring little."
            )
            % facts,
        )
    return (
        "nudge",
        _("Test a reminder"),
        _(
            "%(rate)d in 100 do it, about the average: the decision is open. Remind half of them,"
            " and compare."
        )
        % facts,
    )


def _unwanted(side: str, rich: bool, facts: dict[str, Any]) -> tuple[str, str, str]:
    if side == HIGH and rich:
        return (
            "win_back",
            _("Keep them now: a personal offer"),
            _(
                "%(rate)d in 100 stop, %(lift)s times the average, and a person here is worth"
                " %(ratio)s times the average."
            )
            % facts,
        )
    if side == HIGH:
        return (
            "nudge",
            _("An automatic “we miss you” mail"),
            _(
                "%(rate)d in 100 stop, %(lift)s times the average. What they spend does not pay for"
                " more than a mail."
            )
            % facts,
        )
    if side == LOW:
        return (
            "keep",
            _("Leave them in peace: no offer to stay"),
            _(
                "Only %(rate)d in 100 stop, %(lift)s times the average: an offer would go to people"
                " who stay anyway."
            )
            % facts,
        )
    return (
        "watch",
        _("Watch them"),
        _("%(rate)d in 100 stop, about the average: nothing sets them apart yet.") % facts,
    )


def _answer(side: str, facts: dict[str, Any]) -> tuple[str, str, str]:
    if side == HIGH:
        return (
            "keep",
            _("Send to them first"),
            _("%(rate)d in 100 answer, %(lift)s times the average.") % facts,
        )
    if side == LOW:
        return (
            "rest",
            _("Leave them out, or try another channel"),
            _(
                "Only %(rate)d in 100 answer, %(lift)s times the average: each mail costs attention"
                " that the next one needs."
            )
            % facts,
        )
    return (
        "nudge",
        _("Test another subject line"),
        _("%(rate)d in 100 answer, about the average: try two and compare.") % facts,
    )


def _membership(side: str, facts: dict[str, Any]) -> tuple[str, str, str]:
    if facts["rate"] >= NEARLY_ALL:
        return (
            "watch",
            _("Nothing to add here"),
            _("%(rate)d in 100 are already: hardly anybody is left to address.") % facts,
        )
    if side == HIGH:
        return (
            "look_alike",
            _("Address those who are not in it yet"),
            _(
                "%(rate)d in 100 are, %(lift)s times the average: the others here are most like"
                " them."
            )
            % facts,
        )
    if side == LOW:
        return (
            "rest",
            _("Look elsewhere"),
            _("Only %(rate)d in 100 are, %(lift)s times the average.") % facts,
        )
    return (
        "watch",
        _("Nothing sets them apart"),
        _("%(rate)d in 100 are, about the average.") % facts,
    )
