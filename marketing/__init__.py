"""The roof: joins the apps. Settings, urls, the pipeline, the pages that need every app.

Read first: `pipeline.py` (what runs when), `settings.py`, `pages.py` (home, one customer).
The floor, `marketing.core`, lives here too and must never import anything above it.
"""

from marketing.celery import app as celery_app

__all__ = ["celery_app"]
