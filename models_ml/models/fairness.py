"""What people are told apart by when it is asked whether a model chooses them alike."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from marketing.core.models import User


class WatchedAttribute(models.Model):
    """A property of people whose groups should be chosen alike.

    `name` is a column (`customer.country`, `customer.language`) or a property of theirs. Numbers
    and dates of birth are told in `bands`: the number that each band after the first begins with.
    """

    class Kind(models.TextChoices):
        TEXT = "text", _("As it is written")
        NUMBER = "number", _("A number, in bands")
        BIRTH = "birth", _("A date of birth, as age in bands")

    name = models.CharField(max_length=220, unique=True)
    kind = models.CharField(max_length=6, choices=Kind.choices, default=Kind.TEXT)
    bands = models.JSONField(default=list, blank=True)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.name
