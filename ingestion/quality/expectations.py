"""What somebody wants to be true of the data: made by a form or from what was measured."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.models import Expectation, Severity
from ingestion.quality import fields
from marketing.core import audit
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import User

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
