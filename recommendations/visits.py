"""Who is asking, and what they looked at lately: one question to the database."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingestion.identity.names import ANONYMOUS, EMAIL, EXTERNAL
from marketing.core.prepared import Question

LOOKED_AT = ("view", "click", "cart", "wishlist")
TYPES = (*LOOKED_AT, "order", "recommendation_clicked")
LOOKS, SINCE = 20, timedelta(days=30)

# A device that is nobody's has its events by its own number; that of a person has the person's, and
# where only the device may be known (`own`), of those the ones it sent itself.
_ASK = Question(
    "visit",
    {
        "kind": "text", "value": "text", "anonymous": "text", "own": "boolean",
        "types": "text[]", "since": "timestamptz", "now": "timestamptz", "looks": "integer",
        "place": "bigint",
    },
    """
WITH who AS (
    SELECT i.customer_id, coalesce(EXISTS (SELECT FROM ingestion_consent k
            WHERE k.customer_id = i.customer_id AND k.purpose = 'profiling' AND k.current
            AND NOT k.granted), false) AS objects,
        coalesce(EXISTS (SELECT FROM ingestion_consent k
            WHERE k.customer_id = i.customer_id AND k.purpose = 'profiling' AND k.current
            AND k.granted AND (k.expires_at IS NULL OR k.expires_at > %(now)s)), false) AS agrees
    FROM ingestion_identity i WHERE i.kind = %(kind)s AND i.value = %(value)s AND NOT i.refused
), looks AS (
    (SELECT e.properties->>'sku' AS sku, e.type, e.at FROM who
        JOIN ingestion_event e ON e.customer_id = who.customer_id
    WHERE e.type = ANY(%(types)s) AND e.at > %(since)s AND NOT who.objects
        AND (NOT %(own)s OR e.anonymous_id = %(anonymous)s)
    ORDER BY e.at DESC LIMIT %(looks)s)
    UNION ALL
    (SELECT e.properties->>'sku', e.type, e.at FROM ingestion_event e
    WHERE %(anonymous)s <> '' AND e.customer_id IS NULL AND e.anonymous_id <> ''
        AND e.anonymous_id = %(anonymous)s AND e.type = ANY(%(types)s) AND e.at > %(since)s
    ORDER BY e.at DESC LIMIT %(looks)s)
)
SELECT (SELECT customer_id FROM who), (SELECT objects FROM who), (SELECT agrees FROM who),
    (SELECT array_agg(sku ORDER BY at DESC) FROM looks WHERE sku IS NOT NULL),
    (SELECT array_agg(extract(epoch FROM %(now)s - at)::float8 ORDER BY at DESC) FROM looks
        WHERE sku IS NOT NULL),
    (SELECT v.arm FROM recommendations_visitor v WHERE v.placement_id = %(place)s
        AND v.unit = ANY(ARRAY['a:' || %(anonymous)s,
            'c:' || coalesce((SELECT customer_id FROM who), 0)::text] || ARRAY(
            SELECT 'c:' || m.id FROM ingestion_customer m
            WHERE m.merged_into_id = (SELECT customer_id FROM who)))
        ORDER BY v.first_at LIMIT 1)
""",
)  # fmt: skip


@dataclass(frozen=True)
class Names:
    """How a request names somebody: by one of these, the strongest first."""

    external_id: str = ""
    email: str = ""
    anonymous_id: str = ""

    @property
    def strongest(self) -> tuple[str, str]:
        """Kind and value of the name to look for; two empty texts for nobody."""
        named = ((EXTERNAL, self.external_id), (EMAIL, self.email), (ANONYMOUS, self.anonymous_id))
        return next((pair for pair in named if pair[1]), ("", ""))


@dataclass(frozen=True)
class Visit:
    """Who asks and the stock codes they looked at lately, newest first, with how long ago (s).

    `objects`: they said no to personal picks; `agrees`: they said yes. `arm` is what this
    placement gave them before.
    """

    customer_id: int | None = None
    objects: bool = False
    agrees: bool = False
    skus: Sequence[str] = ()
    ages: Sequence[float] = ()
    arm: str = ""
    anonymous_id: str = ""

    @property
    def unit(self) -> str | None:
        """What the hash is made of; None for somebody who cannot be told from others."""
        if self.customer_id is not None:
            return f"c:{self.customer_id}"
        return f"a:{self.anonymous_id}" if self.anonymous_id else None


def ask(*, names: Names, placement_id: int, now: datetime, own: bool = False) -> Visit:
    """Whoever is named, and what they looked at. `own`: no more than their device itself told."""
    kind, value = names.strongest
    if not kind:
        return Visit()
    [(customer_id, objects, agrees, skus, ages, arm)] = _ASK.rows(
        kind=kind,
        value=value,
        anonymous=names.anonymous_id,
        own=own,
        types=list(TYPES),
        since=now - SINCE,
        now=now,
        looks=LOOKS,
        place=placement_id,
    )
    return Visit(
        customer_id,
        bool(objects),
        bool(agrees),
        skus or (),
        ages or (),
        arm or "",
        names.anonymous_id,
    )
