"""What people say about the business elsewhere."""

from django.db import models
from django.utils.timezone import now

from ingestion.models.sources import Source


class Mention(models.Model):
    """One post, article or review. `sentiment` runs from -1 to 1; empty until it was judged."""

    source = models.ForeignKey(
        Source, on_delete=models.CASCADE, related_name="mentions", db_index=False
    )
    external_id = models.CharField(max_length=200)
    author = models.CharField(max_length=200, blank=True, default="")
    title = models.CharField(max_length=300, blank=True, default="")
    text = models.TextField(blank=True, default="")
    url = models.CharField(max_length=1000, blank=True, default="")
    language = models.CharField(max_length=10, blank=True, default="")
    published_at = models.DateTimeField()
    received_at = models.DateTimeField(default=now)
    sentiment = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "external_id"], name="mention_once")
        ]
        indexes = [
            models.Index(fields=["source", "-published_at"], name="mention_newest"),
            models.Index(fields=["-published_at"], name="mention_published"),
        ]

    def __str__(self) -> str:
        return self.title or self.text[:60]
