"""Addresses that shops deliver to: made, switched, given a new secret, told how to read."""

import base64
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from ingestion import schemas
from ingestion.imports import wording
from ingestion.models import Source, WebhookEndpoint
from ingestion.preprocess import paths
from ingestion.recipes import versions
from marketing.core import audit, vault
from marketing.core.errors import Invalid
from marketing.core.models import User

OVERLAP = timedelta(days=1)  # how long the earlier secret still counts
SECRET_LIMIT = 300


def create(
    *,
    name: str,
    scheme: str = WebhookEndpoint.Scheme.STANDARD,
    kind: str = "events",
    secret: str = "",
    user: User | None,
    now: datetime,
) -> tuple[WebhookEndpoint, str]:
    """A new address and its secret. The secret is returned here and never again."""
    if scheme not in WebhookEndpoint.Scheme.values:
        raise Invalid(_("There is no sender of this kind."), code="unknown_scheme", field="scheme")
    if kind not in schemas.KINDS:
        raise Invalid(_("There are no rows of this kind."), code="unknown_kind", field="kind")
    name = name.strip()[:100]
    if not name:
        raise Invalid(_("Give the source a name."), code="name_missing", field="name")
    if len(secret) > SECRET_LIMIT:
        raise Invalid(_("This secret is too long."), code="too_long", field="secret")
    if Source.objects.filter(name=name).exists():
        raise Invalid(
            _("A source of this name exists already."),
            code="name_taken",
            field="name",
            remedy=_("Choose another name."),
        )
    text = secret.strip() or make_secret()
    with transaction.atomic():
        source = Source.objects.create(name=name, kind=Source.Kind.WEBHOOK, created_at=now)
        endpoint = WebhookEndpoint.objects.create(
            source=source, scheme=scheme, kind=kind, secret="", created_at=now
        )
        endpoint.secret = vault.seal(text=text, row=_row(endpoint))
        endpoint.save(update_fields=["secret"])
        audit.record(actor=user, action="webhook.created", obj=source, detail={"scheme": scheme})
    return endpoint, text


def make_secret() -> str:
    """A new secret as Standard Webhooks writes it; the other senders take any text."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _row(endpoint: WebhookEndpoint) -> str:
    return f"webhook:{endpoint.pk}"


def secrets_of(endpoint: WebhookEndpoint, *, now: datetime) -> list[str]:
    """The secrets that count now: the present one, and the earlier one for a day."""
    found = [vault.unseal(sealed=endpoint.secret, row=_row(endpoint))]
    if endpoint.earlier_secret and endpoint.earlier_until and endpoint.earlier_until > now:
        found.append(vault.unseal(sealed=endpoint.earlier_secret, row=_row(endpoint)))
    return found


def ending(endpoint: WebhookEndpoint) -> str:
    """The last characters of the secret, to tell two apart."""
    return vault.ending(sealed=endpoint.secret, row=_row(endpoint))


def rotate(*, endpoint: WebhookEndpoint, secret: str = "", user: User | None, now: datetime) -> str:
    """Give the address a new secret; the earlier one counts for another day."""
    if len(secret) > SECRET_LIMIT:
        raise Invalid(_("This secret is too long."), code="too_long", field="secret")
    text = secret.strip() or make_secret()
    with transaction.atomic():
        locked = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        locked.earlier_secret, locked.earlier_until = locked.secret, now + OVERLAP
        locked.secret = vault.seal(text=text, row=_row(locked))
        locked.save(update_fields=["secret", "earlier_secret", "earlier_until"])
        audit.record(actor=user, action="webhook.rotated", obj=locked.source)
    return text


def renew_secrets() -> int:
    """Seal every secret under the present SECRET_KEY; how many addresses were renewed."""
    renewed = 0
    for endpoint in WebhookEndpoint.objects.all():
        kept = [text for text in (endpoint.secret, endpoint.earlier_secret) if text]
        if all(vault.is_current(text) for text in kept):
            continue
        row = _row(endpoint)
        endpoint.secret = vault.renew(sealed=endpoint.secret, row=row)
        if endpoint.earlier_secret:
            endpoint.earlier_secret = vault.renew(sealed=endpoint.earlier_secret, row=row)
        endpoint.save(update_fields=["secret", "earlier_secret"])
        renewed += 1
    return renewed


def switch(*, endpoint: WebhookEndpoint, enabled: bool, user: User | None) -> None:
    """Switch the address on or off. Off, it answers as if it did not exist."""
    Source.objects.filter(pk=endpoint.source_id).update(enabled=enabled)
    audit.record(actor=user, action="webhook.switched", obj=endpoint.source, detail={"on": enabled})


def choose(
    *, endpoint: WebhookEndpoint, kind: str, mapping: Mapping[str, Any], user: User | None
) -> None:
    """Take a mapping for deliveries of any shape. Refused, with nothing changed, if it is wrong."""
    check(kind=kind, mapping=mapping, source=endpoint.source)
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(kind=kind, mapping=dict(mapping))
    audit.record(actor=user, action="webhook.mapped", obj=endpoint.source, detail={"kind": kind})


def check(*, kind: str, mapping: Mapping[str, Any], source: Source) -> None:
    """Refuse a mapping that cannot be used, not even with what the source's recipe fills."""
    if kind not in schemas.KINDS:
        raise Invalid(_("There are no rows of this kind."), code="unknown_kind", field="kind")
    try:
        fields = paths.parse_mapping(mapping).fields
    except paths.Faulty as faulty:
        raise Invalid(
            _("%(path)s cannot be read: %(why)s Nothing was saved.")
            % {"path": faulty.path, "why": _why(faulty.code)},
            code=faulty.code,
            field=faulty.path,
            remedy=_("Write it like customer.email or items[0].sku; $ begins at the top."),
        ) from None
    places = {name: place for place, name in enumerate(fields)}
    filled = versions.filled(source=source, kind=kind, mapping=places, header=[])
    faults = schemas.check(kind, places, len(fields), filled)
    faults = [fault for fault in faults if fault[1] != "at" or kind != "events"]
    if faults:
        code, name = faults[0]
        message, remedy = wording.problem(code, {"field": wording.field(name), "detail": name})
        raise Invalid(message, code=code, field=name, remedy=remedy)


def _why(code: str) -> str:
    return {
        "path_long": _("it is too long."),
        "path_deep": _("it has too many parts."),
        "too_many": _("there are too many fields."),
        "not_an_object": _("it is no object."),
        "not_text": _("it is no text."),
    }.get(code, _("it is no path."))
