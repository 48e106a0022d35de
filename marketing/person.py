"""One person seen whole: what each app knows of them, in a handful of questions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns.manners import unsent
from campaigns.models import Message, Segment
from campaigns.segments import membership
from ingestion import consent
from ingestion import queries as facts
from ingestion.identity import panel
from ingestion.models import Consent, Customer, Order
from marketing.core import brand, wording
from models_ml import catalog
from models_ml import queries as numbers
from models_ml.queries import Person
from models_ml.views import title as model_title
from recommendations import serve

ORDERS, MESSAGES, EVENTS, PICKS, SEGMENTS = 12, 12, 40, 8, 30


@dataclass(frozen=True)
class Chip:
    """One answer about one channel, and why."""

    label: str
    tone: str
    why: str


@dataclass(frozen=True)
class Moment:
    """One line of the timeline."""

    at: datetime
    icon: str
    hue: str
    text: str
    detail: str
    url: str = ""


def seen_whole(customer: Customer) -> dict[str, Any]:
    """Everything the customer page shows."""
    person = numbers.for_customer(customer_id=customer.pk)
    known = list(facts.orders_of(customer_id=customer.pk, limit=EVENTS))
    orders = known[:ORDERS]
    messages = list(
        Message.objects.filter(customer=customer)
        .select_related("run__campaign")
        .only(
            *("state", "reason", "subject", "channel", "queued_at", "sent_at", "next_try_at"),
            *("run__name", "run__campaign__name"),
        )
        .order_by("-id")[:MESSAGES]
    )
    return {
        "customer": customer,
        "currency": orders[0].currency if orders else brand.now().currency,
        "chips": _chips(customer),
        "person": person,
        "told_by": _told_by(person),
        "numbers": _numbers(person, customer),
        "orders": orders,
        "spending": [float(order.total) for order in reversed(orders)],
        "messages_sent": [
            {
                "message": row,
                "url": _address("campaigns:message-detail", row.pk) if row.sent_at else "",
                "why": unsent.told(row),
            }
            for row in messages
        ],
        "timeline": _timeline(customer, known, messages),
        "picks": _picks(customer),
        "segments": _segments(customer),
        "panel": panel.of(customer),
    }


def _told_by(person: Person | None) -> str:
    """The model behind the chance, as it is called on screen, and its version."""
    if person is None or not person.model:
        return ""
    name, _sign, version = person.model.rpartition(" v")
    return _("%(model)s, version %(n)s") % {"model": model_title(name), "n": version}


def _picks(customer: Customer) -> list[dict[str, Any]]:
    current = serve.current_set()
    if current is None:
        return []
    entry = catalog.BY_ENGINE.get(current.engine)
    engine = str(entry.title) if entry else current.engine
    return [
        {
            "name": pick.name or pick.sku,
            "price": pick.price,
            "currency": pick.currency,
            "engine": engine,
            "why": pick.reason,
        }
        for pick in serve.for_customers([customer.pk], current=current)[customer.pk][:PICKS]
    ]


def _segments(customer: Customer) -> list[dict[str, str]]:
    """The live segments this person is in right now."""
    live = Segment.objects.filter(state=Segment.State.LIVE).only("name", "rule", "updated_at")
    live = live[:SEGMENTS]
    inside = membership.of_person(customer_id=customer.pk, segments=live)
    return [
        {"name": segment.name, "url": _address("campaigns:segment-edit", segment.pk)}
        for segment in live
        if segment.pk in inside
    ]


def _chips(customer: Customer) -> list[Chip]:
    """May we write, and why: consent, address and suppression, per channel that has an answer."""
    answers = {
        (row.channel, row.purpose): row
        for row in Consent.objects.filter(customer=customer, current=True)
    }
    addresses = {"email": customer.email or "", "sms": customer.phone, "push": ""}
    blocked = consent.suppressed(addresses, customer_id=customer.pk)
    chips = []
    for channel, name in (("email", _("E-mail")), ("sms", _("SMS")), ("push", _("Push"))):
        answer = answers.get((channel, "marketing"))
        if channel in blocked:
            chips.append(
                Chip(
                    _("%(channel)s: stopped") % {"channel": name},
                    "bad",
                    _why_stopped(blocked[channel]),
                )
            )
        elif answer is not None and answer.expires_at and answer.expires_at <= timezone.now():
            why = _("counted until %(day)s") % {"day": wording.day(answer.expires_at)}
            chips.append(Chip(_("%(channel)s: ran out") % {"channel": name}, "warn", why))
        elif answer is not None and answer.granted:
            why = _("agreed %(day)s, %(source)s") % {
                "day": wording.day(answer.at),
                "source": answer.source,
            }
            chips.append(Chip(_("%(channel)s: yes") % {"channel": name}, "good", why))
        elif answer is not None:
            why = _("declined %(day)s, %(source)s") % {
                "day": wording.day(answer.at),
                "source": answer.source,
            }
            chips.append(Chip(_("%(channel)s: no") % {"channel": name}, "bad", why))
        elif channel == "email":
            chips.append(
                Chip(_("E-mail: never asked"), "", _("no answer is stored, so nothing is sent"))
            )
    profiling = answers.get(("email", "profiling"))
    if profiling is not None and not profiling.granted:
        chips.append(
            Chip(
                _("No profiling"),
                "warn",
                _("declined %(day)s") % {"day": wording.day(profiling.at)},
            )
        )
    return chips


def _why_stopped(reason: str) -> str:
    return {
        "unsubscribed": _("they unsubscribed"),
        "bounced": _("their mailbox sent mail back"),
        "complained": _("they called our mail spam"),
        "manual": _("stopped by hand"),
        "imported": _("came with a list of addresses to leave alone"),
        "erased": _("the address was erased on request"),
    }.get(reason, reason)


def _numbers(person: Person | None, customer: Customer) -> list[dict[str, Any]]:
    """(label, text, predicted) of every number that is known."""
    if person is None:
        return []
    return [
        {
            "label": number.label,
            "text": _worded(number.value, number.unit, number.decimals),
            "ai": number.predicted,
        }
        for number in person.numbers
        if number.value is not None and not number.predicted
    ]


def _worded(value: float, unit: str, decimals: int) -> str:
    if unit == "money":
        return wording.money(value, brand.now().currency)
    if unit == "share":
        return wording.pct(value)
    if unit == "days":
        return ngettext("%(n)s day", "%(n)s days", round(value)) % {
            "n": wording.decimal(value, 0 if value > 9 else decimals)
        }
    return wording.decimal(value, 0 if float(value).is_integer() else decimals)


def _timeline(customer: Customer, orders: list[Order], messages: list[Message]) -> list[Moment]:
    """Orders, mails and events together, newest first."""
    looks = {"order": ("shopping-cart", "k2"), "return": ("truck-return", "k3")}
    titles = {"order": _("Order %(number)s"), "return": _("Return %(number)s")}
    moments = []
    for fact in facts.timeline(customer_id=customer.pk, limit=EVENTS, orders=orders):
        icon, hue = looks.get(fact.kind, ("activity", "k5"))
        if fact.kind in titles:
            text = titles[fact.kind] % {"number": fact.title}
            detail = wording.money(fact.amount, fact.currency)
        else:
            text, detail = fact.title.replace("_", " "), _short(fact.detail)
        moments.append(Moment(fact.at, icon, hue, text, detail))
    moments += [
        Moment(
            message.sent_at or message.queued_at,
            "mail",
            "k1",
            message.subject or message.run.title,
            message.get_state_display(),
            _address("campaigns:message-detail", message.pk) if message.sent_at else "",
        )
        for message in messages
    ]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)[:EVENTS]


def _short(properties: dict[str, Any]) -> str:
    parts = [
        f"{name} {value}"
        for name, value in properties.items()
        if isinstance(value, (str, int, float))
    ]
    return " · ".join(parts[:3])[:120]


def _address(name: str, *args: int) -> str:
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""
