"""Mails that were sent and whether each was answered: questions whose moments are the sendings.

Set-based and bounded: of more mails than a training takes, those of an even part of the people are
read, the same part each time, and nothing of the others leaves the database.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from models_ml.features import reading
from models_ml.features.reading import Asked
from models_ml.features.registry import CLICKS, OPENS
from models_ml.features.targets import Target

MOST = 400_000
_PARTS = 1 << 20


@dataclass(frozen=True)
class Sendings:
    """Each row a person and the second a mail went out, by moment, then person.

    `answered` (n,): two mails in one second are one row, answered if either was. `share` is the
    part of the people that was read.
    """

    asked: Asked
    answered: NDArray[np.bool_]
    share: float

    def __len__(self) -> int:
        return len(self.asked)

    def beside(self, asked: Asked) -> NDArray[np.float64]:
        """1 or 0 for rows that were asked about; nan for others."""
        return reading.beside(asked=asked, known=self.asked, values=self.answered)


def read(
    *, target: Target, since: datetime, until: datetime, horizon: timedelta, most: int = MOST
) -> Sendings:
    """Mails sent in [since, until) to people who let themselves be profiled; about `most`."""
    params: dict[str, Any] = {
        "since": since,
        "until": until,
        "horizon": horizon,
        "campaign": target.campaign,
        "answer": (CLICKS if target.by == "click" else OPENS)[0],
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(f"SELECT count(*){_FROM}", params)
        share = min(1.0, most / max(cursor.fetchone()[0], 1))
        params["sampled"] = int(share * _PARTS)
        rows = reading.copy_out(sql=_SENT, params=params, numbers=1)
    asked = Asked(rows[:, 0].astype(np.int64), rows[:, 1].astype(np.int64).astype("datetime64[s]"))
    return Sendings(asked, rows[:, 2] > 0, share)


_FROM = """
FROM ingestion_event AS s
WHERE s.type = 'email_sent' AND s.at >= %(since)s AND s.at < %(until)s
  AND s.customer_id IS NOT NULL
  AND (%(campaign)s IS NULL OR s.properties ->> 'campaign' = %(campaign)s::text)
"""
# Another mail of the run is another row; an answer by a machine is none.
_SENT = f"""
SELECT s.customer_id::int8, floor(extract(epoch FROM s.at))::int8, max((
    EXISTS (
        SELECT FROM ingestion_event AS a
        WHERE a.customer_id = s.customer_id AND a.type = %(answer)s
          AND a.at >= s.at AND a.at < s.at + %(horizon)s
          AND a.properties ->> 'run' = s.properties ->> 'run'
          AND a.properties ->> 'machine' IS DISTINCT FROM 'true'
    )
)::int)::double precision
{_FROM}
  AND (hashint8extended(s.customer_id, 20111209) & {_PARTS - 1}) < %(sampled)s
  AND NOT EXISTS (
    SELECT FROM ingestion_consent AS x WHERE x.customer_id = s.customer_id
    AND x.purpose = 'profiling' AND x.current AND NOT x.granted)
GROUP BY 1, 2
"""
