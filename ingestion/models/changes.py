"""What changed about whom, for whoever keeps something that follows from it."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class Change(models.Model):
    """One write: the people it concerns, or everybody where `people` is empty of meaning (null).

    `what` narrows the kind: the type of an event, the key of a prediction. The migration adds the
    column `xid`, the transaction of the writer, by which readers tell what they have not seen yet.
    """

    kind = models.CharField(max_length=12)
    what = models.CharField(max_length=100, blank=True, default="", db_default="")
    people = ArrayField(models.BigIntegerField(), null=True)
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.kind} {self.what}".strip()


class ChangeReader(models.Model):
    """Up to where somebody has read: a snapshot of PostgreSQL, as text."""

    name = models.CharField(max_length=60, primary_key=True)
    position = models.TextField()
    at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name
