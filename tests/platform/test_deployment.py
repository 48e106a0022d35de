"""Behind https nothing of Django's list for deployment is left, and browsers are bound to it."""

import json
import os
import subprocess
import sys

from tests.platform.test_docs import ROOT

PROGRAM = """
import json
import django
django.setup()
from django.conf import settings
from django.core.checks import run_checks
from django.test import Client

asked = {"HTTP_HOST": "marketing.example.com"}
plain, safe = Client().get("/healthz", **asked), Client().get("/healthz", secure=True, **asked)
left = {}
for settings.DEBUG in (True, False):
    found = run_checks(tags=["security"], include_deployment_checks=True)
    left[settings.DEBUG] = [one.id for one in found if not one.is_silenced()]
print(json.dumps({
    "left": left[False],
    "left when careless": left[True],
    "silenced": settings.SILENCED_SYSTEM_CHECKS,
    "plain": [plain.status_code, plain.headers["Location"]],
    "for a year": safe.headers["Strict-Transport-Security"],
    "another host": Client().get("/healthz", secure=True, HTTP_HOST="evil.example").status_code,
    "cookies": [
        [getattr(settings, f"{kind}_COOKIE_{what}") for what in ("NAME", "SECURE", "SAMESITE",
         "PATH", "DOMAIN")]
        for kind in ("SESSION", "CSRF")
    ],
}))
"""


def test_nothing_that_django_asks_of_a_deployment_is_left_over() -> None:
    given = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "marketing.settings",
        "PUBLIC_URL": "https://marketing.example.com",
        "ALLOWED_HOSTS": "marketing.example.com",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROGRAM],
        cwd=ROOT, env=given, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said == {
        "left": [],
        "left when careless": ["security.W018"],
        "silenced": ["security.W019"],
        "plain": [301, "https://marketing.example.com/healthz"],
        "for a year": "max-age=31536000; includeSubDomains; preload",
        "another host": 400,
        "cookies": [
            ["__Host-sessionid", True, "Lax", "/", None],
            ["__Host-csrftoken", True, "Lax", "/", None],
        ],
    }
