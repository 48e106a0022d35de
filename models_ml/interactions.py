"""Facts → who bought what, when, as of a moment: what the recommenders learn from."""

import io
from datetime import datetime

import numpy as np
from django.db import connection, transaction

from models_ml.algorithms.data import Interactions

# Goods that a known person bought and had not sent back in full by the moment asked about.
_LINES = """
COPY (
    SELECT l.customer_id::int8, l.product_id::int8, extract(epoch FROM l.placed_at)::int8
    FROM ingestion_orderline AS l
    JOIN ingestion_product AS p ON p.id = l.product_id AND p.is_goods
    LEFT JOIN (
        SELECT cancels_id, sum(abs(quantity)) AS returned
        FROM ingestion_orderline
        WHERE cancels_id IS NOT NULL AND placed_at < %(as_of)s
        GROUP BY cancels_id
    ) AS back ON back.cancels_id = l.id
    WHERE l.kind = 'product' AND l.quantity > 0 AND l.customer_id IS NOT NULL
      AND l.placed_at < %(as_of)s AND coalesce(back.returned, 0) < l.quantity
) TO STDOUT (FORMAT binary)
"""
# COPY's binary form: a header of 19 bytes, rows of fixed width (no column is null), a trailer of 2.
_HEADER, _TRAILER = 19, 2
_ROW = np.dtype(
    [("fields", ">i2")]
    + [
        field
        for name in ("user", "item", "at")
        for field in ((f"{name}_size", ">i4"), (name, ">i8"))
    ]
)


def read(*, as_of: datetime) -> Interactions:
    """One place per purchased line before `as_of`; what happened later is not looked at."""
    buffer = io.BytesIO()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.copy_expert(cursor.mogrify(_LINES, {"as_of": as_of}).decode(), buffer)
    body = buffer.getbuffer()[_HEADER:-_TRAILER]
    rows = np.frombuffer(body, dtype=_ROW)
    return Interactions.of(rows["user"], rows["item"], rows["at"].astype("int64"))
