"""Versions and numbers as admins see them: to read, not to change."""

from django.contrib import admin
from django.http import HttpRequest

from models_ml.models import ModelVersion, Traits


class ReadOnly(admin.ModelAdmin):
    """Rows that only the platform writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnly):
    list_display = ("name", "version", "state", "algorithm", "rows", "trained_at")
    list_filter = ("name", "state")
    search_fields = ("name", "reason")


@admin.register(Traits)
class TraitsAdmin(ReadOnly):
    list_display = ("customer", "as_of", "orders", "recency_days", "revenue", "repeat_90d")
    list_select_related = ("customer",)
    search_fields = ("customer__external_id", "customer__email")
    show_full_result_count = False
