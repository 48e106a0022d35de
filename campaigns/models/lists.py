from django.db import models
from django.utils import timezone

from ingestion.models import Customer
from marketing.core.models import User


class PersonList(models.Model):
    """People somebody named in a file: rules may ask whether a person is on it.

    `rows` are the names that the file held, `people` how many it stands for, `unknown` the names
    that nobody goes by. Until `read_at` nobody knows who is on it.
    """

    name = models.CharField(max_length=120)
    description = models.CharField(max_length=500, blank=True)
    file_name = models.CharField(max_length=255, blank=True)
    rows = models.BigIntegerField(default=0)
    people = models.BigIntegerField(default=0)
    unknown = models.BigIntegerField(default=0)
    read_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name


class PersonListMember(models.Model):
    """A person on a list."""

    pk = models.CompositePrimaryKey("list", "customer")
    list = models.ForeignKey(
        PersonList, on_delete=models.CASCADE, related_name="members", db_index=False
    )
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"{self.list_id}: {self.customer_id}"
