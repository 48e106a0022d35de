"""What somebody wants to be true of the data: made by a form or from what was measured."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.models import EventProperty, Expectation, Measure, Severity
from ingestion.quality import fields
from ingestion.quality.signals import Finding
from ingestion.registry import shapes
from marketing.core import audit
from marketing.core.db import statement_timeout
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import User

logger = logging.getLogger(__name__)

FILLED, IS_UNIQUE, IN_LIST, MATCHES = "filled", "unique", "in_list", "matches"
RANGE, IS_FRESH, ROWS, REFERS = "range", "fresh", "rows", "refers"
KINDS: dict[str, Any] = {
    FILLED: gettext_lazy("has a value"),
    IS_UNIQUE: gettext_lazy("is there only once"),
    IN_LIST: gettext_lazy("is one of a list"),
    MATCHES: gettext_lazy("looks like"),
    RANGE: gettext_lazy("lies in a range"),
    IS_FRESH: gettext_lazy("is fresh"),
    ROWS: gettext_lazy("has a number of rows a day"),
    REFERS: gettext_lazy("belongs to something we know"),
}
WHOLE = (IS_FRESH, ROWS)  # asked of all rows, not of a field
REFERENCES = {("orders", "customer"), ("lines", "product"), ("lines", "returns")}
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
VALUES_LIMIT = 500
_ALL = 50


def save(
    *,
    subject: str,
    kind: str,
    user: User | None,
    now: datetime,
    field: str = "",
    source: str = "",
    params: Mapping[str, Any] | None = None,
    threshold: float = 1.0,
    severity: str = Severity.WARNING,
    hold: str = "",
    held: list[str] | None = None,
    name: str = "",
    enabled: bool = True,
    expectation_id: int | None = None,
) -> Expectation:
    """Make or change an expectation. Refuses with the field of the form that is at fault."""
    if kind not in KINDS:
        raise Invalid(_("Choose what is expected."), code="bad_kind", field="kind")
    if kind in WHOLE:
        field = ""
    if not fields.known(subject=subject, field=field):
        raise Invalid(_("Choose what the expectation is about."), code="bad_field", field="field")
    if kind not in WHOLE and not field:
        raise Invalid(_("Choose a field."), code="no_field", field="field")
    if kind == REFERS and (subject, field) not in REFERENCES:
        raise Invalid(
            _("Only an order's person, a line's product and a return's order can be looked up."),
            code="no_reference",
            field="kind",
        )
    if severity not in Severity.values or hold not in Expectation.Hold.values:
        raise Invalid(_("Choose how serious this is."), code="bad_severity", field="severity")
    if not 0 < threshold <= 1:
        raise Invalid(
            _("The share of rows lies between 0 and 100 percent."),
            code="bad_threshold",
            field="threshold",
        )
    tidy = tidied(kind, params or {})
    values = {
        "subject": subject,
        "field": field,
        "source": source[:100],
        "kind": kind,
        "params": tidy,
        "threshold": 1.0 if kind in WHOLE else threshold,
        "severity": severity,
        "hold": hold,
        "held": [str(item)[:60] for item in held or []][:_ALL],
        "enabled": enabled,
        "name": (name.strip() or sentence(subject, field, kind, tidy, threshold))[:200],
        "met": None,
    }
    with transaction.atomic():
        if expectation_id is None:
            row = Expectation.objects.create(**values, created_by=user, created_at=now)
        else:
            row = get(expectation_id=expectation_id)
            for key, value in values.items():
                setattr(row, key, value)
            row.save()
        audit.record(actor=user, action="expectation.saved", obj=row)
    return row


def get(*, expectation_id: int) -> Expectation:
    """One expectation. Raises NotFound."""
    row = Expectation.objects.filter(pk=expectation_id).first()
    if row is None:
        raise NotFound(_("There is no such expectation."), code="expectation_unknown")
    return row


def remove(*, expectation_id: int, user: User, now: datetime) -> None:
    """Expect it no longer; a problem it has open goes with it."""
    with transaction.atomic():
        row = get(expectation_id=expectation_id)
        audit.record(actor=user, action="expectation.removed", obj=row)
        row.delete()


def tidied(kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The details of an expectation as they are stored."""
    if kind == IN_LIST:
        values = [str(v).strip()[:300] for v in params.get("values") or [] if str(v).strip()]
        if not values or len(values) > VALUES_LIMIT:
            raise Invalid(_("List 1 to 500 values, one a line."), field="values")
        return {"values": values}
    if kind == MATCHES:
        if params.get("shape") not in fields.SHAPES:
            raise Invalid(_("Choose what the values look like."), field="shape")
        return {"shape": params["shape"]}
    if kind in (RANGE, ROWS):
        low, high = _number(params.get("min")), _number(params.get("max"))
        if low is None and high is None:
            raise Invalid(_("Give the smallest or the largest number, or both."), field="min")
        if low is not None and high is not None and low > high:
            raise Invalid(_("The smallest number is larger than the largest."), field="min")
        return {"min": low, "max": high}
    if kind == IS_FRESH:
        hours = _number(params.get("hours"))
        if hours is None or not 0 < hours <= 10_000:
            raise Invalid(_("Say after how many hours new rows are due."), field="hours")
        return {"hours": hours}
    return {}


