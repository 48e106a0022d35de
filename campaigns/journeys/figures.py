"""The numbers of a version: who waits where, who passed by which way, what became of messages."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.db import connection
from django.db.models import Count, Q, QuerySet

from campaigns.models import Enrollment, JourneyStep, JourneyVersion, Message

LIVE_ENDS = ("goal", "exit", "closed", "stuck", "merged", "taken")
HELD = Enrollment.Outcome.HELD
ENDS = ("goal", "exit")
TAKEN_OUT = ("closed", "merged", "taken")


@dataclass
class Figures:
    """One step. `passed` went on or came to their end here; `ways` splits them by branch, "" for
    those who went straight on; `ended` by how a stay ended here. Of messages: `sent` includes those
    of which nothing more is known, `skipped` those not sent with a reason.
    """

    waiting: int = 0
    passed: int = 0
    failed: int = 0
    ways: dict[str, int] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    queued: int = 0
    sent: int = 0
    skipped: int = 0
    opened: int = 0
    clicked: int = 0


@dataclass(frozen=True)
class Totals:
    """A whole version, or a whole journey."""

    entered: int = 0
    held: int = 0
    inside: int = 0
    goals: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    turned_away: dict[str, int] = field(default_factory=dict)

    @property
    def goal_share(self) -> float | None:
        return self.goals / self.entered if self.entered else None


def of(*versions: JourneyVersion) -> dict[str, Figures]:
    """Figures by node of these versions together, for every node that they have and for those that
    anybody was ever at. A step keeps its name from version to version.
    """
    found: dict[str, Figures] = defaultdict(Figures)
    kinds = {
        version.pk: {
            node: said.get("kind") for node, said in version.definition.get("nodes", {}).items()
        }
        for version in versions
    }
    for nodes in kinds.values():
        for node in nodes:
            found[node] = Figures()
    waiting = (
        Enrollment.objects.filter(version__in=versions, ended_at=None)
        .values_list("node")
        .annotate(n=Count("pk"))
        .order_by()
    )
    for node, n in waiting:
        found[node].waiting = n
    passed = (
        JourneyStep.objects.filter(version__in=versions)
        .values_list("version", "node", "branch", "what")
        .annotate(n=Count("n"))
        .order_by()
    )
    for version, node, branch, what, n in passed:
        figures = found[node]
        if what in LIVE_ENDS:
            figures.ended[what] = figures.ended.get(what, 0) + n
        if what == "stuck":
            figures.failed += n
        elif what not in TAKEN_OUT and not (what and _left(kinds[version].get(node), what)):
            figures.passed += n
            figures.ways[branch] = figures.ways.get(branch, 0) + n
    _messages(versions, found)
    return dict(found)


def _left(kind: object, what: str) -> bool:
    """Whether who ended here was taken out while waiting, and did not come to an end of the way."""
    return what in ENDS and kind not in ENDS


def _messages(versions: Sequence[JourneyVersion], found: dict[str, Figures]) -> None:
    state = Message.State
    rows = (
        Message.objects.filter(run__in=[version.run_id for version in versions])
        .values("step")
        .annotate(
            queued=Count("pk", filter=Q(state__in=Message.OPEN)),
            sent=Count("pk", filter=Q(state__in=[state.SENT, state.UNKNOWN])),
            skipped=Count("pk", filter=Q(state=state.SKIPPED)),
            failed=Count("pk", filter=Q(state=state.FAILED)),
            opened=Count("opened_at"),
            clicked=Count("clicked_at"),
        )
        .order_by()
    )
    for row in rows:
        figures = found[row["step"]]
        figures.queued, figures.sent, figures.skipped = row["queued"], row["sent"], row["skipped"]
        figures.opened, figures.clicked = row["opened"], row["clicked"]
        figures.failed += row["failed"]


def passers(*, journey_id: int, node: str) -> QuerySet[JourneyStep, int]:
    """The stays that passed a step in any version, as `of` counts them."""
    ends = [
        version.pk
        for version in JourneyVersion.objects.filter(journey=journey_id)
        if version.definition.get("nodes", {}).get(node, {}).get("kind") in ENDS
    ]
    return (
        JourneyStep.objects.filter(version__journey=journey_id, node=node)
        .exclude(what__in=[*TAKEN_OUT, "stuck"])
        .exclude(~Q(version__in=ends), what__in=ENDS)
        .values_list("enrollment_id", flat=True)
    )


def totals(*, journey_id: int, version_id: int | None = None) -> Totals:
    """Who came in, who is inside, who reached the goal, and why others did not come in."""
    where, values = "e.journey_id = %s", [journey_id]
    if version_id is not None:
        where, values = where + " AND e.version_id = %s", [journey_id, version_id]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.outcome, count(*), count(e.goal_at) FROM campaigns_enrollment e"
            f" WHERE {where} GROUP BY e.outcome",
            values,
        )
        rows = cursor.fetchall()
        cursor.execute(
            "SELECT reason, sum(people) FROM campaigns_journeytally WHERE journey_id = %s"
            " GROUP BY reason ORDER BY reason",
            [journey_id],
        )
        away = {reason: int(people) for reason, people in cursor.fetchall()}
    return Totals(
        entered=sum(n for outcome, n, _goals in rows if outcome != HELD),
        held=sum(n for outcome, n, _goals in rows if outcome == HELD),
        inside=sum(n for outcome, n, _goals in rows if not outcome),
        goals=sum(goals for _outcome, _n, goals in rows),
        outcomes={outcome: n for outcome, n, _goals in rows if outcome not in ("", HELD)},
        turned_away=away,
    )
