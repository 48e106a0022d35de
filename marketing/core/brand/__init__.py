"""What the business is called and looks like, read by everything that writes to people.

One row holds what somebody saved under Settings → Brand. Until then, and for what is left empty
there, the environment speaks (BUSINESS_NAME, SHOP_URL, DEFAULT_FROM_EMAIL, DEFAULT_CURRENCY,
TIME_ZONE). Each process asks the table again after `FRESH_SECONDS`, so that a change reaches
workers on every host without a word between them.
"""

import time
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import InterfaceError, transaction
from django.db.utils import DatabaseError
from django.utils.translation import gettext as _

from marketing.core import audit
from marketing.core.brand import pictures
from marketing.core.brand import values as allowed
from marketing.core.db import advisory_lock
from marketing.core.errors import Invalid
from marketing.core.models import ApiKey, User
from marketing.core.models import Brand as Row

FRESH_SECONDS = 2.0
# A database that is away is not asked by every request: each question may hang for seconds.
REST_SECONDS = 30.0
CANCEL_PREFIX = "C"
# Shown 180 pixels wide at most in mails; twice that is as sharp as screens are.
LOGO_SHOWN_WIDTH, LOGO_SHOWN_HEIGHT = 180, 72
FIELDS = (
    "name", "site_url", "postal_address", "sender_name", "sender_email", "color", "currency",
    "timezone", "language", "cancel_prefix",
)  # fmt: skip
_KEPT = (*FIELDS, "logo_kind", "logo_digest", "logo_width", "logo_height", "updated_at")


@dataclass(frozen=True)
class Brand:
    """What is in force: the saved row over the environment. `saved_at` is None before a first save.

    `logo_path` is the address of the logo on this installation, empty without one; width and
    height are pixels of how it is shown in mails.
    """

    name: str
    site_url: str
    postal_address: str
    sender_name: str
    sender_email: str
    color: str
    currency: str
    timezone: str
    language: str
    cancel_prefix: str
    logo_path: str = ""
    logo_width: int = 0
    logo_height: int = 0
    saved_at: datetime | None = None

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        return zoneinfo.ZoneInfo(self.timezone)

    @property
    def logo_url(self) -> str:
        """Where mailboxes fetch the logo, empty without one."""
        return f"{settings.PUBLIC_URL.rstrip('/')}{self.logo_path}" if self.logo_path else ""

    @property
    def postal_line(self) -> str:
        """The postal address in one line."""
        return ", ".join(line.strip(" ,") for line in self.postal_address.split("\n") if line)


# When the table was last asked, and its row; None where there is none.
_seen: tuple[float, Mapping[str, Any] | None] | None = None


def now() -> Brand:
    """What is in force, at most `FRESH_SECONDS` old.

    While the database does not answer, what was last known stays in force.
    """
    global _seen
    seen, asked = _seen, time.monotonic()
    if seen is None or asked - seen[0] > FRESH_SECONDS:
        try:
            row = Row.objects.values(*_KEPT).first()
        except (DatabaseError, InterfaceError):
            row, asked = (seen[1] if seen else None), asked + REST_SECONDS
        _seen = seen = (asked, row)
    return _over_environment(seen[1] or {})


def forget() -> None:
    """Ask the table at the next question."""
    global _seen
    _seen = None


def _over_environment(row: Mapping[str, Any]) -> Brand:
    name = row.get("name") or settings.BUSINESS_NAME
    width, height = row.get("logo_width", 0), row.get("logo_height", 0)
    digest = row.get("logo_digest")
    if width and height:
        shrunk = min(LOGO_SHOWN_WIDTH / width, LOGO_SHOWN_HEIGHT / height, 1.0)
        width, height = max(round(width * shrunk), 1), max(round(height * shrunk), 1)
    return Brand(
        name=name,
        site_url=row.get("site_url") or settings.SHOP_URL,
        postal_address=row.get("postal_address", ""),
        sender_name=row.get("sender_name") or name,
        sender_email=row.get("sender_email") or str(settings.DEFAULT_FROM_EMAIL),
        color=row.get("color") or allowed.COLOR,
        currency=row.get("currency") or settings.DEFAULT_CURRENCY,
        timezone=row.get("timezone") or settings.TIME_ZONE,
        language=row.get("language") or settings.LANGUAGE_CODE,
        cancel_prefix=row["cancel_prefix"] if row else CANCEL_PREFIX,
        logo_path=f"/brand/{digest}.{row['logo_kind']}" if digest else "",
        logo_width=width,
        logo_height=height,
        saved_at=row.get("updated_at"),
    )


def saved() -> dict[str, Any]:
    """The values that are kept, empty where the environment speaks."""
    if row := Row.objects.values(*FIELDS).first():
        return dict(row)
    needed = ("name", "currency", "timezone", "language", "cancel_prefix")
    said = _over_environment({})
    return {field: getattr(said, field) if field in needed else "" for field in FIELDS}


def save(
    *,
    values: Mapping[str, Any],
    logo: bytes | None = None,
    without_logo: bool = False,
    actor: User | ApiKey | None,
    at: datetime,
) -> Brand:
    """Keep these values of `FIELDS`; what is not named stays. `logo` is a picture's bytes.

    Invalid names the field. What is in other people's hands already (sent mails, stored amounts)
    does not change; amounts are never converted.
    """
    if strange := sorted(set(values) - set(FIELDS)):
        raise Invalid(
            _("There is no setting %(name)s.") % {"name": strange[0]},
            code="unknown_setting",
            field=strange[0],
            remedy=", ".join(FIELDS),
        )
    checked: dict[str, Any] = {
        name: allowed.CHECKS[name](name, value) for name, value in values.items()
    }
    if logo is not None:
        checked |= allowed.logo(logo)
    elif without_logo:
        checked |= {
            "logo": None, "logo_kind": "", "logo_digest": "", "logo_width": 0, "logo_height": 0,
        }  # fmt: skip
    with transaction.atomic(), advisory_lock("brand"):
        row = Row.objects.first()
        fresh = row is None
        row = row or Row(**saved())
        changed = sorted(
            "logo" if name == "logo_digest" else name
            for name, value in checked.items()
            if (name in FIELDS or name == "logo_digest") and (fresh or getattr(row, name) != value)
        )
        for name, value in checked.items():
            setattr(row, name, value)
        row.updated_at = at
        row.updated_by = actor if isinstance(actor, User) else getattr(actor, "created_by", None)
        row.save(force_insert=fresh)
        audit.record(actor=actor, action="brand.saved", obj=row, detail={"changed": changed})
        transaction.on_commit(forget)
    forget()
    return now()


def logo() -> tuple[bytes, str, str] | None:
    """The saved logo: its bytes, its media type and its digest. None without one."""
    row = Row.objects.values_list("logo", "logo_kind", "logo_digest").first()
    if row is None or row[0] is None:
        return None
    return bytes(row[0]), pictures.MEDIA_TYPES[row[1]], row[2]
