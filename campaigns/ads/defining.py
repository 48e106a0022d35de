"""Campaigns of ads, their creatives and placements: made, changed, started, paused, ended.

Everything goes by a key of the shop's own choosing, so that saying it again changes and never
doubles.
"""

import re
import zoneinfo
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _

from campaigns.ads import steering
from campaigns.models import AdCampaign, AdCreative, AdPlacement
from ingestion.preprocess import values as cleaning
from marketing.core import audit, brand
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import ApiKey, User

Actor = User | ApiKey | None
State = AdCampaign.State
FIELDS = (
    "name", "goal", "budget", "daily_cap", "pricing", "price", "currency", "starts_on", "ends_on",
    "timezone", "mode", "floor_percent", "placements",
)  # fmt: skip
CREATIVE_FIELDS = ("name", "headline", "image_url", "url", "weight", "active")
PLACEMENT_FIELDS = ("name", "network")
REQUIRED = ("name", "budget", "price", "starts_on", "ends_on")
MOST_CREATIVES = 50
MONEY_MOST = Decimal(10) ** 9
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,59}")
_MOVES = {
    "start": ((State.DRAFT, State.PAUSED), State.RUNNING),
    "pause": ((State.RUNNING,), State.PAUSED),
    "end": ((State.DRAFT, State.RUNNING, State.PAUSED), State.ENDED),
}


def save(
    *, key: str, values: Mapping[str, Any], actor: Actor, now: datetime
) -> tuple[AdCampaign, bool]:
    """Make a campaign, or change what is named; and whether it was made."""
    key = _key(key)
    with transaction.atomic():
        ad = AdCampaign.objects.select_for_update(no_key=True).filter(key=key).first()
        made = ad is None
        if ad is None:
            if lacking := next((name for name in REQUIRED if not values.get(name)), None):
                raise Invalid(_("This may not be empty."), code="missing", field=lacking)
            user = actor if isinstance(actor, User) else getattr(actor, "created_by", None)
            ad = AdCampaign(key=key, currency=brand.now().currency, created_by=user)
        if ad.state == State.ENDED:
            raise Conflict(_("This campaign has ended and cannot be changed."), code="ad_ended")
        checked = {name: _checked(name, value) for name, value in values.items()}
        placements = checked.pop("placements", None)
        for name, value in checked.items():
            setattr(ad, name, value)
        if ad.ends_on < ad.starts_on:
            raise Invalid(
                _("The last day lies before the first."), code="bad_period", field="ends_on"
            )
        ad.updated_at = now
        ad.save()
        if placements is not None:
            ad.placements.set(placements)
        steering.steer(ad=ad, now=now)
        audit.record(
            actor=actor, action="ad.created" if made else "ad.changed", obj=ad,
            detail={"fields": sorted(values)},
        )  # fmt: skip
    return ad, made


def move(*, key: str, to: str, actor: Actor, now: datetime) -> AdCampaign:
    """Start, pause or end a campaign. Conflict where that is not possible from where it stands."""
    if to not in _MOVES:
        raise Invalid(_("Say start, pause or end."), code="bad_move", field="to")
    before, after = _MOVES[to]
    with transaction.atomic():
        ad = AdCampaign.objects.select_for_update(no_key=True).filter(key=key).first()
        if ad is None:
            raise NotFound(_("There is no campaign with this key."), code="ad_unknown")
        if ad.state == after:
            return ad
        if ad.state not in before:
            raise Conflict(
                _("That is not possible any more: this campaign is %(state)s.")
                % {"state": ad.get_state_display().lower()},
                code="bad_state",
            )
        if after == State.RUNNING:
            _require_ready(ad)
        ad.state, ad.updated_at = after, now
        ad.save(update_fields=["state", "updated_at"])
        steering.steer(ad=ad, now=now)
        audit.record(actor=actor, action=f"ad.{after}", obj=ad)
    return ad


def _require_ready(ad: AdCampaign) -> None:
    if not ad.creatives.filter(active=True, weight__gt=0).exists():
        raise Invalid(
            _("There is no creative to show yet."), code="no_creative", field="creatives",
            remedy=_("Add one first; nothing was started."),
        )  # fmt: skip
    if not ad.placements.exists():
        raise Invalid(
            _("There is no placement to show it in yet."), code="no_placement", field="placements",
            remedy=_("Choose at least one; nothing was started."),
        )  # fmt: skip


def save_creative(
    *, ad_key: str, key: str, values: Mapping[str, Any], actor: Actor, now: datetime
) -> tuple[AdCreative, bool]:
    """Add a creative to a campaign, or change it; and whether it was added."""
    key = _key(key)
    with transaction.atomic():
        ad = AdCampaign.objects.select_for_update(no_key=True).filter(key=ad_key).first()
        if ad is None:
            raise NotFound(_("There is no campaign with this key."), code="ad_unknown", field="ad")
        row = AdCreative.objects.filter(key=key).first()
        made = row is None
        if row is None:
            if ad.creatives.count() >= MOST_CREATIVES:
                raise Invalid(
                    _("A campaign has at most %(n)d creatives.") % {"n": MOST_CREATIVES},
                    code="too_many",
                )
            row = AdCreative(ad=ad, key=key, name=key, created_at=now)
        elif row.ad_id != ad.pk:
            raise Conflict(
                _("This creative belongs to another campaign."), code="creative_taken", field="key"
            )
        for name, value in values.items():
            setattr(row, name, _of_creative(name, value))
        row.save()
        audit.record(actor=actor, action="creative.added" if made else "creative.changed", obj=row)
    return row, made


