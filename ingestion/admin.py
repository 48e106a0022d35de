"""The tables of facts in Django admin: to look at, for repair. Facts change through their pages."""

from django.contrib import admin

from ingestion.models import (
    Consent,
    Customer,
    ImportJob,
    Order,
    Product,
    Reject,
    Source,
    Suppression,
)
from marketing.core.admin import ReadOnly


@admin.register(Source)
class SourceAdmin(ReadOnly):
    list_display = ("name", "kind", "is_demo", "created_at")


@admin.register(ImportJob)
class ImportJobAdmin(ReadOnly):
    list_display = (
        "original_name",
        "kind",
        "source",
        "state",
        "received",
        "stored",
        "duplicate",
        "quarantined",
        "created_at",
    )
    list_filter = ("state", "kind")
    list_select_related = ("source",)


@admin.register(Reject)
class RejectAdmin(ReadOnly):
    list_display = ("import_job", "line", "code", "field", "message")
    list_filter = ("code",)
    list_select_related = ("import_job",)


@admin.register(Customer)
class CustomerAdmin(ReadOnly):
    list_display = ("id", "external_id", "email", "first_name", "last_name", "country")
    search_fields = ("external_id", "email", "last_name")
    show_full_result_count = False


@admin.register(Consent)
class ConsentAdmin(ReadOnly):
    list_display = ("customer", "channel", "purpose", "granted", "at", "source", "current")
    list_filter = ("channel", "purpose", "granted", "current")
    list_select_related = ("customer",)
    show_full_result_count = False


@admin.register(Suppression)
class SuppressionAdmin(ReadOnly):
    list_display = ("address", "channel", "reason", "at")
    search_fields = ("address",)
    list_filter = ("reason",)


@admin.register(Product)
class ProductAdmin(ReadOnly):
    list_display = ("sku", "name", "category", "price", "currency", "active")
    search_fields = ("sku", "name")


@admin.register(Order)
class OrderAdmin(ReadOnly):
    list_display = ("external_id", "source", "customer", "placed_at", "total", "currency", "status")
    search_fields = ("external_id",)
    list_filter = ("status",)
    list_select_related = ("source", "customer")
    show_full_result_count = False
