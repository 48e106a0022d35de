"""A public trial as a campaign of ours: people, messages, visits and orders whose lifts are known.

Kevin Hillstrom's e-mail test of 2008 sent a men's mail, a women's mail or none to a third each and
counted visits and orders of two weeks. The report of a campaign has to come to the same.
"""

import gzip
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from django.db import connection, transaction
from psycopg2.extras import execute_values

from campaigns.models import Campaign, Run, Trial, Variant
from campaigns.reporting import effects, tallies, variants
from ingestion import events
from models_ml.benchmarks.data import Line, find, line, skipped

NOW = datetime(2026, 11, 22, tzinfo=UTC)
START = NOW - timedelta(days=30)
HELD = "holdout"
FILE = "hillstrom/hillstrom.csv.gz"
MAILS = {"Mens E-Mail": "mens", "Womens E-Mail": "womens", "No E-Mail": HELD}
# What is published of each mail beside none.
PUBLISHED = {
    "mens": {"visit": 0.0766, "conversion": 0.0068},
    "womens": {"visit": 0.0452, "conversion": 0.0031, "spend": 0.4240},
}
_Z95 = 1.959963984540054
MESSAGES = """
    INSERT INTO campaigns_message (run_id, customer_id, channel, address, state, reason, variant,
        attempt, fence, owner, message_id, subject, error, queued_at)
    SELECT %s, c.id, 'email', '', CASE WHEN arm <> 'holdout' THEN 'sent' ELSE 'skipped' END,
        CASE WHEN arm = 'holdout' THEN arm ELSE '' END, arm, 0, 0, '',
        CASE WHEN arm <> 'holdout' THEN 'm-' || c.id END, '', '', %s
    FROM planted JOIN ingestion_customer AS c ON c.external_id = name"""


class Person(NamedTuple):
    name: str
    arm: str
    visited: bool
    money: float


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is written inside is gone afterwards."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


def send(*, holdout: float, mails: Iterable[str] = ()) -> Run:
    """A send that is over, in `mails` of equal shares."""
    campaign = Campaign.objects.create(
        name="Measured", holdout_percent=round(holdout), state="finished"
    )
    keys = list(mails)
    shares = [[key, 1] for key in keys]
    Variant.objects.bulk_create(Variant(campaign=campaign, key=key, name=key) for key in keys)
    if shares:
        Trial.objects.create(campaign=campaign, metric=Trial.Metric.ORDERED)
    draw = {"draw": {"key": f"campaign:{campaign.pk}", "variants": shares}} if shares else {}
    return Run.objects.create(
        campaign=campaign, state=Run.State.FINISHED, started_at=START,
        snapshot={"filled": True, "holdout_percent": holdout, **draw},
    )  # fmt: skip


def plant(run: Run, people: Iterable[Person]) -> None:
    """Everybody with their message, a visit after two days and an order after three."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE planted (name text, arm text, visited boolean, money numeric)"
            " ON COMMIT DROP"
        )
        execute_values(cursor, "INSERT INTO planted VALUES %s", list(people), page_size=5_000)
        cursor.execute(
            "INSERT INTO ingestion_customer (external_id, first_name, last_name, phone, country,"
            " language, timezone, attributes, is_demo, created_at, updated_at)"
            " SELECT name, '', '', '', '', '', '', '{}', false, now(), now() FROM planted"
        )
        cursor.execute(
            "INSERT INTO ingestion_source (name, kind, mapping, options, enabled, is_demo,"
            " created_at) VALUES ('measured', 'upload', '{}', '{}', true, false, now())"
            " RETURNING id"
        )
        source = cursor.fetchone()[0]
        cursor.execute(
            "INSERT INTO ingestion_order (source_id, external_id, customer_id, placed_at, currency,"
            " total, status, country, attributes) SELECT %s, name, c.id,"
            " %s::timestamptz + interval '3 days', 'GBP', money, 'placed', 'GB', '{}'"
            " FROM planted JOIN ingestion_customer AS c ON c.external_id = name WHERE money > 0",
            [source, START],
        )
        cursor.execute(MESSAGES, [run.pk, START])
        cursor.execute(
            "SELECT c.id FROM planted JOIN ingestion_customer AS c ON c.external_id = name"
            " WHERE visited"
        )
        visited = [key for (key,) in cursor.fetchall()]
    at = START + timedelta(days=2)
    events.record(
        batch=[
            events.Incoming(type="Visited", at=at, message_id=f"v{key}", customer_id=key)
            for key in visited
        ],
        source="measured",
        now=NOW,
    )
    with connection.cursor() as cursor:
        # So many rows at once: the planner goes by what it counted last otherwise.
        cursor.execute(
            "ANALYZE ingestion_customer, ingestion_order, ingestion_event, campaigns_message"
        )


def table(run: Run, *, goal: str) -> variants.Table:
    """The report's table of mails beside the held out, judged by an event or by orders."""
    run.snapshot["goal"] = goal
    run.save(update_fields=["snapshot"])
    found = variants.of_run(
        run=run, arms=tallies.of_run(run=run, until=START + tallies.WINDOW), now=NOW
    )
    assert found is not None
    return found


