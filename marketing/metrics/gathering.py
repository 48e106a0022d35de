"""The numbers of /metrics: of the database, of the queue, of this machine, and what was counted."""

import logging
import shutil
import time
from collections.abc import Iterator
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from campaigns.messaging import gate
from marketing.core import counters
from marketing.metrics.exposition import Family, Sample
from marketing.metrics.questions import QUESTIONS, Question

logger = logging.getLogger(__name__)

# A question that takes longer than this goes unanswered: being watched is not the work.
MILLISECONDS = 2_000


def families() -> list[Family]:
    """Everything, and how long it took to gather."""
    began = time.perf_counter()
    trouble: list[str] = []
    found = [*_database(trouble), *_queue(trouble), *_machine(), *_counted()]
    found.append(
        _gauge(
            "perennial_metrics_unanswered",
            "Questions for these numbers that failed or took too long.",
            len(trouble),
        )
    )
    took = time.perf_counter() - began
    found.append(_gauge("perennial_metrics_seconds", "What gathering these numbers took.", took))
    return found


def _gauge(name: str, meaning: str, value: float) -> Family:
    return Family(name, "gauge", meaning, (Sample(value),))


def _database(trouble: list[str]) -> Iterator[Family]:
    for question in QUESTIONS:
        rows = _asked(question, trouble)
        samples = tuple(
            Sample(float(row[-1]), dict(zip(question.labels, map(str, row[:-1]), strict=True)))
            for row in rows
        )
        yield Family(question.name, "gauge", question.meaning, samples)
    if not trouble:
        held = gate.closed() is not None
        meaning = "1 while sending waits because the database was brought back or is a copy."
        yield _gauge("perennial_sending_held", meaning, held)


def _asked(question: Question, trouble: list[str]) -> list[tuple[Any, ...]]:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = {MILLISECONDS}")
            cursor.execute(question.sql)
            return cursor.fetchall()
    except DatabaseError as error:
        logger.warning("%s could not be asked: %s", question.name, type(error).__name__)
        trouble.append(question.name)
        return []


def _queue(trouble: list[str]) -> Iterator[Family]:
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    queues = settings.PIPELINE.QUEUES
    client: Any = redis.Redis.from_url(
        settings.CELERY_BROKER_URL, socket_timeout=2, socket_connect_timeout=2
    )
    try:
        pipe = client.pipeline(transaction=False)
        for queue in queues:
            pipe.llen(f"{prefix}{queue}")
        pipe.hlen(f"{prefix}unacked")
        pipe.info("memory")
        *lengths, unacked, memory = pipe.execute()
    except redis.RedisError as error:
        logger.warning("the queue could not be asked: %s", type(error).__name__)
        trouble.append("queue")
        return
    finally:
        client.close()
    yield Family(
        "perennial_queue_tasks",
        "gauge",
        "Tasks that wait in a queue.",
        tuple(Sample(n, {"queue": name}) for name, n in zip(queues, lengths, strict=True)),
    )
    yield _gauge("perennial_queue_unacked", "Tasks that a worker took and has not ended.", unacked)
    yield _gauge("perennial_queue_memory_bytes", "Memory of the queue.", memory["used_memory"])
    yield _gauge(
        "perennial_queue_memory_max_bytes",
        "Memory that the queue may take; 0 for no limit.",
        memory.get("maxmemory", 0),
    )
    yield _gauge(
        "perennial_queue_evicts",
        "1 when a full queue throws tasks away (maxmemory-policy is not noeviction).",
        memory.get("maxmemory_policy", "noeviction") != "noeviction",
    )


def _machine() -> Iterator[Family]:
    yield Family(
        "perennial_build_info",
        "gauge",
        "Always 1; the label tells which version runs.",
        (Sample(1, {"version": settings.VERSION}),),
    )
    free = shutil.disk_usage(settings.VAR_DIR).free
    yield _gauge("perennial_disk_free_bytes", "Free bytes where files are written.", free)


def _counted() -> Iterator[Family]:
    counts = counters.totals()
    yield Family(
        "perennial_messages_total",
        "counter",
        "Messages handed to providers, by what came of it.",
        tuple(Sample(counts[f"messages.{v}"], {"verdict": v}) for v in counters.VERDICTS),
    )
    yield Family(
        "perennial_jobs_ended_total",
        "counter",
        "Long work that ended.",
        tuple(Sample(counts[f"jobs.{end}"], {"state": end}) for end in counters.ENDS),
    )
    yield Family(
        "perennial_http_requests_total",
        "counter",
        "Requests answered, by door and class of status.",
        tuple(
            Sample(counts[f"http.{door}.{kind}"], {"door": door, "status": kind})
            for door in counters.DOORS
            for kind in counters.CLASSES
        ),
    )
    yield Family(
        "perennial_http_request_seconds",
        "histogram",
        "From a request's arrival to its answer, by door.",
        tuple(sample for door in counters.DOORS for sample in _histogram(door, counts)),
    )


def _histogram(door: str, counts: dict[str, float]) -> Iterator[Sample]:
    total = 0.0
    for end in counters.BUCKETS:
        total += counts[f"http.{door}.{end:g}"]
        bound = "+Inf" if end == float("inf") else f"{end:g}"
        yield Sample(total, {"door": door, "le": bound}, "_bucket")
    yield Sample(counts[f"http.{door}.seconds"], {"door": door}, "_sum")
    yield Sample(total, {"door": door}, "_count")
