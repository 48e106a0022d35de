"""Placements and picks for admins: to look at. Placements are changed on their page."""

from django.contrib import admin

from marketing.core.admin import ReadOnly
from recommendations.models import (
    LinkSet,
    Placement,
    ProductLink,
    RecommendationSet,
    Visitor,
    VisitorMark,
)


@admin.register(Placement)
class PlacementAdmin(ReadOnly):
    list_display = ("name", "slug", "size")


@admin.register(RecommendationSet)
class RecommendationSetAdmin(ReadOnly):
    list_display = ("placement", "engine", "state", "serving", "model_version", "created_at")
    list_filter = ("engine", "state")
    list_select_related = ("placement", "model_version")


@admin.register(LinkSet)
class LinkSetAdmin(ReadOnly):
    list_display = ("made_at", "complete")


@admin.register(ProductLink)
class ProductLinkAdmin(ReadOnly):
    list_display = ("product_id", "kind", "rank", "other_id", "count")
    list_filter = ("kind",)


@admin.register(Visitor)
class VisitorAdmin(ReadOnly):
    list_display = ("placement", "unit", "arm", "shown", "clicked", "first_at")
    list_filter = ("placement", "arm")
    list_select_related = ("placement",)


@admin.register(VisitorMark)
class VisitorMarkAdmin(ReadOnly):
    list_display = ("event_id",)
