"""The tracking plan: what was agreed about each kind of event, and what becomes of the others.

A process keeps the compiled plan and asks every two seconds whether it changed, so judging a batch
costs no question to the database. An event is judged by its shape first; only rules about values
(a list, a range, a date) look at the values.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from ingestion.models import EventPlan, EventType, PlanRules, Policy
from ingestion.registry import shapes, tally
from marketing.core import audit
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey, User

FRESH_SECONDS = 2.0
SHAPES_KEPT = 5_000
SHORT = 10
VALUES_LIMIT = 500
PROPERTIES_LIMIT = 500
ALWAYS = 0.999  # a property in this share of the events was meant to be in all
MOSTLY = 0.995
_ACCEPTS: dict[str, tuple[type, ...]] = {
    shapes.STRING: (str,),
    shapes.DATE_TIME: (str,),
    shapes.NUMBER: (int, float),
    shapes.INTEGER: (int, float),  # 2.0 is one; a check of its value tells
    shapes.BOOLEAN: (bool,),
    shapes.OBJECT: (dict,),
    shapes.ARRAY: (list,),
}


class Verdict(NamedTuple):
    """What becomes of an event that breaks the plan, and why. `action` is a Policy."""

    action: str
    code: str
    field: str
    message: str
    remedy: str


class Fault(NamedTuple):
    """One rule that an event breaks."""

    code: str
    field: str
    detail: str = ""


class CompiledType:
    """One type's plan, ready to be asked about many events."""

    def __init__(self, plan: EventPlan) -> None:
        self.name, self.policy, self.closed = plan.name, plan.policy, plan.closed
        self._rules: dict[str, dict[str, Any]] = plan.properties
        self._required = tuple(n for n, rule in self._rules.items() if rule.get("required"))
        self._checks = tuple(
            (name, rule, check) for name, rule in self._rules.items() for check in _checks(rule)
        )
        self._shapes: dict[tuple[Any, ...], Fault | None] = {}
        # A short open plan is asked property by property, which costs less than a shape's key.
        short = not plan.closed and len(self._rules) <= SHORT
        self._short = [
            (name, _ACCEPTS.get(rule.get("type", ""), ()), bool(rule.get("required")))
            for name, rule in self._rules.items()
            if short
        ]

    def fault(self, payload: Mapping[str, Any]) -> Fault | None:
        """The first rule that these properties break, or None."""
        found = self._by_property(payload) if self._short else self._by_shape(payload)
        if found is not None or not self._checks:
            return found
        for name, rule, check in self._checks:
            value = payload.get(name)
            if value is not None and (detail := check(rule, value)):
                return Fault(detail[0], name, detail[1])
        return None

    def _by_property(self, payload: Mapping[str, Any]) -> Fault | None:
        for name, kinds, required in self._short:
            value = payload.get(name)
            if value is None:
                if required:
                    return self._shape_fault(payload)
            elif kinds and value.__class__ not in kinds:
                return self._shape_fault(payload)
        return None

    def _by_shape(self, payload: Mapping[str, Any]) -> Fault | None:
        shape = (tuple(payload), tuple([value.__class__ for value in payload.values()]))
        try:
            return self._shapes[shape]
        except KeyError:
            if len(self._shapes) >= SHAPES_KEPT:
                self._shapes.clear()
            found = self._shapes[shape] = self._shape_fault(payload)
            return found

    def _shape_fault(self, payload: Mapping[str, Any]) -> Fault | None:
        for name in self._required:
            if payload.get(name) is None:
                return Fault("plan_missing", name)
        for name, value in payload.items():
            rule = self._rules.get(name)
            if rule is None:
                if self.closed:
                    return Fault("plan_unexpected", str(name))
                continue
            kind = rule.get("type")
            if kind and value is not None and type(value) not in _ACCEPTS[kind]:
                return Fault("plan_type", name, f"{kind}\0{shapes.kind_of(value)}")
        return None


Check = Callable[[Mapping[str, Any], Any], tuple[str, str] | None]


def _checks(rule: Mapping[str, Any]) -> list[Check]:
    checks: list[Check] = []
    if rule.get("type") == shapes.DATE_TIME:
        checks.append(_check_date)
    if rule.get("type") == shapes.INTEGER:
        checks.append(_check_whole)
    if rule.get("values"):
        checks.append(partial(_check_values, frozenset(map(str, rule["values"]))))
    if rule.get("min") is not None or rule.get("max") is not None:
        checks.append(_check_range)
    return checks


def _check_date(_rule: Mapping[str, Any], value: Any) -> tuple[str, str] | None:
    if isinstance(value, str) and not shapes.is_date_time(value):
        return "plan_type", f"{shapes.DATE_TIME}\0{shapes.STRING}"
    return None


