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
    """The people of each of the groups."""
    found: dict[str, list[int]] = {key: [] for key in keys}
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT key, customer_id FROM ({_teller().MEMBERS}) AS m", {"keys": list(keys)}
            )
            for key, person in cursor.fetchall():
                found[key].append(person)
    return {key: np.array(people, dtype=np.int64) for key, people in found.items()}
