"""The stage of everybody at the ends of past months, as it was then: from orders before each end.

One pass over the orders serves every moment. Between two orders of somebody nothing changes but
time, so each moment falls to the one order that was the last before it. Somebody's stages are kept
as a string, a letter a moment; the flows between any two moments are counts of such strings.
"""

import time
from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from itertools import combinations
from typing import Any

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Substr
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.models import Customer
from marketing.core import jobs
from marketing.core.db import advisory_lock
from marketing.core.models import Job
from models_ml.insights import lifecycle, yardsticks
from models_ml.models import StageFlow, StagePath, Traits

KIND = "insights.look_back"
MONTHS = 12
UNKNOWN = "unknown"
LETTERS = {
    UNKNOWN: "-",
    lifecycle.NEVER: "z",
    lifecycle.NEW: "n",
    lifecycle.ACTIVE: "a",
    lifecycle.LOYAL: "l",
    lifecycle.AT_RISK: "r",
    lifecycle.LAPSED: "x",
}
STAGES = {letter: stage for stage, letter in LETTERS.items()}
LABELS: dict[str, str | Promise] = {
    **lifecycle.STAGES,
    UNKNOWN: gettext_lazy("Not known yet"),
}

_PATHS = """
CREATE TEMPORARY TABLE stage_paths ON COMMIT DROP AS
WITH cuts AS (
    SELECT cut, n FROM unnest(%(cuts)s::timestamptz[]) WITH ORDINALITY AS u(cut, n)
), bought AS (
    SELECT DISTINCT customer_id, order_id, placed_at AS at FROM ingestion_orderline
    WHERE customer_id IS NOT NULL AND kind = 'product' AND placed_at < %(last)s
), spaced AS (
    SELECT customer_id, at, row_number() OVER w AS orders, first_value(at) OVER w AS first_at,
           lead(at) OVER w AS next_at
    FROM bought WINDOW w AS (PARTITION BY customer_id ORDER BY at, order_id)
), tails AS (
    SELECT s.customer_id, string_agg({stage}, '' ORDER BY c.n) AS tail
    FROM spaced AS s JOIN cuts AS c ON c.cut > s.at AND (s.next_at IS NULL OR c.cut <= s.next_at)
    GROUP BY s.customer_id
), known AS (
    SELECT id AS customer_id, tail, length(coalesce(tail, '')) AS bought, greatest(
        %(moments)s - width_bucket(
            least(first_seen_at, created_at), %(cuts)s::timestamptz[]), 1) AS known
    FROM ingestion_customer LEFT JOIN tails ON tails.customer_id = ingestion_customer.id
    WHERE merged_into_id IS NULL
)
SELECT customer_id, repeat('-', %(moments)s - greatest(known, bought))
    || repeat('z', greatest(known - bought, 0)) || coalesce(tail, '') AS path FROM known
"""


@dataclass(frozen=True, slots=True)
class Move:
    """People who were in one stage and are in another, or stayed."""

    start: str
    end: str
    people: int


def moments(*, as_of: datetime, first: datetime | None = None) -> list[datetime]:
    """The starts of the last months in the shop's time zone, after `first`, and `as_of` itself."""
    local = timezone.localtime(as_of)
    month = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    found = [as_of]
    for _number in range(MONTHS):
        if month < as_of and (first is None or month > first):
            found.append(month)
        earlier = month - timedelta(days=1)
        month = timezone.make_aware(datetime(earlier.year, earlier.month, 1))  # noqa: DTZ001
    return sorted(found)


