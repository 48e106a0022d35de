"""What a statement over everybody gets of the server, and for how long."""

from typing import Any

import pytest
from django.db import connection, transaction

from models_ml.features import sweeps

pytestmark = pytest.mark.django_db
NAMES = ("statement_timeout", "enable_indexscan", "work_mem")


def shown() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'current_setting({n!r})' for n in NAMES)}")
        return list(cursor.fetchone())


def prepared(*, work: str, cache: str) -> list[str]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('work_mem', %s, true)", [work])
        cursor.execute("SELECT set_config('effective_cache_size', %s, true)", [cache])
        sweeps.prepare(cursor)
        found = shown()
        transaction.set_rollback(True)
    return found


def test_a_sweep_reads_tables_in_order_with_memory_that_fits_the_server_and_leaves_no_trace() -> (
    None
):
    before = shown()
    assert prepared(work="4MB", cache="4GB") == ["0", "off", "128MB"]
    assert prepared(work="4MB", cache="512MB") == ["0", "off", "32MB"]
    assert prepared(work="4MB", cache="64GB") == ["0", "off", "256MB"]
    assert prepared(work="1GB", cache="4GB") == ["0", "off", "1GB"]  # never less than it had
    assert shown() == before


def test_an_operator_says_how_much(settings: Any) -> None:
    settings.SWEEP_MEMORY_MB = 700
    assert prepared(work="4MB", cache="4GB")[2] == "700MB"
