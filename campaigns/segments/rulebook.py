"""The rules of all segments in use, read together, those that are named before those that name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

from django.db import connection

from campaigns.models import Segment
from campaigns.segments import asking
from campaigns.segments.needs import Needs, expand
from campaigns.segments.nodes import Node, segments_in
from campaigns.segments.terms import RuleFault, gettext_noop


@dataclass(eq=False)
class Rules:
    """The rules of all segments in use, with those of the segments they name written into them."""

    nodes: dict[int, Node] = field(default_factory=dict)
    needs: dict[int, Needs] = field(default_factory=dict)
    kinds: dict[int, frozenset[tuple[str, str]]] = field(default_factory=dict)
    signatures: dict[int, str] = field(default_factory=dict)
    faults: dict[int, str] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)


def load() -> Rules:
    """Every live segment's rule, named segments before those that name them; not to be changed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, state, rule::text FROM campaigns_segment ORDER BY id")
        return _read(tuple(cursor.fetchall()))


@lru_cache(maxsize=2)
def _read(rows: tuple[tuple[int, str, str], ...]) -> Rules:
    read = asking.read_all({number: text.encode() for number, _state, text in rows})
    live = [number for number, state, _text in rows if state == Segment.State.LIVE]
    found = Rules()
    known: dict[frozenset[tuple[str, str]], frozenset[tuple[str, str]]] = {}
    for number in live:
        if number not in read:
            found.faults[number] = gettext_noop("This rule cannot be read.")
            continue
        try:
            node = expand(read[number], read.get, (number,))
            found.nodes[number], found.needs[number] = node, asking.needs(node)
            kinds = frozenset(found.needs[number].changes)
            found.kinds[number] = known.setdefault(kinds, kinds)
            found.signatures[number] = blake2b(repr(node).encode(), digest_size=16).hexdigest()
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