def build(*, now: datetime) -> StageFlow | None:
    """Find everybody's stages at each moment and count who moved; None before there are numbers."""
    began = time.monotonic()
    as_of = Traits.objects.order_by("customer_id").values_list("as_of", flat=True).first()
    if as_of is None:
        return None
    limits = lifecycle.bounds()
    with advisory_lock("models_ml.insights.stage_history"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "SELECT min(placed_at) FROM ingestion_orderline"
            " WHERE kind = 'product' AND customer_id IS NOT NULL"
        )
        cuts = moments(as_of=as_of, first=cursor.fetchone()[0])
        write(cursor, cuts=cuts, bounds=limits)
        cursor.execute("SELECT path, count(*) FROM stage_paths GROUP BY path")
        counts = dict(cursor.fetchall())
        cursor.execute("TRUNCATE models_ml_stagepath")
        cursor.execute(
            "INSERT INTO models_ml_stagepath (customer_id, path)"
            " SELECT customer_id, path FROM stage_paths ORDER BY customer_id"
        )
        cursor.execute("DROP TABLE stage_paths")
        made, _created = StageFlow.objects.update_or_create(
            id=1,
            defaults={
                "as_of": as_of,
                "cuts": [cut.isoformat() for cut in cuts],
                "bounds": asdict(limits),
                "flows": _flows(counts, len(cuts)),
                "people": sum(counts.values()),
                "seconds": round(time.monotonic() - began, 2),
                "made_at": now,
            },
        )
    return made


def write(cursor: Any, *, cuts: list[datetime], bounds: lifecycle.Bounds) -> None:
    """Fill the temporary table `stage_paths` (customer_id, path) of the open transaction."""
    params: dict[str, Any] = {"cuts": cuts, "last": max(cuts), "moments": len(cuts)}
    stage = lifecycle.stage_sql(
        of=bounds,
        params=params,
        orders="s.orders",
        tenure=_days("s.first_at"),
        recency=_days("s.at"),
        words=LETTERS,
    )
    cursor.execute(_PATHS.replace("{stage}", stage), params)


def _days(moment: str) -> str:
    return f"floor(date_part('epoch', c.cut - {moment}) / 86400)"


def _flows(counts: dict[str, int], length: int) -> dict[str, dict[str, int]]:
    """For each pair of moments the people by their two letters; with itself, a moment's sizes."""
    found = {}
    for start, end in [*((n, n) for n in range(length)), *combinations(range(length), 2)]:
        pairs: Counter[str] = Counter()
        for path, people in counts.items():
            pairs[path[start] + path[end]] += people
        found[f"{start}-{end}"] = dict(pairs)
    return found


def stored() -> StageFlow | None:
    return StageFlow.objects.filter(pk=1).first()


def due(*, now: datetime) -> bool:
    """Whether the numbers or the bounds in use are others than those of the stored stages."""
    as_of = Traits.objects.order_by("customer_id").values_list("as_of", flat=True).first()
    if as_of is None or pending() is not None:
        return False
    found = stored()
    return found is None or found.as_of != as_of or found.bounds != asdict(lifecycle.bounds())


def start() -> Job | None:
    """Start the job that finds the stages again, once."""
    with advisory_lock("models_ml.look_back", wait=False) as ours:
        if not ours or pending() is not None:
            return None
        return jobs.start(kind=KIND, title=_("Find everybody's stages over time"))


def pending() -> Job | None:
    """The job that looks back, or will as its last step."""
    kinds = (KIND, yardsticks.KIND)
    return Job.objects.filter(kind__in=kinds, state__in=Job.OPEN).order_by("-id").first()


def flow(*, found: StageFlow, start: int, end: int) -> list[Move]:
    """Who went from which stage to which between two moments, in the order of stages."""
    order = list(LABELS)
    pairs = found.flows.get(f"{start}-{end}", {})
    moves = [Move(STAGES[pair[0]], STAGES[pair[1]], people) for pair, people in pairs.items()]
    moves.sort(key=lambda move: (order.index(move.start), order.index(move.end)))
    return moves


def sizes(*, found: StageFlow, at: int) -> dict[str, int]:
    """How many people each stage had at a moment."""
    pairs = found.flows.get(f"{at}-{at}", {})
    return {stage: pairs.get(letter * 2, 0) for stage, letter in LETTERS.items()}


def people(*, start: int, end: int, first: str, last: str) -> QuerySet[Customer]:
    """Everyone who was in one stage at one moment and in another at the other."""
    paths = StagePath.objects.annotate(
        was=Substr("path", start + 1, 1), became=Substr("path", end + 1, 1)
    ).filter(was=LETTERS[first], became=LETTERS[last])
    return Customer.objects.filter(pk__in=paths.values("customer_id"))
