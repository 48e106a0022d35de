"""The mails of the ready journeys: plain words that a shop may send as they are, in blocks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

PICKS, EVENT = "picks", "event"


@dataclass(frozen=True, slots=True)
class Goods:
    """A block of products: recommended ones, or those of the event that began the journey."""

    of: str
    title: str
    count: int = 3
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as its author would write it."""

    subject: str
    preheader: str
    heading: str
    text: str
    goods: tuple[Goods, ...] = ()
    button: str = ""

    def blocks(self) -> list[dict[str, Any]]:
        """The same as blocks of the editor."""
        made: list[dict[str, Any]] = [
            {"kind": "logo"},
            {"kind": "heading", "text": self.heading, "size": "medium", "tone": "white"},
            {"kind": "text", "text": self.text},
            *(
                {
                    "kind": "products",
                    "of": goods.of,
                    "title": goods.title,
                    "count": goods.count,
                    "instead": goods.instead,
                }
                for goods in self.goods
            ),
        ]
        if self.button:
            made.append({"kind": "button", "label": self.button, "url": "{{ shop_url }}"})
        return [*made, {"kind": "footer"}]


def _welcome() -> dict[str, Letter]:
    return {
        "hello": Letter(
            _("Welcome to {{ shop_name }}"),
            _("Good to have you here. This is what to expect."),
            _('{{ first_name|default("Hello") }}, good to have you here.'),
            _(
                "You will hear from us now and then, never every day, and every mail has a link "
                "that ends it at once.\n\nIf you have a question, answer this mail: somebody of "
                "us reads it."
            ),
            (Goods(PICKS, _("A few things to begin with")),),
            _("Look around"),
        ),
        "best": Letter(
            _("What {{ shop_name }} is good at"),
            _("The things that people come back for."),
            _("What people come back for"),
            _(
                "Most of what we sell goes to people who bought here before. These are the things "
                "they come back for, chosen for you."
            ),
            (Goods(PICKS, "", 4),),
            _("See all of it"),
        ),
        "nudge": Letter(
            _("Have you found something?"),
            _("A few ideas, and help if you want it."),
            _("Have you found something?"),
            _(
                "If you were looking for something and did not find it, answer this mail and say "
                "what it was. We know the shelves."
            ),
            (Goods(PICKS, _("Perhaps one of these")),),
            _("Have another look"),
        ),
    }


def _basket() -> dict[str, Letter]:
    return {
        "first": Letter(
            _('{{ event.product.name|default("Your basket") }} is still here'),
            _("You left it in the basket. It is where you put it."),
            _("It is still in your basket"),
            _(
                "You put something in your basket and did not order it yet. Nothing was lost: go "
                "on where you stopped."
            ),
            (Goods(EVENT, _("In your basket"), 4),),
            _("Back to the basket"),
        ),
        "second": Letter(
            _("Can we help?"),
            _("About what you left in the basket."),
            _("Can we help?"),
            _(
                "Sometimes a question stands in the way: the size, the delivery, sending it back. "
                "Answer this mail and we will tell you.\n\nThis is the last mail about this "
                "basket."
            ),
            (Goods(EVENT, _("In your basket"), 4), Goods(PICKS, _("Or perhaps one of these"))),
            _("Back to the basket"),
        ),
    }


def _browse() -> dict[str, Letter]:
    return {
        "mail": Letter(
            _('{{ event.product.name|default("What you looked at") }}, and more like it'),
            _("What you looked at lately, and what goes with it."),
            _("Seen lately, and liked?"),
            _("You looked at this more than once. Here it is again, with a few things like it."),
            (Goods(EVENT, _("You looked at"), 1), Goods(PICKS, _("Chosen for you"))),
            _("Have another look"),
        ),
    }


def _after_purchase() -> dict[str, Letter]:
    return {
        "thanks": Letter(
            _("Thank you for your order"),
            _("And what to do if something is not right."),
            _('Thank you, {{ first_name|default("and welcome") }}.'),
            _(
                "We hope that everything arrived as it should. If something is broken, missing or "
                "simply not right, answer this mail and we will put it right."
            ),
            (Goods(EVENT, _("You ordered"), 6),),
        ),
        "ask": Letter(
            _("How is it?"),
            _("Two weeks on: one question."),
            _("How is it?"),
            _(
                "You have had your order for two weeks. Is it what you hoped for? Answer this mail "
                "with one sentence, good or bad. We read every one."
            ),
            (Goods(EVENT, _("You ordered"), 6),),
        ),
        "goes_with": Letter(
            _("Goes well with what you have"),
            _("Chosen by what people with the same order bought next."),
            _("Goes well with what you have"),
            _("People who ordered what you ordered came back for these."),
            (Goods(PICKS, "", 4),),
            _("See more"),
        ),
    }


