"""What the database is asked for /metrics: few questions, and none walks through a large table.

A queue that may hold millions is counted up to MOST and no further.
"""

from dataclasses import dataclass

MOST = 100_000


@dataclass(frozen=True)
class Question:
    """SQL whose last column is the number, and whose columns before it are the labels' values."""

    name: str
    meaning: str
    sql: str
    labels: tuple[str, ...] = ()


def _few(table: str, condition: str = "true") -> str:
    return f"(SELECT count(*) FROM (SELECT FROM {table} WHERE {condition} LIMIT {MOST}) AS few)"


# outbox -> rows that wait in it; each goes as soon as a worker has dealt with it
_OUTBOXES = {
    "hits": _few("campaigns_hit"),
    "untold": _few("campaigns_untold"),
    "webhooks_in": _few("ingestion_webhookreceipt", "state = 'waiting'"),
    "alerts": _few("ingestion_alert", "state = 'waiting'"),
    "observations": _few("ingestion_observation"),
    "changes": _few("ingestion_change"),
    "messages_queued": _few("campaigns_message", "state = 'queued'"),
    "messages_leased": _few("campaigns_message", "state = 'sending'"),
}
_BEHIND = """
    SELECT r.name, coalesce(extract(epoch FROM now() - (
        SELECT c.at FROM ingestion_change c
        WHERE c.xid >= pg_snapshot_xmin(r.position::pg_snapshot)
          AND NOT pg_visible_in_snapshot(c.xid, r.position::pg_snapshot)
        ORDER BY c.xid LIMIT 1)), 0)
    FROM ingestion_changereader r WHERE r.at > now() - interval '2 days'"""

QUESTIONS = (
    Question(
        "perennial_database_bytes",
        "Size of the database.",
        "SELECT pg_database_size(current_database())",
    ),
    Question(
        "perennial_database_connections",
        "Connections to the server, of everybody.",
        "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'",
    ),
    Question(
        "perennial_database_connections_max",
        "Connections that the server lets in.",
        "SELECT current_setting('max_connections')::int",
    ),
    Question(
        "perennial_database_oldest_transaction_seconds",
        "Age of the oldest open transaction; vacuum cannot clean behind it.",
        "SELECT coalesce(extract(epoch FROM now() - min(xact_start)), 0)"
        " FROM pg_stat_activity WHERE datname = current_database()",
    ),
    Question(
        "perennial_worker_silent_seconds",
        "Since the last sign of life of a queue's workers.",
        "SELECT queue, extract(epoch FROM now() - at) FROM core_workerbeat",
        ("queue",),
    ),
    Question(
        "perennial_jobs_open",
        "Long work that waits or runs.",
        "SELECT queue, state, count(*) FROM core_job"
        " WHERE state IN ('queued', 'running', 'cancelling') GROUP BY 1, 2",
        ("queue", "state"),
    ),
    Question(
        "perennial_jobs_oldest_wait_seconds",
        "Since the oldest waiting job of a queue was asked for.",
        "SELECT queue, extract(epoch FROM now() - min(created_at)) FROM core_job"
        " WHERE state = 'queued' GROUP BY 1",
        ("queue",),
    ),
    Question(
        "perennial_jobs_ended_last_hour",
        "Jobs that ended within the last hour, of the newest 2,000.",
        "SELECT kind, state, count(*) FROM (SELECT kind, state, finished_at FROM core_job"
        " ORDER BY id DESC LIMIT 2000) AS newest"
        " WHERE finished_at > now() - interval '1 hour' GROUP BY 1, 2",
        ("kind", "state"),
    ),
    Question(
        "perennial_inbox_oldest_seconds",
        "Age of the oldest accepted event that is not stored yet.",
        "SELECT coalesce(extract(epoch FROM now() - ("
        "SELECT received_at FROM ingestion_inbox ORDER BY id LIMIT 1)), 0)",
    ),
    Question(
        "perennial_inbox_requests",
        "Accepted requests with events that are not stored yet.",
        f"SELECT {_few('ingestion_inbox')}",
    ),
    Question(
        "perennial_changes_behind_seconds",
        "Age of the oldest change that a reader (segments, journeys) has not seen yet.",
        _BEHIND,
        ("reader",),
    ),
    Question(
        "perennial_outbox_rows",
        f"Rows that wait to be dealt with, counted up to {MOST}.",
        "SELECT * FROM (VALUES "
        + ", ".join(f"('{name}', {sql})" for name, sql in _OUTBOXES.items())
        + ") AS boxes (name, rows)",
        ("outbox",),
    ),
    Question(
        "perennial_runs_open",
        "Sends that run or are paused.",
        "SELECT state, count(*) FROM campaigns_run WHERE state IN ('running', 'paused') GROUP BY 1",
        ("state",),
    ),
    Question(
        "perennial_channel_trouble",
        "1 while most answers of a channel's provider are errors.",
        "SELECT key, down::int FROM campaigns_pace WHERE key <> 'gate' AND strpos(key, '|') = 0",
        ("channel",),
    ),
    Question(
        "perennial_segments_faulty",
        "Segments whose rule cannot be followed.",
        "SELECT count(*) FROM campaigns_segmentupkeep WHERE fault <> ''",
    ),
    Question(
        "perennial_model_age_seconds",
        "Since the live version of a model was trained.",
        "SELECT name, extract(epoch FROM now() - trained_at) FROM models_ml_modelversion"
        " WHERE state = 'live'",
        ("model",),
    ),
    Question(
        "perennial_picks_age_seconds",
        "Since the picks that are shown were made.",
        "SELECT engine, extract(epoch FROM now() - min(created_at))"
        " FROM recommendations_recommendationset WHERE serving GROUP BY 1",
        ("engine",),
    ),
)
