"""Whether this process lives (/healthz), and whether the platform can do its work (/readyz)."""

import logging
import shutil
from collections.abc import Callable
from typing import Any

import redis
from django.conf import settings
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache

from marketing.core import beats, logs
from marketing.core.models import WorkerBeat

logger = logging.getLogger(__name__)

MIN_FREE_BYTES = 200 * 1024 * 1024
# Without these a page cannot be answered. The others only delay work: rows wait for them.
NEEDED = {"database", "migrations", "disk"}
_migrated: list[bool] = []


def _database() -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(extract(epoch FROM now() - min(xact_start)), 0)::int "
            "FROM pg_stat_activity WHERE datname = current_database()"
        )
        return {"ok": True, "oldest_transaction_seconds": cursor.fetchone()[0]}


def _migrations() -> dict[str, Any]:
    if not _migrated:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            return {"ok": False, "why": f"{len(missing)} migrations are not applied"}
        _migrated.append(True)  # applied migrations stay applied while this process runs
    return {"ok": True}


def _queue() -> dict[str, Any]:
    client = redis.Redis.from_url(
        settings.CELERY_BROKER_URL, socket_timeout=2, socket_connect_timeout=2
    )
    try:
        memory = client.info("memory")
    finally:
        client.close()
    share = memory["used_memory"] / memory["maxmemory"] if memory.get("maxmemory") else 0.0
    return {"ok": share < 0.9, "memory_used_percent": round(100 * share)}


def _workers() -> dict[str, Any]:
    now = timezone.now()
    last = dict(WorkerBeat.objects.values_list("queue", "at"))
    ages = {
        queue: round((now - last[queue]).total_seconds()) if queue in last else None
        for queue in settings.PIPELINE.QUEUES
    }
    silent = beats.silent(now=now)
    return {
        "ok": not silent,
        "seconds_since_sign_of_life": ages,
        **({"why": f"no sign of life from: {', '.join(silent)}"} if silent else {}),
    }


def _disk() -> dict[str, Any]:
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.VAR_DIR).free
    return {"ok": free >= MIN_FREE_BYTES, "free_megabytes": free // 1_000_000}


def _log() -> dict[str, Any]:
    # Told, and no trouble: what could not be written is gone, and the work went on.
    return {"ok": True, "dropped_lines": logs.dropped()}


CHECKS: dict[str, Callable[[], dict[str, Any]]] = {
    "database": _database,
    "migrations": _migrations,
    "queue": _queue,
    "workers": _workers,
    "disk": _disk,
    "log": _log,
}


# A connection that was never made has no SQLSTATE. The second is what an ordinary role is told.
_FULL = ("too many", "remaining connection slots")


def _why(error: Exception) -> str:
    """What may be said of it to anybody; its text may name hosts and accounts."""
    said = str(error)
    if isinstance(error, OperationalError) and any(text in said for text in _FULL):
        return "all connections are in use"
    return type(error).__name__


def examine() -> dict[str, dict[str, Any]]:
    """Every check's outcome; a check that raises is a failed check and never an error page."""
    results = {}
    for name, check in CHECKS.items():
        try:
            results[name] = check()
        except Exception as error:
            logger.warning("health check %s: %s", name, error)
            results[name] = {"ok": False, "why": _why(error)}
            if name == "database":
                connection.close()
    return results


@never_cache
def alive(request: HttpRequest) -> JsonResponse:
    """200 as long as this process answers."""
    return JsonResponse({"status": "alive"})


@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """200 `ready`, 200 `delayed` (pages work, background work waits), or 503 `not ready`.

    `?strict` answers 503 for `delayed` too.
    """
    checks = examine()
    failed = {name for name, result in checks.items() if not result["ok"]}
    status = "not ready" if failed & NEEDED else "delayed" if failed else "ready"
    broken = failed & NEEDED or (failed and "strict" in request.GET)
    return JsonResponse({"status": status, "checks": checks}, status=503 if broken else 200)
