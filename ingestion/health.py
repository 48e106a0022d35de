"""Whether every row that came in is accounted for, and why some were set aside."""

from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, Sum

from ingestion.models import ImportJob, Reject, Source


@dataclass(frozen=True)
class SourceLedger:
    """What one source has sent and what became of it, over all its imports."""

    name: str
    imports: int
    received: int
    stored: int
    duplicate: int
    quarantined: int
    left_out: int

    @property
    def adds_up(self) -> bool:
        parts = self.stored + self.duplicate + self.quarantined + self.left_out
        return self.received == parts


def ledgers() -> list[SourceLedger]:
    """One ledger per source that has imported anything."""
    rows = (
        Source.objects.annotate(
            n=Count("imports", filter=~Q(imports__state=ImportJob.State.UPLOADED)),
            received=Sum("imports__received", default=0),
            stored=Sum("imports__stored", default=0),
            duplicate=Sum("imports__duplicate", default=0),
            quarantined=Sum("imports__quarantined", default=0),
            left_out=Sum("imports__left_out", default=0),
        )
        .filter(n__gt=0)
        .order_by("name")
    )
    return [
        SourceLedger(s.name, s.n, s.received, s.stored, s.duplicate, s.quarantined, s.left_out)
        for s in rows
    ]


def reject_reasons() -> list[dict[str, Any]]:
    """Quarantined lines by reason, most frequent first: {code, field, n, message, remedy}."""
    rows = (
        Reject.objects.values("code", "field", "remedy")
        .annotate(n=Count("id"), last=Count("import_job", distinct=True))
        .order_by("-n")[:20]
    )
    return [dict(row) for row in rows]
