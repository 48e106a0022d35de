"""The nine ready journeys, as drawings.

Every one says when people leave, how often they may come again, keeps to few messages, and holds
some people out. Their mails (`letters`) and their segment are made with them, and stand in their
places then.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from models_ml.models import Prediction

# Of a hundred who would come in, so many get nothing: only against them can its worth be told.
HELD = 10
REACHABLE = {"reach": "email", "purpose": "marketing"}


@dataclass(frozen=True, slots=True)
class Tile:
    icon: str
    hue: str


_TILES = {
    "event": Tile("bolt", "k7"),
    "segment_enter": Tile("user-plus", "k7"),
    "date": Tile("calendar-event", "k7"),
    "wait_for": Tile("hourglass", "k8"),
    "wait_local": Tile("clock-hour-4", "k8"),
    "wait_event": Tile("bell", "k8"),
    "split_rule": Tile("git-fork", "k3"),
    "split_score": Tile("sparkles", "k6"),
    "send": Tile("mail", "k1"),
    "notify": Tile("bell-ringing", "k8"),
    "list_add": Tile("list", "k8"),
    "exit": Tile("door-exit", "k8"),
}


@dataclass(frozen=True)
class Starter:
    """A ready journey. `segment` is the rule of the one that it wants, made with this name."""

    key: str
    name: str
    text: str
    icon: str
    hue: str
    definition: dict[str, Any]
    segment: dict[str, Any] | None = field(default=None)
    segment_name: str = ""

    @property
    def path(self) -> list[Tile]:
        """The kinds of its first steps, as pictures."""
        nodes = self.definition["nodes"].values()
        return [_TILES[node["kind"]] for node in nodes if node["kind"] in _TILES][:5]


def _key(kind: str, otherwise: str) -> str:
    """The key of this shop's prediction of a kind, by what it predicts."""
    rows: Iterable[tuple[str, Any]] = Prediction.objects.order_by("pk").values_list("key", "target")
    return next((key for key, target in rows if target.get("type") == kind), otherwise)


def _definition(nodes: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"start": next(iter(nodes)), "nodes": nodes, "holdout": HELD, **parts}


def _mail(label: str, next: str | None = None) -> dict[str, Any]:
    return {
        "kind": "send",
        "channel": "email",
        "template": None,
        "label": label,
        **({"next": next} if next else {}),
    }


def _wait(next: str, **span: int) -> dict[str, Any]:
    return {"kind": "wait_for", "for": span, "next": next}


def _morning(next: str) -> dict[str, Any]:
    return {"kind": "wait_local", "at": "10:00", "next": next}


def _bought(days: int, no: str, yes: str | None = None) -> dict[str, Any]:
    """Whether they bought in the last days, whoever told of the order."""
    return {
        "kind": "split_rule",
        "label": _("Ordered meanwhile?"),
        "rule": {"bought": {"any": True}, "days": days},
        "branches": [
            {"key": "yes", "label": _("Bought"), "next": yes},
            {"key": "no", "label": _("Not yet"), "next": no},
        ],
    }


def welcome(sign_up: str, order: str) -> Starter:
    return Starter(
        "welcome",
        _("Welcome"),
        _("A hello at once, what you are good at two days later, a nudge after five."),
        "mail",
        "k1",
        _definition(
            {
                "start": {"kind": "event", "event": sign_up, "next": "hello"},
                "hello": _mail(_("Hello"), "days"),
                "days": _wait("best", days=2),
                "best": _mail(_("What we are good at"), "more"),
                "more": _wait("asked", days=5),
                "asked": _bought(7, "nudge"),
                "nudge": _mail(_("A first order")),
            },
            goal={"event": order, "ends": True},
            entry={"again": "never", "rule": REACHABLE},
        ),
    )


def basket(cart: str, order: str) -> Starter:
    return Starter(
        "basket",
        _("Basket left"),
        _("An hour after the last look at a full basket, and once more a day later."),
        "shopping-cart",
        "k2",
        _definition(
            {
                "start": {"kind": "event", "event": cart, "next": "hour"},
                "hour": _wait("asked", hours=1),
                "asked": _bought(1, "first"),
                "first": _mail(_("Your basket is still there"), "day"),
                "day": _wait("morning", hours=20),
                "morning": _morning("again"),
                "again": _bought(2, "second"),
                "second": _mail(_("Can we help?")),
            },
            goal={"event": order, "ends": True},
            entry={"again": "after", "days": 14, "rule": REACHABLE},
        ),
    )


def browse(view: str, cart: str, order: str) -> Starter:
    return Starter(
        "browse",
        _("Browse left"),
        _("Looked at something twice and put nothing in the basket: one mail, at most monthly."),
        "eye",
        "k5",
        _definition(
            {
                "start": {"kind": "event", "event": view, "next": "hours"},
                "hours": _wait("often", hours=4),
                "often": {
                    "kind": "split_rule",
                    "label": _("Really interested?"),
                    "rule": {
                        "all": [
                            {"did": view, "at_least": 2, "days": 1},
                            {"did": cart, "at_most": 0, "days": 1},
                        ]
                    },
                    "branches": [
                        {"key": "yes", "label": _("Interested"), "next": "mail"},
                        {"key": "no", "label": _("Only looked")},
                    ],
                },
                "mail": _mail(_("Seen lately, and like it")),
            },
            goal={"event": order, "ends": True},
            exits=[{"event": cart}],
            entry={"again": "after", "days": 30, "rule": REACHABLE},
        ),
    )


