"""How often and when people are written to, and who may decide about one of them at a time."""

from django.db import models
from django.utils import timezone

from ingestion.models import Customer
from marketing.core.models import User


class SendingRules(models.Model):
    """The shop's own manners, one row.

    `caps`: [{"channel": "" for all together, "days": 7, "most": 3}], counted over the days that
    end now. `quiet`: {channel: ["21:00", "08:00"]} by each person's own clock.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    caps = models.JSONField(default=list)
    quiet = models.JSONField(default=dict)
    # Whether a second person looks at each campaign before it goes out.
    approval = models.BooleanField(default=False, db_default=False)
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    def __str__(self) -> str:
        return f"{len(self.caps)} caps, {len(self.quiet)} channels with quiet hours"


class Turn(models.Model):
    """Locked by whoever decides whether one more message may go to this person.

    Two campaigns that claim the same person at the same moment therefore count one after the
    other, and the second sees what the first took.
    """

    customer = models.OneToOneField(
        Customer, primary_key=True, on_delete=models.CASCADE, related_name="+"
    )

    def __str__(self) -> str:
        return str(self.customer_id)
