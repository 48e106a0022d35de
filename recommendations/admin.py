"""Placements may be changed here; sets of picks are written by the platform alone."""

from django.contrib import admin

from marketing.core.admin import ReadOnly
from recommendations.models import Placement, RecommendationSet


@admin.register(Placement)
class PlacementAdmin(admin.ModelAdmin):
    list_display = ("name", "slug", "size")


@admin.register(RecommendationSet)
class RecommendationSetAdmin(ReadOnly):
    list_display = ("placement", "engine", "state", "serving", "model_version", "created_at")
    list_filter = ("engine", "state")
    list_select_related = ("placement", "model_version")
