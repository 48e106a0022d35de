"""Answers of the time machine: as of the moment of asking, asked together, and remembered.

A walk along the line of time asks about one or two people at a time, thousands of times. So people
are walked with a guess first; what was guessed is asked of the database for everybody at once, and
whoever was guessed wrong is walked again. The walk that counts is one in which nothing had to be
guessed, so it says what asking at every step would have said.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from campaigns.journeys import past
from campaigns.journeys.asked import Answers
from campaigns.journeys.graph import Graph, Node, OfDay, OfScore, Question

# Fewer questions than this are asked as they come.
FEW = 20


class Memory:
    """What is known of `people`, by rule, person and moment. While `guessing`, what is not known
    yet is guessed and noted; else it is asked at once.
    """

    def __init__(
        self, graph: Graph, people: Iterable[int], progress: Callable[[int], None] | None = None
    ) -> None:
        self.graph, self.people, self.progress = graph, sorted(set(people)), progress
        self.guessing, self.asked = True, 0
        self._known: dict[bytes, dict[tuple[int, datetime], bool]] = defaultdict(dict)
        self._noted: dict[bytes, set[tuple[int, datetime]]] = defaultdict(set)
        self._rules: dict[bytes, Mapping[str, Any]] = {}
        self._today: dict[Question, Mapping[int, Any]] = {}

    def __call__(
        self, node: Node, question: Question, people: Sequence[int], at: datetime
    ) -> Mapping[int, Any]:
        """The answers to what a step asks, by person."""
        if node.kind == "split_bandit":
            return {}  # nothing is known of ways that nobody went yet: equal shares
        if isinstance(question, OfScore | OfDay):  # known as they are today alone, so once
            if question not in self._today:
                self._today[question] = Answers(graph=self.graph, version_id=0, now=at).of(
                    question, self.people
                )
            return self._today[question]
        return _Remembered(self, at).of(question, people)

    def holding(self, rule: Mapping[str, Any], people: Sequence[int], at: datetime) -> set[int]:
        """Those of whom a rule held at that moment. The guess is that it did not."""
        name = orjson.dumps(rule)
        self._rules.setdefault(name, rule)
        known = self._known[name]
        missing = [(person, at) for person in people if (person, at) not in known]
        if missing and self.guessing:
            self._noted[name].update(missing)
        elif missing:
            self._ask(name, missing)
        return {person for person in people if known.get((person, at))}

    def learn(self, rule: Mapping[str, Any], pairs: Iterable[tuple[int, datetime]]) -> None:
        """Ask beforehand of whom a rule held when."""
        name = orjson.dumps(rule)
        self._rules.setdefault(name, rule)
        if wanted := sorted(set(pairs)):
            self._ask(name, wanted)

    @property
    def guessed(self) -> int:
        """How many answers were guessed since they were looked up last."""
        return sum(map(len, self._noted.values()))

    def look_up(self) -> set[int]:
        """Ask for everything that was guessed; the people of whom something was guessed wrong."""
        wrong: set[int] = set()
        noted, self._noted = self._noted, defaultdict(set)
        for name, pairs in noted.items():
            self._ask(name, sorted(pairs))
            known = self._known[name]
            wrong |= {pair[0] for pair in pairs if known[pair]}
        return wrong

    def _ask(self, name: bytes, pairs: Sequence[tuple[int, datetime]]) -> None:
        known, rule = self._known[name], self._rules[name]
        answers = Answers(graph=self.graph, version_id=0, now=pairs[0][1])
        node = answers.expanded(rule)
        if node is None:
            known.update(dict.fromkeys(pairs, False))
        else:
            known.update(zip(pairs, past.holding(node, pairs, progress=self._told), strict=True))

    def _told(self, questions: int) -> None:
        self.asked += questions
        if self.progress is not None:
            self.progress(self.asked)


class _Remembered(Answers):
    """The questions of one moment, answered from memory."""

    def __init__(self, memory: Memory, at: datetime) -> None:
        super().__init__(graph=memory.graph, version_id=0, now=at)
        self._memory = memory

    def holding(self, rule: Mapping[str, Any], people: Sequence[int]) -> set[int]:
        return self._memory.holding(rule, people, self.now)
