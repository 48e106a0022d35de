"""The WSGI door that the HTTP server opens."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketing.settings")

application = get_wsgi_application()
# Load every view now, so that the first visitor does not wait for it.
_ = get_resolver().url_patterns
