"""The names under which the workloads run."""

from collections.abc import Callable

from ingestion.benchmarks.doors import api_batch, api_single
from ingestion.benchmarks.files import import_events, import_orders, ingest_rollups
from ingestion.benchmarks.flooding import source_flood
from ingestion.benchmarks.judging import judge_events
from ingestion.benchmarks.measuring import Line
from ingestion.benchmarks.streaming import ingest_sustained

WORKLOADS: dict[str, Callable[..., Line]] = {
    "import.orders": import_orders,
    "import.events": import_events,
    "ingest.rollups": ingest_rollups,
    "events.judge": judge_events,
    "api.batch": api_batch,
    "api.single": api_single,
    "ingest.sustained": ingest_sustained,
    "source.flood": source_flood,
}
