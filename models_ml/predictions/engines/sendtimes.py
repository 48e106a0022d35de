"""When somebody is best written to: the engine of predictions that say an hour of the day.

Told from when people opened and clicked mails, in the time zone of each; a machine's opening is
none. The clock of the shop serves whoever's zone is not known. A mail is mostly answered soon after
it came, so hours at which nothing was ever sent are told least well.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import brand
from marketing.core.errors import Invalid
from models_ml import registry
from models_ml.algorithms import artifacts, sending
from models_ml.algorithms.errors import Unfit
from models_ml.algorithms.sending import Answered, Hours, Outcome
from models_ml.features.registry import CLICKS, OPENS
from models_ml.models import ModelVersion, Prediction
from models_ml.predictions import gate
from models_ml.predictions.engines import Answers, Report

SEED = 20111209
LONGEST = timedelta(days=730)
HOURS_FILE, PEOPLE = "hours.npz", "people.npz"
RULE = "everyones_hour"

# An hour in which somebody opened twice and clicked is one answer.
_ANSWERED = """
SELECT DISTINCT e.customer_id::int8, extract(hour FROM t.own)::int8,
    extract(isodow FROM t.own)::int8, extract(epoch FROM date_trunc('hour', e.at))::int8
FROM ingestion_event AS e
JOIN ingestion_customer AS c ON c.id = e.customer_id AND c.merged_into_id IS NULL
LEFT JOIN pg_timezone_names AS z ON z.name = c.timezone
CROSS JOIN LATERAL (SELECT e.at AT TIME ZONE coalesce(z.name, %(zone)s) AS own) AS t
WHERE e.type = ANY(%(types)s) AND e.at >= %(since)s AND e.at < %(until)s
  AND e.properties ->> 'machine' IS DISTINCT FROM 'true'
  AND (%(only)s::bigint[] IS NULL OR e.customer_id = ANY(%(only)s))
  AND NOT EXISTS (SELECT FROM ingestion_consent AS x WHERE x.customer_id = e.customer_id
      AND x.purpose = 'profiling' AND x.current AND NOT x.granted)
"""


def learn(
    *,
    prediction: Prediction,
    as_of: datetime,
    now: datetime,
    job_id: int | None = None,
    report: Report = lambda step, label: None,
) -> ModelVersion:
    """See `engines`."""
    began = time.monotonic()
    report(1, gettext_lazy("Reading when people answered mails"))
    answered = read(as_of=as_of)
    report(2, gettext_lazy("Learning hours and judging them on later answers"))
    try:
        outcome = sending.run(answered, seed=SEED)
    except Unfit as unfit:
        raise _unfit(unfit) from unfit
    report(3, gettext_lazy("Storing the version"))
    hours, people = outcome.hours, np.unique(answered.person)

    def write(folder: Path) -> None:
        artifacts.write_arrays(
            folder / HOURS_FILE,
            everyone=hours.everyone,
            width=np.array([hours.width]),
            weight=np.array([hours.weight]),
        )
        artifacts.write_arrays(folder / PEOPLE, users=people)

    version = registry.save(
        name=prediction.key,
        algorithm="hours",
        write=write,
        params={"width": hours.width, "weight": hours.weight},
        metrics=_rounded(outcome.figures),
        baseline=_rounded(outcome.baseline) | {"rule": RULE},
        data_from=datetime.fromtimestamp(int(answered.at.min()), UTC),
        data_until=as_of,
        rows=len(answered),
        seed=SEED,
        seconds=round(time.monotonic() - began, 2),
        details=_details(prediction, outcome, len(people)),
        job_id=job_id,
        now=now,
    )
    return gate.decide(
        version=version,
        kind=prediction.kind,
        ok=outcome.ok,
        code="better" if outcome.ok else "no_better_than_baseline",
        facts={"gain": outcome.gain.as_json(), "baseline": RULE, "people": outcome.people},
    )


def answer(
    *,
    prediction: Prediction,
    version: ModelVersion,
    as_of: datetime,
    only: Sequence[int] | None = None,
) -> Answers:
    """See `engines`: of whoever answered often enough; others get everybody's hour elsewhere.

    Half of what somebody answers lies from the hour `low` until the hour `high`, round the clock.
    """
    hours = registry.load(version, read_hours)
    answered = read(as_of=as_of, only=only)
    people = sending.people_of(answered, only)
    mine = answered.take(np.isin(answered.person, people))
    value, first, until = sending.best(hours.curves(sending.counted(mine, people)))
    return Answers(people, value.astype(float), first.astype(float), until.astype(float))


def read(*, as_of: datetime, only: Sequence[int] | None = None) -> Answered:
    """When people answered mails before a moment, by their own clocks."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            _ANSWERED,
            {
                "types": [*OPENS, *CLICKS],
                "since": as_of - LONGEST,
                "until": as_of,
                "zone": brand.now().timezone,
                "only": None if only is None else list(only),
            },
        )
        rows = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 4)
    return Answered(rows[:, 0], sending.bin_of(rows[:, 1], rows[:, 2]), rows[:, 3])


def read_hours(folder: Path) -> Hours:
    """The curve of everybody and how people are drawn to it."""
    stored = artifacts.read_arrays(folder / HOURS_FILE)
    return Hours(stored["everyone"], float(stored["width"][0]), float(stored["weight"][0]))


def _details(prediction: Prediction, outcome: Outcome, people: int) -> dict[str, Any]:
    everyone = outcome.hours.everyone
    best, first, until = (int(one[0]) for one in sending.best(everyone[None, :]))
    return {
        "kind": "prediction",
        "engine": "hours",
        "target": prediction.target,
        "horizon_days": prediction.horizon_days,
        "population": prediction.population,
        "learned_people": people,
        "judged_at": datetime.fromtimestamp(outcome.cut, UTC).isoformat(),
        "judged_people": outcome.people,
        "judged_answers": outcome.later,
        "later_in_time": True,
        "best": "hours",
        "difference": _rounded(outcome.gain.as_json()),
        "everyone": {
            "hour": best,
            "from": first,
            "until": until,
            "weekdays": [round(float(share), 6) for share in everyone[: sending.HOURS]],
            "weekends": [round(float(share), 6) for share in everyone[sending.HOURS :]],
        },
        "verdict": {
            "ok": outcome.ok,
            "code": "better" if outcome.ok else "no_better_than_baseline",
            "facts": {"gain": _rounded(outcome.gain.as_json()), "baseline": RULE},
        },
    }


def _unfit(unfit: Unfit) -> Invalid:
    return Invalid(
        _(
            "%(people)d people answered mails at least three times and again later; %(needed)d are"
            " needed to tell hours of their own."
        )
        % unfit.facts,
        code=unfit.code,
        remedy=_("Send more mails, and wait for answers. Nothing was changed."),
    )


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in values.items()}
