from django.db import models


class Pace(models.Model):
    """How far a channel's allowance is used: until when, how much of today's, and how it fared.

    `key` names the channel, and after a bar a recipients' domain. `good` and `bad` count answers
    since `since`; `down` says that most of them were bad for minutes. `mark` is the gate's alone.
    """

    key = models.CharField(max_length=300, primary_key=True)
    free_at = models.DateTimeField(null=True, blank=True)
    day = models.DateField(null=True, blank=True)
    used = models.IntegerField(default=0, db_default=0)
    since = models.DateTimeField(null=True, blank=True)
    good = models.IntegerField(default=0, db_default=0)
    bad = models.IntegerField(default=0, db_default=0)
    down = models.BooleanField(default=False, db_default=False)
    mark = models.CharField(max_length=100, blank=True, default="", db_default="")

    def __str__(self) -> str:
        return self.key
