"""Published versions as graphs: read once a process, since a version never changes."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from django.db.models import Min

from campaigns.journeys import definitions
from campaigns.journeys.graph import Graph
from campaigns.models import Journey, JourneyVersion


@dataclass(frozen=True)
class Walked:
    """A version that people walk now. Only an `open` one takes new people. `since` is when the
    journey first went live: what was learned before brings nobody in.
    """

    id: int
    journey_id: int
    run_id: int
    open: bool
    since: datetime
    graph: Graph

    @property
    def key(self) -> str:
        """What shares are drawn with: the same for all versions, so people keep their side."""
        return f"journey:{self.journey_id}"


def walked(*, journey_id: int | None = None) -> list[Walked]:
    """Every version of a live journey that is not closed."""
    rows = JourneyVersion.objects.filter(journey__state=Journey.State.LIVE).exclude(
        state=JourneyVersion.State.CLOSED
    )
    rows = rows.annotate(since=Min("journey__versions__published_at"))
    if journey_id is not None:
        rows = rows.filter(journey_id=journey_id)
    return [
        Walked(pk, journey, run, state == JourneyVersion.State.LIVE, since, graph_of(pk))
        for pk, journey, run, state, since in rows.order_by("pk").values_list(
            "pk", "journey_id", "run_id", "state", "since"
        )
    ]


@lru_cache(maxsize=512)
def graph_of(version_id: int) -> Graph:
    """The graph of a published version."""
    return definitions.load(
        JourneyVersion.objects.values_list("definition", flat=True).get(pk=version_id)
    )