def _check_whole(_rule: Mapping[str, Any], value: Any) -> tuple[str, str] | None:
    if isinstance(value, float) and not value.is_integer():
        return "plan_type", f"{shapes.INTEGER}\0{shapes.NUMBER}"
    return None


def _check_values(
    allowed: frozenset[str], _rule: Mapping[str, Any], value: Any
) -> tuple[str, str] | None:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return None if text in allowed else ("plan_value", "")


def _check_range(rule: Mapping[str, Any], value: Any) -> tuple[str, str] | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    low, high = rule.get("min"), rule.get("max")
    if (low is not None and value < low) or (high is not None and value > high):
        return "plan_range", f"{'' if low is None else low}\0{'' if high is None else high}"
    return None


class Standing:
    """The whole plan, compiled."""

    def __init__(self) -> None:
        self.types: dict[str, CompiledType] = {}
        self.unknown = str(Policy.ALLOW)
        self.version, self.looked = -1, 0.0

    @property
    def silent(self) -> bool:
        return self.unknown == Policy.ALLOW and not self.types


_plan = Standing()


def standing() -> Standing:
    """The plan as it stands, or stood two seconds ago."""
    global _plan
    if time.monotonic() - _plan.looked < FRESH_SECONDS:
        return _plan
    rules = PlanRules.objects.filter(pk=1).first()
    version, unknown = (rules.version, rules.unknown) if rules else (0, str(Policy.ALLOW))
    if version != _plan.version:
        made = Standing()
        made.version, made.unknown = version, unknown
        made.types = {plan.name: CompiledType(plan) for plan in EventPlan.objects.all()}
        _plan = made
    _plan.looked = time.monotonic()
    return _plan


def forget() -> None:
    """Read the plan again before the next batch."""
    _plan.looked, _plan.version = 0.0, -1


def judge(*, batch: Sequence[Any], source: str, now: datetime) -> dict[int, Verdict]:
    """What the plan says of a batch: verdicts by place, of those events alone that break it.

    An event that is not named may be stored as it is; so may one whose action is `warn`.
    """
    plan = standing()
    if plan.silent:
        return {}
    types, unknown = plan.types, plan.unknown
    out: dict[int, Verdict] = {}
    for index, event in enumerate(batch):
        agreed = types.get(event.type)
        if agreed is None:
            if unknown != Policy.ALLOW:
                out[index] = verdict(unknown, event.type, Fault("plan_unknown_type", "type"))
        elif agreed.policy != Policy.ALLOW:
            fault = agreed.fault(tally.payload_of(event))
            if fault is not None:
                out[index] = verdict(agreed.policy, event.type, fault)
    return out


def verdict(action: str, name: str, fault: Fault) -> Verdict:
    """A broken rule put into words."""
    field = shapes.label(fault.field)
    message, remedy = wording(fault.code, shapes.label(name), field, fault.detail)
    return Verdict(action, fault.code, field, message[:300], remedy[:300])


def wording(code: str, name: str, field: str, detail: str = "") -> tuple[str, str]:
    """What a broken rule means and what to do, in words."""
    first, _sep, second = detail.partition("\0")
    values = {"event": name[:80], "field": field[:80], "first": first, "second": second}
    if code == "plan_unknown_type":
        message = _("The plan has no event called “%(event)s”.")
        remedy = _("Add the event to the plan, or correct its name where it is sent.")
    elif code == "plan_missing":
        message = _("“%(field)s” is missing; the plan needs it with every “%(event)s”.")
        remedy = _("Send the property, or make it optional in the plan.")
    elif code == "plan_type":
        message = _("“%(field)s” should be %(first)s and is %(second)s.")
        remedy = _("Send it as the plan says, or change the type in the plan.")
    elif code == "plan_value":
        message = _("The value of “%(field)s” is not in the list of the plan.")
        remedy = _("Send one of the listed values, or add this one to the plan.")
    elif code == "plan_range":
        message = _("“%(field)s” is outside the range of the plan, %(first)s to %(second)s.")
        remedy = _("Correct the number where it is sent, or widen the range in the plan.")
    else:
        message = _("The plan of “%(event)s” has no property called “%(field)s”.")
        remedy = _("Add the property to the plan, or stop sending it.")
    return message % values, remedy


# --- changing the plan -------------------------------------------------------------------------


def rules() -> PlanRules:
    """What holds for all kinds of events."""
    return PlanRules.objects.get_or_create(pk=1)[0]


def choose_unknown(*, policy: str, user: User | ApiKey | None, now: datetime) -> PlanRules:
    """What becomes of events that the plan does not name."""
    if policy not in Policy.values:
        raise Invalid(_("Choose what becomes of unknown events."), code="bad_policy")
    with transaction.atomic():
        row = rules()
        PlanRules.objects.filter(pk=row.pk).update(unknown=policy, version=F("version") + 1)
        audit.record(actor=user, action="plan.unknown", obj=row, detail={"policy": policy})
    forget()
    row.refresh_from_db()
    return row


