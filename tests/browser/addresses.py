"""Every page that shows something, with the small shop's rows in it."""

from django.urls import reverse

from marketing.core.models import Job
from tests import factories


def all_pages(people: factories.Cast) -> dict[str, str]:
    """Name → address, for somebody who may see everything."""
    running = Job.objects.get(state="running")
    failed = Job.objects.get(state="failed")
    return {
        "home": reverse("home"),
        "person": reverse("customer", args=[people.ada.pk]),
        "person without orders": reverse("customer", args=[people.cleo.pk]),
        "jobs": reverse("core:job-list"),
        "running job": reverse("core:job-detail", args=[running.public_id]),
        "failed job": reverse("core:job-detail", args=[failed.public_id]),
        "profile": reverse("core:profile"),
        "keys": reverse("core:keys"),
        "team": reverse("core:team"),
        "password": reverse("password_change"),
        "lost": "/nowhere/",
    }


PUBLIC = {"sign in": "/login/"}
