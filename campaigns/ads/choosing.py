"""Which creative for this placement and person now: a look-up, a draw and one statement.

What may be shown, how often and for how much is kept for seconds by each process. A campaign is
drawn by what it offers, held back by its pace, and its creative drawn by the shares of its newest
round; that share is written down as the chance by which the creative was chosen, so that it can be
judged later what others would have earned. The money an impression may cost is taken from a purse
of the day in the same statement, and there is only so much in purses as the day's cap holds.
"""

import random
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Prefetch, Sum
from django.utils.translation import gettext as _

from campaigns.ads import features, pacing, permission, purses, steering, storing
from campaigns.ads.features import Facts, Table
from campaigns.models import AdCampaign, AdCreative, AdHour, AdPlacement, AdRound
from ingestion.identity.names import ANONYMOUS, EMAIL, EXTERNAL
from marketing.core.errors import NotFound
from models_ml.models import ModelVersion

CTR, CVR = "ads:ctr", "ads:cvr"
KEPT_SECONDS = 2.0
NONE, PACED, SPENT = "nothing", "paced", "spent"
FIXED, SHARED, SUITED = "fixed", "shares", "person"
_PERSON = f"""
SELECT c.id, c.country, {storing.RECENCY}, {storing.ORDERS},
    {permission.sql("c.id")}
FROM ingestion_identity i JOIN ingestion_customer c ON c.id = i.customer_id
LEFT JOIN models_ml_traits t ON t.customer_id = c.id
WHERE i.kind = %(kind)s AND i.value = %(value)s AND NOT i.refused"""
_PROMISE = """
WITH purse AS (
    SELECT slot FROM campaigns_adpurse
    WHERE ad_id = %(ad)s AND day = %(day)s AND money >= %(price)s
    ORDER BY slot <> %(slot)s LIMIT 1 FOR UPDATE SKIP LOCKED),
paid AS (
    UPDATE campaigns_adpurse p SET money = money - %(price)s FROM purse
    WHERE p.ad_id = %(ad)s AND p.day = %(day)s AND p.slot = purse.slot RETURNING 1)
INSERT INTO campaigns_adchoice (key, at, ad_id, creative_id, placement_id, customer_id, day, chance,
    price, reason, shown, freed)
SELECT %(key)s, %(now)s, %(ad)s, %(creative)s, %(placement)s, %(customer)s, %(day)s, %(chance)s,
    %(price)s, %(reason)s, false, false FROM paid"""


class Viewer(NamedTuple):
    """Who is looking: our number only where they agreed to ads."""

    customer_id: int | None = None
    country: str = ""
    recency: int = 0
    orders: int = 0


@dataclass(frozen=True)
class Offer:
    """A running campaign in a placement. `price` is what an impression may cost it at most, or is
    expected to at most where a `click` is paid for. `late` is what clicks on impressions whose
    price is not kept any more may still cost today.
    """

    ad: AdCampaign
    creatives: tuple[AdCreative, ...]
    shares: tuple[float, ...]
    price: Decimal
    chance: float
    table: Table | None
    click: Decimal | None = None
    late: Decimal = Decimal(0)


@dataclass(frozen=True)
class Answer:
    """What to show, by which decision, by what chance; or why nothing."""

    reason: str
    decision: uuid.UUID | None = None
    offer: Offer | None = None
    creative: AdCreative | None = None
    chance: float = 0.0


@dataclass(frozen=True)
class Policy:
    """What may be shown where, as one look at the rows found it."""

    placements: Mapping[str, int]
    offers: Mapping[int, tuple[Offer, ...]]


_kept: tuple[float, Policy | None] = (0.0, None)
_tables: dict[int, Table] = {}


def forget() -> None:
    """Look at the rows again next time."""
    global _kept
    _kept = (0.0, None)


def policy(*, now: datetime) -> Policy:
    """What may be shown, at most two seconds old."""
    global _kept
    clock = time.monotonic()
    if _kept[1] is None or _kept[0] <= clock:
        _kept = (clock + KEPT_SECONDS, look(now=now))
    assert _kept[1] is not None
    return _kept[1]


