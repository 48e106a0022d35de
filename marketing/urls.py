"""Three doors: / for marketers, /api/v1/ for integrators, /admin/ for admins."""

from django.contrib import admin
from django.contrib.auth import views as sign_in
from django.urls import include, path, reverse_lazy
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

import campaigns.urls
import ingestion.urls
import marketing.core.urls
import models_ml.urls
import recommendations.urls
from marketing import pages
from marketing.core import factor_pages, signing_in
from marketing.metrics.views import metrics

APPS = [marketing.core.urls, ingestion.urls, models_ml.urls, recommendations.urls, campaigns.urls]

handler400 = "marketing.core.outage.bad_request"
handler404 = "marketing.core.outage.not_found"
handler500 = "marketing.core.outage.server_error"

admin.site.login_form = signing_in.AdminSignIn

urlpatterns = [
    path("", pages.home, name="home"),
    path("metrics", metrics, name="metrics"),
    path("demo/steps/", pages.demo_steps, name="demo-steps"),
    path("people/<int:customer_id>/", pages.customer, name="customer"),
    path("people/search/", pages.people_search, name="people-search"),
    path(
        "login/",
        sign_in.LoginView.as_view(
            redirect_authenticated_user=True, authentication_form=signing_in.SignIn
        ),
        name="login",
    ),
    path("login/code/", factor_pages.code, name="code"),
    path("logout/", sign_in.LogoutView.as_view(), name="logout"),
    path(
        "settings/password/",
        sign_in.PasswordChangeView.as_view(success_url=reverse_lazy("core:profile")),
        name="password_change",
    ),
    path("admin/", admin.site.urls),
    path(
        "api/v1/",
        include(([url for module in APPS for url in module.api], "api"), namespace="api"),
    ),
    path("", include(([*ingestion.urls.doors, *recommendations.urls.doors], "doors"))),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    *[path("", include((module.pages, module.app_name))) for module in APPS],
]
