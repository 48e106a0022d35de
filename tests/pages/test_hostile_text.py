"""Whatever anybody wrote, in whatever field, is text on every page that shows it."""

import re

import pytest
from django.apps import apps
from django.db import models
from django.test import Client
from django.urls import reverse

from campaigns.models import Channel
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
HOSTILE = "<img src=x onerror=alert(1)>'\"{{7*7}}"
# The same once somebody took it for a template, whether marks were escaped or not.
WORKED_OUT = re.compile(r"""('|&#x27;|&#39;|\\u0027)("|&quot;|&#34;|\\"|\\u0022)49""")
# What people outside and colleagues may write, by table; names that must be unlike are numbered.
WRITTEN = {
    "ingestion.Customer": ("first_name", "last_name"),
    "ingestion.Product": ("name", "category"),
    "ingestion.Source": ("name",),
    "ingestion.ImportJob": ("original_name",),
    "ingestion.Refusal": ("message", "raw"),
    "campaigns.Campaign": ("name", "from_name", "held_because"),
    "campaigns.Segment": ("name",),
    "campaigns.Template": ("name",),
    "campaigns.Journey": ("name",),
    "campaigns.Channel": ("name", "last_error", "off_reason"),
    "campaigns.Message": ("error", "subject"),
    "campaigns.Run": ("error",),
    "campaigns.Returned": ("text", "status"),
    "core.Job": ("title", "error", "step_label"),
    "core.AuditEntry": ("actor_label", "object_label"),
    "core.User": ("first_name", "last_name"),
}


def plant() -> int:
    """Write it into every such field of every row; how many rows hold it."""
    planted = 0
    for label, names in WRITTEN.items():
        model = apps.get_model(label)
        known = {one.name: one for one in model._meta.get_fields() if hasattr(one, "attname")}
        for name in names:
            found = known[name]
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
        "home", "core:job-list", "core:team", "core:keys", "core:profile",
        "ingestion:customer-list", "ingestion:product-list", "ingestion:import-list",
        "ingestion:source-list",
        "ingestion:event-stream", "ingestion:quality-home", "ingestion:privacy-home",
        "campaigns:campaign-list", "campaigns:segment-list", "campaigns:template-list",
        "campaigns:journey-list", "campaigns:channel-list", "campaigns:domain-list",
        "campaigns:returned-mail", "campaigns:sending-rules", "campaigns:not-sent",
        "campaigns:calendar",
    )  # fmt: skip
    details = {
        "customer": ("ingestion.Customer", "pk"),
        "campaigns:campaign-detail": ("campaigns.Campaign", "pk"),
        "campaigns:message-list": ("campaigns.Campaign", "pk"),
        "campaigns:campaign-audience": ("campaigns.Campaign", "pk"),
        "campaigns:message-detail": ("campaigns.Message", "pk"),
        "campaigns:segment-edit": ("campaigns.Segment", "pk"),
        "campaigns:template-edit": ("campaigns.Template", "pk"),
        "campaigns:journey-edit": ("campaigns.Journey", "pk"),
        "campaigns:channel-edit": ("campaigns.Channel", "pk"),
        "ingestion:import-detail": ("ingestion.ImportJob", "public_id"),
        "ingestion:source-detail": ("ingestion.Source", "pk"),
    }
    found = [reverse(name) for name in lists]
    for name, (label, key) in details.items():
        keys = apps.get_model(label)._default_manager.values_list(key, flat=True)[:2]
        found += [reverse(name, args=[key]) for key in keys]
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
        if answer.status_code >= 400:
            wrong.append(f"{answer.status_code} {path}")
        if "<img src=x onerror" in said.lower() or WORKED_OUT.search(said):
            wrong.append(path)
    assert wrong == []
    assert shown > 12  # they were really there to be seen
