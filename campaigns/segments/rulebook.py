"""The rules of all segments in use, read together, those that are named before those that name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson

from campaigns.models import Segment
from campaigns.segments import asking
from campaigns.segments.needs import expand
from campaigns.segments.nodes import Node, segments_in
from campaigns.segments.terms import RuleFault, gettext_noop


@dataclass
class Rules:
    """The rules of all segments in use, with those of the segments they name written into them."""

    nodes: dict[int, Node] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)

    def signature(self, number: int) -> str:
        return blake2b(repr(self.nodes[number]).encode(), digest_size=16).hexdigest()


def load() -> Rules:
    """Every live segment's rule, named segments before those that name them."""
    stored = {
        number: orjson.dumps(rule) for number, rule in Segment.objects.values_list("pk", "rule")
    }
    live = list(
        Segment.objects.filter(state=Segment.State.LIVE).order_by("pk").values_list("pk", flat=True)
    )
    read = asking.read_all(stored)
    found = Rules()
    for number in live:
        if number not in read:
            found.faults[number] = gettext_noop("This rule cannot be read.")
            continue
        try:
            found.nodes[number] = expand(read[number], read.get, (number,))
        except RuleFault as fault:
            found.faults[number] = str(fault)
    found.order = _in_order({number: segments_in(read[number]) for number in found.nodes})
    return found


def _in_order(naming: Mapping[int, set[int]]) -> list[int]:
    done: dict[int, None] = {}

    def put(number: int, above: tuple[int, ...]) -> None:
        for named in sorted(naming.get(number, ())):
            if named in naming and named not in above:
                put(named, (*above, named))
        if number in naming:
            done.setdefault(number)

    for number in sorted(naming):
        put(number, (number,))
    return list(done)
