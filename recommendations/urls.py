"""Pages and API addresses of this app."""

from django.urls import path

from recommendations import api as doors
from recommendations import views

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
        doors.CustomerRecommendations.as_view(),
        name="customer-recommendations",
    ),
    path("recommendations/engines/", doors.EngineList.as_view(), name="recommendation-engines"),
    path("recommendations/refresh/", doors.Refresh.as_view(), name="recommendations-refresh"),
]
