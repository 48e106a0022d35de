"""What is done in the Django admin stands in the audit trail, or is not done."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client, RequestFactory
from django.urls import reverse

from marketing.core import auth
from marketing.core.admin import Traced
from marketing.core.models import ApiKey, AuditEntry, User
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root", password="long enough 4711"))
    return client


def keys(*names: str) -> list[ApiKey]:
    return [auth.create_key(name=name, scopes=["jobs:read"], user=None)[0] for name in names]


def told() -> list[tuple[str, str, str, Any]]:
    rows = AuditEntry.objects.filter(action__startswith="admin.").order_by("id")
    return [(row.actor_label, row.action, row.object_label, row.detail) for row in rows]


def test_whatever_can_be_changed_there_is_traced(root: Client) -> None:
    request = RequestFactory().get("/admin/")
    request.user = User.objects.get(username="root")
    changed = [
        model.__name__
        for model, rows in admin.site._registry.items()
        if not isinstance(rows, Traced)
        and (
            rows.has_add_permission(request)
            or rows.has_change_permission(request)
            or rows.has_delete_permission(request)
        )
    ]
    assert changed == []


def test_a_change_tells_which_fields_and_not_what_they_hold(root: Client) -> None:
    (key,) = keys("Shop")
    page = reverse("admin:core_apikey_change", args=[key.pk])
    form = {"name": "Shop two", "scopes": "jobs:read", "initial-scopes": "jobs:read"}
    assert root.post(page, form).status_code == 302
    changes = {"changes": [{"changed": {"fields": ["Name"]}}]}
    key.refresh_from_db()
    assert told() == [("root", "admin.changed", str(key), changes)]
    assert key.name == "Shop two"


def test_a_new_password_is_told_and_is_nowhere(root: Client) -> None:
    other = factories.user("marketer", username="mia")
    page = reverse("admin:auth_user_password_change", args=[other.pk])
    secret = "quite another 4711"
    root.post(page, {"usable_password": "true", "password1": secret, "password2": secret})
    other.refresh_from_db()
    assert other.check_password(secret)
    assert [(who, what, whom) for who, what, whom, _detail in told()] == [
        ("root", "admin.changed", "mia")
    ]
    assert secret not in str(AuditEntry.objects.values())


def test_several_that_are_deleted_at_once_are_told_one_by_one_or_stay(
    root: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = keys("One", "Two")
    form = {
        "action": "delete_selected", "_selected_action": [key.pk for key in chosen], "post": "yes"
    }  # fmt: skip
    with monkeypatch.context() as broken:
        broken.setattr(LogEntry.objects.__class__, "log_actions", _fail)
        with pytest.raises(RuntimeError):
            root.post(reverse("admin:core_apikey_changelist"), form)
    assert ApiKey.objects.count() == 2
    assert told() == []
    root.post(reverse("admin:core_apikey_changelist"), form)
    assert not ApiKey.objects.exists()
    assert sorted(told()) == sorted(("root", "admin.deleted", str(key), {}) for key in chosen)


def _fail(*_: Any, **__: Any) -> None:
    raise RuntimeError("the log is full")
