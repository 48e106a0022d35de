"""Pages and API addresses of this app."""

from django.urls import path

from recommendations.api import live, picks
from recommendations.api import offers as offers_api
from recommendations.api import placements as placements_api
from recommendations.views import engines, lab, offers, placements, trying, widget

app_name = "recommendations"

pages: list = [
    path("recommendations/", engines.home, name="home"),
    path("recommendations/people/", engines.person_list, name="person-list"),
    path("recommendations/people/<int:customer_id>/", engines.person_detail, name="person-detail"),
    path("recommendations/lab/", lab.home, name="lab"),
    path("recommendations/lab/curves/", lab.curves, name="lab-curves"),
    path("recommendations/lab/publish/<slug:slug>/", lab.publish, name="lab-publish"),
    path("recommendations/placements/", placements.placement_list, name="placements"),
    path("recommendations/placements/new/", placements.placement_detail, name="placement-new"),
    path("recommendations/links/", placements.links_start, name="links-start"),
    path("recommendations/placements/<slug:slug>/", placements.placement_detail, name="placement"),
    path(
        "recommendations/placements/<slug:slug>/preview/",
        placements.placement_preview,
        name="placement-preview",
    ),
    path(
        "recommendations/placements/<slug:slug>/remove/",
        placements.placement_remove,
        name="placement-remove",
    ),
    path("recommendations/offers/", offers.plan_list, name="offers"),
    path("recommendations/offers/new/", offers.plan_detail, name="offer-plan-new"),
    path("recommendations/offers/<slug:slug>/", offers.plan_detail, name="offer-plan"),
    path("recommendations/offers/<slug:slug>/plan/", offers.plan_start, name="offer-plan-start"),
    path("recommendations/offers/<slug:slug>/remove/", offers.plan_remove, name="offer-remove"),
    path("recommendations/try/", trying.try_it, name="try"),
    path("recommendations/catalogue/", trying.catalogue, name="catalogue"),
    path("recommendations/train/", engines.train_start, name="train-start"),
    path("recommendations/refresh/", engines.refresh_start, name="refresh-start"),
]
api: list = [
    path(
        "customers/<str:external_id>/recommendations/",
        picks.CustomerRecommendations.as_view(),
        name="customer-recommendations",
    ),
    path(
        "recommendations/placements/",
        placements_api.PlacementList.as_view(),
        name="recommendation-placements",
    ),
    path(
        "recommendations/placements/<slug:slug>/",
        placements_api.PlacementDetail.as_view(),
        name="recommendation-placement",
    ),
    path(
        "customers/<str:external_id>/offers/",
        offers_api.CustomerOffers.as_view(),
        name="customer-offers",
    ),
    path("offers/", offers_api.OfferPlanList.as_view(), name="offer-plans"),
    path("offers/<slug:slug>/", offers_api.OfferPlanDetail.as_view(), name="offer-plan"),
    path("offers/<slug:slug>/plan/", offers_api.OfferPlanning.as_view(), name="offer-planning"),
    path("offers/<slug:slug>/choices/", offers_api.OfferChoiceList.as_view(), name="offer-choices"),
    path("recommendations/live/", live.Live.as_view(), name="recommendations-live"),
    path("recommendations/engines/", picks.EngineList.as_view(), name="recommendation-engines"),
    path("recommendations/refresh/", picks.Refresh.as_view(), name="recommendations-refresh"),
]
doors: list = [
    path("r/picks", live.public, name="picks"),
    path("r.js", widget.script, name="picks-script"),
]