def _win_back() -> dict[str, Letter]:
    return {
        "first": Letter(
            _("What is new since you were here"),
            _("It has been a while. A few things have changed."),
            _('{{ first_name|default("Hello") }}, it has been a while.'),
            _("A few things are new since your last order. These we would show you first."),
            (Goods(PICKS, _("New to you"), 4),),
            _("See what is new"),
        ),
        "second": Letter(
            _("Shall we keep writing?"),
            _("A last hello. You decide."),
            _("Shall we keep writing?"),
            _(
                "You have not ordered for months, and that is fine. If something went wrong, "
                "answer this mail and tell us. If you have had enough, the link below ends it at "
                "once."
            ),
            (Goods(PICKS, _("Otherwise, these are yours to look at")),),
            _("Have a look"),
        ),
    }


def _replenishment() -> dict[str, Letter]:
    return {
        "mail": Letter(
            _("Running low?"),
            _("About now people like you order again."),
            _("Running low?"),
            _(
                "Going by your earlier orders it may soon be time for the next one. What you order "
                "most often is a click away."
            ),
            (Goods(PICKS, _("Your next order, perhaps"), 4),),
            _("Order again"),
        ),
        "last": Letter(
            _("Ready when you are"),
            _("No hurry. It is all still here."),
            _("Ready when you are"),
            _("No hurry. When you need more, it is all here. We will not remind you of it again."),
            (Goods(PICKS, "", 3),),
            _("Order again"),
        ),
    }


def _birthday() -> dict[str, Letter]:
    return {
        "mail": Letter(
            _("Happy birthday{% if first_name %}, {{ first_name }}{% endif %}"),
            _("From all of us at {{ shop_name }}."),
            _("Happy birthday!"),
            _("We wish you a good day, and a good year after it.\n\nAll of us at {{ shop_name }}"),
            (Goods(PICKS, _("If you want to give yourself something")),),
            _("Have a look"),
        ),
    }


def _vip() -> dict[str, Letter]:
    return {
        "thanks": Letter(
            _("Thank you"),
            _("You are one of the people this shop lives by."),
            _("Thank you{% if first_name %}, {{ first_name }}{% endif %}."),
            _(
                "You are one of the people this shop lives by, and we wanted to say so. If there "
                "is anything that we could do better, answer this mail: it goes to somebody who "
                "can change it."
            ),
            (Goods(PICKS, _("Chosen for you"), 3),),
        ),
    }


def _churn() -> dict[str, Letter]:
    return {
        "first": Letter(
            _("We would like you to stay"),
            _("What can we do better?"),
            _("What can we do better?"),
            _(
                "It seems that you shop here less than you did. If we did something wrong, answer "
                "this mail and tell us. We would like to put it right."
            ),
            (Goods(PICKS, _("Chosen for you")),),
            _("Have a look"),
        ),
        "offer": Letter(
            _("Is there something we can do?"),
            _("A person reads your answer."),
            _("Is there something we can do?"),
            _(
                "We wrote a week ago and have not seen you since. Tell us what would make it easy "
                "for you to come back: a different delivery, another size, a better price. "
                "Somebody of us reads your answer and does what can be done."
            ),
            (Goods(PICKS, _("These are kept for you")),),
            _("Have a look"),
        ),
    }


_WRITTEN: dict[str, Callable[[], dict[str, Letter]]] = {
    "welcome": _welcome,
    "basket": _basket,
    "browse": _browse,
    "after_purchase": _after_purchase,
    "win_back": _win_back,
    "replenishment": _replenishment,
    "birthday": _birthday,
    "vip": _vip,
    "churn": _churn,
}


def of(key: str) -> dict[str, Letter]:
    """The mails of a ready journey by the step that sends them, in the language of the reader."""
    return _WRITTEN[key]()
