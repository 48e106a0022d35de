"""Placements made, changed and taken away; what is not sensible is refused with its field."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import audit
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import ApiKey, User
from recommendations import placements
from recommendations.models import Placement
from recommendations.placements import DEFAULT
from recommendations.rules import BadRule, Rules

FIELDS = (
    "name", "kind", "enabled", "size", "engine", "rival", "rival_percent", "holdout_percent",
    "holdout_shows", "rules",
)  # fmt: skip
SIZE_MOST = 50
# What the form of a placement calls its rules, and which of them it shows in percent.
PERCENT = ("price_from", "price_to", "diversity", "new_share")
LABELS = {
    "min_stock": gettext_lazy("Least stock"),
    "price_min": gettext_lazy("From"),
    "price_max": gettext_lazy("To"),
    "price_from": gettext_lazy("From, in percent"),
    "price_to": gettext_lazy("To, in percent"),
    "margin_boost": gettext_lazy("Boost by margin"),
    "fresh_boost": gettext_lazy("Boost new products"),
    "fresh_days": gettext_lazy("New for so many days"),
    "max_age_days": gettext_lazy("Older than"),
    "diversity": gettext_lazy("Diversity"),
    "new_share": gettext_lazy("Places for new products"),
    "per_category": gettext_lazy("At most of a category"),
    "per_brand": gettext_lazy("At most of a brand"),
    "without_brands": gettext_lazy("Brands (with commas)"),
    "without_categories": gettext_lazy("Categories (with commas)"),
    "allow": gettext_lazy("Only for some people"),
}
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,48}[a-z0-9]|[a-z0-9]")

Actor = User | ApiKey | None


def save(
    *,
    slug: str = "",
    values: Mapping[str, Any],
    actor: Actor,
    now: datetime,
    percent: bool = False,
) -> tuple[Placement, bool]:
    """Make the placement of this key, or change what is named of it; whether it is new.

    Without a key a new one is made of the name. `percent`: refusals speak as the form does.
    """
    row = Placement.objects.filter(slug=slug).first() if slug else None
    made = row is None
    if row is None:
        row = Placement(slug=slug or _free(str(values.get("name", ""))), created_at=now)
        if not _SLUG.fullmatch(row.slug):
            raise _wrong("key", _("A key has small letters, digits and hyphens, up to 50."))
        if not values.get("name"):
            raise _wrong("name", _("Give the placement a name."))
    for name in values:
        if name not in FIELDS:
            raise _wrong(name[:60], _("There is no such field."))
    _take(row, values, percent)
    _check(row)
    row.updated_at = now
    row.save()
    placements.forget()
    audit.record(actor=actor, action="placement.made" if made else "placement.changed", obj=row)
    return row, made


def remove(*, slug: str, actor: Actor) -> None:
    """Take a placement away with its stored picks and what was counted of it."""
    row = Placement.objects.filter(slug=slug).first()
    if row is None:
        raise NotFound(_("There is no placement with this key."), code="unknown_placement")
    if slug == DEFAULT:
        raise Conflict(
            _("Mails show their products by this placement; it stays."),
            code="placement_needed",
            remedy=_("Turn it off instead."),
        )
    audit.record(actor=actor, action="placement.removed", obj=row)
    row.delete()
    placements.forget()


def _wrong(field: str, message: str) -> Invalid:
    return Invalid(message, code="bad_placement", field=field)


def _free(name: str) -> str:
    """A key made of a name that no placement has yet."""
    base = slugify(name)[:40].strip("-") or "placement"
    taken = set(Placement.objects.filter(slug__startswith=base).values_list("slug", flat=True))
    return next(
        key for key in (base, *(f"{base}-{n}" for n in range(2, 10_000))) if key not in taken
    )


def _take(row: Placement, values: Mapping[str, Any], percent: bool) -> None:
    if "name" in values:
        name = " ".join(str(values["name"]).split())
        if not name or len(name) > 100 or "\0" in name:
            raise _wrong("name", _("Give the placement a name of up to 100 characters."))
        row.name = name
    for field, choices in (
        ("kind", Placement.Kind.values), ("holdout_shows", Placement.Holdout.values),
        ("engine", [*placements.engines()]), ("rival", [*placements.engines()]),
    ):  # fmt: skip
        if field in values:
            if values[field] not in choices:
                raise _wrong(
                    field, _("Choose one of: %(names)s.") % {"names": ", ".join(map(repr, choices))}
                )
            setattr(row, field, values[field])
    for field, least, most in (
        ("size", 1, SIZE_MOST), ("rival_percent", 0, 99), ("holdout_percent", 0, 90),
    ):  # fmt: skip
        if field in values:
            value = values[field]
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
                raise _wrong(
                    field,
                    _("This must be a whole number from %(least)d to %(most)d.")
                    % {"least": least, "most": most},
                )
            setattr(row, field, value)
    if "enabled" in values:
        if not isinstance(values["enabled"], bool):
            raise _wrong("enabled", _("This must be true or false."))
        row.enabled = values["enabled"]
    if "rules" in values:
        row.rules = read_rules(values["rules"], row.size, percent=percent).stored()


def read_rules(stored: Any, size: int, *, percent: bool = False) -> Rules:
    """Rules as they came. Invalid with the rule at fault, in the words and the scale of who asked:
    a form shows some as percent (`PERCENT`) and names all by their labels."""
    if not isinstance(stored, dict):
        raise _wrong("rules", _("Send the rules as one JSON object."))
    try:
        return Rules.of(stored, size)
    except BadRule as fault:
        label = str(LABELS.get(fault.rule, fault.rule)) if percent else fault.rule
        raise Invalid(
            _("%(rule)s: %(fault)s") % {"rule": label[:60], "fault": _said(fault, percent)},
            code="bad_rule",
            field=f"rules.{fault.rule[:60]}",
        ) from None


def _said(fault: BadRule, percent: bool) -> str:
    """What is wrong with a rule."""
    most = fault.params.get("most", 0)
    if fault.code == "between":
        if percent and fault.rule in PERCENT:
            return _("must lie between 0 and %(most)s percent.") % {"most": f"{100 * most:g}"}
        return _("must lie between 0 and %(most)s.") % {"most": f"{most:g}"}
    if fault.code == "below":
        other = fault.params["other"]
        name = str(LABELS[other]) if percent else other
        return _("must not be below “%(other)s”.") % {"other": name}
    if fault.code == "names":
        return _("must be a list of at most %(n)d.") % {"n": most}
    return {
        "unknown": _("there is no such rule."),
        "yes_no": _("must be true or false."),
        "number": _("must be a number."),
        "whole": _("must be a whole number."),
        "allow": _("each names a group, and categories or brands."),
    }[fault.code]


def _check(row: Placement) -> None:
    if row.rival_percent and row.engine == row.rival:
        raise _wrong("rival", _("Compare two different engines."))
