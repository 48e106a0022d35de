"""Real servers of our own for the whole run, made before Django reads its settings.

The settings module must not stand in pyproject.toml: pytest-django would import it before this
file has started the servers. Celery is not eager: a test that wants work done either calls the
function or starts a worker. TEST_DATABASE_URL and TEST_REDIS_URL put other servers in their place.
"""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import django
import numpy as np
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from marketing import embedded

_servers = embedded.Servers()
_given = {name: os.environ.get(f"TEST_{name}", "") for name in ("DATABASE_URL", "REDIS_URL")}
_servers.start(with_postgres=not _given["DATABASE_URL"], with_valkey=not _given["REDIS_URL"])

os.environ.update(
    DJANGO_SETTINGS_MODULE="marketing.settings",
    PERENNIAL_VAR=str(_servers.folder / "var"),
    DATABASE_URL=_servers.database_url or _given["DATABASE_URL"],
    REDIS_URL=_servers.redis_url or _given["REDIS_URL"],
    QUEUE_PREFIX=f"test-{os.getpid()}:",
    # Playwright's event loop makes Django believe that a browser test is asynchronous code.
    DJANGO_ALLOW_ASYNC_UNSAFE="true",
)
for _name in ("PUBLIC_URL", "SECRET_KEY", "MODEL_DIR", "DEBUG", "BEHIND_PROXY", "PORT"):
    os.environ.pop(_name, None)

django.setup()

hypothesis_settings.register_profile(
    "perennial",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
hypothesis_settings.load_profile("perennial")


def pytest_unconfigure() -> None:
    _servers.stop()


@pytest.fixture(scope="session")
def servers() -> embedded.Servers:
    """The servers of this run, for tests that start processes of their own."""
    return _servers


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Each pytest-xdist worker has servers of its own, so no database name needs a suffix."""


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    random.seed(20_101_201)
    np.random.seed(20_101_201)  # noqa: NPY002  libraries still draw from the global generator


@pytest.fixture(autouse=True)
def own_folders(settings, tmp_path: Path) -> Iterator[None]:  # type: ignore[no-untyped-def]
    """Models, uploads and caught mail of a test stay in its own temporary folder."""
    settings.MODEL_DIR = tmp_path / "models"
    settings.MEDIA_ROOT = tmp_path / "uploads"
    settings.MAIL_DIR = tmp_path / "mail"
    yield
    for name in ("models", "uploads", "mail"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)