def _number(value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise Invalid(_("This needs a number."), code="bad_number", field="min") from None
    if not abs(number) < 1e15:
        raise Invalid(_("This number is too large."), code="bad_number", field="min")
    return number


def sentence(
    subject: str, field: str, kind: str, params: Mapping[str, Any], threshold: float
) -> str:
    """An expectation in words."""
    what = fields.subject_label(subject)
    values = {
        "what": what,
        "field": fields.field_label(subject, field),
        "share": f"{100 * threshold:g}",
        "hours": f"{params.get('hours', 0):g}",
        "min": "–" if params.get("min") is None else f"{params['min']:g}",
        "max": "–" if params.get("max") is None else f"{params['max']:g}",
        "shape": fields.SHAPES.get(params.get("shape", ""), ("", ""))[0],
        "values": ", ".join(params.get("values", [])[:5]),
    }
    templates = {
        FILLED: _("%(what)s: %(field)s is filled in %(share)s%% of rows"),
        IS_UNIQUE: _("%(what)s: %(field)s is unique in %(share)s%% of rows"),
        IN_LIST: _("%(what)s: %(field)s is one of %(values)s"),
        MATCHES: _("%(what)s: %(field)s looks like %(shape)s in %(share)s%% of rows"),
        RANGE: _("%(what)s: %(field)s is between %(min)s and %(max)s"),
        IS_FRESH: _("%(what)s: something new at least every %(hours)s hours"),
        ROWS: _("%(what)s: between %(min)s and %(max)s rows a day"),
        REFERS: _("%(what)s: %(field)s is known in %(share)s%% of rows"),
    }
    return templates[kind] % values


# --- asking ------------------------------------------------------------------------------------


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
    row = get(expectation_id=expectation_id)
    if row.kind in WHOLE or row.kind == IS_UNIQUE or row.subject not in fields.TABLES:
        return "", []
    applies, bad, params = _bad(row)
    return f"({applies}) AND ({bad})", params


# --- suggesting --------------------------------------------------------------------------------


def suggest() -> list[dict[str, Any]]:
    """Expectations that hold now and would say when they no longer do: “keep it as it is”."""
    have = set(Expectation.objects.values_list("subject", "field", "kind"))
    out: list[dict[str, Any]] = []
    newest = Measure.objects.order_by("-day").values_list("day", flat=True).first()
    if newest is None:
        return _suggest_events(have)
    rows = Measure.objects.filter(day=newest, source="", total__gte=20).exclude(
        subject=fields.IMPORTS
    )
    for row in rows.order_by("subject", "field", "dimension"):
        share = 1 - row.bad / row.total
        if row.dimension == fields.COMPLETE and share >= 0.5:
            kind, at_least = FILLED, _floor(share)
        elif row.dimension == fields.UNIQUE and share >= 0.99:
            kind, at_least = IS_UNIQUE, _floor(share)
        elif row.dimension == fields.VALID and row.field in ("email", "phone", "country"):
            kind, at_least = MATCHES, _floor(share)
        else:
            continue
        if (row.subject, row.field, kind) in have or row.subject.startswith(fields.EVENTS):
            continue
        params = {"shape": row.field} if kind == MATCHES else {}
        out.append(_suggestion(row.subject, row.field, kind, params, at_least))
    return out + _suggest_events(have)


def _suggest_events(have: set[tuple[str, str, str]]) -> list[dict[str, Any]]:
    out = []
    rows = EventProperty.objects.select_related("type").filter(type__count__gte=100)
    for row in rows.order_by("-type__count", "-count")[:200]:
        subject = fields.EVENTS + row.type.name
        filled = (row.count - int(row.kinds.get(shapes.NULL, 0))) / row.type.count
        if filled >= 0.95 and (subject, row.name, FILLED) not in have:
            out.append(_suggestion(subject, row.name, FILLED, {}, _floor(filled)))
    return out[:20]


def _floor(share: float) -> float:
    """A little below what holds now, so that noise does not break it."""
    return max(round(share - 0.02, 2), 0.01) if share < 1 else 0.99


def _suggestion(
    subject: str, field: str, kind: str, params: dict[str, Any], threshold: float
) -> dict[str, Any]:
    return {
        "subject": subject,
        "field": field,
        "kind": kind,
        "params": params,
        "threshold": threshold,
        "percent": round(100 * threshold, 1),
        "name": sentence(subject, field, kind, params, threshold),
    }
