"""Hand-offs between apps: an app states a fact, `pipeline.FOLLOWS` says who cares."""

import logging
import math
import time
from functools import partial

from django.conf import settings
from django.db import transaction
from kombu.exceptions import OperationalError

from marketing.celery import app

logger = logging.getLogger(__name__)

# After a failure nobody waits for the queue again for so long.
REST_SECONDS = 3.0
_rests_until = -math.inf


def announce(topic: str, **ids: object) -> None:
    """After commit, nudge every task that follows `topic`.

    A nudge that cannot be delivered is dropped: each follower has a periodic twin in EVERY.
    Raises KeyError for a topic that the pipeline does not list.
    """
    for task in settings.PIPELINE.FOLLOWS[topic]:
        transaction.on_commit(partial(nudge, task, None, None, **ids))


def nudge(task: str, queue: str | None = None, expires: float | None = None, **ids: object) -> None:
    """Put one task on its queue by name, without importing the module that holds it.

    `expires` (seconds) keeps repeated nudges from piling up behind a busy worker.
    """
    global _rests_until
    if time.monotonic() < _rests_until:
        return
    try:
        app.send_task(task, kwargs=ids, queue=queue or "fast", expires=expires, ignore_result=True)
    except (OperationalError, ConnectionError, TimeoutError) as error:
        _rests_until = time.monotonic() + REST_SECONDS
        logger.warning("queue unreachable, %s waits for the sweeper: %s", task, error)