def look(*, now: datetime) -> Policy:
    """What may be shown, from the rows."""
    running = AdCampaign.objects.filter(state=AdCampaign.State.RUNNING).prefetch_related(
        Prefetch("creatives", AdCreative.objects.filter(active=True)), "placements"
    )
    ads = list(running)
    rounds = {
        one.ad_id: one
        for one in AdRound.objects.filter(ad__in=ads)
        .order_by("ad_id", "-at", "-id")
        .distinct("ad_id")
    }
    rates = {
        ad: (int(n or 0), int(clicks or 0))
        for ad, n, clicks in AdHour.objects.filter(
            ad__in=[ad for ad in ads if ad.pricing == AdCampaign.Pricing.CLICK]
        )
        .values_list("ad")
        .annotate(Sum("impressions"), Sum("clicks"))
    }
    offers: dict[int, list[Offer]] = {}
    for ad in ads:
        made = _offer(ad, rounds.get(ad.pk), rates.get(ad.pk, (0, 0)), now)
        if made is not None:
            for placement in ad.placements.all():
                offers.setdefault(placement.pk, []).append(made)
    return Policy(
        dict(AdPlacement.objects.values_list("key", "pk")),
        {placement: tuple(found) for placement, found in offers.items()},
    )


def _offer(
    ad: AdCampaign, newest: AdRound | None, rate: tuple[int, int], now: datetime
) -> Offer | None:
    creatives = tuple(ad.creatives.all())
    shares = shares_of(ad, creatives, newest)
    pace = ad.pace or {}
    fresh = pace.get("day") == steering.today_of(ad, now).isoformat()
    chance = float(pace.get("chance") or 0.0) if fresh else 0.0
    if not creatives or sum(shares) <= 0 or chance <= 0:
        return None
    bid = Decimal(str(round(float(pace.get("bid") or 1.0), 6)))
    each = ad.price * bid
    if ad.pricing == AdCampaign.Pricing.IMPRESSIONS:
        price = each / 1000
    else:
        # A click pays: an impression may cost as much as the rate of clicks can turn out to be.
        price = each * Decimal(str(pacing.highest_rate(clicks=rate[1], n=rate[0])))
    person = ad.mode == AdCampaign.Mode.PERSON and newest is not None and newest.reason == SUITED
    name = CVR if ad.goal == AdCampaign.Goal.CONVERSION else CTR
    table = live_table(name) if person else None
    price = max(price.quantize(Decimal("0.000001")), Decimal("0.000001"))
    click = each if ad.pricing == AdCampaign.Pricing.CLICK else None
    late = Decimal(str(pace.get("late") or 0)) if click is not None else Decimal(0)
    return Offer(ad, creatives, tuple(shares), price, chance, table, click, late)


def shares_of(
    ad: AdCampaign, creatives: tuple[AdCreative, ...], newest: AdRound | None
) -> list[float]:
    """How often each creative is shown: by the newest round, or by the weights."""
    weights = [float(one.weight) for one in creatives]
    if ad.mode != AdCampaign.Mode.FIXED and newest is not None:
        found = [float(newest.shares.get(str(one.pk), 0.0)) for one in creatives]
        # A creative that is newer than the round waits for no round to be tried.
        fair = 1 / len(creatives)
        known = [str(one.pk) in newest.shares for one in creatives]
        found = [share if old else fair for share, old in zip(found, known, strict=True)]
        weights = found if sum(found) > 0 else weights
    total = sum(weights)
    return [weight / total for weight in weights] if total > 0 else [0.0] * len(creatives)


