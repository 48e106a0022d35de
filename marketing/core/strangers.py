"""Tasks that this version does not know, as an older or a newer one left them on a queue.

Celery drops them. Rows are the truth, so nothing is lost; but somebody has to be able to see it.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError, connection

from marketing.core import audit
from marketing.core.models import AuditEntry

logger = logging.getLogger(__name__)

ACTION = "task.unknown"
AGAIN = timedelta(hours=1)


def note(*, task: str, payload: Any, now: datetime) -> bool:
    """Keep what such a task asked for, once an hour by its name; whether it was kept."""
    try:
        known = AuditEntry.objects.filter(
            action=ACTION, detail__task=task[:200], at__gt=now - AGAIN
        ).exists()
        if known:
            return False
        audit.record(actor=None, action=ACTION, detail={"task": task[:200], "asked": _ids(payload)})
    except DatabaseError:
        logger.exception("the unknown task %s could not be noted", task)
        return False
    finally:
        connection.close()  # processes of the worker that are made later must not share it
    return True


def _ids(payload: Any) -> dict[str, int]:
    """The ids that a task came with; of anything else nothing is kept."""
    body = payload[1] if isinstance(payload, list | tuple) and len(payload) > 1 else None
    if not isinstance(body, dict):
        return {}
    return {str(k)[:50]: v for k, v in list(body.items())[:10] if isinstance(v, int)}
