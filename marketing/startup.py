"""What has to be true before the platform runs here: the folder is ours, the port is free, the
servers answer, the tables are up to date, and somebody can sign in."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import socket
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import environ
import psycopg2
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from marketing.celery import app
from marketing.core import auth, shared
from marketing.core.models import ApiKey, User
from marketing.embedded import Servers
from marketing.embedded.processes import write_private

MIN_FREE_BYTES = 1_000_000_000
DEMO_LOGIN = "demo"


class StartError(Exception):
    """The platform cannot start; the message says why, what was changed, and what to do."""


# --- this folder, this port -------------------------------------------------------------------


def take_folder(var: Path, address: str) -> IO[str]:
    """Hold `var` for this process until it ends. Raises StartError when another one has it."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        file = (var / "up.lock").open("a+")
    except OSError as error:
        raise StartError(
            f"The folder {var} cannot be written to ({error.strerror}). Nothing was started. "
            "Set PERENNIAL_VAR to another folder."
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        where = file.read().strip() or "another process"
        raise StartError(
            f"The platform already runs from this folder: {where}. Nothing was started. "
            "Use that one, stop it with Ctrl-C where it was started, or run a second one with "
            "its own data: PERENNIAL_VAR=var2 PORT=8001 make run"
        ) from error
    file.truncate(0)
    file.write(f"{address} (process {os.getpid()})")
    file.flush()
    return file


def read_port(text: str) -> int:
    """The number of a port. Raises StartError for anything else."""
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise StartError(
            f"PORT={text} is not a port: give a number from 1 to 65535, such as PORT=8001. "
            "Nothing was started."
        )
    return int(text)


def require_port(port: int) -> None:
    """Raises StartError when something listens on the port already."""
    if _is_free(port):
        return
    other = next((p for p in range(port + 1, port + 200) if _is_free(p)), 8001)
    raise StartError(
        f"Port {port} is in use by another program. Nothing was started. "
        f"Choose another one: PORT={other} make run"
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def take_port(wanted: int) -> socket.socket:
    """A socket that listens on the wanted port, or on some free one where another has that; 0 wants
    any.

    A port that is only looked at may be gone when it is used: two installations that start in the
    same second would both find it free.
    """
    for port in (wanted, 0):
        taken = socket.socket()
        # A port whose last connections still wait for their end is no other program's.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", port))
            taken.listen(128)
        except OSError:
            taken.close()
            if not port:
                raise
        else:
            return taken
    raise AssertionError


def free_port(wanted: int) -> int:
    """The wanted port, or some free one; 0 wants any. Nothing holds it afterwards."""
    with take_port(wanted) as taken:
        return int(taken.getsockname()[1])


def require_space(var: Path) -> None:
    """Raises StartError when the disk is all but full."""
    free = shutil.disk_usage(var).free
    if free < MIN_FREE_BYTES:
        raise StartError(
            f"The disk that holds {var} has {free // 1_000_000} MB left; at least "
            f"{MIN_FREE_BYTES // 1_000_000} MB are needed. Nothing was started. Free some space, "
            "or set PERENNIAL_VAR to a folder on another disk."
        )


# --- servers ----------------------------------------------------------------------------------


def start_servers(var: Path) -> tuple[Servers | None, str, str]:
    """Embedded servers where no address was given; (servers, DATABASE_URL, REDIS_URL)."""
    database, queue = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
    servers = None
    if not (database and queue):
        servers = Servers(var).start(with_postgres=not database, with_valkey=not queue)
        # manage.py commands in another terminal find the servers by these files.
        for name, url in (
            ("postgres.url", servers.database_url),
            ("valkey.url", servers.redis_url),
        ):
            if url:
                write_private(var / name, url)
        database, queue = database or servers.database_url, queue or servers.redis_url
    return servers, database, queue


def use_servers(database: str, queue: str) -> None:
    """Point this process and its children at the servers. Raises StartError when one is mute."""
    os.environ.update(DATABASE_URL=database, REDIS_URL=queue)
    _require_postgres(database)
    _require_redis(queue)
    # The settings were read before the servers had an address.
    settings.DATABASES["default"].update(environ.Env.db_url_config(database))
    settings.REDIS_URL = settings.CELERY_BROKER_URL = queue
    settings.CACHES["default"]["LOCATION"] = queue
    app.conf.update(broker_url=queue)


# Whether this account may make tables where Django makes them, its name, and that of the database.
_RIGHTS = """
    SELECT current_schema() IS NOT NULL AND has_schema_privilege(current_schema(), 'CREATE'),
        current_user, current_database()"""


def _require_postgres(url: str) -> None:
    try:
        with (
            contextlib.closing(psycopg2.connect(url, connect_timeout=5)) as probe,
            probe.cursor() as cursor,
        ):
            version = probe.server_version
            cursor.execute(_RIGHTS)
            may_make, account, database = cursor.fetchone() or (False, "", "")
    except psycopg2.OperationalError as error:
        raise StartError(
            f"PostgreSQL at {_place(url)} does not answer: {str(error).strip()}\n"
            "Nothing was changed. Check DATABASE_URL and that the server runs, or unset it to "
            "use the embedded server."
        ) from error
    if version < 140_000:
        raise StartError(
            f"PostgreSQL at {_place(url)} is version {version // 10_000}; 14 or newer is needed. "
            "Nothing was changed."
        )
    if not may_make:
        raise StartError(
            f"The account {account} may not make tables in the database {database} at "
            f"{_place(url)}. Nothing was changed. As an administrator of that server: "
            f'ALTER DATABASE "{database}" OWNER TO "{account}"'
        )


def _require_redis(url: str) -> None:
    client = redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5)
    try:
        client.ping()
    except redis.RedisError as error:
        raise StartError(
            f"Redis at {_place(url)} does not answer: {error}\n"
            "Nothing was changed. Check REDIS_URL and that the server runs, or unset it to use "
            "the embedded server."
        ) from error
    finally:
        client.close()


def _place(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)


# --- tables and people ------------------------------------------------------------------------


@contextlib.contextmanager
def _alone(name: str) -> Iterator[None]:
    """A session lock: two starts at the same database migrate one after the other."""
    key = zlib.crc32(name.encode())
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        cursor.execute("SELECT pg_advisory_lock(%s)", [key])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [key])
            cursor.execute("RESET statement_timeout; RESET lock_timeout")


