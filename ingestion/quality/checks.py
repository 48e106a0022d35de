"""What somebody expects, asked of the rows with the columns that are measured every day."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction

from ingestion.models import Expectation
from ingestion.quality import expectations, fields
from ingestion.quality.expectations import (
    FILLED,
    IN_LIST,
    IS_FRESH,
    IS_UNIQUE,
    MATCHES,
    RANGE,
    REFERS,
    ROWS,
    WHOLE,
)
from ingestion.quality.signals import Finding
from marketing.core.db import statement_timeout

logger = logging.getLogger(__name__)

DIMENSION = {
    FILLED: fields.COMPLETE,
    IS_UNIQUE: fields.UNIQUE,
    IN_LIST: fields.VALID,
    MATCHES: fields.VALID,
    RANGE: fields.VALID,
    IS_FRESH: fields.FRESH,
    ROWS: fields.VOLUME,
    REFERS: fields.CONSISTENT,
}
EVENT_DAYS = 7
TIME_LIMIT = 120_000


def check_all(*, now: datetime) -> list[Finding]:
    """Ask every enabled expectation; what is not met."""
    found = []
    for row in Expectation.objects.filter(enabled=True):
        try:
            with transaction.atomic():
                finding = check(row=row, now=now)
        except DatabaseError:  # too slow, or no answer for these rows: what was known still holds
            logger.warning("expectation %s could not be asked", row.pk, exc_info=True)
            finding = _as_before(row)
        if finding is not None:
            found.append(finding)
    return found


def _as_before(row: Expectation) -> Finding | None:
    problem = row.problems.filter(ended_at=None).first()
    if problem is None:
        return None
    return Finding(
        problem.key,
        problem.dimension,
        problem.subject,
        problem.field,
        problem.source,
        problem.code,
        problem.severity,
        problem.rows,
        problem.total,
        problem.detail,
        row.pk,
    )


def check(*, row: Expectation, now: datetime) -> Finding | None:
    """Ask one expectation and note the answer; a finding when it is not met.

    With nothing to ask (no rows yet) it counts as met: absence is what `fresh` and `rows` are for.
    """
    total, bad, value = _ask(row, now)
    if row.kind in WHOLE:
        met = not bad
    else:
        met = total == 0 or (total - bad) / total >= row.threshold
        value = (total - bad) / total if total else None
    row.value, row.met, row.checked_at = value, met, now
    row.save(update_fields=["value", "met", "checked_at"])
    if met:
        return None
    return Finding(
        f"expectation|{row.pk}",
        DIMENSION[row.kind],
        row.subject,
        row.field,
        row.source,
        "expectation",
        row.severity,
        bad,
        total,
        {"kind": row.kind, "name": row.name, "value": value, "threshold": row.threshold}
        | row.params,
        row.pk,
    )


def _ask(row: Expectation, now: datetime) -> tuple[int, int, float | None]:
    """(rows asked, rows that fail, the figure itself)."""
    table, joins, where, params = _scope(row, now)
    with statement_timeout(TIME_LIMIT), connection.cursor() as cursor:
        if row.kind == IS_FRESH:
            at = "t.received_at" if row.subject.startswith(fields.EVENTS) else _moment(row)
            cursor.execute(f"SELECT max({at}) FROM {table} t{joins} WHERE {where}", params)
            last = cursor.fetchone()[0]
            hours = (
                None if last is None else max(round((now - last).total_seconds() / 3600, 2), 0.0)
            )
            return 1, int(hours is None or hours > row.params["hours"]), hours
        if row.kind == ROWS:
            return _rows_of_yesterday(cursor, row, now, table, joins, where, params)
        if row.kind == IS_UNIQUE:
            text = _text(row)
            cursor.execute(
                f"SELECT coalesce(sum(n), 0), coalesce(sum(n) FILTER (WHERE n > 1), 0) FROM"
                f" (SELECT count(*) AS n FROM {table} t{joins} WHERE {where}"
                f" AND coalesce({text}, '') <> '' GROUP BY {text}) v",
                [*params, *_field(row), *_field(row)],
            )
        else:
            applies, bad, more = _bad(row)
            cursor.execute(
                f"SELECT count(*) FILTER (WHERE {applies}),"
                f" count(*) FILTER (WHERE {applies} AND {bad})"
                f" FROM {table} t{joins} WHERE {where}".replace(
                    fields.COUNTRIES, fields.country_codes()
                ),
                [*_applies_params(row), *_applies_params(row), *more, *params],
            )
        total, failing = cursor.fetchone()
    return int(total), int(failing), None


def _rows_of_yesterday(
    cursor: Any, row: Expectation, now: datetime, table: str, joins: str, where: str, params: list
) -> tuple[int, int, float | None]:
    until = datetime.combine(now.astimezone(UTC).date(), datetime.min.time(), UTC)
    at = "t.at" if row.subject.startswith(fields.EVENTS) else _moment(row)
    cursor.execute(
        f"SELECT count(*) FROM {table} t{joins} WHERE {where} AND {at} >= %s AND {at} < %s",
        [*params, until - timedelta(days=1), until],
    )
    count = int(cursor.fetchone()[0])
    low, high = row.params["min"], row.params["max"]
    bad = (low is not None and count < low) or (high is not None and count > high)
    return count, int(bad), float(count)


def _moment(row: Expectation) -> str:
    return fields.TABLES[row.subject].at


def _scope(row: Expectation, now: datetime) -> tuple[str, str, str, list[Any]]:
    """(table, joins, condition, parameters) of the rows an expectation is about."""
    if row.subject.startswith(fields.EVENTS):
        since = now - timedelta(days=EVENT_DAYS)
        where, params = "t.type = %s AND t.at >= %s", [row.subject[len(fields.EVENTS) :], since]
        if row.source:
            where, params = where + " AND t.source = %s", [*params, row.source]
        return "ingestion_event", "", where, params
    table = fields.TABLES[row.subject]
    if row.source and table.source:
        return table.table, table.joins, f"{table.source} = %s", [row.source]
    return table.table, "", "true", []


def _field(row: Expectation) -> list[Any]:
    return [row.field] if row.subject.startswith(fields.EVENTS) else []


def _text(row: Expectation) -> str:
    if row.subject.startswith(fields.EVENTS):
        return "(t.properties ->> %s)"
    return fields.TABLES[row.subject].columns[row.field].text


def _applies(row: Expectation) -> str:
    if row.kind == FILLED:
        return "true"
    if row.kind == REFERS:
        return "t.kind = 'return'" if row.field == "returns" else "true"
    return f"coalesce({_text(row)}, '') <> ''"


def _applies_params(row: Expectation) -> list[Any]:
    return [] if row.kind in (FILLED, REFERS) else _field(row)


def _bad(row: Expectation) -> tuple[str, str, list[Any]]:
    """(which rows are asked, which of them fail, parameters of the latter)."""
    text, applies = _text(row), _applies(row)
    if row.kind == FILLED:
        return applies, f"coalesce({text}, '') = ''", _field(row)
    if row.kind == REFERS:
        return applies, fields.TABLES[row.subject].columns[row.field].empty, []
    if row.kind == IN_LIST:
        return applies, f"{text} <> ALL(%s)", [*_field(row), row.params["values"]]
    if row.kind == MATCHES:
        shape = row.params["shape"]
        if shape == "country":
            return applies, f"{text} NOT IN ({fields.COUNTRIES})", _field(row)
        return applies, f"{text} !~ %s", [*_field(row), fields.SHAPES[shape][1]]
    # A text that is no number fails; CASE keeps the cast away from it.
    low, high = row.params["min"], row.params["max"]
    number = (
        f"CASE WHEN {text} ~ %s THEN {text}::float8 NOT BETWEEN"
        " coalesce(%s, '-infinity'::float8) AND coalesce(%s, 'infinity'::float8) ELSE true END"
    )
    return applies, number, [*_field(row), fields.NUMBER, *_field(row), low, high]


def bad_rows(*, expectation_id: int) -> tuple[str, list[Any]]:
    """The condition, with its parameters, of rows that do not meet an expectation on a table."""
    row = expectations.get(expectation_id=expectation_id)
    if row.kind in WHOLE or row.kind == IS_UNIQUE or row.subject not in fields.TABLES:
        return "", []
    applies, bad, params = _bad(row)
    return f"({applies}) AND ({bad})", params
