"""The list of people: search, filters, order and pages by cursor."""

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from django.db.models import F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _

from ingestion import consent
from ingestion.models import Customer
from ingestion.preprocess import countries
from marketing.core import brand
from marketing.core.auth import page

PER_PAGE = 50
ORDERS: dict[str, tuple[Any, str]] = {
    "recent": (_("Last order"), "rollup__last_order_at"),
    "revenue": (_("Money spent"), "rollup__revenue"),
    "orders": (_("Orders"), "rollup__orders"),
    "new": (_("Newest"), "id"),
}
REACH: dict[str, Any] = {
    "": _("Everyone"),
    "yes": _("May be mailed"),
    "no": _("May not be mailed"),
}


@dataclass(frozen=True)
class Wish:
    """What the reader asked for, with anything unknown put right."""

    text: str
    country: str
    reach: str
    order: str
    after: str

    @classmethod
    def read(cls, request: HttpRequest) -> "Wish":
        get = request.GET
        return cls(
            get.get("q", "").replace("\0", "").strip()[:100],
            get.get("country", "")[:2].upper(),
            get.get("reach", "") if get.get("reach", "") in REACH else "",
            get.get("order", "") if get.get("order", "") in ORDERS else "recent",
            get.get("after", "")[:300],
        )


@page("view")
def customer_list(request: HttpRequest) -> HttpResponse:
    """People, 50 at a time. With htmx only the rows are drawn again."""
    wish = Wish.read(request)
    found = matching(wish)
    total = found.count()
    rows, following = one_page(found, wish)
    context = {
        "wish": wish,
        "rows": rows,
        "total": total,
        "next": following,
        "orders": [(key, label) for key, (label, _column) in ORDERS.items()],
        "reaches": list(REACH.items()),
        "currency": brand.now().currency,
    }
    if request.headers.get("HX-Request") and request.headers.get("HX-Target") == "people-rows":
        return render(request, "ingestion/_people_rows.html", context)
    codes = (
        Customer.objects.exclude(country="").order_by().values_list("country", flat=True).distinct()
    )
    context["countries"] = sorted(
        ((code, countries.name(code)) for code in codes), key=lambda pair: pair[1]
    )
    return render(request, "ingestion/customer_list.html", context)


def matching(wish: Wish) -> QuerySet[Customer]:
    """The people that fit the search and the filters."""
    people = Customer.objects.all()
    for word in wish.text.split()[:4]:
        people = people.filter(
            Q(first_name__istartswith=word)
            | Q(last_name__istartswith=word)
            | Q(email__startswith=word.lower())
            | Q(external_id__startswith=word)
        )
    if wish.country:
        people = people.filter(country=wish.country)
    people = consent.mailable(people)
    if wish.reach == "yes":
        people = people.filter(Q(reason=""))
    elif wish.reach == "no":
        people = people.filter(~Q(reason=""))
    return people


def one_page(people: QuerySet[Customer], wish: Wish) -> tuple[list[Customer], str]:
    """The rows after the cursor, and the cursor of the next page (empty on the last one).

    People without a value in the column of the order come last.
    """
    column = ORDERS[wish.order][1]
    place = _unpack(wish.after)
    if place is not None:
        value, last_id = place
        behind = Q(**{f"{column}__isnull": True})
        if value is None:
            people = people.filter(behind, id__lt=last_id)
        elif column == "id":
            people = people.filter(id__lt=last_id)
        else:
            people = people.filter(
                Q(**{f"{column}__lt": value}) | Q(**{column: value, "id__lt": last_id}) | behind
            )
    # Whoever has a value first, by the index; without it everybody would be sorted.
    known = people.filter(**{f"{column}__isnull": False}).order_by(F(column).desc(), "-id")
    nobody = place is not None and place[0] is None
    ids = [] if nobody else list(known.values_list("pk", flat=True)[: PER_PAGE + 1])
    if len(ids) <= PER_PAGE and column != "id":
        rest = people.filter(**{f"{column}__isnull": True}).order_by("-id")
        ids += rest.values_list("pk", flat=True)[: PER_PAGE + 1 - len(ids)]
    # What is shown of them is asked of them alone.
    shown = consent.mailable(Customer.objects.filter(pk__in=ids)).select_related("rollup")
    by_id = {person.pk: person for person in shown}
    rows = [by_id[number] for number in ids if number in by_id]
    more = len(rows) > PER_PAGE
    rows = rows[:PER_PAGE]
    if not more:
        return rows, ""
    last = rows[-1]
    rollup = getattr(last, "rollup", None)
    value = last.pk if column == "id" else getattr(rollup, column.removeprefix("rollup__"), None)
    return rows, _pack(value, last.pk)


def _pack(value: Any, last_id: int) -> str:
    shown = str(value) if isinstance(value, Decimal) else value
    return base64.urlsafe_b64encode(orjson.dumps([shown, last_id])).decode().rstrip("=")


def _unpack(cursor: str) -> tuple[Any, int] | None:
    """The place that a cursor names; None for no cursor or a forged one."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        value, last_id = orjson.loads(raw)
        if not isinstance(last_id, int) or isinstance(value, (list, dict, bool)):
            return None
        if isinstance(value, str):
            value = datetime.fromisoformat(value) if "T" in value else Decimal(value)
        return value, last_id
    except (ValueError, binascii.Error, InvalidOperation, TypeError):
        return None
