"""What came back of a send: openings and clicks by people and by machines, and which links.

A machine's opening or click is a gateway or privacy proxy that fetched everything. Both counts are
kept: raw ones compare with other tools, cleaned ones say what people did.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import OperationalError, connection
from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.answers import humans
from campaigns.messaging import tags
from campaigns.models import Message, Run
from marketing.core.db import statement_timeout

COUNT_MS = 4_000
MOST_LINKS = 50
# Clicks after this long say nothing of the send any more.
_WITHIN = timedelta(days=120)
OUTCOMES = {
    "opened": (_("Opened by a person"), Q(opened_human__gte=humans.LIKELY)),
    "opened_any": (_("Opened, machines too"), Q(opened_at__isnull=False)),
    "clicked": (_("Clicked by a person"), Q(clicked_human__gte=humans.LIKELY)),
    "clicked_any": (_("Clicked, machines too"), Q(clicked_at__isnull=False)),
    "bounced": (pgettext_lazy("mail", "Came back"), Q(bounced_at__isnull=False)),
    "complained": (_("Called it spam"), Q(complained_at__isnull=False)),
}
# By message, so that the index by person and kind finds the few events among millions.
_FOLLOWED = """
    FROM campaigns_message AS m
    JOIN ingestion_event AS e ON e.customer_id = m.customer_id AND e.type = 'email_clicked'
        AND e.at >= %s AND e.at < %s AND (e.properties->>'run') = %s::text
    WHERE m.run_id = %s AND m.clicked_at IS NOT NULL"""
_LINKS = """
    SELECT {url} AS url,
           count(DISTINCT m.id) FILTER (WHERE (e.properties->>'machine') IS DISTINCT FROM 'true'),
           count(DISTINCT m.id) FILTER (WHERE e.properties->>'machine' = 'true')
    {followed}
    GROUP BY 1 ORDER BY 2 DESC, 3 DESC, 1 LIMIT %s"""
_FOLLOWERS = """
    SELECT m.id {followed} AND {url} = %s
      AND (e.properties->>'machine') IS DISTINCT FROM 'true'"""


@dataclass(frozen=True)
class Responses:
    """Counts of one send; `opened` and `clicked` by people, with `_any` by machines too."""

    sent: int = 0
    opened: int = 0
    opened_any: int = 0
    clicked: int = 0
    clicked_any: int = 0
    bounced: int = 0
    complained: int = 0


@dataclass(frozen=True)
class Link:
    """How many followed a link. `share` is of the most followed one, for a drawing."""

    url: str
    people: int
    machines: int
    share: float


def responses(*, run_id: int) -> Responses:
    """All counts, in one statement. People who were erased since are not among them."""
    counts = {name: Count("id", filter=which) for name, (_label, which) in OUTCOMES.items()}
    found = Message.objects.filter(run_id=run_id).aggregate(
        sent=Count("id", filter=Q(state=Message.State.SENT)), **counts
    )
    return Responses(**found)


def by_people(*, run_ids: Collection[int]) -> dict[int, tuple[int, int]]:
    """By send, how many people opened and clicked, in one statement for all of them."""
    rows = (
        Message.objects.filter(run_id__in=run_ids, opened_at__isnull=False)
        .values("run_id")
        .annotate(
            by_opening=Count("id", filter=OUTCOMES["opened"][1]),
            by_click=Count("id", filter=OUTCOMES["clicked"][1]),
        )
        .values_list("run_id", "by_opening", "by_click")
        .order_by()
    )
    return {run_id: (opened, clicked) for run_id, opened, clicked in rows}


def of_outcome(messages: QuerySet[Message], outcome: str) -> QuerySet[Message]:
    """Those of the messages that ended so; all of them for a name that is none of OUTCOMES."""
    return messages.filter(OUTCOMES[outcome][1]) if outcome in OUTCOMES else messages


def _added(run: Run) -> list[str]:
    """What was added to the links of a send for web statistics."""
    kept = (content.get("utm") for content in run.snapshot.get("contents", {}).values())
    return sorted({tags.query(said) for said in kept if said}, key=len, reverse=True)


def _address(run: Run) -> tuple[str, list[Any]]:
    """SQL of a link as its author wrote it, so that one link of two variants is one."""
    url, added = "e.properties->>'url'", _added(run)
    for _each in added:
        url = f"replace({url}, %s, '')"
    if added:
        url = f"regexp_replace({url}, '[?&](#|$)', '\\1')"
    return url, list(added)


def _followed(run: Run) -> list[Any]:
    return [run.started_at, run.started_at + _WITHIN, run.pk, run.pk]


def followers_sql(*, run: Run, url: str) -> tuple[str, list[Any]]:
    """SQL of the messages of a send in which a person followed this link, with its parameters."""
    address, of_address = _address(run)
    sql = _FOLLOWERS.format(followed=_FOLLOWED, url=f"({address})")
    return sql, [*_followed(run), *of_address, url]


def links(*, run: Run, milliseconds: int = COUNT_MS) -> list[Link] | None:
    """The links of a send by how many people followed each; None when counting takes too long."""
    url, of_url = _address(run)
    sql = _LINKS.format(followed=_FOLLOWED, url=url)
    try:
        with statement_timeout(milliseconds), connection.cursor() as cursor:
            cursor.execute(sql, [*of_url, *_followed(run), MOST_LINKS])
            rows = [row for row in cursor.fetchall() if row[0]]
    except OperationalError:
        return None
    most = max((people + machines for _url, people, machines in rows), default=0) or 1
    return [
        Link(url, people, machines, (people + machines) / most) for url, people, machines in rows
    ]
