"""What a journey causes: those who came in against those held out of it, in its goal and in money.

Everybody counts on the side that the hash put them on when they first came, whatever became of them
inside. A person counts from their first coming, for as many days as a campaign's people do. People
keep coming, so the interval is always the one that may be looked at every day.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, QuerySet

from campaigns.journeys import graphs
from campaigns.journeys.graph import Graph
from campaigns.models import Enrollment, Journey, JourneyReading, JourneyVersion, SegmentMove
from campaigns.reporting import effects
from campaigns.reporting.effects import Effect
from campaigns.reporting.readings import LIVE_PEOPLE, Read
from campaigns.reporting.tallies import HELD, WINDOW, Tally
from campaigns.segments import acts
from ingestion.models import Event

# For how many people the daily interval is made narrowest.
PLANNED = 2_000
ALL = 0  # instead of the number of a version: all that hold out the same share
_DAY = timedelta(days=1)

# The first time that each person would have come in, under whoever they are today.
_FIRST = """
WITH first AS (
    SELECT DISTINCT ON (coalesce(c.merged_into_id, c.id))
           coalesce(c.merged_into_id, c.id) AS id, e.version_id, e.entered_at AS at,
           e.outcome = 'held' AS held
    FROM campaigns_enrollment e JOIN ingestion_customer c ON c.id = e.customer_id
    WHERE e.journey_id = %(journey)s AND e.entered_at < %(until)s
    ORDER BY coalesce(c.merged_into_id, c.id), e.entered_at, e.id),
meant AS (SELECT * FROM first WHERE version_id = ANY(%(versions)s)),
spent AS (
    SELECT m.id,
           coalesce(sum(o.total::float8) FILTER (WHERE o.placed_at >= m.at), 0) AS x,
           coalesce(sum(o.total::float8) FILTER (WHERE o.placed_at < m.at), 0) AS y,
           coalesce(bool_or(o.placed_at >= m.at AND o.total >= 0), false)::int AS did,
           coalesce(bool_or(o.placed_at < m.at AND o.total >= 0), false)::int AS had
    FROM meant m JOIN ingestion_order o ON o.customer_id = m.id
        AND o.placed_at >= m.at - %(window)s AND o.placed_at < m.at + %(window)s
        AND o.placed_at < %(until)s AND o.status <> 'cancelled'
    GROUP BY m.id)
"""
_ACTS = """
, acts AS (
    SELECT m.id, bool_or(d.at > m.at)::int AS did, bool_or(d.at <= m.at)::int AS had
    FROM meant m JOIN ({done}) AS d (customer_id, at) ON d.customer_id = m.id
        AND d.at > m.at - %(window)s AND d.at < m.at + %(window)s AND d.at < %(until)s
    GROUP BY m.id)
"""
_SUMS = """
SELECT CASE WHEN m.held THEN 'holdout' ELSE 'came' END, count(*), 0, 0, 0,
       coalesce(sum({of}.did), 0), coalesce(sum(x), 0), coalesce(sum(x * x), 0),
       coalesce(sum(x * x * x), 0), coalesce(sum(y), 0), coalesce(sum(y * y), 0),
       coalesce(sum(x * y), 0), coalesce(sum({of}.had), 0), coalesce(sum({of}.did * {of}.had), 0),
       coalesce(sum(spent.did), 0)
