"""Whatever anybody wrote, in whatever field, is text on every page that shows it."""

import contextlib

import pytest
from django.apps import apps
from django.db import models
from django.test import Client
from django.urls import NoReverseMatch, reverse

from campaigns.models import Channel
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = "<img src=x onerror=alert(1)>'\"{{7*7}}"
# What people outside and colleagues may write, by table; names that must be unlike are numbered.
WRITTEN = {
    "ingestion.Customer": ("first_name", "last_name"),
    "ingestion.Product": ("name", "category"),
    "ingestion.Source": ("name",),
    "ingestion.ImportJob": ("file_name",),
    "ingestion.Refusal": ("message", "text"),
    "ingestion.Problem": ("note",),
    "campaigns.Campaign": ("name", "from_name", "held_because"),
    "campaigns.Segment": ("name",),
    "campaigns.Template": ("name",),
    "campaigns.Journey": ("name",),
    "campaigns.Channel": ("name", "last_error", "off_reason"),
    "campaigns.Message": ("error", "subject"),
    "campaigns.Run": ("error",),
    "campaigns.Returned": ("text", "status"),
    "campaigns.Domain": (),
    "core.Job": ("title", "error", "step_label"),
    "core.AuditEntry": ("actor_label", "object_label"),
    "core.User": ("display_name", "first_name", "last_name"),
}


def plant() -> int:
    """Write it into every such field of every row; how many rows hold it."""
    planted = 0
    for label, names in WRITTEN.items():
        model = apps.get_model(label)
        known = {one.name: one for one in model._meta.get_fields() if hasattr(one, "attname")}
        for name in names:
            found = known.get(name)
            if found is None:
                continue
            rows = model._default_manager.all()
            most = getattr(found, "max_length", None) or 200
            if found.unique or any(
                name in rule.fields
                for rule in model._meta.constraints
                if isinstance(rule, models.UniqueConstraint)
            ):
                for n, key in enumerate(rows.values_list("pk", flat=True)):
                    rows.filter(pk=key).update(**{name: f"{HOSTILE}{n}"[:most]})
                    planted += 1
            else:
                planted += rows.update(**{name: HOSTILE[:most]})
    return planted


def pages() -> list[str]:
    """The lists, and the page of the first of everything."""
    lists = (
        "home", "jobs", "core:team", "core:keys", "core:profile", "ingestion:customer-list",
        "ingestion:product-list", "ingestion:import-list", "ingestion:source-list",
        "ingestion:event-stream", "ingestion:quality-home", "ingestion:privacy-home",
        "campaigns:campaign-list", "campaigns:segment-list", "campaigns:template-list",
        "campaigns:journey-list", "campaigns:channel-list", "campaigns:domain-list",
        "campaigns:returned-mail", "campaigns:sending-rules", "campaigns:unsent",
        "campaigns:calendar", "audit-log", "core:audit",
    )  # fmt: skip
    details = {
        "customer": "ingestion.Customer",
        "campaigns:campaign-detail": "campaigns.Campaign",
        "campaigns:message-list": "campaigns.Campaign",
        "campaigns:campaign-audience": "campaigns.Campaign",
        "campaigns:message-detail": "campaigns.Message",
        "campaigns:segment-edit": "campaigns.Segment",
        "campaigns:template-edit": "campaigns.Template",
        "campaigns:journey-edit": "campaigns.Journey",
        "campaigns:channel-edit": "campaigns.Channel",
        "ingestion:import-detail": "ingestion.ImportJob",
        "ingestion:source-detail": "ingestion.Source",
    }
    found = []
    for name in lists:
        with contextlib.suppress(NoReverseMatch):
            found.append(reverse(name))
    for name, label in details.items():
        for key in apps.get_model(label)._default_manager.values_list("pk", flat=True)[:2]:
            with contextlib.suppress(NoReverseMatch):
                found.append(reverse(name, args=[key]))
    return found


def test_nothing_that_anybody_wrote_becomes_markup() -> None:
    factories.shop()
    Channel.objects.create(name="Texts", kind="sms", provider="sms_gateway", last_error="no")
    assert plant() > 30
    client = Client(raise_request_exception=False)
    client.force_login(factories.user("admin"))
    wrong: list[str] = []
    shown = 0
    for path in pages():
        answer = client.get(path)
        said = answer.content.decode(errors="replace")
        shown += "&lt;img src=x onerror" in said or r"\u003Cimg src=x onerror" in said
        if answer.status_code >= 500:
            wrong.append(f"{answer.status_code} {path}")
        if "<img src=x onerror" in said.lower() or "'\"49" in said:
            wrong.append(path)
    assert wrong == []
    assert shown > 12  # they were really there to be seen
