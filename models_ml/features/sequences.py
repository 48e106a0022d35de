"""What each person did before a moment, oldest first: events, orders and returns in one line.

Only the newest are read, newest first through the index of each person; nothing at or after the
moment is looked at, and what machines did (a scanner opening a mail) is left out.
"""

import io
from collections import Counter
from datetime import timedelta

import numpy as np
import pandas as pd
from django.db import connection, transaction

from ingestion.models import Event
from models_ml.algorithms.tabular.events import Events
from models_ml.features.reading import Asked
from models_ml.features.registry import MACHINES

LENGTH = 48
WINDOW = timedelta(days=730)
MOST_KINDS = 60
ORDERED, RETURNED, OTHER = "order: placed", "order: returned", "something else"

_SQL = """
SELECT a.place, d.kind, date_part('epoch', a.cut - d.at) / 86400, d.worth
FROM models_ml_asked AS a CROSS JOIN LATERAL (
    SELECT kind, at, worth FROM (
        (SELECT e.type AS kind, e.at, 0::double precision AS worth
         FROM ingestion_event AS e
         WHERE e.customer_id = a.customer_id AND e.at < a.cut AND e.at >= a.cut - %(window)s
           AND (e.type <> ALL(%(machines)s)
                OR e.properties ->> 'machine' IS DISTINCT FROM 'true')
         ORDER BY e.at DESC, e.type LIMIT %(length)s)
        UNION ALL
        (SELECT CASE l.kind WHEN 'return' THEN %(returned)s ELSE %(ordered)s END, l.placed_at,
                sum(l.total)::double precision
         FROM ingestion_orderline AS l
         WHERE l.customer_id = a.customer_id AND l.placed_at < a.cut
           AND l.placed_at >= a.cut - %(window)s AND l.kind IN ('product', 'return')
         GROUP BY l.order_id, l.placed_at, 1
         ORDER BY l.placed_at DESC LIMIT %(length)s)
    ) AS both_kinds ORDER BY at DESC, kind LIMIT %(length)s
) AS d
"""


def known() -> bool:
    """Whether anything but orders is known of what people did."""
    return Event.objects.filter(customer_id__isnull=False).exclude(type="email_sent").exists()


def read(*, asked: Asked) -> Events:
    """The last deeds of each asked person before its moment; rows in the order of `asked`."""
    n = len(asked)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute("SET LOCAL TimeZone = 'UTC'")
        cursor.execute("DROP TABLE IF EXISTS models_ml_asked")
        cursor.execute(
            "CREATE TEMP TABLE models_ml_asked (place bigint, customer_id bigint, cut timestamptz)"
            " ON COMMIT DROP"
        )
        lines = pd.DataFrame({"p": np.arange(n), "c": asked.person, "m": asked.moment})
        text = lines.to_csv(index=False, header=False)
        cursor.copy_expert("COPY models_ml_asked FROM STDIN (FORMAT csv)", io.StringIO(text))
        cursor.execute("ANALYZE models_ml_asked")
        params = {
            "window": WINDOW,
            "machines": list(MACHINES),
            "length": LENGTH,
            "ordered": ORDERED,
            "returned": RETURNED,
        }
        out = io.BytesIO()
        statement = cursor.mogrify(f"COPY ({_SQL}) TO STDOUT (FORMAT csv)", params).decode()
        cursor.copy_expert(statement, out)
    out.seek(0)
    names = ["place", "kind", "days", "worth"]
    found = pd.read_csv(out, names=names, keep_default_na=False, dtype={"kind": "str"})
    return _ragged(found, n)


def _ragged(found: pd.DataFrame, n: int) -> Events:
    kind = found["kind"].to_numpy(dtype="object")
    kept = [name for name, _count in Counter(kind).most_common(MOST_KINDS)]
    # Sorted, so that the same people give the same table in any order of reading.
    names = (OTHER, *sorted(set(kept) - {OTHER}))
    code = pd.Index(names).get_indexer(pd.Index(kind, dtype="object"))
    place = found["place"].to_numpy(dtype=np.int64)
    days = found["days"].to_numpy(dtype=np.float32)
    code = np.where(code < 0, 0, code).astype(np.int32)
    order = np.lexsort((code, -days, place))
    return Events(
        names=names,
        start=np.r_[0, np.cumsum(np.bincount(place, minlength=n))].astype(np.int64),
        kind=code[order],
        days_before=days[order],
        worth=found["worth"].to_numpy(dtype=np.float32)[order],
    )