FROM meant m LEFT JOIN spent ON spent.id = m.id {joined} GROUP BY m.held
"""


def tally(*, journey_id: int, versions: Sequence[JourneyVersion], until: datetime) -> Read:
    """Sums of both sides of these versions, of one goal, until a moment."""
    values: dict[str, Any] = {
        "journey": journey_id,
        "versions": [version.pk for version in versions],
        "until": until,
        "window": WINDOW,
    }
    done, more = _done(graphs.graph_of(versions[0].pk)) if versions else ("", {})
    text = (
        _FIRST
        + (_ACTS.format(done=done) if done else "")
        + _SUMS.format(
            of="acts" if done else "spent",
            joined="LEFT JOIN acts ON acts.id = m.id" if done else "",
        )
    )
    with connection.cursor() as cursor:
        cursor.execute(text, {**values, **more})
        return Read(until, {arm: Tally(*numbers) for arm, *numbers in cursor.fetchall()})


def _done(graph: Graph) -> tuple[str, dict[str, Any]]:
    """SQL of who did what the journey is for, and when; empty where it says no goal."""
    goal = graph.goal
    if goal is None:
        return "", {}
    asked: Any
    if goal.segment is not None:
        moves = SegmentMove.objects.filter(segment_id=goal.segment, entered=goal.entered)
        asked = moves.exclude(cause__in=[SegmentMove.Cause.ERASED, SegmentMove.Cause.RULE])
    else:
        asked = Event.objects.filter(type=goal.event, customer__isnull=False)
        for test in goal.where:
            asked = asked.filter(acts.passes(test, "properties"))
    text, params = (
        asked.order_by().annotate(who=F("customer_id")).values_list("who", "at").query
    ).sql_with_params()
    names = {f"goal{n}": value for n, value in enumerate(params)}
    return text % tuple(f"%({name})s" for name in names), names


def together(journey: Journey, *, number: int = ALL) -> list[JourneyVersion]:
    """The versions that a report is of: one, or all since the share or the goal was last changed.

    People who came under another share were drawn otherwise, and would say something else.
    """
    found = list(journey.versions.order_by("-number"))
    if number != ALL:
        return [version for version in found if version.number == number]
    same: list[JourneyVersion] = []
    for version in found:
        if same and _terms(version) != _terms(same[0]):
            break
        same.append(version)
    return same


def _terms(version: JourneyVersion) -> tuple[Any, Any]:
    return version.definition.get("holdout") or 0, version.definition.get("goal")


def share(versions: Sequence[JourneyVersion]) -> float:
    """The part that these versions hold out."""
    return float(versions[0].definition.get("holdout") or 0) / 100 if versions else 0.0


def effect(*, versions: Sequence[JourneyVersion], read: Read) -> Effect | None:
    """The report; None while nobody is on one of the sides."""
    held = share(versions)
    return effects.of_arms(
        arms=read.arms,
        shares=(1 - held, held),
        until=read.until,
        ends_at=read.until + _DAY,
        control=HELD,
        planned=PLANNED,
    )


def latest(
    *, journey: Journey, versions: Sequence[JourneyVersion], number: int, now: datetime
) -> Read:
    """The newest sums: asked now where few people came, else the newest reading of these terms."""
    if number == ALL:
        kept = _readings(journey, versions).last()
        many = Enrollment.objects.filter(journey=journey)[LIVE_PEOPLE:].exists()
        if many and kept is not None:
            return of_row(kept)
    return tally(journey_id=journey.pk, versions=versions, until=now)


def _readings(journey: Journey, versions: Sequence[JourneyVersion]) -> QuerySet[JourneyReading]:
    """The readings under the terms of these versions, the oldest first."""
    since = min((each.published_at for each in versions if each.published_at), default=None)
    if since is None:
        return journey.readings.none()
    return journey.readings.filter(since=since).order_by("day")


def of_row(row: JourneyReading) -> Read:
    """A reading as it was kept."""
    return Read(row.until, {arm: Tally(**sums) for arm, sums in row.arms.items()})


def history(*, journey: Journey, versions: Sequence[JourneyVersion]) -> list[Effect]:
    """The report of each day that was read under the same terms."""
    reports = (effect(versions=versions, read=of_row(row)) for row in _readings(journey, versions))
    return [report for report in reports if report is not None]


def take_all(*, now: datetime) -> int:
    """Read every journey that holds people out, once a day and anew while the day lasts."""
    done = 0
    for journey in Journey.objects.filter(state__in=[Journey.State.LIVE, Journey.State.PAUSED]):
        versions = together(journey)
        if not share(versions):
            continue
        first = min(version.published_at for version in versions)
        read = tally(journey_id=journey.pk, versions=versions, until=now)
        JourneyReading.objects.update_or_create(
            journey=journey,
            day=(now - journey.created_at) // _DAY,
            defaults={
                "until": now,
                "since": first,
                "arms": {arm: sums.as_json() for arm, sums in read.arms.items()},
            },
        )
        done += 1
    return done


def newest(journeys: Sequence[Journey]) -> Mapping[int, JourneyReading]:
    """The newest reading of each of these journeys, in one question."""
    rows = JourneyReading.objects.filter(journey__in=journeys).order_by("journey_id", "-day")
    return {row.journey_id: row for row in rows.distinct("journey_id")}
