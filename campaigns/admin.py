"""Campaigns and messages for admins: to look at and to search; sending is changed on the pages."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from campaigns.models import Campaign, Message, Run, Segment, Template


class ReadOnly(admin.ModelAdmin):
    """Rows that only the product's own functions change."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Segment)
class SegmentAdmin(ReadOnly):
    list_display = ("name", "state", "size", "counted_at", "updated_at")
    list_filter = ("state",)
    search_fields = ("name",)


@admin.register(Template)
class TemplateAdmin(ReadOnly):
    list_display = ("name", "subject", "version", "updated_at")
    search_fields = ("name", "subject")


@admin.register(Campaign)
class CampaignAdmin(ReadOnly):
    list_display = ("name", "state", "segment", "template", "holdout_percent", "updated_at")
    list_filter = ("state",)
    list_select_related = ("segment", "template")
    search_fields = ("name",)


@admin.register(Run)
class RunAdmin(ReadOnly):
    list_display = ("id", "campaign", "state", "audience", "started_at", "finished_at", "error")
    list_filter = ("state",)
    list_select_related = ("campaign",)


@admin.register(Message)
class MessageAdmin(ReadOnly):
    list_display = ("id", "run", "address", "state", "reason", "attempt", "sent_at")
    list_filter = ("state",)
    search_fields = ("=address", "=message_id")
    show_full_result_count = False
    raw_id_fields = ("customer", "run")
