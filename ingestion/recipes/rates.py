"""What one unit of a currency was worth in another, per source and day."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal, InvalidOperation

from django.db import transaction
from django.utils.translation import gettext as _

from ingestion.models import ExchangeRate, Source
from marketing.core import audit
from marketing.core.errors import Invalid
from marketing.core.models import User

MOST = 20_000
Row = tuple[str, str, date, Decimal]


def parse(text: str) -> list[Row]:
    """Lines of “day, currency, into, rate”. Refused with the number of the first wrong line."""
    rows: dict[tuple[str, str, date], Decimal] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        cells = [cell.strip() for cell in re.split(r"[,;\t]| +", line.strip()) if cell.strip()]
        try:
            day, currency, into, rate = cells
            found = Decimal(rate)
            if not all(re.fullmatch(r"[A-Z]{3}", code) for code in (currency, into)):
                raise ValueError(line)
            if not found.is_finite() or not 0 < found < 10**9 or currency == into:
                raise ValueError(line)
            rows[currency, into, date.fromisoformat(day)] = found.quantize(Decimal("1e-10"))
        except (ValueError, InvalidOperation):
            raise Invalid(
                _("Line %(n)d is no rate: “%(line)s”. Nothing was saved.")
                % {"n": number, "line": line.strip()[:60]},
                code="bad_rate",
                field="rates",
                remedy=_("Write day, currency, into and rate: 2026-01-31, EUR, GBP, 0.8412"),
            ) from None
        if len(rows) > MOST:
            raise Invalid(
                _("There are more than %(n)d rates. Nothing was saved.") % {"n": MOST},
                code="too_many",
                field="rates",
            )
    return [(*key, rate) for key, rate in rows.items()]


def replace(*, source: Source, rows: Sequence[Row], user: User | None) -> int:
    """Make these the rates of a source. Imports that ran keep the rates they ran with."""
    with transaction.atomic():
        ExchangeRate.objects.filter(source=source).delete()
        ExchangeRate.objects.bulk_create(
            ExchangeRate(source=source, currency=currency, into=into, day=day, rate=rate)
            for currency, into, day, rate in rows
        )
        audit.record(actor=user, action="rates.saved", obj=source, detail={"rates": len(rows)})
    return len(rows)


def table(*, source: Source) -> list[tuple[str, str, str, str]]:
    """The rates of a source as JSON keeps them."""
    rows = ExchangeRate.objects.filter(source=source).order_by("currency", "into", "day")
    return [
        (row.currency, row.into, row.day.isoformat(), f"{row.rate.normalize():f}") for row in rows
    ]


def as_text(*, source: Source) -> str:
    """The rates as a person edits them."""
    rows = table(source=source)
    return "\n".join(f"{day}, {currency}, {into}, {rate}" for currency, into, day, rate in rows)
