"""What a training reads: the moments people are looked at, and the features looked at then.

The judging moment lies one horizon before the data's now, so that what followed is known. People
are learned from at earlier moments whose own horizons had ended by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Min
from django.utils.translation import gettext as _

from ingestion.models import Customer, Event, EventType, OrderLine
from marketing.core.errors import Conflict, Invalid
from models_ml.features import registry
from models_ml.features.registry import Feature
from models_ml.features.targets import Target
from models_ml.models import Prediction
from models_ml.predictions.definitions import Wishes

MOMENTS = 6
LEAST_HISTORY = timedelta(days=30)
SHORTEST_STEP = timedelta(days=7)
MOST_ROWS = 400_000
# A property learned after the moment for more than this share of people is not known of then.
UNSTEADY = 0.01


@dataclass(frozen=True, slots=True)
class Plan:
    """`judge` is the moment judged at, `earlier` those learned from (none: half of the people)."""

    judge: datetime
    earlier: tuple[datetime, ...]
    first: datetime | None

    @property
    def cuts(self) -> tuple[datetime, ...]:
        return (*self.earlier, self.judge)


def moments(*, target: Target, horizon: timedelta, as_of: datetime) -> Plan:
    """When to look; Invalid when the history is shorter than one horizon and a month."""
    as_of = as_of.replace(microsecond=0)
    first = first_fact(target=target)
    judge = as_of - horizon
    if first is None or judge - first < LEAST_HISTORY:
        days = 0 if first is None else max((as_of - first).days, 0)
        raise Invalid(
            _("The history is %(days)d days long, which is too short to learn from.")
            % {"days": days},
            code="history_too_short",
            remedy=_(
                "To look %(horizon)d days ahead, %(needed)d days of history are needed. Import"
                " older data, choose a shorter time to look ahead, or wait. Nothing was changed."
            )
            % {"horizon": horizon.days, "needed": (horizon + LEAST_HISTORY).days},
        )
    step = max(horizon / 2, SHORTEST_STEP)
    earlier = [judge - horizon - n * step for n in range(MOMENTS)]
    kept = tuple(sorted(moment for moment in earlier if moment - first >= LEAST_HISTORY))
    return Plan(judge, kept, first)


def first_fact(*, target: Target) -> datetime | None:
    """Since when the facts the target is about are known."""
    if target.event or target.own_moments:
        kind = target.event or "email_sent"
        found: datetime | None = Event.objects.filter(type=kind).aggregate(first=Min("at"))["first"]
        return found
    first: datetime | None = OrderLine.objects.aggregate(first=Min("placed_at"))["first"]
    return first


def share(*, moments: int) -> float:
    """The share of people to read so that a training has at most MOST_ROWS rows."""
    people = Customer.objects.count()
    return min(1.0, MOST_ROWS / max(people * moments, 1))


def specs(
    *, target: Target, wishes: Wishes, first: datetime, steady_from: datetime
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Which features to learn from, as JSON for `features_of`; and those left out, with why."""
    found: list[dict[str, Any]] = []
    if OrderLine.objects.exists():
        found += [{"of": "registry", "name": f.name} for f in registry.ORDERS]
    seen = set(EventType.objects.filter(first_seen_at__isnull=False).values_list("name", flat=True))
    found += [{"of": "registry", "name": f.name} for f in registry.EVENTS if seen & set(f.types)]
    if target.event:
        found.append({"of": "event", "event": target.event, "number": 0})
    dropped: list[dict[str, str]] = []
    for number, one in enumerate(wishes.attributes):
        spec = {"of": "person", "name": one.name, "kind": one.kind, "number": number}
        if one.name == target.attribute:
            dropped.append({"column": one.name, "why": "target"})
        elif target.timeless or one.steady or changed_since(name=one.name, since=steady_from) == 0:
            found.append(spec)
        elif changed_since(name=one.name, since=steady_from) > UNSTEADY:
            dropped.append({"column": one.name, "why": "learned_later"})
        else:
            found.append(spec)
    return found, dropped


def changed_since(*, name: str, since: datetime) -> float:
    """The share of people, of those with this property, of whom it was learned after a moment."""
    column = f"nullif(c.{name}, '')" if name in registry.COLUMNS else "c.attributes ->> %(name)s"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE coalesce("
            " (c.attribute_times #>> ARRAY[%(name)s, '0'])::numeric / 1000000,"
            " extract(epoch FROM c.created_at)) >= extract(epoch FROM %(since)s))"
            " FROM ingestion_customer AS c"
            f" WHERE c.merged_into_id IS NULL AND {column} IS NOT NULL",
            {"name": name, "since": since},
        )
        known, later = cursor.fetchone()
    return later / known if known else 0.0


def features_of(specs: Sequence[dict[str, Any]]) -> tuple[Feature, ...]:
    """The features that `specs` name. Conflict for one the registry no longer has."""
    found: list[Feature] = []
    for spec in specs:
        if spec["of"] == "registry":
            known = registry.BY_NAME.get(spec["name"])
            if known is None:
                raise Conflict(
                    _("The model reads “%(name)s”, which is no longer worked out.")
                    % {"name": spec["name"]},
                    code="feature_gone",
                    remedy=_("Train again."),
                )
            found.append(known)
        elif spec["of"] == "event":
            found += registry.of_event(name=spec["event"], number=spec["number"])
        else:
            found.append(
                registry.of_person(name=spec["name"], kind=spec["kind"], number=spec["number"])
            )
    return tuple(found)


def horizon_of(prediction: Prediction) -> timedelta:
    return timedelta(days=prediction.horizon_days)
