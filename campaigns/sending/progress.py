"""Where the messages of a run stand, counted."""

from dataclasses import dataclass

from django.db.models import Count

from campaigns.models import Message


@dataclass(frozen=True)
class Progress:
    """Where a run's rows stand. `total` is the sum of all states, always."""

    queued: int
    sending: int
    sent: int
    failed: int
    unknown: int
    skipped: int
    reasons: dict[str, dict[str, int]]

    @property
    def total(self) -> int:
        return self.meant + self.skipped

    @property
    def meant(self) -> int:
        """Everybody who gets the mail or should have."""
        return self.queued + self.sending + self.sent + self.failed + self.unknown

    @property
    def ended(self) -> int:
        return self.sent + self.failed + self.unknown

    @property
    def percent(self) -> int:
        return int(100 * self.ended / self.meant) if self.meant else 100


def progress(*, run_id: int) -> Progress:
    """Count the run's rows by state and reason, in one query."""
    counts = dict.fromkeys(Message.State.values, 0)
    reasons: dict[str, dict[str, int]] = {}
    rows = (
        Message.objects.filter(run_id=run_id)
        .values_list("state", "reason")
        .annotate(n=Count("id"))
        .order_by("-n")
    )
    for state, reason, n in rows:
        counts[state] += n
        if reason:
            reasons.setdefault(state, {})[reason] = n
    return Progress(**counts, reasons=reasons)
