"""Addresses with a name in them that programs ask all day: looked up before all others."""

from django.urls import include, path

import recommendations.urls

BUSY = {"customer-recommendations"}
urlpatterns = [
    path("api/v1/", include([url for url in recommendations.urls.api if url.name in BUSY]))
]