def save_placement(
    *, key: str, values: Mapping[str, Any], actor: Actor, now: datetime
) -> tuple[AdPlacement, bool]:
    """Name a place where ads are shown, or rename it; and whether it is new."""
    key = _key(key)
    with transaction.atomic():
        row = AdPlacement.objects.filter(key=key).first()
        made = row is None
        if row is None:
            row = AdPlacement(key=key, name=key, created_at=now)
        for name, value in values.items():
            if name not in PLACEMENT_FIELDS:
                raise _unknown(name, PLACEMENT_FIELDS)
            limit = 120 if name == "name" else 60
            setattr(row, name, _text(name, value, limit, required=name == "name"))
        row.save()
        audit.record(
            actor=actor, action="placement.added" if made else "placement.changed", obj=row
        )
    return row, made


def _key(key: Any) -> str:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise Invalid(
            _("A key is 1 to 60 letters, digits, dots, dashes, colons or underscores."),
            code="bad_key",
            field="key",
        )
    return key


def _unknown(name: str, known: Sequence[str]) -> Invalid:
    return Invalid(
        _("There is no field called %(name)s.") % {"name": name[:60]},
        code="unknown_field",
        field=name[:60],
        remedy=_("Fields: %(names)s.") % {"names": ", ".join(known)},
    )


def _text(name: str, value: Any, limit: int, *, required: bool = False) -> str:
    if value is None:
        value = ""
    if not isinstance(value, str) or "\0" in value:
        raise Invalid(_("This must be a text."), code="not_text", field=name)
    value = value.strip()
    if required and not value:
        raise Invalid(_("This may not be empty."), code="missing", field=name)
    if len(value) > limit:
        raise Invalid(
            _("This is longer than %(n)d characters.") % {"n": limit}, code="too_long", field=name
        )
    return value


def _amount(name: str, value: Any, places: str, *, empty: bool = False) -> Decimal | None:
    text = "" if value is None else str(value).strip().replace(",", ".")
    if not text and empty:
        return None
    try:
        found = Decimal(text) if len(text) <= 40 and not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        found = Decimal("NaN")
    least = Decimal(places)
    if not found.is_finite() or not least <= found <= MONEY_MOST:
        raise Invalid(
            _("Give an amount of at least %(least)s.") % {"least": places},
            code="bad_amount",
            field=name,
        )
    return found.quantize(least)


def _day(name: str, value: Any) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        found = parse_date(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or not 2000 <= found.year <= 2200:
        raise Invalid(_("Write the day as 2026-01-31."), code="bad_date", field=name)
    return found


def _choice(name: str, value: Any, known: Sequence[str]) -> str:
    if value not in known:
        raise Invalid(
            _("This is none of the choices."), code="bad_choice", field=name,
            remedy=", ".join(known),
        )  # fmt: skip
    return str(value)


def _number(name: str, value: Any, least: float, most: float) -> float:
    try:
        found = float(value) if not isinstance(value, bool) else least - 1
    except (TypeError, ValueError):
        found = least - 1
    if not least <= found <= most:
        raise Invalid(
            _("Give a number from %(least)s to %(most)s.")
            % {"least": f"{least:g}", "most": f"{most:g}"},
            code="out_of_range",
            field=name,
        )
    return found


def _placements(value: Any) -> list[AdPlacement]:
    if not isinstance(value, list) or not all(isinstance(key, str) for key in value):
        raise Invalid(_("Give a list of keys."), code="not_a_list", field="placements")
    found = {row.key: row for row in AdPlacement.objects.filter(key__in=value)}
    if missing := next((key for key in value if key not in found), None):
        raise Invalid(
            _("There is no placement called %(key)s.") % {"key": missing[:60]},
            code="unknown_placement",
            field="placements",
        )
    return list(found.values())


def _checked(name: str, value: Any) -> Any:
    if name == "name":
        return _text(name, value, 120, required=True)
    if name == "budget":
        return _amount(name, value, "0.01")
    if name == "daily_cap":
        return _amount(name, value, "0.01", empty=True)
    if name == "price":
        return _amount(name, value, "0.0001")
    if name in ("starts_on", "ends_on"):
        return _day(name, value)
    if name == "floor_percent":
        return _number(name, value, 0, 50)
    if name == "placements":
        return _placements(value)
    if name == "timezone":
        if not isinstance(value, str) or value not in zoneinfo.available_timezones():
            raise Invalid(_("There is no time zone of this name."), code="unknown_zone", field=name)
        return value
    if name == "currency":
        found, fault = cleaning.currency(value if isinstance(value, str) else "")
        if fault or not found:
            raise Invalid(
                _("Use a three-letter code such as GBP."), code="bad_currency", field=name
            )
        return found
    choices: dict[str, list[str]] = {
        "goal": AdCampaign.Goal.values,
        "pricing": AdCampaign.Pricing.values,
        "mode": AdCampaign.Mode.values,
    }
    if name in choices:
        return _choice(name, value, choices[name])
    raise _unknown(name, FIELDS)


def _of_creative(name: str, value: Any) -> Any:
    if name == "weight":
        return int(_number(name, value, 0, 1_000))
    if name == "active":
        if not isinstance(value, bool):
            raise Invalid(_("This is true or false."), code="bad_flag", field=name)
        return value
    if name not in CREATIVE_FIELDS:
        raise _unknown(name, CREATIVE_FIELDS)
    limits = {"name": 120, "headline": 200, "image_url": 500, "url": 500}
    text = _text(name, value, limits[name], required=name == "name")
    if name.endswith("url") and text and not text.startswith(("http://", "https://", "/")):
        raise Invalid(_("An address begins with https://."), code="bad_address", field=name)
    return text
