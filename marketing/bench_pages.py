"""How soon the pages of a large shop answer, beside each other: nobody may sweep everybody while
somebody waits.

Every page without arguments is looked at as an admin sees it, and those of a person, a segment, a
prediction and a campaign whose people a model chooses. What a page asks for beside itself is asked
for as well. Everything done is taken back.
"""

import json
import statistics
import time
from collections.abc import Iterator

from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from campaigns.models import Campaign, Segment, Template
from campaigns.segments import upkeep
from ingestion.benchmarks import measuring
from ingestion.benchmarks.measuring import Line
from ingestion.models import Customer
from marketing.core import auth
from models_ml import features, watched
from models_ml.benchmarks import shops
from models_ml.insights import stage_history

MOST_SECONDS = 1.0
TOLD = 15
LOOKS = 3
ROOMS = ("core", "ingestion", "models_ml", "recommendations", "campaigns")
# Pages that end a sign-in, or stand for a file.
NOT_ASKED = {"logout", "login", "cohorts-csv", "demand-forecast"}
OFTEN = {
    "all": [
        {"bought": {"any": True}, "at_least": 2, "days": 90},
        {"field": "customer.country", "op": "=", "value": "GB"},
        {"not": {"field": "suppressed.email", "op": "=", "value": True}},
    ]
}
BEST = {"score": "bench", "op": "top", "value": 10}


def large(size: str = "small") -> list[Line]:
    """Seconds of each page; the slowest are told, and how many take longer than they may."""
    people, lines = shops.SHOPS[size]
    with shops.shop(people, lines, furnished=True):
        addresses = dict(_plain()) | _furnished()
        client = _signed_in()
        first: dict[str, float] = {}
        later: dict[str, float] = {}
        failed: set[str] = set()
        for name, (address, form) in addresses.items():
            looks = [_seconds(client, address, form, failed) for _look in range(LOOKS)]
            taken = [seconds for seconds in looks if seconds is not None]
            if len(taken) == LOOKS:
                first[name], later[name] = taken[0], statistics.median(taken[1:])
    slowest = sorted(later, key=lambda name: -later[name])
    over = [name for name in slowest if later[name] > MOST_SECONDS]
    worst = max(later.values())
    found: list[Line] = [
        measuring.figure(
            "pages.large",
            "s, the slowest page",
            people,
            [worst],
            most=MOST_SECONDS,
            runs=LOOKS - 1,
            pages=len(later),
            over=len(over),
            failed=sorted(failed),
            middle=round(statistics.median(later.values()), 3),
        )
    ]
    for name in slowest[:TOLD]:
        told = {"name": f"pages.large {name}", "value": round(later[name], 3), "unit": "s"}
        found.append(told | {"n": people, "first": round(first[name], 3)})
    return found


def _plain() -> Iterator[tuple[str, tuple[str, dict[str, str] | None]]]:
    """The pages that need no argument, by name."""
    yield "home", (reverse("home"), None)
    for entry in get_resolver().url_patterns:
        if not isinstance(entry, URLResolver) or entry.namespace not in ROOMS:
            continue
        for pattern in entry.url_patterns:
            if not isinstance(pattern, URLPattern) or pattern.pattern.converters:
                continue
            if pattern.name and pattern.name not in NOT_ASKED and str(pattern.pattern)[-1:] == "/":
                name = f"{entry.namespace}:{pattern.name}"
                yield name, (reverse(name), None)


def _furnished() -> dict[str, tuple[str, dict[str, str] | None]]:
    """A segment with members, a campaign to be checked, and pages with arguments."""
    now = shops.NOW
    if not shops.kept():
        shops.events(now=now)
        features.build(as_of=now)
    shops.scored()
    stage_history.build(now=now)
    watched.watch(name="gender", actor=None, now=now)
    often = Segment.objects.create(name="Often", rule=OFTEN)
    best = Segment.objects.create(name="Best", rule=BEST)
    upkeep.refresh(now=now, seconds=3600)
    template = Template.objects.create(name="Bench", subject="Hello")
    campaign = Campaign.objects.create(name="Bench", segment=best, template=template)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    person = Customer.objects.order_by("id")[100].pk
    asked = {"rule": json.dumps(OFTEN), "token": ""}
    found: dict[str, tuple[str, dict[str, str] | None]] = {
        "builder, counting": (reverse("campaigns:segment-preview"), asked),
        "builder, overlap": (reverse("campaigns:segment-overlap"), asked),
    }
    for name, arguments, query in (
        ("customer", [person], ""),
        ("ingestion:customer-list", [], "?q=bench-77"),
        ("ingestion:person-privacy", [person], ""),
        ("campaigns:segment-edit", [often.pk], ""),
        ("campaigns:segment-people", [often.pk], ""),
        ("campaigns:campaign-detail", [campaign.pk], ""),
        ("campaigns:campaign-audience", [campaign.pk], ""),
        ("campaigns:campaign-check", [campaign.pk], ""),
        ("campaigns:campaign-fair", [campaign.pk], ""),
        ("campaigns:campaign-reach", [], f"?segment_id={best.pk}&campaign={campaign.pk}"),
        ("models_ml:prediction", ["bench"], ""),
        ("models_ml:person-scores", [person], ""),
        ("models_ml:rfm-people", [], "?r=12345"),
        ("models_ml:rfm-people", [], "?group=champions"),
        ("models_ml:stage-people", [], "?stage=at_risk"),
        ("models_ml:cohorts", [], "?act=did&unit=week"),
    ):
        found[f"{name}{query}"] = (reverse(name, args=arguments) + query, None)
    return found


def _signed_in() -> Client:
    auth.create_roles()
    user = auth.without_password(login="bench-pages")
    user.groups.add(Group.objects.get(name=auth.ADMIN))
    client = Client(raise_request_exception=False)  # one broken page hides no other's figure
    client.force_login(user)
    return client


def _seconds(
    client: Client, address: str, form: dict[str, str] | None, failed: set[str]
) -> float | None:
    """Seconds of one look; None for what is no page. One that breaks is noted in `failed`."""
    with transaction.atomic():  # what breaks in one page is not to break the next
        with connection.cursor() as cursor:  # which the page before may have left shorter
            cursor.execute("SET LOCAL statement_timeout = 0")
        began = time.perf_counter()
        if form is None:
            answer = client.get(address, headers={"host": "localhost"})
        else:
            answer = client.post(address, form, headers={"host": "localhost"})
        taken = time.perf_counter() - began
        transaction.set_rollback(answer.status_code >= 500)
    if answer.status_code == 500:
        failed.add(address)
    # What took too long and was refused is told as what it took, too.
    return taken if answer.status_code in (200, 500, 503) else None


WORKLOADS = {"pages.large": large}
