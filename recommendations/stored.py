"""One person's stored picks, as programs ask for them all day: one question to the database."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from marketing.core.errors import NotFound
from marketing.core.prepared import Question
from recommendations import serve
from recommendations.serve import Pick

# A refresh that switches sets in between cannot be seen in half by a single statement.
_ASK = Question(
    "stored_picks",
    {"person": "text", "place": "text", "engine": "text"},
    f"""
WITH who AS (
    SELECT id FROM ingestion_customer WHERE external_id = %(person)s AND merged_into_id IS NULL
), current AS (
    SELECT s.id, s.engine, s.created_at, s.placement_id FROM recommendations_recommendationset s
    WHERE s.placement_id = (SELECT id FROM recommendations_placement WHERE slug = %(place)s)
        AND s.state = 'complete'
        AND CASE WHEN %(engine)s = '' THEN s.serving ELSE s.engine = %(engine)s END
)
SELECT w.id, c.id, c.engine, c.created_at,
    (SELECT p.rival_percent > 0 OR p.holdout_percent > 0 OR p.engine <> ''
        FROM recommendations_placement p WHERE p.id = c.placement_id),
    picked.*
FROM who w LEFT JOIN current c ON true
LEFT JOIN LATERAL (
    SELECT {serve.COLUMNS} {serve.ROWS}
    WHERE r.set_id = c.id AND r.customer_id = w.id AND {serve.PROFILED}
) AS picked ON true
ORDER BY picked.rank
""",
)


@dataclass(frozen=True)
class Stored:
    """A person's picks, best first, and the set they are from; no engine before any was made."""

    customer_id: int
    engine: str | None
    made_at: datetime | None
    picks: list[Pick]


def of(*, external_id: str, engine: str | None = None, limit: int) -> Stored:
    """The first `limit` picks for whom the shop knows by this number, by the serving engine or a
    named one. NotFound for nobody, Invalid for an engine there is not."""
    rows = _ASK.rows(person=external_id, place=serve.PLACEMENT, engine=engine or "")
    if not rows:
        raise NotFound(_("There is no customer of this number."), code="customer_unknown")
    serve.mind_engine(engine)
    customer_id, number, made_by, made_at, shared = rows[0][:5]
    if number is None:
        return Stored(customer_id, engine, None, [])
    if (shared and not engine) or rows[0][5] is None:
        # Two engines or a hold-out, or nothing of their own: what everybody gets is found there.
        current = serve.current_set(engine=engine)
        picks = serve.for_customers([customer_id], engine=engine)[customer_id]
        if current is not None:
            return Stored(customer_id, current.engine, current.created_at, picks[:limit])
    return Stored(customer_id, made_by, made_at, [serve.picked(row[5:]) for row in rows[:limit]])
