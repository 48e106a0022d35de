"""Where picks are shown: which kinds there are, who gets which engine, as rows say it now."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import connection
from django.utils.translation import gettext as _

from marketing.core import assignment
from marketing.core.errors import NotFound
from models_ml import catalog
from recommendations.models import LinkSet, Placement, ProductLink
from recommendations.rules import Rules

Kind = Placement.Kind
Link = ProductLink.Kind
# What an arm is called: the best judged engine with links first, links alone, or an engine's name.
BEST, LINKS, HOLDOUT = "best", "links", "holdout"
DEFAULT = "email"
KEPT_SECONDS = 2.0
# Of choosing products for everybody: one for each engine, and the links.
REFRESH_STEPS = len(catalog.CATALOG) + 1


@dataclass(frozen=True)
class Sort:
    """A kind of placement: how much links of each kind count, and what the caller names.

    `asks`: "" nothing, "product" the product looked at, "items" what lies in the basket or was
    bought. `personal`: its picks are chosen beforehand for everybody, too.
    """

    links: Mapping[str, float]
    asks: str = ""
    personal: bool = False


SORTS: dict[str, Sort] = {
    Kind.HOME: Sort(
        {Link.SEEN: 0.8, Link.BOUGHT: 1.0, Link.TOGETHER: 0.6, Link.NEXT: 0.8}, personal=True
    ),
    Kind.MESSAGE: Sort(
        {Link.SEEN: 0.8, Link.BOUGHT: 1.0, Link.TOGETHER: 0.6, Link.NEXT: 0.8}, personal=True
    ),
    Kind.SIMILAR: Sort({Link.SEEN: 1.0, Link.BOUGHT: 0.6}, asks="product"),
    Kind.TOGETHER: Sort({Link.TOGETHER: 1.0}, asks="product"),
    Kind.BASKET: Sort({Link.TOGETHER: 1.0, Link.NEXT: 0.3}, asks="items"),
    Kind.AFTER: Sort({Link.NEXT: 1.0, Link.TOGETHER: 0.2}, asks="items"),
    Kind.REPLENISH: Sort({}),
}


@dataclass(frozen=True)
class Place:
    """A placement as answers need it. `sets`: complete sets by engine; `serving`: which is best."""

    pk: int
    slug: str
    kind: str
    size: int
    rules: Rules
    arms: tuple[str, str]
    rival_percent: int
    holdout_percent: int
    holdout_shows: str
    sets: Mapping[str, int] = field(default_factory=dict)
    serving: str = ""

    @property
    def sort(self) -> Sort:
        return SORTS[self.kind]

    def arm(self, unit: str | int | None, kept: str = "") -> str:
        """What somebody gets: what they got before, else what the hash gives them.

        Whoever cannot be told from others gets the first engine.
        """
        if kept and (kept == HOLDOUT or kept in self.arms):
            return kept
        if unit is None:
            return self.arms[0]
        key = f"placement:{self.pk}"
        if self.holdout_percent and assignment.held_out(
            key=f"{key}:holdout", unit=unit, percent=self.holdout_percent
        ):
            return HOLDOUT
        if not self.rival_percent:
            return self.arms[0]
        ceilings = assignment.edges([100 - self.rival_percent, self.rival_percent])
        return self.arms[assignment.side(key=key, unit=unit, ceilings=ceilings)]


@dataclass(frozen=True)
class Known:
    """All placements, and the links that count, as one look at the rows found them."""

    places: Mapping[str, Place]
    links: int | None
    popular: tuple[int, ...]
    popular_in: Mapping[str, tuple[int, ...]]


_kept: tuple[float, Known | None] = (0.0, None)


def forget() -> None:
    """Look at the rows again next time."""
    global _kept
    _kept = (0.0, None)


def known() -> Known:
    """Placements, sets and links, at most two seconds old."""
    global _kept
    clock = time.monotonic()
    if _kept[1] is None or _kept[0] <= clock:
        _kept = (clock + KEPT_SECONDS, look(_kept[1]))
    assert _kept[1] is not None
    return _kept[1]


_LOOK = """
SELECT p.id, p.slug, p.kind, p.size, p.rules, p.engine, p.rival, p.rival_percent,
    p.holdout_percent, p.holdout_shows,
    (SELECT jsonb_object_agg(s.engine, s.id) FROM recommendations_recommendationset s
        WHERE s.placement_id = p.id AND s.state = 'complete'),
    (SELECT s.engine FROM recommendations_recommendationset s
        WHERE s.placement_id = p.id AND s.serving AND s.state = 'complete'),
    (SELECT max(id) FROM recommendations_linkset WHERE complete)
FROM recommendations_placement p WHERE p.enabled
"""


def look(before: Known | None = None) -> Known:
    """The same from the rows; what is popular is read only where the links are other ones."""
    with connection.cursor() as cursor:
        cursor.execute(_LOOK)
        rows = [
            [json.loads(value) if isinstance(value, str) and n in (4, 10) else value
             for n, value in enumerate(row)]
            for row in cursor.fetchall()
        ]  # fmt: skip
    default = next((row for row in rows if row[1] == DEFAULT), None)
    links = rows[0][12] if rows else None
    places = {}
    for row in rows:
        sets, serving = row[10] or {}, row[11] or ""
        if not sets and default is not None:
            sets, serving = default[10] or {}, default[11] or ""
        places[row[1]] = Place(
            pk=row[0], slug=row[1], kind=row[2], size=row[3], rules=Rules.of(row[4], row[3]),
            arms=(row[5] or BEST, row[6] or BEST), rival_percent=row[7], holdout_percent=row[8],
            holdout_shows=row[9], sets=sets, serving=serving,
        )  # fmt: skip
    if before is not None and before.links == links:
        return Known(places, links, before.popular, before.popular_in)
    popular = LinkSet.objects.filter(pk=links or 0).values_list("popular", flat=True).first() or {}
    return Known(
        places,
        links,
        tuple(popular.get("all", ())),
        {name: tuple(keys) for name, keys in popular.get("by_category", {}).items()},
    )


def default_placement() -> Placement:
    """The one placement every installation has: the product block of mails."""
    placement, _made = Placement.objects.get_or_create(
        slug=DEFAULT, defaults={"name": "Product block in mails", "size": 10}
    )
    return placement


def find(slug: str) -> Place:
    """A placement that is turned on. NotFound for any other."""
    found = known().places.get(slug)
    if found is None:
        raise NotFound(
            _("There is no placement with this key, or it is turned off."),
            code="unknown_placement",
            field="placement",
        )
    return found


def engines() -> dict[str, str]:
    """What a placement may name as its engine, with titles; "" is the best judged."""
    return {
        "": str(_("Best judged, links of this visit first")),
        LINKS: str(_("Links between products")),
        **{entry.engine: str(entry.title) for entry in catalog.CATALOG},
    }


def title_of(arm: str) -> str:
    """What an arm is called on pages."""
    if arm == HOLDOUT:
        return str(_("Hold-out"))
    return engines().get("" if arm == BEST else arm, arm)
