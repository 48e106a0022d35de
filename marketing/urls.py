"""Three doors: / for marketers, /api/v1/ for integrators, /admin/ for admins."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

import campaigns.urls
import ingestion.urls
import marketing.core.urls
import models_ml.urls
import recommendations.urls

APPS = [marketing.core.urls, ingestion.urls, models_ml.urls, recommendations.urls, campaigns.urls]

urlpatterns = [
    path("admin/", admin.site.urls),
    path(
        "api/v1/",
        include(([url for module in APPS for url in module.api], "api"), namespace="api"),
    ),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    *[path("", include((module.pages, module.app_name))) for module in APPS],
]
