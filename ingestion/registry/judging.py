"""Events against the tracking plan: which break it, what becomes of them, and why, in words.

A process keeps the compiled plan and asks every two seconds whether it changed, so judging a batch
costs no question to the database. An event is judged by its shape first; only rules about values
(a list, a range, a date) look at the values.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from ingestion.models import EventPlan, PlanRules, Policy
from ingestion.registry import shapes, tally

FRESH_SECONDS = 2.0
SHAPES_KEPT = 5_000
SHORT = 10
ACCEPTS: dict[str, tuple[type, ...]] = {
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
            (name, ACCEPTS.get(rule.get("type", ""), ()), bool(rule.get("required")))
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
            if kind and value is not None and type(value) not in ACCEPTS[kind]:
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


# Of each code what the broken rule means, and what to do.
_SAID = {
    "plan_unknown_type": (
        _("The plan has no event called “%(event)s”."),
        _("Add the event to the plan, or correct its name where it is sent."),
    ),
    "plan_missing": (
        _("“%(field)s” is missing; the plan needs it with every “%(event)s”."),
        _("Send the property, or make it optional in the plan."),
    ),
    "plan_type": (
        _("“%(field)s” should be %(first)s and is %(second)s."),
        _("Send it as the plan says, or change the type in the plan."),
    ),
    "plan_value": (
        _("The value of “%(field)s” is not in the list of the plan."),
        _("Send one of the listed values, or add this one to the plan."),
    ),
    "plan_range": (
        _("“%(field)s” is outside the range of the plan, %(first)s to %(second)s."),
        _("Correct the number where it is sent, or widen the range in the plan."),
    ),
    "plan_unexpected": (
        _("The plan of “%(event)s” has no property called “%(field)s”."),
        _("Add the property to the plan, or stop sending it."),
    ),
}


def wording(code: str, name: str, field: str, detail: str = "") -> tuple[str, str]:
    """What a broken rule means and what to do, in words."""
    first, _sep, second = detail.partition("\0")
    message, remedy = _SAID[code]
    values = {"event": name[:80], "field": field[:80], "first": first, "second": second}
    return str(message) % values, str(remedy)
