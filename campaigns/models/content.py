from django.db import models
from django.db.models import Value
from django.utils import timezone

from campaigns.models.channels import Channel
from marketing.core.models import User


class Template(models.Model):
    """A message as its author wrote it; of a mail also the HTML made of it when it was saved.

    `parts` holds what messages of other kinds say: text, or title, body, url and icon.
    """

    kind = models.CharField(
        max_length=10, choices=Channel.Kind.choices, default="email", db_default="email"
    )
    parts = models.JSONField(
        default=dict, db_default=Value({}, output_field=models.JSONField()), blank=True
    )
    name = models.CharField(max_length=120)
    subject = models.CharField(max_length=300, blank=True)
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
