"""Names that change hands: which names are one person now, and which row stands for them.

Names form trees (see `claims`), and trees whose roots were joined form one person. Only the people
that a change touches are worked out again. A person without names of its own any more is merged
into whoever has its anchor, the name it began with; it comes back as soon as that name leaves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from ingestion.identity import growth, moves, names, profile
from ingestion.identity.claims import Plan
from ingestion.identity.names import PEOPLE, Name, Node
from marketing.core.models import User


class Structural(Exception):
    """Names have to change hands: the caller must have the tables of names to itself."""


@dataclass
class Why:
    """What made two people one, as the log tells it."""

    kind: str = "claim"
    source: str = ""
    actor: User | None = None
    evidence: dict[str, object] = field(default_factory=dict)
    keep: int | None = None  # whose row stays, when somebody chose


@dataclass
class Crowd:
    """Everybody a change may touch: their names, rows and what joins them."""

    graph: dict[int, Node]
    joined: set[tuple[int, int]]
    anchors: dict[int, int | None]  # customer → the name it began with
    owner: dict[int, int]  # customer → the row that stood for it so far


def gather(customers: Iterable[int], nobody: Iterable[int] = ()) -> Crowd:
    """The named people, and names of nobody below the given ones."""
    wanted = sorted(set(customers))
    graph = names.of_customers(wanted)
    front = dict(names.by_id(nobody))
    while front:
        graph |= front
        front = {k: n for k, n in names.of_nobody_below(front).items() if k not in graph}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.stronger_id, l.weaker_id FROM ingestion_identitylink l"
            " JOIN ingestion_identity i ON i.id = l.stronger_id"
            " WHERE l.state = 'joined' AND i.customer_id = ANY(%s)",
            [wanted],
        )
        joined = set(cursor.fetchall())
        cursor.execute(
            "SELECT id, anchor_id, coalesce(merged_into_id, id) FROM ingestion_customer"
            " WHERE id = ANY(%(ids)s) OR merged_into_id = ANY(%(ids)s) ORDER BY id"
            " FOR NO KEY UPDATE",
            {"ids": wanted},
        )
        rows = cursor.fetchall()
    crowd = Crowd(graph, joined, {}, {pk: owner for pk, _anchor, owner in rows})
    roots = grouped(graph, joined)
    beginnings: dict[int, Node] = {}
    for node in graph.values():
        root = graph[roots[node.id]] if node.id in roots else None
        if node.customer is None or root is None or (node.parent is not None and not node.firm):
            continue
        first = beginnings.get(node.customer)
        if first is None or node.key < first.key:
            beginnings[node.customer] = node
    _mend(crowd, beginnings, roots)
    for pk, anchor, owner in rows:
        if anchor is not None and anchor in graph:
            crowd.anchors[pk] = anchor
        elif owner == pk:
            crowd.anchors[pk] = beginnings[pk].id if pk in beginnings else None
        else:
            crowd.anchors[pk] = None
    return crowd


def _mend(crowd: Crowd, beginnings: Mapping[int, Node], roots: Mapping[int, int]) -> None:
    """Names that were stored beside a person's first one, with nothing said of how they belong."""
    for node in crowd.graph.values():
        first = beginnings.get(node.customer) if node.customer is not None else None
        if first is None or node is first or node.parent is not None:
            continue
        if node.firm:
            if roots.get(node.id) != roots.get(first.id):
                crowd.joined.add((first.id, node.id))
        elif roots.get(node.id) == node.id:
            node.parent, node.linked_at = first.id, node.at


def stored(crowd: Crowd) -> dict[int, tuple[int | None, int | None, datetime | None]]:
    """What is stored of each name: its person, parent and moment."""
    return {key: (n.customer, n.parent, n.linked_at) for key, n in crowd.graph.items()}


