"""Pages and API addresses of this app."""

from django.urls import path

from recommendations import views
from recommendations.api import live, picks

app_name = "recommendations"

pages: list = [
    path("recommendations/", views.home, name="home"),
    path("recommendations/people/", views.person_list, name="person-list"),
    path("recommendations/people/<int:customer_id>/", views.person_detail, name="person-detail"),
    path("recommendations/train/", views.train_start, name="train-start"),
    path("recommendations/refresh/", views.refresh_start, name="refresh-start"),
]
api: list = [
    path(
        "customers/<str:external_id>/recommendations/",
        picks.CustomerRecommendations.as_view(),
        name="customer-recommendations",
    ),
    path("recommendations/live/", live.Live.as_view(), name="recommendations-live"),
    path("recommendations/engines/", picks.EngineList.as_view(), name="recommendation-engines"),
    path("recommendations/refresh/", picks.Refresh.as_view(), name="recommendations-refresh"),
]
doors: list = [
    path("r/picks", live.public, name="picks"),
]