def save(
    *,
    name: str,
    policy: str,
    user: User | ApiKey | None,
    now: datetime,
    properties: Mapping[str, Mapping[str, Any]],
    description: str = "",
    owner: str = "",
    closed: bool = False,
) -> EventPlan:
    """Agree on one kind of event. Refuses with the property at fault; nothing is changed then."""
    if not name or len(name) > 100 or "\0" in name:
        raise Invalid(_("An event has a name of at most 100 characters."), code="bad_name")
    if policy not in Policy.values:
        raise Invalid(_("Choose what becomes of events that break the plan."), field="policy")
    if len(properties) > PROPERTIES_LIMIT:
        raise Invalid(_("A plan has at most 500 properties."), code="too_many", field="properties")
    tidy = {title: tidied(title, rule) for title, rule in properties.items()}
    with transaction.atomic():
        plan, made = EventPlan.objects.update_or_create(
            name=name,
            defaults={
                "policy": policy,
                "properties": tidy,
                "description": description.strip()[:2000],
                "owner": owner.strip()[:100],
                "closed": closed,
                "updated_at": now,
                "updated_by": user if isinstance(user, User) else None,
            },
        )
        if not made:
            EventPlan.objects.filter(pk=plan.pk).update(version=F("version") + 1)
        PlanRules.objects.filter(pk=rules().pk).update(version=F("version") + 1)
        audit.record(actor=user, action="plan.saved", obj=plan, detail={"policy": policy})
    forget()
    return plan


def remove(*, name: str, user: User | ApiKey | None, now: datetime) -> None:
    """Take an event out of the plan; what was seen of it stays."""
    with transaction.atomic():
        plan = EventPlan.objects.filter(name=name).first()
        if plan is None:
            raise NotFound(_("The plan has no such event. Nothing was changed."))
        audit.record(actor=user, action="plan.removed", obj=plan)
        plan.delete()
        PlanRules.objects.filter(pk=rules().pk).update(version=F("version") + 1)
    forget()


def tidied(name: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule about one property as it is stored. Refuses what cannot be asked of a value."""
    title = name[:80]
    kind = rule.get("type") or ""
    if kind and kind not in _ACCEPTS:
        raise Invalid(
            _("“%(name)s” has an unknown type.") % {"name": title}, code="bad_type", field=name
        )
    values = [str(value).strip() for value in rule.get("values") or [] if str(value).strip()]
    if len(values) > VALUES_LIMIT or any(len(value) > 300 for value in values):
        raise Invalid(
            _("“%(name)s” may list at most 500 values of 300 characters.") % {"name": title},
            code="too_many_values",
            field=name,
        )
    low, high = _bound(title, rule.get("min")), _bound(title, rule.get("max"))
    if low is not None and high is not None and low > high:
        raise Invalid(
            _("The range of “%(name)s” begins after its end.") % {"name": title},
            code="bad_range",
            field=name,
        )
    out: dict[str, Any] = {"type": kind, "required": bool(rule.get("required"))}
    extra = {"values": values, "min": low, "max": high}
    out |= {key: value for key, value in extra.items() if value not in (None, [])}
    if text := str(rule.get("description") or "").strip()[:300]:
        out["description"] = text
    return out


def _bound(name: str, value: Any) -> float | None:
    if value in (None, ""):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not abs(number) < 1e15:
        raise Invalid(
            _("The range of “%(name)s” needs numbers.") % {"name": name},
            code="bad_range",
            field=name,
        )
    return int(number) if number.is_integer() else number


def adopt(*, name: str, user: User | ApiKey | None, now: datetime, policy: str = "") -> EventPlan:
    """Make what was seen of an event its plan: the usual kinds, and what was always there."""
    seen = EventType.objects.filter(name=name).prefetch_related("properties").first()
    if seen is None:
        raise NotFound(_("No such event was seen yet, so there is nothing to adopt."))
    old = EventPlan.objects.filter(name=name).first()
    return save(
        name=name,
        policy=policy or (old.policy if old else Policy.WARN),
        user=user,
        now=now,
        properties=suggested(seen),
        description=old.description if old else "",
        owner=old.owner if old else "",
        closed=old.closed if old else False,
    )


def suggested(seen: EventType) -> dict[str, dict[str, Any]]:
    """The plan that fits what was seen of an event."""
    out: dict[str, dict[str, Any]] = {}
    for row in seen.properties.all():
        kinds = shapes.shares(row.kinds)
        filled = row.count - int(row.kinds.get(shapes.NULL, 0))
        out[row.name] = {
            "type": kinds[0][0] if kinds and kinds[0][1] >= MOSTLY else "",
            "required": seen.count > 0 and filled / seen.count >= ALWAYS,
        }
    return out