def by_hand(treated: int, answered: int, control: int, answered_too: int) -> tuple[float, float]:
    """The textbook interval of the difference of two proportions, unpooled."""
    one, other = answered / treated, answered_too / control
    error = math.sqrt(one * (1 - one) / treated + other * (1 - other) / control)
    return one - other - _Z95 * error, one - other + _Z95 * error


def of_file(path: Path) -> list[Person]:
    """Everybody of the file."""
    with gzip.open(path, "rt") as file:
        frame = pd.read_csv(file)
    columns = (frame[name] for name in ("segment", "visit", "spend"))
    return [
        Person(f"h{i}", MAILS[segment], bool(visit), float(spend))
        for i, (segment, visit, spend) in enumerate(zip(*columns, strict=True))
    ]


def hillstrom(size: str = "small") -> list[Line]:
    """Each mail of the file beside no mail, through the report of a campaign of ours."""
    path = find(FILE)
    if path is None:
        return [skipped("cause.hillstrom", FILE)]
    people = of_file(path)
    held = sum(person.arm == HELD for person in people)
    mails = sorted({person.arm for person in people} - {HELD})
    with undone():
        # A table of variants wants two: where the file has one mail, the other got nobody.
        run = send(holdout=100 * held / len(people), mails=[*mails, "none"][:2])
        plant(run, people)
        lines = []
        for goal, what in (("Visited", "visit"), ("", "conversion")):
            rows = {row.key: row for row in table(run, goal=goal).rows}
            control = tallies.of_run(run=run, until=NOW)[HELD]
            for mail in mails:
                row = rows[mail]
                assert row.lift is not None
                low, high = by_hand(
                    row.tally.people, row.tally.ordered, control.people, control.ordered
                )
                off = max(abs(row.lift.low - low), abs(row.lift.high - high))
                lines.append(
                    line(
                        f"cause.hillstrom.{mail}.{what}", "difference",
                        row.tally.people + control.people, [round(row.lift.difference, 6)],
                        least=("published, less its rounding", PUBLISHED[mail][what] - 0.00005),
                        origin="its own data set's figures", control=round(row.lift.control, 5),
                        interval=[round(row.lift.low, 5), round(row.lift.high, 5)],
                        by_hand=[round(low, 5), round(high, 5)],
                        ends_differ=round(off, 6),
                        published=PUBLISHED[mail][what],
                    )
                )  # fmt: skip
        if mails == ["womens"]:
            report = effects.effect(run=run, now=NOW)
            assert report is not None
            lift = report.money.plain
            lines.append(
                line(
                    "cause.hillstrom.womens.spend", "difference", report.mailed + report.held,
                    [lift.difference], interval=[round(lift.low, 4), round(lift.high, 4)],
                    least=("published, less its rounding", PUBLISHED["womens"]["spend"] - 0.001),
                    origin="its own data set's figures",
                    inside=lift.low <= PUBLISHED["womens"]["spend"] <= lift.high,
                )
            )  # fmt: skip
    return lines
