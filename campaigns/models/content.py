from django.db import models
from django.utils import timezone

from marketing.core.models import User


class Template(models.Model):
    """A mail as its author wrote it, and the HTML made of it when it was saved."""

    name = models.CharField(max_length=120)
    subject = models.CharField(max_length=300)
    preheader = models.CharField(max_length=300, blank=True)
    mjml = models.TextField(blank=True)
    html = models.TextField(blank=True)
    text = models.TextField(blank=True)
    version = models.IntegerField(default=1)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name
