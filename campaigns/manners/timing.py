"""When a campaign means each person to have it: the same moment, hour of their clock, or best hour.

The moments are worked out by zone and hour, not by person, and joined to the audience in the one
statement that makes its rows.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any
from zoneinfo import available_timezones

from django.utils.translation import gettext as _

from campaigns.manners import clocks
from campaigns.models import Campaign
from marketing.core import brand
from marketing.core.errors import Invalid
from models_ml.predictions import hours

FIELDS = ("timing", "local_time", "if_passed", "useful_hours", "urgent")
USEFUL_MOST = 720
Timing, Passed = Campaign.Timing, Campaign.Passed
_PLACE = "coalesce(campaigns_zone(place.timezone, place.country), %s)"


@dataclass(frozen=True)
class Moments:
    """SQL for the statement that makes the rows: `join` with its `params`, and the columns' values.

    `join` follows a table `judged` with customer_id and reason.
    """

    not_before: str = "NULL::timestamptz"
    expires: str = "NULL::timestamptz"
    join: str = ""
    params: list[Any] = field(default_factory=list)


def checked(field_name: str, value: Any) -> Any:
    """One of FIELDS as it is kept. Invalid, by field, when it cannot be."""
    text = str(value).strip()
    if field_name == "urgent":
        if text.lower() not in ("true", "false", "on", "", "none"):
            raise Invalid(_("This is yes or no."), code="bad_flag", field=field_name)
        return text.lower() in ("true", "on")
    if field_name == "useful_hours":
        if value is None or text == "":
            return None
        hours_long = int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0
        if not 1 <= hours_long <= USEFUL_MOST:
            raise Invalid(
                _("It may be useful for 1 to %(n)d hours; leave it empty for no end.")
                % {"n": USEFUL_MOST},
                code="bad_hours",
                field=field_name,
            )
        return hours_long
    if field_name == "local_time":
        try:
            at = value if isinstance(value, time) else time.fromisoformat(text)
        except ValueError:
            at = None
        if at is None or at.tzinfo is not None:
            raise Invalid(
                _("This is no time of the day; write it like 09:00."),
                code="bad_time",
                field=field_name,
            )
        return at.replace(second=0, microsecond=0)
    choices = Timing if field_name == "timing" else Passed
    if text not in choices.values:
        raise Invalid(
            _("There is no such choice."),
            code="bad_choice",
            field=field_name,
            remedy=", ".join(choices.values),
        )
    return text


def kept(campaign: Campaign) -> dict[str, Any]:
    """What a run remembers of its campaign's manners."""
    return {
        "urgent": campaign.urgent,
        "useful_hours": campaign.useful_hours,
        "timing": {
            "kind": campaign.timing,
            "at": f"{campaign.local_time:%H:%M}",
            "if_passed": campaign.if_passed,
        },
    }


def moments(*, snapshot: Mapping[str, Any], now: datetime) -> Moments:
    """When each person of a run's audience gets it, counted from `now`."""
    asked = snapshot.get("timing") or {}
    at_once = asked.get("if_passed") == Passed.NOW
    at = time.fromisoformat(asked.get("at") or "09:00")
    made = Moments()
    if asked.get("kind") == Timing.LOCAL:
        made = _local(at, now, at_once)
    elif asked.get("kind") == Timing.BEST:
        made = _best(at, now, at_once)
    useful = snapshot.get("useful_hours")
    if not useful:
        return made
    began = f"coalesce({made.not_before}, '{now.isoformat()}'::timestamptz)"
    expires = f"{began} + interval '{int(useful)} hours'"
    return Moments(made.not_before, expires, made.join, made.params)


def _zones() -> list[str]:
    return sorted(available_timezones() | {brand.now().timezone})


def _due(zones: Iterable[str], at: time, now: datetime, at_once: bool) -> list[datetime]:
    return [clocks.due(clocks.zone_called(name), at, now, at_once=at_once) for name in zones]


def _local(at: time, now: datetime, at_once: bool) -> Moments:
    zones = _zones()
    house = brand.now().timezone
    join = f"""
        LEFT JOIN ingestion_customer place ON place.id = judged.customer_id
        LEFT JOIN unnest(%s::text[], %s::timestamptz[]) AS there(zone, at) ON there.zone = {_PLACE}
        CROSS JOIN (VALUES (%s::timestamptz)) AS house(at)"""
    params = [zones, _due(zones, at, now, at_once), house, _due([house], at, now, at_once)[0]]
    return Moments("coalesce(there.at, house.at)", join=join, params=params)


def _best(at: time, now: datetime, at_once: bool) -> Moments:
    """By the hour, and within the hour spread by chance, the same for each person every time."""
    zones, house = _zones(), brand.now().timezone
    own, everyones = hours.chosen()
    usual = at.hour if everyones is None else everyones
    rows = [
        (zone, hour, moment)
        for hour in range(24)
        for zone, moment in zip(zones, _due(zones, time(hour), now, at_once), strict=True)
    ]
    inner, of_inner = own.query.sql_with_params()
    join = f"""
        LEFT JOIN ingestion_customer place ON place.id = judged.customer_id
        LEFT JOIN ({inner}) AS best(customer_id, hour) ON best.customer_id = judged.customer_id
        LEFT JOIN unnest(%s::text[], %s::int[], %s::timestamptz[]) AS there(zone, hour, at)
            ON there.zone = {_PLACE} AND there.hour = coalesce(best.hour::int %% 24, %s)
        CROSS JOIN (VALUES (%s::timestamptz)) AS house(at)"""
    columns = [list(column) for column in zip(*rows, strict=True)]
    usually = _due([house], time(usual), now, at_once)[0]
    spread = "(hashint8extended(judged.customer_id, 0) & 2147483647) %% 3600 * interval '1 second'"
    return Moments(
        f"(coalesce(there.at, house.at) + {spread})",
        join=join,
        params=[*of_inner, *columns, house, usual, usually],
    )
