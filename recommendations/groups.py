"""Groups of people that rules may name, as whoever keeps them tells: `PIPELINE.GROUPS`.

That module offers `titles()` (what each group is called, by its key) and `MEMBERS`: SQL of (key,
customer_id) for the keys in %(keys)s.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection

from models_ml.columns import copied


def _teller() -> Any:
    return import_module(settings.PIPELINE.GROUPS)


def titles() -> dict[str, str]:
    """What each group is called, by its key."""
    found: dict[str, str] = _teller().titles()
    return found


def of_person(*, customer_id: int, keys: Sequence[str]) -> set[str]:
    """Those of the groups that somebody is in."""
    if not keys:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT key FROM ({_teller().MEMBERS}) AS m WHERE customer_id = %(person)s",
            {"keys": list(keys), "person": customer_id},
        )
        return {key for (key,) in cursor.fetchall()}


def of_people(*, keys: Sequence[str]) -> dict[str, np.ndarray]:
    """The people of each of the groups, sorted."""
    if not keys:
        return {}
    each = list(dict.fromkeys(keys))
    statement = (
        "SELECT (array_position(%(keys)s::text[], key) - 1)::int8, customer_id::int8"
        f" FROM ({_teller().MEMBERS}) AS m WHERE key = ANY(%(keys)s::text[])"
    )
    with connection.cursor() as cursor:
        group, person = copied(cursor, statement, {"keys": each}, width=2)
    return {key: np.sort(person[group == n]) for n, key in enumerate(each)}
