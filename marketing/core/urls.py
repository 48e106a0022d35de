"""Pages and API addresses of the floor."""

from django.urls import path

from marketing.core import health, jobs_api

app_name = "core"

pages: list = [
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
]
api = [
    path("jobs/", jobs_api.JobList.as_view(), name="job-list"),
    path("jobs/<uuid:public_id>/", jobs_api.JobDetail.as_view(), name="job-detail"),
    path("jobs/<uuid:public_id>/cancel/", jobs_api.JobCancel.as_view(), name="job-cancel"),
    path("jobs/<uuid:public_id>/retry/", jobs_api.JobRetry.as_view(), name="job-retry"),
]
