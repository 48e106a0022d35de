"""Pages and API addresses of the floor."""

from django.urls import path

from marketing.core import downloads, factor_pages, health, jobs_api, trail, views
from marketing.core.brand import api as brand_api
from marketing.core.brand import pages as brand_pages

app_name = "core"

pages: list = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("jobs/", views.job_list, name="job-list"),
    path("jobs/ring/", views.job_ring, name="job-ring"),
    path("jobs/menu/", views.job_menu, name="job-menu"),
    path("jobs/<uuid:public_id>/", views.job_detail, name="job-detail"),
    path("jobs/<uuid:public_id>/live/", views.job_live, name="job-live"),
    path("jobs/<uuid:public_id>/card/", views.job_card, name="job-card"),
    path("jobs/<uuid:public_id>/cancel/", views.job_cancel, name="job-cancel"),
    path("jobs/<uuid:public_id>/retry/", views.job_retry, name="job-retry"),
    path("settings/", views.profile, name="profile"),
    path("settings/theme/", views.theme, name="theme"),
    path("settings/brand/", brand_pages.edit, name="brand"),
    path("brand/<str:name>", brand_pages.logo, name="logo"),
    path("settings/keys/", views.keys, name="keys"),
    path("settings/keys/<int:key_id>/revoke/", views.key_revoke, name="key-revoke"),
    path("settings/factor/", factor_pages.factor, name="factor"),
    path("settings/team/", views.team, name="team"),
    path("settings/team/<int:user_id>/factor/", factor_pages.reset, name="factor-reset"),
    path("settings/confirm/", downloads.confirm, name="confirm"),
    path("settings/audit/", trail.trail, name="audit"),
    path("settings/audit/check/", trail.trail_check, name="audit-check"),
    path("settings/audit/export/", trail.trail_export, name="audit-export"),
]
api = [
    path("brand/", brand_api.BrandDetail.as_view(), name="brand"),
    path("jobs/", jobs_api.JobList.as_view(), name="job-list"),
    path("jobs/<uuid:public_id>/", jobs_api.JobDetail.as_view(), name="job-detail"),
    path("jobs/<uuid:public_id>/cancel/", jobs_api.JobCancel.as_view(), name="job-cancel"),
    path("jobs/<uuid:public_id>/retry/", jobs_api.JobRetry.as_view(), name="job-retry"),
]
