"""Hours of the day that are tried beside each other.

All of them lie on one day of each person's clock: the first on which none has passed. Hours of
different days would be compared with their days.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.db import connection

from campaigns.manners import clocks
from campaigns.recipients import limits
from marketing.core import brand

# Answers that come later than this after a message are not counted, so that each hour has as long.
ANSWER = timedelta(days=1)
# A round may be held when the last hour has come everywhere and was answered: the day begins within
# a day and is at most 25 hours long.
LEAST_HOURS = 72
_WAIT = """
    UPDATE campaigns_message AS given
    SET next_try_at = due.at,
        expires_at = CASE WHEN given.expires_at IS NULL THEN NULL
                          ELSE due.at + %s::int * interval '1 hour' END
    FROM (SELECT m.id, coalesce(hour_there.at, hour_home.at) AS at
          FROM campaigns_message AS m {joined} WHERE {waits}) AS due
    WHERE given.id = due.id AND due.at IS NOT NULL"""


def moments(hours: Mapping[str, int], zone: ZoneInfo, since: datetime) -> dict[str, datetime]:
    """When each variant of `hours` goes out where clocks show this zone."""
    today = since.astimezone(zone).date()
    first = clocks.moment_of(zone, today, time(min(hours.values())))
    day = today if first >= since else today + timedelta(days=1)
    return {key: clocks.moment_of(zone, day, time(hour)) for key, hour in hours.items()}


def joined(
    *, hours: Mapping[str, int], person: str, variant: str, since: datetime
) -> tuple[str, list[Any]]:
    """Joins after which `hour_there.at` or else `hour_home.at` is when somebody gets their variant.

    `person` and `variant` name columns of what it is joined to; of a variant without an hour both
    are NULL.
    """
    house = brand.now().timezone
    rows = list(_rows(hours, sorted(available_timezones() | {house}), since))
    zones, keys, at = ([row[i] for row in rows] for i in range(3))
    home = moments(hours, clocks.zone_called(house), since)
    sql = f"""
        LEFT JOIN ingestion_customer hour_of ON hour_of.id = {person}
        LEFT JOIN unnest(%s::text[], %s::text[], %s::timestamptz[]) AS hour_there(zone, key, at)
            ON hour_there.key = {variant} AND hour_there.zone =
               coalesce(campaigns_zone(hour_of.timezone, hour_of.country), %s)
        LEFT JOIN unnest(%s::text[], %s::timestamptz[]) AS hour_home(key, at)
            ON hour_home.key = {variant}"""
    return sql, [zones, keys, at, house, list(home), list(home.values())]


def wait_for_hours(turn: limits.Turn, *, now: datetime) -> None:
    """Let those whose turn it is wait for the hour of the variant that they were given."""
    hours = dict(turn.run.snapshot.get("at_hours") or {})
    if not hours:
        return
    join, of_hours = joined(hours=hours, person="m.customer_id", variant="m.variant", since=now)
    waits, params = turn.sql()
    useful = turn.run.snapshot.get("useful_hours")
    with connection.cursor() as cursor:
        cursor.execute(_WAIT.format(joined=join, waits=waits), [useful, *of_hours, *params])


def _rows(
    hours: Mapping[str, int], zones: Iterable[str], since: datetime
) -> Iterable[tuple[str, str, datetime]]:
    for name in zones:
        for key, at in moments(hours, clocks.zone_called(name), since).items():
            yield name, key, at
