"""What a batch claims about names, and what of it is news. Pure: rows are read and written apart.

A weak name belongs to the stronger name that claimed it first, by the moment of the claim; ties go
to the stronger kind, then by name. So names form trees, the same ones whatever order claims arrive
in, and whoever stands at the root is the person.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from ingestion.identity.names import Name, Node


class Claim(NamedTuple):
    """That two names were given as one person's at a moment. `joins`: by an alias, for good."""

    stronger: Name
    weaker: Name
    at: datetime
    joins: bool = False


class Link(NamedTuple):
    """What is stored of a pair beside the claim that won: its state and earliest moment."""

    state: str
    at: datetime


class Plan:
    """What has to be written for a batch of claims."""

    def __init__(self) -> None:
        self.fresh: list[Node] = []  # names never seen, with parents
        self.moved: list[Node] = []  # stored names that get a parent, or another one
        self.earlier: list[Node] = []  # same parent, earlier moment
        self.waiting: dict[tuple[int, int], datetime] = {}
        self.joined: dict[tuple[int, int], datetime] = {}

    @property
    def empty(self) -> bool:
        return not (self.fresh or self.moved or self.earlier or self.waiting or self.joined)

    @property
    def structural(self) -> bool:
        """Whether names that have a person may get another."""
        return bool(self.moved or self.joined)

    @property
    def pairs(self) -> set[tuple[int, int]]:
        return {*self.waiting, *self.joined}


def collect(claims: Iterable[Claim]) -> dict[tuple[Name, Name], Claim]:
    """Each pair once, with its earliest moment."""
    found: dict[tuple[Name, Name], Claim] = {}
    for claim in claims:
        pair = (claim.stronger, claim.weaker)
        before = found.get(pair)
        if before is None or claim.at < before.at:
            found[pair] = claim
    return found


def draw_up(
    claims: Iterable[Claim],
    nodes: dict[Name, Node],
    fresh: list[Node],
    parents: Mapping[int, Node],
    links: Mapping[tuple[int, int], Link],
) -> Plan:
    """What of these claims is news. Sets the parents of `nodes` (which holds `fresh`, too)."""
    plan = Plan()
    plan.fresh = fresh
    new = {node.id for node in fresh}
    by_weaker: dict[int, list[tuple[datetime, tuple[int, str, str], Node]]] = {}
    weak: dict[int, Node] = {}
    for claim in claims:
        stronger, weaker = nodes[claim.stronger], nodes[claim.weaker]
        pair = (stronger.id, weaker.id)
        link = links.get(pair)
        if claim.joins:
            back = links.get(pair[::-1])
            if (link is None or link.state == "waiting") and (
                back is None or back.state != "refused"
            ):
                plan.joined[pair] = claim.at
            continue
        if weaker.parent == stronger.id and weaker.linked_at is not None:
            if claim.at < weaker.linked_at:
                weaker.linked_at = claim.at
                plan.earlier.append(weaker)
            continue
        if link is not None and (link.state != "waiting" or link.at <= claim.at):
            continue
        if weaker.firm:
            plan.waiting[pair] = claim.at
            continue
        weak[weaker.id] = weaker
        by_weaker.setdefault(weaker.id, []).append((claim.at, stronger.key, stronger))
    for key, told in by_weaker.items():
        weaker = weak[key]
        now_at = weaker.linked_at
        if weaker.parent is not None and now_at is not None:
            holder = parents.get(weaker.parent)
            if holder is not None:
                told.append((now_at, holder.key, holder))
        told.sort(key=lambda one: one[:2])
        at, _key, best = told[0]
        for later, _k, other in told[1:]:
            plan.waiting[other.id, key] = later
        if best.id != weaker.parent:
            weaker.parent, weaker.linked_at = best.id, at
            if key not in new:
                plan.moved.append(weaker)
        elif now_at is not None and at < now_at:
            weaker.linked_at = at
            plan.earlier.append(weaker)
    return plan
