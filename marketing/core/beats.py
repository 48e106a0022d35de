"""Signs of life of the workers: who worked off each queue, and when last.

A living process proves nothing: workers have been seen to stall with their process running. So
the sign is work done through the queue itself (a canary task) or by a job on it (a heartbeat).
"""

import os
import socket
from datetime import datetime, timedelta

from django.conf import settings

from marketing.core.models import WorkerBeat

CANARY_SECONDS = 15
SILENCE = timedelta(seconds=90)


def this_worker() -> str:
    """Name of this process: host and process id."""
    return f"{socket.gethostname()}:{os.getpid()}"


def record(*, queue: str, now: datetime) -> None:
    """Note that a worker of this queue is alive."""
    WorkerBeat.objects.update_or_create(
        queue=queue, defaults={"worker": this_worker()[:120], "at": now}
    )


def silent(*, now: datetime, since: datetime | None = None) -> list[str]:
    """Queues whose worker gave no sign for 90 s, counted from `since` at the earliest."""
    limit = now - SILENCE
    if since is not None and since > limit:
        return []
    alive = set(WorkerBeat.objects.filter(at__gte=limit).values_list("queue", flat=True))
    return [queue for queue in settings.PIPELINE.QUEUES if queue not in alive]