def after_purchase(order: str) -> Starter:
    return Starter(
        "after_purchase",
        _("After a purchase"),
        _("Thanks with tips after three days, a question after two weeks, then what goes with it."),
        "shopping-bag",
        "k2",
        _definition(
            {
                "start": {"kind": "event", "event": order, "next": "days"},
                "days": _wait("morning", days=3),
                "morning": _morning("thanks"),
                "thanks": _mail(_("Thank you, and some tips"), "weeks"),
                "weeks": _wait("ask", days=11),
                "ask": _mail(_("How is it?"), "month"),
                "month": _wait("asked", days=14),
                "asked": _bought(25, "goes_with"),
                "goes_with": _mail(_("Goes well with it")),
            },
            entry={"again": "after", "days": 30, "rule": REACHABLE},
        ),
    )


def win_back(order: str) -> Starter:
    rule = {
        "all": [
            {"field": "traits.orders", "op": ">=", "value": 2},
            {"field": "traits.recency_days", "op": ">", "value": 120},
            REACHABLE,
        ]
    }
    return Starter(
        "win_back",
        _("Win back"),
        _("Ordered twice or more, nothing for four months: two mails, a fortnight apart."),
        "refresh",
        "k3",
        _definition(
            {
                "start": {"kind": "segment_enter", "segment": None, "next": "morning"},
                "morning": _morning("first"),
                "first": _mail(_("What is new since"), "weeks"),
                "weeks": _wait("asked", days=14),
                "asked": _bought(14, "second"),
                "second": _mail(_("A last hello")),
            },
            goal={"event": order, "ends": True},
            entry={"again": "after", "days": 180, "rule": REACHABLE},
        ),
        rule,
        _("Nothing for four months"),
    )


def replenishment(order: str) -> Starter:
    return Starter(
        "replenishment",
        _("Time for the next order"),
        _("Three days before the day on which we expect each person's next order."),
        "calendar-event",
        "k6",
        _definition(
            {
                "start": {
                    "kind": "date",
                    "prediction": _key("next_order", "next_order"),
                    "days": -3,
                    "at": "10:00",
                    "every": "once",
                    "next": "asked",
                },
                "asked": _bought(7, "mail"),
                "mail": _mail(_("Running low?"), "days"),
                "days": _wait("again", days=7),
                "again": _bought(10, "last"),
                "last": _mail(_("Ready when you are")),
            },
            goal={"event": order, "ends": True},
            entry={"again": "after", "days": 21, "rule": REACHABLE},
        ),
    )


def birthday(order: str) -> Starter:
    return Starter(
        "birthday",
        _("Birthday"),
        _("In the morning of their day, where they live. Nothing is sent the day after."),
        "gift",
        "k4",
        _definition(
            {
                "start": {
                    "kind": "date",
                    "attribute": "birthday",
                    "at": "09:00",
                    "every": "year",
                    "next": "mail",
                },
                "mail": _mail(_("Happy birthday")),
            },
            goal={"event": order, "ends": True},
            entry={"again": "after", "days": 300, "rule": REACHABLE},
        ),
    )


def vip() -> Starter:
    rule = {"all": [{"rfm": {"r": [4, 5], "f": [5], "m": [5]}}, REACHABLE]}
    return Starter(
        "vip",
        _("Becoming one of the best"),
        _("Thanks whoever comes to buy most and most often, and tells a colleague."),
        "star",
        "k3",
        _definition(
            {
                "start": {"kind": "segment_enter", "segment": None, "next": "morning"},
                "morning": _morning("thanks"),
                "thanks": _mail(_("Thank you"), "tell"),
                "tell": {
                    "kind": "notify",
                    "to": None,
                    "subject": "{{ first_name }} {{ last_name }} – VIP",
                    "text": "{{ email }}",
                },
            },
            exits=[{"segment": None, "entered": False}],
            entry={"again": "never", "rule": REACHABLE},
        ),
        rule,
        _("Buys most and most often"),
    )


def churn(order: str) -> Starter:
    key = _key("churn", "churn")
    rule = {"all": [{"score": key, "op": "top", "value": 10}, REACHABLE]}
    return Starter(
        "churn",
        _("About to leave"),
        _("The tenth likeliest to stop buying: one mail, a second only where it is needed."),
        "alert-triangle",
        "k4",
        _definition(
            {
                "start": {"kind": "segment_enter", "segment": None, "next": "morning"},
                "morning": _morning("first"),
                "first": _mail(_("We would like you to stay"), "week"),
                "week": _wait("asked", days=7),
                "asked": _bought(7, "likely"),
                "likely": {
                    "kind": "split_score",
                    "label": _("Still about to leave?"),
                    "prediction": key,
                    "at_least": 0.5,
                    "branches": [
                        {"key": "above", "label": _("Likely to leave"), "next": "offer"},
                        {"key": "below", "label": _("May stay")},
                    ],
                },
                "offer": _mail(_("What we can do")),
            },
            goal={"event": order, "ends": True},
            entry={"again": "after", "days": 90, "rule": REACHABLE},
        ),
        rule,
        _("Likeliest to leave"),
    )
