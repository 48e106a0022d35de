"""What a step asks about people, answered for many at once by the database."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection

from campaigns.journeys import bandit, clock
from campaigns.journeys.graph import Graph, OfBandit, OfDay, OfRules, OfScore, Question
from campaigns.models import Segment
from campaigns.segments import asking, needs
from campaigns.segments import clock as facts_clock
from campaigns.segments import compile as compiler
from campaigns.segments.nodes import Node
from campaigns.segments.terms import RuleFault

_EPOCH = date(1970, 1, 1)


class Answers:
    """The questions of one batch, all asked as of one moment."""

    def __init__(self, *, graph: Graph, version_id: int, now: datetime) -> None:
        self.graph, self.version_id, self.now = graph, version_id, now
        self._as_of: datetime | None = None
        self._segments: dict[int, Node | None] = {}

    @property
    def as_of(self) -> datetime:
        if self._as_of is None:
            self._as_of = facts_clock.moment(now=self.now)
        return self._as_of

    def fix(self, as_of: datetime) -> None:
        """Count days back from this moment, whatever the history says."""
        self._as_of = as_of

    def of(self, question: Question, people: Sequence[int]) -> Mapping[int, Any]:
        """The answer by person; who is left out has none."""
        match question:
            case OfRules(rules, each):
                asked = self.each_rule if each else self.first_rule
                return asked(rules, people)
            case OfScore(prediction):
                return scores(prediction, people)
            case OfDay("", prediction):
                return {
                    person: _EPOCH + timedelta(days=int(value))
                    for person, value in scores(prediction, people).items()
                }
            case OfDay(attribute, _):
                return days(attribute, people)
            case OfBandit(node):
                return bandit.draw(
                    graph=self.graph, version_id=self.version_id, node=node, people=people
                )
        raise AssertionError(question)

    def first_rule(
        self, rules: Sequence[Mapping[str, Any]], people: Sequence[int]
    ) -> dict[int, int]:
        """The place of the first rule that holds, by person."""
        found: dict[int, int] = {}
        for place, rule in enumerate(rules):
            left = [person for person in people if person not in found]
            if not left:
                break
            for person in self.holding(rule, left):
                found[person] = place
        return found

    def each_rule(
        self, rules: Sequence[Mapping[str, Any]], people: Sequence[int]
    ) -> dict[int, tuple[int, ...]]:
        """The places of all rules that hold, by person."""
        found: dict[int, tuple[int, ...]] = {}
        for place, rule in enumerate(rules):
            for person in self.holding(rule, people):
                found[person] = (*found.get(person, ()), place)
        return found

    def holding(self, rule: Mapping[str, Any], people: Sequence[int]) -> set[int]:
        """Those of these people of whom a rule holds. One that reads no more holds of nobody."""
        node = self.expanded(rule)
        if node is None:
            return set()
        text, params = asking.some(node, people=people, as_of=self.as_of)
        with connection.cursor() as cursor:
            cursor.execute(text, params)
            return {row[0] for row in cursor.fetchall()}

    def expanded(self, rule: Mapping[str, Any]) -> Node | None:
        """A rule with the segments it names in it; None where it reads no more."""
        try:
            return needs.expand(compiler.read(rule), self._named)
        except RuleFault:
            return None

    def _named(self, segment_id: int) -> Node | None:
        if segment_id not in self._segments:
            rule = Segment.objects.filter(pk=segment_id).values_list("rule", flat=True).first()
            self._segments[segment_id] = None if rule is None else compiler.read(rule)
        return self._segments[segment_id]


def scores(prediction: str, people: Sequence[int]) -> dict[int, float]:
    """The value of a prediction by person."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.customer_id, s.value FROM models_ml_score s"
            " JOIN models_ml_prediction p ON p.id = s.prediction_id"
            " WHERE p.key = %s AND s.customer_id = ANY(%s::bigint[]) AND s.value IS NOT NULL",
            [prediction, asking.array(people)],
        )
        return {person: float(value) for person, value in cursor.fetchall()}


def days(attribute: str, people: Sequence[int]) -> dict[int, date]:
    """The day that an attribute means, by person."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, attributes ->> %s FROM ingestion_customer WHERE id = ANY(%s::bigint[])",
            [attribute, asking.array(people)],
        )
        read = {person: clock.read_day(text) for person, text in cursor.fetchall()}
    return {person: day for person, day in read.items() if day is not None}


def predicted_moment(value: float) -> datetime:
    """A predicted date, which is kept as days since 1970."""
    return datetime.fromtimestamp(value * 86_400, UTC)
