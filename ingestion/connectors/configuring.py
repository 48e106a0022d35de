"""Make and change connectors. Secrets go in here, sealed for their row, and never come out."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from ingestion.connectors import kinds, schedule
from ingestion.connectors.base import Check, Field, Kind
from ingestion.models import Connector, EventTally, ImportJob, Mention, Order, Pull, Source
from marketing.core import audit, jobs, vault
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import ApiKey, User

Actor = User | ApiKey | None


@dataclass(frozen=True)
class Timing:
    """When to fetch: every so many minutes, daily at a time (UTC), or only by hand."""

    every_minutes: int | None = None
    daily_at: time | None = None


def _row(connector: Connector, name: str) -> str:
    return f"connector:{connector.public_id}:{name}"


def secrets_of(connector: Connector) -> dict[str, str]:
    """The opened secrets. For the one call that needs them; never for a page, answer or log."""
    return {
        name: vault.unseal(sealed=sealed, row=_row(connector, name))
        for name, sealed in connector.secrets.items()
    }


def open_up(connector: Connector, *, now: datetime, check: Check = lambda: None) -> Kind:
    """A connector ready to be used, with its secrets opened. Keep it off logs and pages."""
    given = {**connector.config, **secrets_of(connector)}
    return kinds.load(connector.kind)(given, now=now, check=check)


def endings(connector: Connector) -> dict[str, str]:
    """Which secrets are set, each with its ending (empty for a short one)."""
    return {
        name: vault.ending(sealed=sealed, row=_row(connector, name))
        for name, sealed in connector.secrets.items()
    }


def _read(
    kind: type[Kind], given: Mapping[str, Any], known: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """(settings, new secrets) of a form or body. A secret left empty keeps the known one."""
    variants = dict(kind.variants)
    variant = str(given.get("variant") or next(iter(variants), ""))
    if variants and variant not in variants:
        raise Invalid(_("Choose one of the list."), code="bad_setting", field="variant")
    config = {"variant": variant} if variants else {}
    secrets: dict[str, str] = {}
    for one in kind.fields_of(variant):
        text = _text(one, given.get(one.name))
        if one.secret:
            if text:
                secrets[one.name] = text
            elif one.required and one.name not in known:
                raise Invalid(_("This may not be empty."), code="missing", field=one.name)
            continue
        if one.required and not text:
            raise Invalid(_("This may not be empty."), code="missing", field=one.name)
        if one.choices and text not in dict(one.choices):
            raise Invalid(_("Choose one of the list."), code="bad_setting", field=one.name)
        config[one.name] = text
    return config, secrets


def _text(one: Field, value: Any) -> str:
    text = str(value if value is not None else "")
    text = text if one.kind == "long" else text.strip()
    if "\0" in text:
        raise Invalid(_("This text holds a zero byte."), code="nul_byte", field=one.name)
    limit = max(one.limit, 10_000 if one.kind == "long" else 0)
    if len(text) > limit:
        raise Invalid(
            _("This is longer than %(n)d characters.") % {"n": limit},
            code="too_long",
            field=one.name,
        )
    return text or one.default


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name:
        raise Invalid(_("Give the source a name."), code="missing", field="name")
    if len(name) > 100 or "\0" in name:
        raise Invalid(
            _("This is longer than %(n)d characters.") % {"n": 100}, code="too_long", field="name"
        )
    return name


def _checked(
    made: type[Kind], given: Mapping[str, Any], connector: Connector | None
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """(settings, new secrets, all secrets). A kept secret goes only where it went before."""
    known = connector.secrets if connector else {}
    config, secrets = _read(made, given, known)
    needed = {f.name for f in made.fields_of(config.get("variant", "")) if f.secret}
    kept = (set(known) & needed) - set(secrets)
    if connector and kept:
        if any(config.get(n) != connector.config.get(n) for n in made.goes_to):
            raise Invalid(
                _("The secret would be sent to another place: enter it again."),
                code="secret_needed",
                field=sorted(kept)[0],
            )
        opened = secrets_of(connector)
        everything = {n: opened[n] for n in kept} | secrets
    else:
        everything = secrets
    made.refuse_nonsense({**config, **everything})
    return config, secrets, everything


def trial(
    *, kind: str, given: Mapping[str, Any], connector: Connector | None = None, now: datetime
) -> Kind:
    """A connector with settings that are not kept, to test them. Refused as on saving."""
    made = kinds.load(kind)
    config, _secrets, everything = _checked(made, given, connector)
    return made({**config, **everything}, now=now)


def create(
    *,
    kind: str,
    name: str,
    given: Mapping[str, Any],
    timing: Timing = Timing(),
    actor: Actor,
    now: datetime,
) -> Connector:
    """A new source that is fetched from. Refused, with nothing kept, if a setting is wrong."""
    made = kinds.load(kind)
    config, secrets, _all = _checked(made, given, None)
    schedule.refuse_nonsense(timing.every_minutes)
    try:
        with transaction.atomic():
            source = Source.objects.create(
                name=_name(name), kind=Source.Kind.CONNECTOR, created_at=now
            )
            connector = Connector(
                source=source,
                kind=kind,
                config=config,
                every_minutes=timing.every_minutes,
                daily_at=timing.daily_at,
                created_by=actor if isinstance(actor, User) else getattr(actor, "created_by", None),
                created_at=now,
                changed_at=now,
            )
            _seal(connector, secrets)
            if made.gives == "mentions":  # there are no columns to choose
                connector.state = Connector.State.ACTIVE
                connector.next_at = now if schedule.is_timed(connector) else None
            connector.save()
            audit.record(
                actor=actor, action="source.created", obj=source, detail=_shown(config, secrets)
            )
    except IntegrityError:
        raise _taken() from None
    return connector


def change(
    *,
    connector: Connector,
    name: str,
    given: Mapping[str, Any],
    timing: Timing,
    actor: Actor,
    now: datetime,
) -> Connector:
    """Other settings. A secret left empty is kept, unless the place it is sent to is another.

    Fetching begins anew when what is read is another.
    """
    made = kinds.load(connector.kind)
    config, secrets, everything = _checked(made, given, connector)
    schedule.refuse_nonsense(timing.every_minutes)
    try:
        with transaction.atomic():
            locked = Connector.objects.select_for_update().get(pk=connector.pk)
            locked.source.name = _name(name)
            locked.source.save(update_fields=["name"])
            if any(config.get(n) != locked.config.get(n) for n in made.reads_from):
                locked.cursor = {}
                _stop_open(locked, now)
            locked.config = config
            locked.secrets = {n: s for n, s in locked.secrets.items() if n in everything}
            _seal(locked, secrets)
            locked.every_minutes, locked.daily_at = timing.every_minutes, timing.daily_at
            locked.next_at = schedule.following(locked, now=now)
            locked.changed_at = now
            locked.save()
            audit.record(
                actor=actor,
                action="source.changed",
                obj=locked.source,
                detail=_shown(config, secrets),
            )
    except IntegrityError:
        raise _taken() from None
    return locked


def _stop_open(connector: Connector, now: datetime) -> None:
    """Stop a fetch by the settings of before: it may neither store nor move the cursor."""
    for pull in connector.pulls.filter(state=Pull.State.OPEN).select_related("job"):
        Pull.objects.filter(pk=pull.pk, state=Pull.State.OPEN).update(
            state=Pull.State.STOPPED, finished_at=now
        )
        if pull.job is not None:
            with contextlib.suppress(Conflict):  # it has ended already
                jobs.cancel(job_id=pull.job.pk, now=now)


def _taken() -> Conflict:
    return Conflict(
        _("There is a source of this name already; nothing was changed."),
        code="name_taken",
        field="name",
        remedy=_("Choose another name."),
    )


def _seal(connector: Connector, secrets: Mapping[str, str]) -> None:
    connector.secrets = {
        **connector.secrets,
        **{n: vault.seal(text=text, row=_row(connector, n)) for n, text in secrets.items()},
    }


def _shown(config: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, Any]:
    """What the audit trail keeps: names of the settings, and which secrets were given."""
    return {"settings": sorted(n for n, v in config.items() if v), "secrets": sorted(secrets)}


def renew_secrets() -> int:
    """Seal every secret under the present SECRET_KEY; how many were renewed."""
    renewed = 0
    for connector in Connector.objects.exclude(secrets={}):
        old = [n for n, sealed in connector.secrets.items() if not vault.is_current(sealed)]
        for name in old:
            connector.secrets[name] = vault.renew(
                sealed=connector.secrets[name], row=_row(connector, name)
            )
        if old:
            connector.save(update_fields=["secrets"])
            renewed += len(old)
    return renewed


def columns_again(*, connector: Connector, actor: Actor) -> None:
    """Ask for the columns once more at the next fetch."""
    with transaction.atomic():
        Source.objects.filter(pk=connector.source_id).update(mapping={})
        Connector.objects.filter(pk=connector.pk).update(
            state=Connector.State.DRAFT, next_at=None, paused_reason=""
        )
        audit.record(actor=actor, action="source.columns_asked", obj=connector.source)


def pause(*, connector: Connector, reason: str = "", actor: Actor) -> None:
    """Fetch no more until somebody resumes it."""
    with transaction.atomic():
        Connector.objects.filter(pk=connector.pk).update(
            state=Connector.State.PAUSED, next_at=None, paused_reason=reason[:600]
        )
        audit.record(actor=actor, action="source.paused", obj=connector.source)


def resume(*, connector: Connector, actor: Actor, now: datetime) -> None:
    """Fetch again, from where it stood."""
    with transaction.atomic():
        locked = Connector.objects.select_for_update().get(pk=connector.pk)
        locked.state, locked.paused_reason, locked.failures = Connector.State.ACTIVE, "", 0
        if kinds.load(locked.kind).gives != "mentions" and not locked.source.mapping:
            locked.state = Connector.State.DRAFT
        locked.next_at = schedule.following(locked, now=now)
        locked.save(update_fields=["state", "paused_reason", "failures", "next_at"])
        audit.record(actor=actor, action="source.resumed", obj=locked.source)


def remove(*, source: Source, actor: Actor) -> None:
    """Remove a source that nothing stored belongs to. What it brought in is never removed here."""
    if (
        ImportJob.objects.filter(source=source).exists()
        or Order.objects.filter(source=source).exists()
        or Mention.objects.filter(source=source).exists()
        or EventTally.objects.filter(source=source.name).exists()
    ):
        raise Conflict(
            _("What this source brought in is still here, so it stays. Nothing was changed."),
            code="source_in_use",
            remedy=_("Pause it instead."),
        )
    with transaction.atomic():
        audit.record(actor=actor, action="source.removed", obj=source)
        source.delete()
