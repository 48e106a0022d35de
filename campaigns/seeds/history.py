"""Tests that were made, with how many of their copies landed where."""

from django.db.models import Count, Q, QuerySet

from campaigns.models import SeedCopy, SeedTest

_OPEN = Q(copies__state__in=SeedCopy.OPEN)
_COUNTS = {
    "inbox": Q(copies__place="inbox"),
    "spam": Q(copies__place="spam"),
    "other": Q(copies__place="other"),
    "missing": Q(copies__state="missing"),
    "refused": Q(copies__state="refused"),
    "unseen": Q(copies__state="unseen"),
    "open": _OPEN,
}


def made(*, campaign_id: int | None = None, template_id: int | None = None) -> QuerySet[SeedTest]:
    """The newest first; with the counts of their copies by where they landed, and in all."""
    found = SeedTest.objects.select_related("campaign", "template", "asked_by")
    if campaign_id is not None:
        found = found.filter(campaign_id=campaign_id)
    if template_id is not None:
        found = found.filter(template_id=template_id)
    counts = {f"{name}_copies": Count("copies", filter=which) for name, which in _COUNTS.items()}
    return found.annotate(all_copies=Count("copies"), **counts).order_by("-id")