def live_table(name: str) -> Table | None:
    """The table of the live version of a model, read once a process."""
    found = ModelVersion.objects.filter(name=name, state=ModelVersion.State.LIVE)
    number = found.values_list("pk", flat=True).first()
    if number is None:
        return None
    if number not in _tables:
        version = found.filter(pk=number).first()
        if version is None or "table" not in version.details:
            return None
        if len(_tables) > 8:
            _tables.clear()
        _tables[number] = Table.of_json(version.details["table"])
    return _tables[number]


def viewer(
    *, external_id: str = "", email: str = "", anonymous_id: str = "", now: datetime
) -> Viewer:
    """Who somebody is, as far as they agreed to be known for ads."""
    names = ((EXTERNAL, external_id), (EMAIL, email), (ANONYMOUS, anonymous_id))
    kind, value = next((pair for pair in names if pair[1]), ("", ""))
    if not kind:
        return Viewer()
    with connection.cursor() as cursor:
        cursor.execute(_PERSON, {"kind": kind, "value": value, "now": now})
        row = cursor.fetchone()
    return Viewer(*row[:4]) if row and row[4] else Viewer()


def choose(
    *, placement: str, who: Viewer, device: int = 0, country: str = "", now: datetime,
    draw: Callable[[], float] = random.random,
) -> Answer:  # fmt: skip
    """Draw a campaign and a creative, and promise the money. NotFound for an unknown placement."""
    known = policy(now=now)
    place = known.placements.get(placement)
    if place is None:
        raise NotFound(
            _("There is no placement with this key."), code="unknown_placement", field="placement"
        )
    open_to = list(known.offers.get(place, ()))
    spent = False
    while open_to:
        total = float(sum(offer.price for offer in open_to))
        offer = _drawn(open_to, [float(offer.price) / total for offer in open_to], draw())
        if draw() >= offer.chance:
            return Answer(PACED)
        shares, reason = _shares(offer, place, who, device, country, now)
        creative = _drawn(offer.creatives, shares, draw())
        chance = shares[offer.creatives.index(creative)]
        key = uuid.uuid4()
        if _promised(key, offer, creative, place, who, chance, reason, now):
            return Answer(reason, key, offer, creative, chance)
        # Whose day is spent is not there any more: the others are drawn as if it never was.
        open_to.remove(offer)
        spent = True
    return Answer(SPENT if spent else NONE)


def _drawn(things: Any, shares: Any, number: float) -> Any:
    edge = 0.0
    for thing, share in zip(things, shares, strict=True):
        edge += share
        if number < edge:
            return thing
    return next(t for t, s in reversed(list(zip(things, shares, strict=True))) if s > 0)


def _shares(
    offer: Offer, place: int, who: Viewer, device: int, country: str, now: datetime
) -> tuple[list[float], str]:
    if offer.table is None:
        mode = FIXED if offer.ad.mode == AdCampaign.Mode.FIXED else SHARED
        return list(offer.shares), mode
    chances = [
        offer.table.chance(
            Facts(
                one.pk, place, now.hour, now.weekday(), device, country or who.country,
                who.recency, who.orders,
            )
        )
        for one in offer.creatives
    ]  # fmt: skip
    return features.suited(chances, floor=offer.ad.floor_percent / 100), SUITED


def _promised(
    key: uuid.UUID, offer: Offer, creative: AdCreative, place: int, who: Viewer, chance: float,
    reason: str, now: datetime,
) -> bool:  # fmt: skip
    slot, day = random.randrange(purses.PURSES), steering.today_of(offer.ad, now)
    values = {
        "key": key, "now": now, "ad": offer.ad.pk, "creative": creative.pk, "placement": place,
        "customer": who.customer_id, "price": offer.price, "day": day, "slot": slot,
        "chance": chance, "reason": reason,
    }  # fmt: skip
    if _paid(values):
        return True
    with transaction.atomic():
        filled = purses.fill(
            ad_id=offer.ad.pk, day=day, slot=slot, price=offer.price, click=offer.click,
            late=offer.late,
        )  # fmt: skip
        return filled and _paid(values)


def _paid(values: dict[str, Any]) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_PROMISE, values)
        return cursor.rowcount == 1
