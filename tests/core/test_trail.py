"""Admins look over the audit trail and take it with them; nobody else does."""

import json

import pytest
from django.urls import reverse

from marketing.core import audit
from marketing.core.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db


def test_an_admin_sees_deeds_since_when_they_are_whole_and_what_is_wrong() -> None:
    client = factories.signed_in("admin", username="ada")
    audit.record(actor=None, action="segment.saved", detail={"<b>": "=1"})
    audit.record(
        actor=None, action="ad.created", detail={"fields": ["name", "price"], "n": {"a": 1}}
    )
    page = client.get(reverse("core:audit")).content.decode()
    assert "Not looked over yet" in page
    assert "segment.saved" in page
    assert "&lt;b&gt;: =1" in page
    assert "n: {&quot;a&quot;: 1} · fields: name, price" in page
    client.post(reverse("core:audit-check"))
    page = client.get(reverse("core:audit") + "?action=campaign").content.decode()
    assert "Whole since 20" in page
    assert "segment.saved" not in page


def test_the_export_holds_what_was_searched_for_no_formula_and_is_written_down() -> None:
    client = factories.signed_in("admin", username="ada")
    audit.record(actor=None, action="segment.saved", detail={"n": 1})
    forged = factories.user("marketer", username="=1+1")
    audit.record(actor=forged, action="segment.saved")
    audit.record(actor=None, action="key.created")
    url = reverse("core:audit-export") + "?action=segment"
    lines = b"".join(client.get(url).streaming_content).decode("utf-8-sig").splitlines()
    assert len(lines) == 3
    assert ",'=1+1," in lines[2]
    told = b"".join(client.get(url + "&as=json").streaming_content).decode().splitlines()
    assert [json.loads(line)["detail"] for line in told] == [{"n": 1}, {}]
    taken = AuditEntry.objects.filter(action="audit.exported").order_by("id")
    assert [row.detail for row in taken] == [
        {"entries": 2, "as": "csv"}, {"entries": 2, "as": "json"}
    ]  # fmt: skip


@pytest.mark.parametrize("role", ["marketer", "analyst", "integrator"])
def test_only_admins_look_at_it(role: str) -> None:
    client = factories.signed_in(role)
    assert client.get(reverse("core:audit")).status_code == 403
    assert client.get(reverse("core:audit-export")).status_code == 403
    assert "core:audit" not in client.get(reverse("core:team")).content.decode()