def grouped(graph: Mapping[int, Node], joined: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Each name → the name that stands for its person; names with a root elsewhere are left out."""
    leader: dict[int, int] = {}

    def find(key: int) -> int:
        while leader.get(key, key) != key:
            leader[key] = leader.get(leader[key], leader[key])
            key = leader[key]
        return key

    for a, b in joined:
        if a in graph and b in graph:
            one, other = find(a), find(b)
            if graph[one].key > graph[other].key:
                one, other = other, one
            leader[other] = one
    roots: dict[int, int] = {}
    for key in graph:
        path, at = [], key
        while at in graph and at not in roots and graph[at].parent is not None:
            if graph[at].firm:
                break
            path.append(at)
            at = graph[at].parent  # type: ignore[assignment]
        if at in roots:
            root = roots[at]
        elif at in graph:
            root = roots[at] = find(at)
        else:
            continue
        for one in path:
            roots[one] = root
    return roots


def regroup(
    plan: Plan, nodes: Mapping[Name, Node], *, source: str, now: datetime, is_demo: bool
) -> None:
    """Let the names of a plan change hands, with everything that is found by them."""
    by_id = {node.id: node for node in nodes.values()}
    touched = {node.customer for node in plan.moved}
    aliased = {key for pair in plan.joined for key in pair}
    touched |= {by_id[key].customer for key in aliased}
    for node in plan.moved:
        above: Node | None = node
        while above is not None and above.parent is not None:
            above = by_id.get(above.parent) or names.by_id([above.parent]).get(above.parent)
            if above is not None and above.customer is not None:
                touched.add(above.customer)
                break
    nobody = [node.id for node in by_id.values() if node.customer is None]
    crowd = gather([key for key in touched if key is not None], nobody)
    before = {
        key: (node.customer, node.parent, node.linked_at) for key, node in crowd.graph.items()
    }
    for node in [*plan.moved, *plan.fresh]:
        if node.id in crowd.graph:
            known = crowd.graph[node.id]
            if known.parent is not None and known.linked_at is not None:
                plan.waiting.setdefault((known.parent, node.id), known.linked_at)
            known.parent, known.linked_at = node.parent, node.linked_at
        else:
            crowd.graph[node.id] = node
    growth.note_joined(plan, by_id, source, now)
    crowd.joined |= set(plan.joined)
    why = Why(kind="alias" if plan.joined else "claim", source=source)
    settle(crowd, before, why, now=now, is_demo=is_demo)
    for key, node in by_id.items():
        if key in crowd.graph:
            node.customer = crowd.graph[key].customer
    aliased_people = {by_id[key].customer for key in aliased}
    profile.name_columns([key for key in aliased_people if key is not None], now)


def settle(
    crowd: Crowd,
    before: Mapping[int, tuple[int | None, int | None, datetime | None]],
    why: Why,
    *,
    now: datetime,
    is_demo: bool = False,
) -> moves.Outcome:
    """Work out who is who in a crowd whose names were changed, and move what follows the names.

    `before` is what is stored of each name; names that are not in it are stored by the caller.
    """
    roots = grouped(crowd.graph, crowd.joined)
    candidates: dict[int, list[int]] = {}
    for customer, anchor in crowd.anchors.items():
        if anchor is not None and anchor in roots:
            candidates.setdefault(roots[anchor], []).append(customer)
    stands: dict[int, int] = {}
    for root, customers in candidates.items():
        stands[root] = min(customers, key=lambda c: _preference(c, crowd, why.keep))
    bare = sorted({r for r in roots.values() if r not in stands and crowd.graph[r].kind in PEOPLE})
    for root, customer in zip(bare, growth.bare_people(len(bare), now, is_demo), strict=True):
        stands[root] = customer
        crowd.anchors[customer] = root
        crowd.owner[customer] = customer
    named: list[moves.NameMove] = []
    changed: list[Node] = []
    for key, node in crowd.graph.items():
        if key not in roots:
            continue
        node.customer = stands.get(roots[key])
        if key not in before:
            continue
        if before[key] != (node.customer, node.parent, node.linked_at):
            changed.append(node)
        if before[key][0] != node.customer:
            named.append(moves.NameMove(node, before[key][0], node.customer))
    selves = []
    for customer, anchor in crowd.anchors.items():
        owner = stands.get(roots[anchor]) if anchor is not None and anchor in roots else None
        if owner is not None and owner != crowd.owner[customer]:
            selves.append(moves.SelfMove(customer, crowd.owner[customer], owner, anchor))
    return moves.carry(changed, named, selves, crowd, why, now=now)


def _preference(customer: int, crowd: Crowd, keep: int | None) -> tuple[bool, bool, bool, int]:
    """Whose row stays: the chosen one, one that stands for itself, with a number, the oldest."""
    anchor = crowd.anchors[customer]
    rank = anchor is None or crowd.graph[anchor].kind != names.EXTERNAL
    return customer != keep, crowd.owner[customer] != customer, rank, customer
