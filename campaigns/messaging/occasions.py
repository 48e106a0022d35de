"""What a message of a journey may say of what happened: `event` began the stay, `waited` ended the
last wait for an event.

Their properties are kept with the stay. Products that they name are looked up in the catalogue when
a message is written, so it shows today's name, price, picture and link.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
from django.db import connection
from django.db.models import Count, Q

from campaigns.messaging import context, rendering
from campaigns.models import Enrollment
from ingestion.models import EventType, Product
from ingestion.tracking import commerce
from marketing.core import brand

ROOTS = context.HAPPENED
# Made here of the products that an event names, whatever it calls them.
MADE = ("product", "products")
_LISTS = ("products", "items")
_NAMES = ("sku", "product_id")
MOST = rendering.MAX_ITEMS
_NEWEST = """
SELECT properties::text FROM ingestion_event
WHERE type = %s AND at >= %s AND (%s::bigint IS NULL OR customer_id = %s)
ORDER BY at DESC LIMIT 1
"""


def wanted(wants: Iterable[str]) -> list[str]:
    """The names among these that are about something that happened, in order."""
    return sorted(name for name in wants if name.partition(".")[0] in ROOTS)


def of_stays(*, entries: Collection[int], wants: Collection[str]) -> dict[int, dict[str, Any]]:
    """`event` and `waited` by the number of the stay, for templates that name them."""
    names = wanted(wants)
    if not names or not entries:
        return {}
    rows = Enrollment.objects.filter(pk__in=set(entries)).values_list("pk", "context", "waited")
    found = [(pk, {"event": event or {}, "waited": waited or {}}) for pk, event, waited in rows]
    return dict(
        zip([pk for pk, _ in found], _told([said for _, said in found], names), strict=True)
    )


def sample(*, wants: Collection[str], customer_id: int | None) -> dict[str, Any]:
    """A real event such as the template speaks of: the newest of this person, else of anybody."""
    names = wanted(wants)
    if not names:
        return {}
    said = {
        root: _newest({name for name in names if name.partition(".")[0] == root}, customer_id)
        for root in ROOTS
    }
    return _told([said], names)[0]


def _newest(names: Collection[str], customer_id: int | None) -> dict[str, Any]:
    properties = {name.split(".")[1] for name in names if "." in name}
    if not properties:
        return {}
    if properties & set(MADE):
        properties |= {*_LISTS, *_NAMES}
    fits = Count("properties", filter=Q(properties__name__in=properties))
    kind = (
        EventType.objects.annotate(fits=fits)
        .filter(fits__gt=0)
        .order_by("-fits", "-last_seen_at")
        .first()
    )
    if kind is None:
        return {}
    return newest(type=kind.name, customer_id=customer_id)


def newest(*, type: str, customer_id: int | None) -> dict[str, Any]:
    """The properties of the newest event of a type, of this person if they have any."""
    seen = EventType.objects.filter(name=type).values_list("last_seen_at", flat=True).first()
    if seen is None:
        return {}
    with connection.cursor() as cursor:
        for person in dict.fromkeys((customer_id, None)):
            cursor.execute(_NEWEST, [type, seen - timedelta(days=30), person, person])
            if row := cursor.fetchone():
                return dict(orjson.loads(row[0]))
    return {}


def _told(said: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Properties made fit for templates; with `product` and `products` where they are named."""
    asked = {
        root: any(name.startswith(tuple(f"{root}.{made}" for made in MADE)) for name in names)
        for root in ROOTS
    }
    lines = {
        (place, root): _lines(one[root]) if asked[root] else []
        for place, one in enumerate(said)
        for root in ROOTS
    }
    codes = {code for some in lines.values() for line in some if (code := _code(line))}
    known = {p.sku: p for p in Product.objects.filter(sku__in=codes)} if codes else {}
    told = []
    for place, one in enumerate(said):
        values: dict[str, Any] = {}
        for root in ROOTS:
            properties = dict(one[root])
            if asked[root]:
                shown = [_product(line, known.get(_code(line))) for line in lines[place, root]]
                properties["products"] = shown
                properties["product"] = shown[0] if shown else {}
            values[root] = rendering.clean(properties)
        told.append(values)
    return told


def _lines(properties: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The products that an event names: a list of them, or the one that it is about."""
    for name in _LISTS:
        found = properties.get(name)
        if isinstance(found, list) and (some := [x for x in found if isinstance(x, Mapping)]):
            return some[:MOST]
    one = properties.get("product")
    if isinstance(one, Mapping):
        return [one]
    return [properties] if _code(properties) else []


def _code(properties: Mapping[str, Any]) -> str:
    return commerce.stock_code(properties)


def _product(line: Mapping[str, Any], known: Product | None) -> dict[str, Any]:
    """A product as templates see it: as the catalogue has it today, else as the event said."""
    said = {name: value for name, value in line.items() if isinstance(value, str | int | float)}
    shown = context.product(_Named(line, known))
    return {**said, **{name: value for name, value in shown.items() if value}, "reason": ""}


class _Named:
    """A product of an event, by the names of a pick."""

    reason = ""

    def __init__(self, line: Mapping[str, Any], known: Product | None) -> None:
        self.sku = known.sku if known else _code(line)
        self.name = (known.name if known else "") or _text(line, "name", "title") or self.sku
        self.price = known.price if known and known.price is not None else _amount(line)
        self.currency = known.currency if known else _text(line, "currency")
        self.currency = self.currency or brand.now().currency
        self.url = (known.url if known else "") or _text(line, "url")
        self.image_url = (known.image_url if known else "") or _text(line, "image_url", "image")


def _text(line: Mapping[str, Any], *names: str) -> str:
    return next((v for name in names if isinstance(v := line.get(name), str) and v), "")


def _amount(line: Mapping[str, Any]) -> Decimal | None:
    said = line.get("price")
    if isinstance(said, bool) or not isinstance(said, int | float | str):
        return None
    try:
        found = Decimal(str(said))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None
