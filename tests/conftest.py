"""Real servers of our own for the whole run, made before Django reads its settings.

The settings module must not stand in pyproject.toml: pytest-django would import it before this
file has started the servers. Celery is not eager: a test that wants work done either calls the
function or starts a worker. TEST_DATABASE_URL and TEST_REDIS_URL put other servers in their place.
"""

import contextlib
import gc
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import django
import numpy as np
import pytest
import pytest_django
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection, transaction
from django.test import Client, override_settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from marketing import embedded
from tests import emptying

FROM_ONE = "SELECT " + ", ".join(
    f"setval(pg_get_serial_sequence('{table}', 'id'),"
    f" (SELECT coalesce(max(id), 0) + 1 FROM {table}), false)"
    for table in ("ingestion_customer", "ingestion_product", "campaigns_campaign", "campaigns_run")
)
# Files of a minute and more. Begun first, none of them is left to one process when all others rest;
# the first uses several processors, and the ones beside it mostly wait for what they killed.
LONGEST_FIRST = (
    "tests/flows/test_main_job.py",
    "tests/core/test_jobs.py",
    "tests/browser/test_every_page.py",
    "tests/campaigns/sending/test_sending_faults.py",
    "tests/ingestion/identity/test_life.py",
    "tests/ingestion/test_event_faults.py",
    "tests/pages/test_every_address.py",
    "tests/platform/test_up.py",
    "tests/browser/test_canary.py",
    "tests/platform/test_external_servers.py",
)
ROOT = Path(__file__).resolve().parent.parent
gc.disable()  # until everything is loaded, see pytest_collection_finish
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
emptying.install()

# A password is slow to check on purpose; hundreds of people sign in here, none of them a stranger.
# The number is part of each hash, so processes that tests start can read it.
PBKDF2PasswordHasher.iterations = 1_000

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


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """A worker reads the settings after it has started servers of its own, not with ours.

    With a process a core each has one thread: more of them would only wait for each other.
    """
    os.environ.pop("DJANGO_SETTINGS_MODULE", None)
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files are dealt to processes in the order of the tests."""
    place = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.nodeid.split("::")[0], len(place)))


def pytest_collection_finish() -> None:
    """What is loaded by now stays, so nobody need look through it again for what may go."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()


@pytest.fixture(scope="session")
def servers() -> embedded.Servers:
    """The servers of this run, for tests that start processes of their own."""
    return _servers


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Each pytest-xdist worker has servers of its own, so no database name needs a suffix."""


@pytest.fixture(autouse=True)
def fixed_seeds() -> None:
    _fix_seeds()


def _fix_seeds() -> None:
    random.seed(20_101_201)
    np.random.seed(20_101_201)


@pytest.fixture(autouse=True)
def nobody_came_yet() -> None:
    """What earlier tests forged counts against no later one."""
    from marketing.core import passing

    passing.forget()


@pytest.fixture(autouse=True)
def nobody_was_told_yet(request: pytest.FixtureRequest) -> None:
    """A nudge that an earlier test left to no worker stands for none of this one."""
    if _commits(request):
        from django.core.cache import cache

        nudged = ("ingestion.events.tasks.drain_inbox", "campaigns.tasks.collect_hits")
        cache.delete_many([f"nudged:{task}" for task in nudged])


@pytest.fixture(autouse=True)
def nobody_named_the_business() -> None:
    """As in a fresh database, without asking it; whatever saves a brand ends that."""
    from marketing.core import brand

    brand._seen = (math.inf, None)


@pytest.fixture(autouse=True)
def own_folders(
    request: pytest.FixtureRequest,
    settings,
    tmp_path: Path,
) -> Iterator[None]:
    """Models, uploads and caught mail of a test stay in its own temporary folder."""
    if "made_once" not in request.fixturenames:
        settings.MODEL_DIR = tmp_path / "models"
        settings.MEDIA_ROOT = tmp_path / "uploads"
    settings.MAIL_DIR = tmp_path / "mail"
    settings.SENDING_SEEN = tmp_path / "sending.seen"
    yield
    for name in ("models", "uploads", "mail"):
        shutil.rmtree(tmp_path / name, ignore_errors=True)


@pytest.fixture(autouse=True)
def held_to_the_document(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test asks of the API is answered as the API's document says."""
    asked = Client.request

    def request(self: Client, **given: Any) -> Any:
        answer = asked(self, **given)
        if not str(given.get("PATH_INFO", "")).startswith("/api/v1/"):
            return answer
        from tests import contract

        fault = contract.fault(
            method=str(given.get("REQUEST_METHOD", "GET")).lower(),
            path=str(given.get("PATH_INFO", "")),
            answer=answer,
        )
        if fault is not None:
            pytest.fail(fault)
        return answer

    monkeypatch.setattr(Client, "request", request)


