from django.db import models
from django.db.models import Value
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns.models.channels import Channel
from marketing.core.models import User


class Template(models.Model):
    """A message as its author wrote it; of a mail also the HTML made of it when it was saved.

    `parts` holds what messages of other kinds say: text, or title, body, url and icon. `mjml` is
    the body as written, in whichever language; blocks are kept beside the MJML they make.
    `languages` holds the same message for readers of other languages, by the language's code.
    """

    class Writing(models.TextChoices):
        BLOCKS = "blocks", _("Blocks")
        MJML = "mjml", "MJML"
        HTML = "html", "HTML"

    kind = models.CharField(
        max_length=10, choices=Channel.Kind.choices, default="email", db_default="email"
    )
    parts = models.JSONField(
        default=dict, db_default=Value({}, output_field=models.JSONField()), blank=True
    )
    name = models.CharField(max_length=120)
    subject = models.CharField(max_length=300, blank=True)
    preheader = models.CharField(max_length=300, blank=True)
    written_in = models.CharField(
        max_length=6, choices=Writing.choices, default=Writing.MJML, db_default=Writing.MJML
    )
    blocks = models.JSONField(
        default=list, db_default=Value([], output_field=models.JSONField()), blank=True
    )
    mjml = models.TextField(blank=True)
    html = models.TextField(blank=True)
    text = models.TextField(blank=True)
    languages = models.JSONField(
        default=dict, db_default=Value({}, output_field=models.JSONField()), blank=True
    )
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


class Kept(models.Model):
    """What something said at one time, who saved it, and which former version it brought back."""

    number = models.IntegerField()
    said = models.JSONField(default=dict)
    restored = models.IntegerField(null=True, blank=True)
    saved_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True
        ordering = ["-number"]

    def __str__(self) -> str:
        return str(self.number)


class TemplateVersion(Kept):
    """What a template said."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="versions")

    class Meta(Kept.Meta):
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="template_version_once")
        ]


class SavedBlock(models.Model):
    """Blocks that stand in many mails by reference: a header, a footer, an offer.

    `key` names it in mails that are written in MJML or HTML, and never changes. `blocks` is a list
    of forms as in a mail; `languages` holds it for readers of other languages, by the language's
    code: {"de": [...]}.
    """

    name = models.CharField(max_length=120)
    key = models.CharField(max_length=60, unique=True)
    blocks = models.JSONField(default=list)
    languages = models.JSONField(default=dict, blank=True)
    version = models.IntegerField(default=0)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class SavedBlockVersion(Kept):
    """What a saved block was."""

    block = models.ForeignKey(SavedBlock, on_delete=models.CASCADE, related_name="versions")

    class Meta(Kept.Meta):
        constraints = [
            models.UniqueConstraint(fields=["block", "number"], name="saved_block_version_once")
        ]
