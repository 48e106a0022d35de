"""A small campaign of ads for the demo shop: four weeks of a seeded log, until now.

The log goes through the same door as anybody's. Some of the demo's people are said to have agreed
to ads, with the proof that they are made up.
"""

from contextlib import suppress
from datetime import datetime, timedelta

from django.db import transaction

from campaigns.ads import defining, permission, sharing, steering, storing
from campaigns.ads.simulated import World
from campaigns.models import AdCampaign
from ingestion import consent
from ingestion.models import Customer
from marketing.core.errors import Conflict
from marketing.core.models import User

KEY = "demo-autumn"
DAYS = 28
A_DAY = 1_200
PEOPLE = 1_500
PLACEMENTS = {"demo-home-top": "Home page, top", "demo-product-side": "Product page, side"}
CREATIVES = {
    "demo-teapot": ("Teapots", "A cup for every afternoon"),
    "demo-lights": ("Lights", "Lights for long evenings"),
    "demo-gifts": ("Gifts", "Small gifts, well wrapped"),
}


def fill(*, user: User | None, now: datetime) -> AdCampaign:
    """The demo's campaign with its log; again it adds only what is missing."""
    people = _agreed(user, now)
    with transaction.atomic():
        ad = AdCampaign.objects.filter(key=KEY).first() or _made(user, now)
    world = World(
        creatives=list(CREATIVES), placements=list(PLACEMENTS), people=people, seed=20261122
    )
    # Whole hours, so that the same hour asked again makes the same log.
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=DAYS)
    for day in range(DAYS):
        start = first + timedelta(days=day)
        hits = list(world.day(start, A_DAY, until=now))
        storing.store(batch=dict(enumerate(hits)), now=now)
    # Nothing was paced here: the controller begins with the day as it stands.
    AdCampaign.objects.filter(pk=ad.pk).update(pace={})
    steering.steer_all(now=now)
    sharing.share(ad_id=ad.pk, now=now)
    return ad


def _made(user: User | None, now: datetime) -> AdCampaign:
    today = now.date()
    for key, name in PLACEMENTS.items():
        defining.save_placement(key=key, values={"name": name}, actor=user, now=now)
    values = {
        "name": "Autumn in the shop",
        "goal": "click",
        "budget": "140",
        "daily_cap": "4",
        "pricing": "cpm",
        "price": "2.5",
        "starts_on": today - timedelta(days=DAYS),
        "ends_on": today + timedelta(days=27),
        "mode": "bandit",
        "placements": list(PLACEMENTS),
    }
    ad, _new = defining.save(key=KEY, values=values, actor=user, now=now)
    for key, (name, headline) in CREATIVES.items():
        defining.save_creative(
            ad_key=KEY, key=key, values={"name": name, "headline": headline}, actor=user, now=now
        )
    AdCampaign.objects.filter(pk=ad.pk).update(is_demo=True)
    return defining.move(key=KEY, to="start", actor=user, now=now)


def _agreed(user: User | None, now: datetime) -> list[tuple[str, int]]:
    """Demo people said to have agreed to ads: their number, and the band of their last order."""
    if not permission.is_asked():
        with suppress(Conflict):
            permission.add_purpose(user=user, now=now)
    rows = list(
        Customer.objects.filter(is_demo=True)
        .exclude(external_id=None)
        .order_by("pk")
        .values_list("pk", "external_id", "traits__recency_days")[:PEOPLE]
    )
    answers = [
        consent.Answer(
            pk, True, now - timedelta(days=DAYS), {"demo": True, "how": "made up"}, "demo"
        )
        for pk, _external, _recency in rows
    ]
    consent.record(answers=answers, purpose=permission.PURPOSE, source="demo", now=now)
    return [(str(external), _band(recency)) for _pk, external, recency in rows]


def _band(days: float | None) -> int:
    if days is None:
        return 0
    return next((band for band, most in ((1, 30), (2, 90), (3, 365)) if days <= most), 4)
