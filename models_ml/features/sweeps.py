"""What a statement over everybody asks of PostgreSQL.

The work_mem that suits a page makes hashes over millions of lines spill many times over, and the
planner then reads the lines through their index, person by person: a random walk over the whole
table, many times as long as reading it once.
"""

from typing import Any

from django.conf import settings

LEAST_MB, MOST_MB = 32, 256
# Of what the server says it has for caching. One statement keeps up to eight hashes and sorts.
_PART = 32


def prepare(cursor: Any) -> None:
    """Until the transaction ends: no limit of time, memory for hashes, whole tables in order.

    The memory is SWEEP_MEMORY_MB, or without it a 32nd of the server's effective_cache_size,
    between 32 and 256 MB and never below its own work_mem. The server gives a hash twice as much.
    """
    chosen = settings.SWEEP_MEMORY_MB
    cursor.execute("SET LOCAL statement_timeout = 0")
    cursor.execute("SET LOCAL enable_indexscan = off")
    cursor.execute(
        "SELECT set_config('work_mem', greatest("
        " pg_size_bytes(current_setting('work_mem')) / 1024,"
        " coalesce(%(chosen)s, least(%(most)s, greatest(%(least)s,"
        "  pg_size_bytes(current_setting('effective_cache_size')) / 1048576 / %(part)s))) * 1024"
        ")::text || 'kB', true)",
        {"chosen": chosen or None, "most": MOST_MB, "least": LEAST_MB, "part": _PART},
    )
