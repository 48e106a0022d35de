"""The floor's tables in Django admin: repair work for admins, never the marketer's product."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from marketing.core.models import ApiKey, AuditEntry, Job, User, WorkerBeat


class ReadOnly(admin.ModelAdmin):
    """Look, but change nothing: these rows are written by the platform alone."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(User)
class PersonAdmin(UserAdmin):
    list_display = ("username", "email", "first_name", "last_name", "is_active", "last_login")
    fieldsets = (
        *(UserAdmin.fieldsets or ()),
        (_("Preferences"), {"fields": ("language", "timezone", "theme")}),
    )


@admin.register(ApiKey)
class ApiKeyAdmin(admin.ModelAdmin):
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
