"""Mails that went out, for predictions about mails: which there were, and who was kept from them.

Named in `marketing/pipeline.py`, because models know nothing of campaigns.
"""

from campaigns.models import Campaign, Run
from models_ml.features.mailings import Mailing

# Everybody the mail was meant for counts as mailed, whether or not it arrived, and nobody counts
# who could not have been written to: so the hash alone told who is on which side.
SIDES = """
    SELECT m.customer_id, m.run_id, (m.reason <> 'holdout')::int AS treated
    FROM campaigns_message AS m
    WHERE m.run_id = ANY(%(runs)s)
      AND (m.reason = 'holdout' OR m.state <> 'skipped' OR m.message_id IS NOT NULL)"""


def finished(*, campaign: int | None = None) -> list[Mailing]:
    """Sends that have ended, oldest first; of one campaign if it is named."""
    ended = Run.objects.filter(state=Run.State.FINISHED, campaign__isnull=False)
    rows = ended.order_by("started_at", "id")
    if campaign is not None:
        rows = rows.filter(campaign_id=campaign)
    return [
        Mailing(
            run=row["id"],
            campaign=row["campaign_id"],
            name=row["campaign__name"],
            at=row["started_at"],
            held_out=row["snapshot__holdout_percent"] or 0,
        )
        for row in rows.values(
            "id", "campaign_id", "campaign__name", "started_at", "snapshot__holdout_percent"
        )
    ]


def name_of(*, campaign: int) -> str:
    """What a campaign is called; empty when there is none."""
    return Campaign.objects.filter(pk=campaign).values_list("name", flat=True).first() or ""
