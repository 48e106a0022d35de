"""What one delivery of a shop says → tables. Runs inside the caller's transaction."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from ingestion import catalogue, people
from ingestion.intake import CustomerItem
from ingestion.models import Identity, Source, WebhookEndpoint, WebhookThing
from ingestion.preprocess import codes, titles
from ingestion.privacy import requests
from ingestion.webhooks import keeping, said, shopify, things, woocommerce
from ingestion.webhooks.said import Said
from marketing.core import brand

TOPICS = {
    WebhookEndpoint.Scheme.SHOPIFY: shopify.TOPICS,
    WebhookEndpoint.Scheme.WOOCOMMERCE: woocommerce.TOPICS,
}


@dataclass
class Outcome:
    """Whether a delivery changed anything, what it did in words, and whom it speaks of."""

    changed: bool = False
    told: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)


def store(*, source: Source, scheme: str, topic: str, body: Any, now: datetime) -> Outcome:
    """Store what a shop says. Raises said.Unclear for a payload that lacks what is needed."""
    reader = TOPICS[WebhookEndpoint.Scheme(scheme)].get(topic)
    if reader is None:
        raise said.Unclear("topic", "unknown_topic", topic)
    if not isinstance(body, dict):
        raise said.Unclear("", "not_an_object")
    outcome = Outcome()
    found = reader(body, now)
    newer = [one for one in found if _keep(source, one)]
    orders = sorted({one.parent or one.external_id for one in found if _is_order(one)})
    for number in orders:
        done = keeping.keep(source=source, external_id=number, now=now)
        outcome.changed |= done in ("stored", "gone")
        outcome.told.append(_order_words(done, number))
    outcome.changed |= any(one.kind == said.REFUND for one in newer)
    for one in found:
        outcome.names |= set(one.names)
        if one.kind == said.CUSTOMER and one in newer:
            outcome.changed |= _store_person(source, one, now)
            outcome.told.append(_("Person %(id)s") % {"id": one.external_id})
        elif one.kind == said.PRODUCT:
            outcome.changed |= _store_product(source, one, now)
            outcome.told.append(_("Product %(id)s") % {"id": one.external_id})
        elif one.kind == said.REQUEST:
            outcome.changed |= _ask(source, one, now)
            outcome.told.append(_("Request about person %(id)s") % {"id": one.external_id})
    return outcome


def _is_order(one: Said) -> bool:
    return one.kind in (said.ORDER, said.REFUND)


def _keep(source: Source, one: Said) -> bool:
    return one.kind != said.REQUEST and things.keep(source_id=source.pk, said=one)


def _order_words(done: str, number: str) -> str:
    words = {
        "stored": _("Order %(number)s was stored as it is now."),
        "unchanged": _("Order %(number)s: nothing newer than what is stored."),
        "waiting": _("The refund is kept until order %(number)s arrives."),
        "unpaid": _("Order %(number)s is not paid yet, so it is kept aside."),
        "gone": _("Order %(number)s was taken out: the shop deleted it."),
    }
    return words[done] % {"number": number}


def _store_person(source: Source, one: Said, now: datetime) -> bool:
    person = keeping.person_of(one.body["person"])
    answers = tuple(
        (
            answer["channel"],
            "marketing",
            answer["granted"],
            datetime.fromisoformat(answer["at"]) if answer["at"] else one.changed_at,
            {"where": source.name, "how": answer["how"], "at": answer["at"] or ""},
        )
        for answer in one.body["answers"]
    )
    done = people.upsert(items=[CustomerItem(person, answers)], source=source.name, now=now)
    return any(outcome != people.UNCHANGED for _id, outcome in done)


def _store_product(source: Source, one: Said, now: datetime) -> bool:
    """Bring its codes up to what is known; those that it has no longer are not on sale."""
    thing = WebhookThing.objects.get(source=source, kind=said.PRODUCT, external_id=one.external_id)
    items = [] if thing.gone else thing.body.get("items", [])
    made = [
        catalogue.Item(
            sku=codes.unify(item["sku"])[:60],
            name=titles.tidy(item["name"]),
            category=titles.tidy(item["category"]),
            price=None if item["price"] is None else Decimal(item["price"]),
            currency=brand.now().currency,
            url=item["url"],
            image_url=item["image_url"],
            stock=item["stock"],
            active=item["active"],
        )
        for item in items
    ]
    changed = bool(catalogue.upsert(items=made, now=now))
    old = {codes.unify(sku)[:60] for sku in thing.names} - {item.sku for item in made}
    return bool(catalogue.retire(skus=sorted(old))) or changed


def _ask(source: Source, one: Said, now: datetime) -> bool:
    """Put what the shop passes on into the queue of privacy requests; nothing is erased by it."""
    person = keeping.person_of(one.body["person"])
    found = (
        Identity.objects.filter(kind__in=("external", "email"), customer__isnull=False)
        .filter(value__in=[name for name in (person.external_id, person.email) if name])
        .order_by("id")
        .first()
    )
    if found is None or found.customer_id is None:
        return False
    requests.file(
        customer_id=found.customer_id,
        kind=one.body["request"],
        came_by=_("Webhook")[:40],
        note=_("Passed on by %(source)s.") % {"source": source.name},
        actor=None,
        now=now,
    )
    return True
