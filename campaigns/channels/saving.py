"""Make and change channels. Secrets go in here, sealed for their row, and never come out.

What we make ourselves (a signing secret, a pair of keys) is handed back once, where it was made.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from campaigns.messaging import mime, providers
from campaigns.messaging.providers import registry
from campaigns.messaging.providers.base import Field, Provider
from campaigns.models import Channel, Run
from marketing.core import audit, vault
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import User

FASTEST = 10_000.0
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_NAME_ON_PHONE = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 ]{3,11}")


@dataclass(frozen=True)
class Sender:
    """Whom messages come from, and how fast they may go."""

    from_name: str = ""
    from_address: str = ""
    rate_per_second: float | None = None
    warmup_per_day: int | None = None


def endings(channel: Channel) -> dict[str, str]:
    """Which secrets are set, each with its ending (empty for a short one)."""
    return {
        name: vault.ending(sealed=sealed, row=registry.row_of(channel, name))
        for name, sealed in channel.secrets.items()
    }


def _missing(name: str) -> Invalid:
    return Invalid(_("This may not be empty."), code="missing", field=name)


def _text(one: Field, value: Any) -> str:
    text = str(value if value is not None else "")
    text = text.replace("\r\n", "\n") if one.kind == "long" else text.strip()
    if "\0" in text:
        raise Invalid(_("This text holds a zero byte."), code="nul_byte", field=one.name)
    limit = max(one.limit, 4_000 if one.secret else 0)
    if len(text) > limit:
        raise Invalid(
            _("This is longer than %(n)d characters.") % {"n": limit},
            code="too_long",
            field=one.name,
        )
    text = text or one.default
    if one.choices and text not in dict(one.choices):
        raise Invalid(_("Choose one of the list."), code="bad_setting", field=one.name)
    if text and one.check is not None and (wrong := one.check(text)):
        raise Invalid(str(wrong), code="bad_setting", field=one.name)
    return text


def _read(
    made: type[Provider], given: Mapping[str, Any], channel: Channel | None
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """(settings, new secrets, everything as the provider will get it)."""
    known = channel.secrets if channel else {}
    variants = dict(made.variants)
    variant = str(given.get("variant") or next(iter(variants), ""))
    if variants and variant not in variants:
        raise Invalid(_("Choose one of the list."), code="bad_setting", field="variant")
    settings: dict[str, str] = {"variant": variant} if variants else {}
    secrets: dict[str, str] = {}
    for one in made.fields_of(variant):
        if one.made:
            continue
        text = _text(one, given.get(one.name))
        if one.secret:
            if text:
                secrets[one.name] = text
            elif one.required and one.name not in known:
                raise _missing(one.name)
            continue
        if one.required and not text:
            raise _missing(one.name)
        settings[one.name] = text
    kept = {f.name for f in made.fields_of(variant) if f.secret} & set(known) - set(secrets)
    opened: dict[str, str] = {}
    if channel is not None:
        changed = any(
            settings.get(name, "") != channel.settings.get(name, "") for name in made.goes_to
        )
        typed = {name for name in kept if not _is_made(made, name)}
        if typed and changed:
            raise Invalid(
                _("The secret would be sent to another place: enter it again."),
                code="secret_needed",
                field=sorted(typed)[0],
            )
        for one in made.fields:
            if one.made and not one.secret and one.name in channel.settings:
                settings[one.name] = channel.settings[one.name]
        opened = {
            name: vault.unseal(sealed=known[name], row=registry.row_of(channel, name))
            for name in kept
        }
    return settings, secrets, {**settings, **opened, **secrets}


def _is_made(made: type[Provider], name: str) -> bool:
    return any(one.made for one in made.fields if one.name == name)


def _check_sender(made: type[Provider], sender: Sender) -> None:
    address = sender.from_address
    try:
        mime.check_line("from_name", sender.from_name)
    except mime.HeaderRefused:
        raise Invalid(
            _("This must be one line of text."), code="bad_name", field="from_name"
        ) from None
    if made.sender == "mail" and address:
        try:
            mime.address("From", address)
        except mime.HeaderRefused:
            raise Invalid(
                _("This is not a mail address."), code="bad_address", field="from_address"
            ) from None
    if made.sender == "phone" and not (
        _PHONE.fullmatch(address) or _NAME_ON_PHONE.fullmatch(address) or not address
    ):
        raise Invalid(
            _("Give a number with its country, such as +4915112345678, or 3 to 11 letters."),
            code="bad_address",
            field="from_address",
        )
    rate = sender.rate_per_second
    if rate is not None and not 0 < rate <= FASTEST:
        raise Invalid(
            _("Give a number above 0, at most %(n)d.") % {"n": FASTEST},
            code="bad_rate",
            field="rate_per_second",
        )
    if sender.warmup_per_day is not None and not 1 <= sender.warmup_per_day <= 10_000_000:
        raise Invalid(
            _("Give the number of messages on the first day."),
            code="bad_rate",
            field="warmup_per_day",
        )


def trial(
    *,
    provider: str,
    given: Mapping[str, Any],
    sender: Sender = Sender(),
    channel: Channel | None = None,
) -> dict[str, str]:
    """Settings that are not kept, ready to be tested. Refused as on saving."""
    made = providers.load(provider)
    _settings, _secrets, everything = _read(made, given, channel)
    _check_sender(made, sender)
    if channel is None:
        everything |= made.make()
    made.refuse_nonsense(everything)
    return {**everything, "from_address": sender.from_address}


def save(
    *,
    provider: str,
    name: str,
    given: Mapping[str, Any],
    sender: Sender = Sender(),
    channel: Channel | None = None,
    user: User | None,
    now: datetime,
) -> tuple[Channel, dict[str, str]]:
    """Keep a channel; also what was made for it and is shown this once.

    The first channel of its kind becomes the default.
    """
    made = providers.load(provider)
    name = " ".join(name.split())
    if not name:
        raise Invalid(_("Give the channel a name."), code="missing", field="name")
    settings, secrets, everything = _read(made, given, channel)
    _check_sender(made, sender)
    fresh = made.make() if channel is None else {}
    made.refuse_nonsense({**everything, **fresh})
    try:
        with transaction.atomic():
            row = (
                Channel(kind=made.kind, provider=provider, created_at=now, created_by=user)
                if channel is None
                else Channel.objects.select_for_update().get(pk=channel.pk)
            )
            if channel is None:
                row.is_default = not Channel.objects.filter(kind=row.kind, is_default=True).exists()
            row.name, row.settings = name[:100], settings
            wanted = {one.name for one in made.fields_of(settings.get("variant", "")) if one.secret}
            row.secrets = {n: s for n, s in row.secrets.items() if n in wanted}
            _put(row, made, secrets | fresh)
            _pace(row, sender, now)
            row.changed_at = now
            row.save()
            audit.record(
                actor=user,
                action="channel.created" if channel is None else "channel.changed",
                obj=row,
                detail={"provider": provider, "secrets": sorted(secrets)},
            )
    except IntegrityError:
        raise Conflict(
            _("There is a channel of this name already."), code="name_taken", field="name"
        ) from None
    return row, {n: v for n, v in fresh.items() if n in row.secrets and n != "private_key"}


def _put(row: Channel, made: type[Provider], values: Mapping[str, str]) -> None:
    """Secrets sealed for the row, everything else among its settings."""
    secret = {one.name for one in made.fields if one.secret}
    for name, text in values.items():
        if name in secret:
            row.secrets[name] = vault.seal(text=text, row=registry.row_of(row, name))
        else:
            row.settings[name] = text


def _pace(row: Channel, sender: Sender, now: datetime) -> None:
    row.from_name, row.from_address = sender.from_name[:100], sender.from_address[:254]
    row.rate_per_second = sender.rate_per_second
    if sender.warmup_per_day != row.warmup_per_day:
        row.warmup_since = now.date() if sender.warmup_per_day else None
    row.warmup_per_day = sender.warmup_per_day


def _locked(channel_id: int) -> Channel:
    row = Channel.objects.select_for_update().filter(pk=channel_id).first()
    if row is None:
        raise NotFound(_("There is no such channel."), code="channel_unknown")
    return row


def renew(*, channel_id: int, user: User | None, now: datetime) -> dict[str, str]:
    """New made secrets in place of the old ones, which end at once; shown this once."""
    with transaction.atomic():
        row = _locked(channel_id)
        made = providers.load(row.provider)
        fresh = made.make()
        if not fresh:
            raise Conflict(_("This channel has no secret of ours."), code="no_secret")
        _put(row, made, fresh)
        row.changed_at = now
        row.save()
        audit.record(actor=user, action="channel.secret_renewed", obj=row)
    return {n: v for n, v in fresh.items() if n in row.secrets and n != "private_key"}


def make_default(*, channel_id: int, user: User | None) -> None:
    """Let messages that name no channel go by this one."""
    with transaction.atomic():
        row = _locked(channel_id)
        Channel.objects.filter(kind=row.kind, is_default=True).update(is_default=False)
        row.is_default = True
        row.save(update_fields=["is_default"])
        audit.record(actor=user, action="channel.default", obj=row)


def switch(*, channel_id: int, on: bool, user: User | None) -> None:
    """Turn a channel off, so that its messages wait, or on again."""
    with transaction.atomic():
        row = _locked(channel_id)
        row.enabled, row.failing_since = on, None
        row.off_reason = "" if on else _("It was turned off by hand.")
        row.save(update_fields=["enabled", "failing_since", "off_reason"])
        audit.record(actor=user, action="channel.on" if on else "channel.off", obj=row)


def remove(*, channel_id: int, user: User | None) -> None:
    """Forget a channel that no open run needs."""
    with transaction.atomic():
        row = _locked(channel_id)
        open_runs = Run.objects.filter(state__in=[Run.State.RUNNING, Run.State.PAUSED])
        for contents in open_runs.values_list("snapshot__contents", flat=True):
            if any(one.get("channel_id") == row.pk for one in (contents or {}).values()):
                raise Conflict(
                    _("Something is being sent by this channel, so it was kept."),
                    code="channel_in_use",
                )
        audit.record(actor=user, action="channel.removed", obj=row)
        row.delete()
        following = Channel.objects.filter(kind=row.kind).order_by("pk").first()
        if row.is_default and following is not None:
            following.is_default = True
            following.save(update_fields=["is_default"])