def _commits(request: pytest.FixtureRequest) -> bool:
    marker = request.node.get_closest_marker("django_db")
    return bool({"transactional_db", "live_server"} & set(request.fixturenames)) or bool(
        marker is not None and marker.kwargs.get("transaction")
    )


@pytest.fixture(autouse=True)
def counted_from_one(request: pytest.FixtureRequest) -> None:
    """Draws go by a hash of ids: a test's people are the same whatever ran before it."""
    if _commits(request):
        request.getfixturevalue("transactional_db")
    elif request.node.get_closest_marker("django_db") or "db" in request.fixturenames:
        request.getfixturevalue("db")
    else:
        return
    _count_from_one()


def _count_from_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute(FROM_ONE)


@pytest.fixture(scope="module")
def made_once(
    django_db_setup: None,
    django_db_blocker: pytest_django.DjangoDbBlocker,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """A transaction and folders around all tests of a file, for what costs much to make.

    A fixture of the file makes it, and each test begins with it as others with an empty database.
    Every test of the file must ask for it, and none may commit.
    """
    folder = tmp_path_factory.mktemp("once")
    ours = transaction.atomic()
    ours._from_testcase = True
    with (
        override_settings(MODEL_DIR=folder / "models", MEDIA_ROOT=folder / "uploads"),
        django_db_blocker.unblock(),
        ours,
    ):
        _fix_seeds()
        _count_from_one()
        yield
        transaction.set_rollback(True)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def nobody_writes_on(request: pytest.FixtureRequest) -> Iterator[None]:
    """Events have connections of their own, and a database in use cannot be dropped."""
    yield
    if _commits(request) and (writing := sys.modules.get("ingestion.events.writing")) is not None:
        writing.hang_up()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a process needs to work on this test's database, queues and folders."""
    test_database = connection.settings_dict["NAME"]
    return {
        **os.environ,
        "DATABASE_URL": os.environ["DATABASE_URL"].rsplit("/", 1)[0] + f"/{test_database}",
        "PERENNIAL_VAR": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def start_process(
    environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., "subprocess.Popen[bytes]"]]:
    """Start a process of the platform (arguments of `python`); all end with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **extra: str) -> "subprocess.Popen[bytes]":
        log = (tmp_path / f"process-{len(started)}.log").open("wb")
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**environment, **extra},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for log in sorted(tmp_path.glob("process-*.log")):  # shown when the test failed
        sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}\n")


@pytest.fixture
def start_worker(
    start_process: Callable[..., "subprocess.Popen[bytes]"],
) -> Callable[..., "subprocess.Popen[bytes]"]:
    """Start a Celery worker on the named queues; `app` is the module with the Celery app."""

    def start(
        queues: str = "events,fast,bulk,train",
        app: str = "marketing",
        processes: int = 1,
        **extra: str,
    ) -> "subprocess.Popen[bytes]":
        return start_process(
            *("-m", "celery", "-A", app, "worker", "-Q", queues, "-c", str(processes)),
            *("--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat"),
            **extra,
        )

    return start


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> object:
    """Poll until the condition holds; fails the test when it never does."""
    until = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > until:
            pytest.fail(f"this did not come true in {seconds:.0f} s: {condition}")
        time.sleep(0.1)
    return value


@pytest.fixture(name="wait_for")
def wait_for_fixture() -> Callable[..., object]:
    return wait_for
