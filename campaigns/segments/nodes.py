"""What a rule is made of, as frozen nodes. The grammar that they are read from is in `rules.py`."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

Single: TypeAlias = int | float | str
Value: TypeAlias = bool | Single | tuple[Single, ...] | None


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; with no parts, everyone."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds; with no parts, nobody."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    node: "Node"


@dataclass(frozen=True, slots=True)
class Compare:
    """A question about one of `fields.FIELDS`."""

    field: str
    op: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class Attribute:
    """A question about something that the shop keeps of people, read as text, number, flag or
    date.
    """

    name: str
    kind: str
    op: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class Where:
    """A test on one property of an event, or on one column of an order line."""

    property: str
    op: str
    value: Value = None

    def __eq__(self, other: object) -> bool:
        """For Python true is 1, for a property it is not; statements are kept by their rule."""
        if not isinstance(other, Where):
            return NotImplemented
        return (self.property, self.op, self.value, type(self.value) is bool) == (
            other.property,
            other.op,
            other.value,
            type(other.value) is bool,
        )


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time: so many minutes, hours, days or weeks."""

    number: int
    unit: str


@dataclass(frozen=True, slots=True)
class Last:
    """The time since so long ago."""

    span: Span


@dataclass(frozen=True, slots=True)
class Ago:
    """From `start` days ago until `end` days ago."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Calendar:
    """A stretch of the person's own calendar, such as today or last month."""

    name: str


@dataclass(frozen=True, slots=True)
class Dates:
    """From the first of two days to the last, both included, by the shop's calendar."""

    since: str | None
    until: str | None


When: TypeAlias = Last | Ago | Calendar | Dates | None


@dataclass(frozen=True, slots=True)
class Did:
    event: str
    at_least: int = 1
    days: int | None = None
    where: tuple[Where, ...] = ()
    at_most: int | None = None
    when: When = None


@dataclass(frozen=True, slots=True)
class Step:
    """An event that came, or did not come, after the one of the step before, within some time."""

    event: str
    where: tuple[Where, ...] = ()
    within: Span | None = None
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Sequence:
    """Events that followed each other; the first of them lies in the time asked about."""

    steps: tuple[Step, ...]
    days: int | None = None
    when: When = None


@dataclass(frozen=True, slots=True)
class Bought:
    by: str
    value: str | None = None
    at_least: int = 1
    days: int | None = None
    at_most: int | None = None
    when: When = None


@dataclass(frozen=True, slots=True)
class Ordered:
    """A measure of a person's order lines, compared with a number."""

    measure: str
    op: str
    value: Value
    where: tuple[Where, ...] = ()
    days: int | None = None
    when: When = None


@dataclass(frozen=True, slots=True)
class Message:
    """What became of messages to the person."""

    act: str
    campaign: int | None = None
    channel: str | None = None
    at_least: int = 1
    at_most: int | None = None
    days: int | None = None
    when: When = None


@dataclass(frozen=True, slots=True)
class Reach:
    """Has an address on the channel, agreed to the purpose, and the address is not suppressed."""

    channel: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Consented:
    """Said yes, said no, or was never asked."""

    channel: str
    purpose: str
    answer: str


@dataclass(frozen=True, slots=True)
class Score:
    """What a prediction says of the person: its value, or their place among everybody scored."""

    prediction: str
    op: str
    value: Value = None


@dataclass(frozen=True, slots=True)
class Rfm:
    """Recency, frequency and money scores that are among these; an empty tuple asks for none."""

    r: tuple[int, ...] = ()
    f: tuple[int, ...] = ()
    m: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Lifecycle:
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cluster:
    """In one of these groups of a way of sorting people."""

    clustering: str
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stable random part of everybody: from one percentage up to another, drawn by a salt."""

    salt: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class InList:
    id: int


@dataclass(frozen=True, slots=True)
class InSegment:
    id: int


Leaf: TypeAlias = (
    Compare
    | Attribute
    | Did
    | Sequence
    | Bought
    | Ordered
    | Message
    | Reach
    | Consented
    | Score
    | Rfm
    | Lifecycle
    | Cluster
    | Bucket
    | InList
    | InSegment
)
Node: TypeAlias = All | Any | Not | Leaf


def walk(node: Node) -> Iterator[Node]:
    """Every node of the rule, the rule itself first."""
    yield node
    match node:
        case All(nodes) | Any(nodes):
            for n in nodes:
                yield from walk(n)
        case Not(inner):
            yield from walk(inner)


def segments_in(node: Node) -> set[int]:
    """Ids of the segments that the rule names."""
    return {n.id for n in walk(node) if isinstance(n, InSegment)}


def lists_in(node: Node) -> set[int]:
    """Ids of the lists of people that the rule names."""
    return {n.id for n in walk(node) if isinstance(n, InList)}


def predictions_in(node: Node) -> set[str]:
    """Keys of the predictions that the rule names."""
    return {n.prediction for n in walk(node) if isinstance(n, Score)}


def clusterings_in(node: Node) -> set[str]:
    """Keys of the ways of sorting people that the rule names."""
    return {n.clustering for n in walk(node) if isinstance(n, Cluster)}


def campaigns_in(node: Node) -> set[int]:
    """Ids of the campaigns whose messages the rule asks about."""
    return {n.campaign for n in walk(node) if isinstance(n, Message) and n.campaign is not None}
