"""What a campaign tries: its variants, and how they share its people. `rounds` decides later."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from campaigns import locks
from campaigns.manners import clocks, rules, tried
from campaigns.models import Campaign, Channel, Template, Trial, Variant
from campaigns.recipients import routes
from marketing.core import audit
from marketing.core.errors import Invalid
from marketing.core.models import ApiKey, User

KEYS = "abcdefghij"
LONGEST_NAME, LONGEST_HYPOTHESIS = 80, 300
# What may be said of a variant, and of how all are compared.
OF_VARIANT = ("name", "template_id", "channel", "weight", "hour", "limit")
FIELDS = (
    "mode", "metric", "hypothesis", "first_percent", "hours", "rounds", "win_percent",
    "floor_percent", "learner", "budget",
)  # fmt: skip
_BOUNDS = {
    "first_percent": (1, 100),
    "hours": (1, 240),
    "rounds": (1, 48),
    "win_percent": (60, 99.9),
    "floor_percent": (0, 50),
}


def save(
    *,
    campaign_id: int,
    variants: Sequence[Mapping[str, Any]],
    values: Mapping[str, Any],
    user: User | ApiKey | None,
    now: datetime,
) -> Trial:
    """Say which mails are tried and how; fewer than two variants end the trial.

    `variants`: name, template_id (empty: the campaign's own), weight, hour (empty: when the
    campaign goes out), limit (the most that its messages may cost; empty: no limit). Messages of
    different kinds go by their own channels; `channel` may say
    which that is. `values`: FIELDS of Trial. What is wrong with a variant is said with its place.
    """
    with transaction.atomic():
        campaign = locks.draft(campaign_id)
        if len(variants) > len(KEYS):
            raise Invalid(
                _("At most %(n)d variants.") % {"n": len(KEYS)}, code="too_many", field="variants"
            )
        rows = []
        for place, (key, said) in enumerate(zip(KEYS, variants, strict=False)):
            try:
                rows.append(_variant(campaign, key, said))
            except Invalid as refusal:
                refusal.field = f"variants.{place}.{refusal.field}"
                raise
        if rows and not any(row.weight for row in rows):
            raise Invalid(
                _("Give at least one variant a share."), code="no_weight", field="variants"
            )
        campaign.variants.all().delete()
        Variant.objects.bulk_create(rows if len(rows) > 1 else [])
        checked = {name: _checked(name, value) for name, value in values.items()}
        kept = Trial.objects.filter(campaign=campaign).first() or Trial(campaign=campaign)
        mode, metric, hours = (
            checked.get(name, getattr(kept, name)) for name in ("mode", "metric", "hours")
        )
        routes.refuse_unfit(
            routes=routes.of([(row.key, row.weight, kind(campaign, row)) for row in rows]),
            follows=mode != Trial.Mode.FIXED,
            metric=metric,
            hours=hours,
        )
        if len(rows) > 1 and any(row.hour is not None for row in rows):
            _fit_hours(campaign, rows, checked)
        trial, _new = Trial.objects.update_or_create(campaign=campaign, defaults=checked)
        campaign.updated_at = now
        campaign.save(update_fields=["updated_at"])
        audit.record(
            actor=user, action="campaign.variants", obj=campaign, detail={"variants": len(rows)}
        )
    return trial


def _variant(campaign: Campaign, key: str, values: Mapping[str, Any]) -> Variant:
    unknown = sorted(set(values) - set(OF_VARIANT))
    if unknown:
        raise Invalid(
            _("There is no field called %(name)s.") % {"name": unknown[0]},
            code="unknown_field",
            field=unknown[0],
            remedy=_("Fields: %(names)s.") % {"names": ", ".join(OF_VARIANT)},
        )
    weight = _whole(values.get("weight", 1))
    if weight is None or weight > 1_000:
        raise Invalid(_("A share lies between 0 and 1,000."), code="bad_weight", field="weight")
    made = Variant(
        campaign=campaign, key=key, name=_line(values, "name", LONGEST_NAME),
        template=_template(values.get("template_id")), weight=weight,
        hour=_hour(values.get("hour")), limit=_money(values.get("limit"), "limit"),
    )  # fmt: skip
    said, goes_by = values.get("channel") or None, kind(campaign, made)
    if said is not None and said != goes_by:
        names = dict(Channel.Kind.choices)
        raise Invalid(
            _("Its message is written for %(channel)s.") % {"channel": names[goes_by]},
            code="channel_differs",
            field="channel",
            remedy=_("Choose a template of that channel, or leave the channel out."),
        )
    return made


def _whole(value: Any) -> int | None:
    """A whole number from nothing on, as a number or as it is typed; None for anything else."""
    text = "" if isinstance(value, bool) else str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def _line(values: Mapping[str, Any], field: str, longest: int) -> str:
    value = values.get(field)
    text = "" if value is None else value
    if not isinstance(text, str) or not text.isprintable():
        raise Invalid(_("This must be one line of text."), code="bad_line", field=field)
    if len(text.strip()) > longest:
        raise Invalid(_("At most %(n)d characters.") % {"n": longest}, code="too_long", field=field)
    return text.strip()


def _template(value: Any) -> Template | None:
    if value is None or value == "":
        return None
    number = _whole(value)
    if number is None:
        raise Invalid(_("This is not an id."), code="bad_id", field="template_id")
    found = Template.objects.filter(pk=number).first()
    if found is None:
        raise Invalid(
            _("That no longer exists; choose another."), code="unknown", field="template_id"
        )
    return found


def kind(campaign: Campaign, row: Variant) -> str:
    """The channel that a variant goes by."""
    said = row.template or campaign.template
    return said.kind if said else "email"


def _hour(value: Any) -> int | None:
    if value is None or value == "":
        return None
    hour = _whole(value)
    if hour is None or hour > 23:
        raise Invalid(_("An hour lies between 0 and 23."), code="bad_hour", field="hour")
    return hour


def _fit_hours(campaign: Campaign, rows: Sequence[Variant], values: Mapping[str, Any]) -> None:
    """Refuse hours that could not be compared, or at which nothing is sent."""
    silent = {} if campaign.urgent else rules.current().quiet
    for row in rows:
        quiet = silent.get(kind(campaign, row))
        if row.hour is not None and quiet and clocks.is_within(time(row.hour), *quiet):
            raise Invalid(
                _("At %(hour)s nothing is sent: those are quiet hours.")
                % {"hour": f"{row.hour:02}:00"},
                code="quiet_hour",
                field="hour",
                remedy=_("Choose another hour, or change the quiet hours."),
            )
    kept = Trial.objects.filter(campaign=campaign).first() or Trial(campaign=campaign)
    mode, apart = (values.get(name, getattr(kept, name)) for name in ("mode", "hours"))
    if mode != Trial.Mode.FIXED and (apart < tried.LEAST_HOURS or apart % 24):
        raise Invalid(
            _(
                "Where hours of the day are tried, rounds are whole days apart, and three days at "
                "least: each hour has to come and to be answered."
            ),
            code="too_soon",
            field="hours",
            remedy=_("Say 72, 96 or more hours."),
        )


def _checked(name: str, value: Any) -> Any:
    if name == "hypothesis":
        return _line({name: value}, name, LONGEST_HYPOTHESIS)
    choices: dict[str, list[str]] = {
        "mode": Trial.Mode.values,
        "metric": Trial.Metric.values,
        "learner": Trial.Learner.values,
    }
    if name in choices:
        if value not in choices[name]:
            raise Invalid(_("This is none of the choices."), code="bad_choice", field=name)
        return value
    if name == "budget":
        return _money(value, name)
    if name not in _BOUNDS:
        raise Invalid(
            _("There is no field called %(name)s.") % {"name": name},
            code="unknown_field",
            field=name,
        )
    least, most = _BOUNDS[name]
    shares = name in ("win_percent", "floor_percent")
    try:
        number = -1.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not least <= number <= most or (not shares and number != int(number)):
        raise Invalid(
            _("Give a number from %(least)s to %(most)s.") % {"least": least, "most": most},
            code="out_of_range",
            field=name,
        )
    return number if shares else int(number)


def _money(value: Any, field: str) -> Decimal | None:
    text = "" if value is None else str(value).strip().replace(",", ".")
    if not text:
        return None
    try:
        found = Decimal(text)
    except InvalidOperation:
        found = Decimal("NaN")
    if not found.is_finite() or not 0 < found <= 10**9:
        raise Invalid(
            _("Give an amount above zero, or leave it empty."), code="bad_amount", field=field
        )
    return found.quantize(Decimal("0.01"))
