"""What the data holds for a question, before anything is learned: counted, not guessed.

The same people and the same answers that the judging of a training would read, so that a question
for which this finds enough is not refused for want of people later.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import OperationalError, connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from marketing.core import wording
from marketing.core.db import statement_timeout
from marketing.core.errors import Invalid
from models_ml import queries
from models_ml.algorithms.uplift import power
from models_ml.features import compiler, mailings, targets
from models_ml.features.compiler import Population
from models_ml.features.registry import CLICKS, OPENS
from models_ml.features.targets import Target
from models_ml.predictions import holdouts, planning

GOOD, WARN, BAD = "good", "warn", "bad"
PATIENCE_MS = 4_000
# What a training refuses to go below, and what makes its intervals narrow enough to tell.
LEAST_PEOPLE, LEAST_EACH, ENOUGH_EACH = 100, 20, 200
LEAST_OFTEN = 50
ENOUGH_HELD_OUT = 1_000
# As far back as a training reads.
MAILS_WITHIN = timedelta(days=730)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: good, warn or bad, what was found and what would help."""

    level: str
    text: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Sufficiency:
    """All findings; `ok` unless one of them would keep a training from starting."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return all(one.level != BAD for one in self.findings)

    @property
    def level(self) -> str:
        levels = {one.level for one in self.findings}
        return next((level for level in (BAD, WARN) if level in levels), GOOD)


def look(
    *, target: Target, horizon_days: int, population: Population, now: datetime
) -> Sufficiency:
    """Count the history, the people asked about and the answers known by now."""
    horizon = timedelta(days=horizon_days)
    as_of = queries.data_now(now=now).replace(microsecond=0)
    try:
        with statement_timeout(PATIENCE_MS):
            if target.timeless:
                return Sufficiency(tuple(_answers(target, *_of_property(target))))
            if target.own_moments:
                return Sufficiency(tuple(_answers(target, *_of_mails(target, horizon, as_of))))
            if target.kind == targets.HOUR:
                return Sufficiency((_of_hours(as_of),))
            if target.kind == targets.DEGREE:
                return Sufficiency((_of_facts(population, as_of),))
            if target.kind == targets.EFFECT:
                return Sufficiency(tuple(_of_trials(target, horizon, as_of)))
            return Sufficiency(tuple(_of_history(target, horizon, population, as_of)))
    except OperationalError:
        return Sufficiency((
            Finding(
                WARN,
                _("The data is large, so it was not counted here."),
                _("You can start: the training looks at it and says what is missing, if anything."),
            ),
        ))  # fmt: skip


def _of_history(
    target: Target, horizon: timedelta, population: Population, as_of: datetime
) -> list[Finding]:
    try:
        plan = planning.moments(target=target, horizon=horizon, as_of=as_of)
    except Invalid as short:
        return [Finding(BAD, short.message, short.remedy or "")]
    days = (as_of - plan.first).days if plan.first else 0
    found = [_length(days, horizon, len(plan.earlier))]
    people, yes = _count(target, horizon, population, plan.judge)
    found.append(
        Finding(
            GOOD if people else BAD,
            ngettext(
                "%(people)s person in the group on %(day)s.",
                "%(people)s people in the group on %(day)s.",
                people,
            )
            % {"people": wording.comma(people), "day": wording.day(plan.judge)},
            "" if people else _("Ask about more people, or choose a shorter time to look ahead."),
        )
    )
    return found + _answers(target, people, yes) if people else found


def _length(days: int, horizon: timedelta, moments: int) -> Finding:
    text = _("%(days)s days of history, to look %(ahead)d days ahead.") % {
        "days": wording.comma(days),
        "ahead": horizon.days,
    }
    if not moments:
        return Finding(
            WARN,
            text,
            _(
                "Too short to be judged at a later time: a quarter of the people will be kept back"
                " instead. More history would help."
            ),
        )
    return Finding(
        GOOD,
        text,
        ngettext(
            "It is learned at %(n)d earlier moment and judged at a later one.",
            "It is learned at %(n)d earlier moments and judged at a later one.",
            moments,
        )
        % {"n": moments},
    )


def _answers(target: Target, people: int, yes: int) -> list[Finding]:
    more = _("Import more history, choose a longer time to look ahead, or ask about more people.")
    if people < LEAST_PEOPLE:
        text = _("Too few people to learn from: %(people)s of at least %(needed)d.")
        return [
            Finding(BAD, text % {"people": wording.comma(people), "needed": LEAST_PEOPLE}, more)
        ]
    facts = {
        "yes": wording.comma(yes),
        "people": wording.comma(people),
        "share": wording.pct(yes / people),
    }
    if target.kind != targets.CHANCE:
        text = (
            _("%(yes)s of %(people)s people ordered within that time (%(share)s).")
            if target.kind == targets.DATE
            else _("%(yes)s of %(people)s people have an amount above zero (%(share)s).")
        ) % facts
        level = BAD if yes < LEAST_EACH else WARN if yes < ENOUGH_EACH else GOOD
        return [Finding(level, text, "" if level == GOOD else more)]
    rarer = min(yes, people - yes)
    text = _("%(yes)s of %(people)s did it (%(share)s).") % facts
    if rarer == 0:
        help_text = _("There is nothing to tell apart: everybody is alike. Check the target.")
        return [Finding(BAD, text, help_text)]
    if rarer < LEAST_EACH:
        needed = _("At least %(n)d of each are needed.") % {"n": LEAST_EACH}
        return [Finding(BAD, text, f"{needed} {more}")]
    if rarer < ENOUGH_EACH:
        return [
            Finding(
                WARN,
                text,
                _(
                    "Enough to try, but intervals will be wide: it may turn out not to be surely"
                    " better than a simple rule, and is then not published."
                ),
            )
        ]
    return [Finding(GOOD, text, _("Enough of each to tell whether it beats a simple rule."))]


def _count(
    target: Target, horizon: timedelta, population: Population, judge: datetime
) -> tuple[int, int]:
    """The people asked about at the moment of judging, and of how many the answer is yes."""
    asked = compiler.compile(features=(), population=population, cuts=[judge])
    made = targets.question(target=target, first=judge, last=judge, horizon=horizon, grid=True)
    params: dict[str, Any] = {**asked.params, **made.params, "amount": target.amount}
    did = {
        "spend_over": "did.value > %(amount)s",
        "spend": "did.value > 0",
        "no_order": "did.value IS NULL",
        "no_event": "did.value IS NULL",
    }.get(target.type, "did.value IS NOT NULL")
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH m AS (SELECT unnest(%(cuts)s::timestamptz[]) AS cut),"
            f" asked (person, cut) AS ({asked.sql}),"
            f" did (person, cut, value) AS ({made.sql})"
            f" SELECT count(*), count(*) FILTER (WHERE {did})"
            " FROM asked LEFT JOIN did USING (person)",
            params,
        )
        people, yes = cursor.fetchone()
    return int(people), int(yes)


def _of_property(target: Target) -> tuple[int, int]:
    sql, params = targets.compared(
        text="(c.attributes ->> %(attribute)s)", op=target.op, value=target.value, key="value"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), count(*) FILTER (WHERE {sql}) FROM ingestion_customer AS c"
            " WHERE c.merged_into_id IS NULL"
            " AND nullif(c.attributes ->> %(attribute)s, '') IS NOT NULL",
            {**params, "attribute": target.attribute},
        )
        people, yes = cursor.fetchone()
    return int(people), int(yes)


def _of_mails(target: Target, horizon: timedelta, as_of: datetime) -> tuple[int, int]:
    """Mails whose time to answer is over, one a person and moment, and those answered in it."""
    params: dict[str, Any] = {
        "since": as_of - MAILS_WITHIN,
        "until": as_of - horizon,
        "horizon": horizon,
        "campaign": target.campaign,
        "answer": (CLICKS if target.by == "click" else OPENS)[0],
    }
    with connection.cursor() as cursor:
        cursor.execute(_MAILS, params)
        mails, answered = cursor.fetchone()
    return int(mails), int(answered)


# As `features.sendings` reads them: what a machine answered is none.
_MAILS = """
SELECT count(*), count(*) FILTER (WHERE mail.answered) FROM (
    SELECT bool_or(EXISTS (
        SELECT FROM ingestion_event AS a
        WHERE a.customer_id = s.customer_id AND a.type = %(answer)s
          AND a.at >= s.at AND a.at < s.at + %(horizon)s
          AND a.properties ->> 'run' = s.properties ->> 'run'
          AND a.properties ->> 'machine' IS DISTINCT FROM 'true')) AS answered
    FROM ingestion_event AS s
    WHERE s.type = 'email_sent' AND s.at >= %(since)s AND s.at < %(until)s
      AND s.customer_id IS NOT NULL
      AND (%(campaign)s IS NULL OR s.properties ->> 'campaign' = %(campaign)s::text)
    GROUP BY s.customer_id, date_trunc('second', s.at)
) AS mail
"""


def _of_trials(target: Target, horizon: timedelta, as_of: datetime) -> list[Finding]:
    """Both sides of the sends that held people out, or why there are none."""
    try:
        used = holdouts.usable(target=target, horizon=horizon, as_of=as_of)
    except Invalid as missing:
        return [Finding(BAD, missing.message, missing.remedy or "")]
    counts = mailings.count(runs=[one.run for one in used]).values()
    sent, held = (sum(pair[side] for pair in counts) for side in (0, 1))
    found = [
        Finding(
            GOOD,
            ngettext(
                "%(n)d send held people out by chance, and its %(days)d days are over.",
                "%(n)d sends held people out by chance, and their %(days)d days are over.",
                len(used),
            )
            % {"n": len(used), "days": horizon.days},
            _("The latest judge what the earlier ones taught.")
            if len(used) > 1
            else _("People take turns in learning and judging. A second send would be surer."),
        )
    ]
    text = _("Meant for %(sent)s people; %(held)s were held out.") % {
        "sent": wording.comma(sent),
        "held": wording.comma(held),
    }
    if min(sent, held) < power.LEAST_EACH:
        needed = _("At least %(n)d of each are needed.") % {"n": power.LEAST_EACH}
        return [*found, Finding(BAD, text, needed)]
    if held < ENOUGH_HELD_OUT:
        help_text = _(
            "Enough to try. With so few held out only a strong effect shows, and what does not show"
            " is not published."
        )
        return [*found, Finding(WARN, text, help_text)]
    return [*found, Finding(GOOD, text, _("Whether that tells anybody apart, the judging says."))]


def _of_hours(as_of: datetime) -> Finding:
    """Whether enough people answered mails at several hours."""
    with connection.cursor() as cursor:
        cursor.execute(_OFTEN, {"types": [*OPENS, *CLICKS], "until": as_of})
        people = int(cursor.fetchone()[0])
    text = ngettext(
        "%(people)s person answered mails at least three times.",
        "%(people)s people answered mails at least three times.",
        people,
    ) % {"people": wording.comma(people)}
    if people < LEAST_OFTEN:
        needed = _("At least %(n)d are needed. Send more mails and wait for answers.")
        return Finding(BAD, text, needed % {"n": LEAST_OFTEN})
    return Finding(GOOD, text, _("Whether they have hours of their own, later answers say."))


_OFTEN = """
SELECT count(*) FROM (
    SELECT FROM ingestion_event AS e
    WHERE e.type = ANY(%(types)s) AND e.customer_id IS NOT NULL AND e.at < %(until)s
      AND e.properties ->> 'machine' IS DISTINCT FROM 'true'
    GROUP BY e.customer_id HAVING count(DISTINCT date_trunc('hour', e.at)) >= 3
) AS often
"""


def _of_facts(population: Population, as_of: datetime) -> Finding:
    """How many people there are to be unlike."""
    asked = compiler.compile(features=(), population=population, cuts=[as_of])
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({asked.sql}) AS asked", asked.params)
        people = int(cursor.fetchone()[0])
    text = _("%(people)s people to compare.") % {"people": wording.comma(people)}
    if people < LEAST_PEOPLE:
        needed = _("At least %(n)d are needed.") % {"n": LEAST_PEOPLE}
        return Finding(BAD, text, needed)
    return Finding(GOOD, text, _("Whether halves of them agree on who is odd, the judging says."))
