"""The floor's tables in Django admin: repair work for admins, never the marketer's product."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from marketing.core import audit
from marketing.core.auth import person
from marketing.core.models import ApiKey, AuditEntry, Job, User, WorkerBeat


class ReadOnly(admin.ModelAdmin):
    """Look, but change nothing: these rows are written by the platform alone."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Traced(admin.ModelAdmin):
    """What is done here stands in the audit trail, too, or is not done. Which fields changed is
    told, never what they hold.
    """

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        audit.record(actor=person(request), action="admin.added", obj=obj)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        told = {"changes": message}
        audit.record(actor=person(request), action="admin.changed", obj=obj, detail=told)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for obj in queryset:
            audit.record(actor=person(request), action="admin.deleted", obj=obj)
        return super().log_deletions(request, queryset)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        with transaction.atomic():  # Django does so around single objects, not around actions
            return super().changelist_view(request, extra_context)


@admin.register(User)
class PersonAdmin(Traced, UserAdmin):
    list_display = ("username", "email", "first_name", "last_name", "is_active", "last_login")
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        (_("Preferences"), {"fields": ("language", "timezone", "theme")}),
    )

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        with transaction.atomic():
            return super().user_change_password(request, id, form_url)


admin.site.unregister(Group)


@admin.register(Group)
class RoleAdmin(Traced, GroupAdmin):
    """The roles, as Django's groups."""


@admin.register(ApiKey)
class ApiKeyAdmin(Traced):
    """Keys are made on the settings page, where the secret is shown once; here they end."""

    list_display = ("name", "prefix", "created_by", "created_at", "last_used_at", "revoked_at")
    fields = ("name", "prefix", "scopes", "created_by", "created_at", "expires_at", "revoked_at")
    readonly_fields = ("prefix", "created_by", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    list_display = ("at", "actor_label", "action", "object_type", "object_label")
    list_filter = ("action",)
    search_fields = ("actor_label", "object_label")
    date_hierarchy = "at"


@admin.register(Job)
class JobAdmin(ReadOnly):
    list_display = ("id", "kind", "title", "state", "attempt", "created_at", "finished_at")
    list_filter = ("state", "kind")
    search_fields = ("title",)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).defer("log", "result")


@admin.register(WorkerBeat)
class WorkerBeatAdmin(ReadOnly):
    list_display = ("queue", "worker", "at")
