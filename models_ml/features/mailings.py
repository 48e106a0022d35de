"""Mails that went out, as whoever sends them tells: `PIPELINE.MAILINGS` names the module.

It offers `finished(campaign=)`, `name_of(campaign=)` and `SIDES`: SQL of (customer_id, run_id,
treated) for the runs in %(runs)s, of whom the mail was meant for and who was held out by chance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Mailing:
    """One sending: `held_out` is the percentage that was to be kept from it by chance."""

    run: int
    campaign: int
    name: str
    at: datetime
    held_out: int


@dataclass(frozen=True)
class Sides:
    """Rows of a person and a run: meant for the mail (`treated`), or held out."""

    person: NDArray[np.int64]
    run: NDArray[np.int64]
    treated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.person)


def _teller() -> Any:
    return import_module(settings.PIPELINE.MAILINGS)


def finished(*, campaign: int | None = None) -> list[Mailing]:
    """Sends that have ended, oldest first; of one campaign if it is named."""
    found: list[Mailing] = _teller().finished(campaign=campaign)
    return found


def name_of(*, campaign: int) -> str:
    """What a campaign is called; empty when there is none."""
    return str(_teller().name_of(campaign=campaign))


def count(*, runs: Sequence[int]) -> dict[int, tuple[int, int]]:
    """By run, how many the mail was meant for and how many were held out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id, sum(treated), sum(1 - treated)"
            f" FROM ({_teller().SIDES}) AS side GROUP BY run_id",
            {"runs": list(runs)},
        )
        return {run: (int(sent), int(held)) for run, sent, held in cursor.fetchall()}


def sides(*, runs: Sequence[int], share: float = 1.0) -> Sides:
    """Who was on which side of these runs; of a fixed `share` of the people."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            f"SELECT customer_id, run_id, treated FROM ({_teller().SIDES}) AS side"
            " WHERE (hashint8extended(customer_id, 20111209) & 1048575) < %(sampled)s"
            " ORDER BY run_id, customer_id",
            {"runs": list(runs), "sampled": int(share * 1048576)},
        )
        rows = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 3)
    return Sides(rows[:, 0], rows[:, 1], rows[:, 2].astype(bool))
