"""Columns of a statement as arrays, without a Python object a row."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
# COPY's binary form: a header of 19 bytes, rows of fixed width (no column is null), a trailer of 2.
_HEADER, _TRAILER = 19, 2


def copied(
    cursor: Any, statement: str, values: Mapping[str, Any], *, width: int
) -> tuple[Array, ...]:
    """The columns of a statement, int64 each, without a Python object a row.

    All `width` columns are int8, or moments (microseconds since 2000), or float8, whose bits these
    are (`.view(np.float64)`), and none is ever null.
    """
    buffer = io.BytesIO()
    text = cursor.mogrify(f"COPY ({statement}) TO STDOUT (FORMAT binary)", values).decode()
    cursor.copy_expert(text, buffer)
    cells = [field for n in range(width) for field in ((f"size{n}", ">i4"), (f"cell{n}", ">i8"))]
    rows = np.frombuffer(
        buffer.getbuffer()[_HEADER:-_TRAILER], dtype=np.dtype([("fields", ">i2"), *cells])
    )
    return tuple(rows[f"cell{n}"].astype(np.int64) for n in range(width))