def _refuse_half_of_an_older_one(executor: MigrationExecutor) -> None:
    """What came before the first release was folded into it: all of that is applied, or none."""
    applied = executor.recorder.applied_migrations()
    for name, migration in executor.loader.disk_migrations.items():
        missing = [one for one in migration.replaces if one not in applied]
        if (
            migration.replaces
            and name not in applied
            and 0 < len(missing) < len(migration.replaces)
        ):
            raise StartError(
                f"This database is older than the first release: it lacks {'.'.join(missing[0])}. "
                "Start the last version before 0.1.0 on it once, then this one. Nothing changed."
            )


def migrate() -> int:
    """Bring the tables up to date and make the roles; how many migrations were applied.

    Raises StartError for a database from before the first release that is not at its last state.
    """
    with _alone("migrate"):
        executor = MigrationExecutor(connection)
        _refuse_half_of_an_older_one(executor)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            call_command("migrate", interactive=False, verbosity=0)
        auth.create_roles()
    shared.note()
    return len(plan)


def ensure_login(file: Path, address: str) -> dict[str, Any]:
    """The demo login as `file` holds it (mode 0600), made anew where it no longer works."""
    known: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(file.read_text())
    with transaction.atomic():
        user = User.objects.filter(username=DEMO_LOGIN).first()
        if user is None or not known.get("password") or not user.check_password(known["password"]):
            known["password"] = secrets.token_urlsafe(12)
            user = user or User(username=DEMO_LOGIN, first_name="Demo", email="demo@example.com")
            user.is_staff = user.is_superuser = user.is_active = True
            user.set_password(known["password"])
            user.save()
            user.groups.set(auth.Group.objects.filter(name=auth.ADMIN))
        prefix = str(known.get("api_key", "")).split("_")[1:2]
        if not ApiKey.objects.filter(prefix__in=prefix, revoked_at=None).exists():
            _key, known["api_key"] = auth.create_key(
                name="Demo key", scopes=list(auth.SCOPES), user=user
            )
    known |= {"address": address, "login": DEMO_LOGIN, "written_at": timezone.now().isoformat()}
    write_private(file, json.dumps(known, indent=2) + "\n")
    return known
