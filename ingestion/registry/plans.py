"""The tracking plan: what was agreed about each kind of event, and what becomes of the others."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from ingestion.models import EventPlan, EventType, PlanRules, Policy
from ingestion.registry import judging, shapes
from marketing.core import audit
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import ApiKey, User

VALUES_LIMIT = 500
PROPERTIES_LIMIT = 500
ALWAYS = 0.999  # a property in this share of the events was meant to be in all
MOSTLY = 0.995


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
    judging.forget()
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
    judging.forget()
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
    judging.forget()


def tidied(name: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule about one property as it is stored. Refuses what cannot be asked of a value."""
    title = name[:80]
    kind = rule.get("type") or ""
    if kind and kind not in judging.ACCEPTS:
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
