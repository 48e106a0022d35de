"""Many names for a person → one customer. The only place that makes customers.

Names are external id, e-mail, phone, device and anonymous id, strongest first. What is given
together is a claim of the strongest on the others, dated by its moment. Whatever order claims
arrive in, the same people result: a name belongs to whoever claimed it first (see `claims`), and a
late claim from an earlier moment moves the name together with what was found by it.

A batch whose names are known and whose claims say nothing new costs one SELECT. New names are
added under a shared lock, so batches do not wait for each other; only a batch that gives a stored
name to somebody else has the tables of names to itself.
"""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from django.db import IntegrityError, connection, transaction

from ingestion.identity import clusters, growth, guard, names, profile, strangers
from ingestion.identity.claims import Claim, Plan, collect, draw_up
from ingestion.identity.names import ANONYMOUS, DEVICE, EMAIL, EXTERNAL, PHONE, Name, Node
from ingestion.identity.profile import Change

LOCK = 1_229_866_836  # one number for all of identity, the same in every process
TRIES = 3  # times that another batch may add the same names first before this one waits for all


@dataclass(frozen=True)
class Person:
    """Who something is about, as a file or a caller names them. Texts are normalised already.

    `at` is the moment at which the names were given together, now if not told. `previous_id` is
    another name of the same person by an alias: a customer number or an anonymous id.
    """

    external_id: str = ""
    email: str = ""
    phone: str = ""
    anonymous_id: str = ""
    first_name: str = ""
    last_name: str = ""
    country: str = ""
    language: str = ""
    timezone: str = ""
    attributes: dict[str, Any] = field(default_factory=dict, hash=False, compare=False)
    device_id: str = ""
    previous_id: str = ""
    at: datetime | None = None

    @property
    def names(self) -> list[Name]:
        """The person's names, strongest first. A phone number without its country is none."""
        all_names = (
            (EXTERNAL, self.external_id),
            (EMAIL, self.email),
            (PHONE, self.phone if self.phone[:1] == "+" else ""),
            (DEVICE, self.device_id),
            (ANONYMOUS, self.anonymous_id),
        )
        return [name for name in all_names if name[1]]


class Found(NamedTuple):
    """Whose something is: our customer id, and the name (Identity id) that says so."""

    customer_id: int | None
    identity_id: int | None


NOBODY = Found(None, None)


class _Overtaken(Exception):
    """Another batch stored one of our names first, or names have to move: look again."""


def resolve(
    *, people: Sequence[Person], source: str, now: datetime, is_demo: bool = False
) -> list[int | None]:
    """The customer id of each person, made where there was none; else as `locate`."""
    found = locate(people=people, source=source, now=now, is_demo=is_demo)
    return [one.customer_id for one in found]


def locate(
    *, people: Sequence[Person], source: str, now: datetime, is_demo: bool = False
) -> list[Found]:
    """The person of each, made where there was none, and the name by which they were found.

    (None, None) for somebody without a usable name, or with device and anonymous ids alone that
    belong to nobody yet. What visitors did before is given to them as soon as they are known.
    Runs inside the caller's transaction if there is one.
    """
    named = [person.names for person in people]
    batch = _Batch(people, named, source, now, is_demo)
    if not any(named):
        return [NOBODY] * len(people)
    with transaction.atomic():
        for _try in range(TRIES):
            try:
                with transaction.atomic():
                    _lock("pg_advisory_xact_lock_shared")
                    batch.look(alone=False)
                    return batch.found()
            except (_Overtaken, IntegrityError):
                continue  # another batch stored one of these names or people meanwhile
            except clusters.Structural:
                break
        lock_alone()
        batch.look(alone=True)
        return batch.found()


_KNOWN = """
SELECT i.value, i.customer_id, i.id
FROM unnest(%s::text[]) AS n (value) JOIN ingestion_identity i ON i.kind = %s AND i.value = n.value
WHERE i.customer_id IS NOT NULL AND NOT i.refused
"""


def known_by_one(*, names: Sequence[Sequence[str]]) -> list[Found | None]:
    """Whose each is who is known by the one name given; None for all others.

    `names` are external ids, addresses and anonymous ids: of each person one, the others empty.
    What `locate` answers is the same, since one name claims nothing.
    """
    found: list[Found | None] = [None] * len(names[0])
    _lock("pg_advisory_xact_lock_shared")
    for kind, values in zip((EXTERNAL, EMAIL, ANONYMOUS), names, strict=True):
        wanted = {value: place for place, value in enumerate(values) if value}
        if not wanted:
            continue
        with connection.cursor() as cursor:
            cursor.execute(_KNOWN, [_array(wanted), kind])
            for value, customer_id, identity_id in cursor.fetchall():
                found[wanted[value]] = Found(customer_id, identity_id)
    return found


def met_by_one(*, names: Sequence[Sequence[str]], source: str, now: datetime) -> list[Found | None]:
    """People made for customer numbers never seen; None for all who are left to `locate`.

    `names` as for `known_by_one`, which has found none of them.
    """
    found: list[Found | None] = [None] * len(names[0])
    new = {value: place for place, value in enumerate(names[0]) if value}
    if len(new) < strangers.MANY:
        return found
    _lock("pg_advisory_xact_lock_shared")
    try:
        with transaction.atomic():
            made = strangers.take_in(values=list(new), source=source, now=now)
    except IntegrityError:
        return found  # some were made meanwhile, or are refused
    for value, place in new.items():
        pair = made[value]
        found[place] = NOBODY if pair is None else Found(*pair)
    return found


def _array(texts: Iterable[str]) -> str:
    """A PostgreSQL array of texts."""
    joined = "\0".join(texts)
    if '"' in joined or "\\" in joined:
        joined = joined.replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + joined.replace("\0", '","') + '"}'


def rows(*, customer_ids: Collection[int]) -> dict[int, Found]:
    """Whose something is that was stored for these rows of ours directly.

    What is about a merged row goes to whoever stands for it, marked so that it can come back. What
    is about a row that is gone is nobody's: the person was erased meanwhile.
    """
    with transaction.atomic():
        _lock("pg_advisory_xact_lock_shared")
        today = profile.standing_for(customer_ids)
    found = dict.fromkeys(customer_ids, NOBODY)
    for key, person in today.items():
        found[key] = Found(person, None if person == key else -key)
    return found


def lock_alone() -> None:
    """Have the tables of names to oneself until the transaction ends."""
    _lock("pg_advisory_xact_lock")


def _lock(function: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s)", [LOCK])


class _Batch:
    """One call's people, and what is stored of their names."""

    def __init__(
        self,
        people: Sequence[Person],
        named: list[list[Name]],
        source: str,
        now: datetime,
        is_demo: bool,
    ) -> None:
        self.people = people
        self.named = named
        self.source = source
        self.now = now
        self.is_demo = is_demo
        self.nodes: dict[Name, Node] = {}

    def look(self, *, alone: bool) -> None:
        """Read what is known and store what is news. `alone`: names may change hands."""
        self.nodes = names.known({name for given in self.named for name in given})
        unsettled = [
            (person, given)
            for person, given in zip(self.people, self.named, strict=True)
            if given and not self._settled(person, given)
        ]
        if not unsettled:
            return
        usable = self._screen(unsettled)
        plan = self._plan(self._claims(usable), usable)
        if plan.empty:
            return
        if plan.structural and not alone:
            raise clusters.Structural
        growth.check_room(plan, self.nodes, self.source, self.now)
        if plan.structural:
            clusters.regroup(
                plan, self.nodes, source=self.source, now=self.now, is_demo=self.is_demo
            )
        if not growth.store(plan, self.nodes, self._firsts(), self.source, self.now, self.is_demo):
            raise _Overtaken

    def _settled(self, person: Person, given: list[Name]) -> bool:
        """Whether every name is known and was claimed by the first one before."""
        nodes = self.nodes
        first = nodes.get(given[0])
        if first is None or person.previous_id or first.refused:
            return False
        at = person.at or self.now
        for name in given[1:]:
            node = nodes.get(name)
            if node is None or node.parent != first.id or node.linked_at > at:  # type: ignore[operator]
                return False
        return True

    def _screen(
        self, unsettled: list[tuple[Person, list[Name]]]
    ) -> list[tuple[Person, list[Name]]]:
        """The same without names that stand for nobody; those are counted once a batch."""
        strange = Counter(
            name for _person, given in unsettled for name in given if name not in self.nodes
        )
        placeholders = guard.placeholders(strange, source=self.source, now=self.now)
        refused = {name for name, node in self.nodes.items() if node.refused}
        barred = placeholders | refused
        for name in refused:
            del self.nodes[name]
        if not barred:
            return unsettled
        kept = [
            (person, [name for name in given if name not in barred]) for person, given in unsettled
        ]
        return [(person, given) for person, given in kept if given]

    def _claims(self, unsettled: list[tuple[Person, list[Name]]]) -> list[Claim]:
        """What the people of the batch say of their names. Machines alone stand for nobody."""
        told: list[Claim] = []
        for person, given in unsettled:
            at = person.at or self.now
            first = given[0]
            told += [Claim(first, name, at) for name in given[1:]]
            if person.previous_id and first[0] == EXTERNAL:
                told += _aliases(first, person.previous_id, at)
        return told

    def _plan(self, told: list[Claim], unsettled: list[tuple[Person, list[Name]]]) -> Plan:
        claims = collect(told)
        wanted = {name for pair in claims for name in pair}
        wanted |= {g[0] for _p, g in unsettled if g[0][0] in names.PEOPLE}
        unread = {name for name in wanted if name not in self.nodes}
        if any(claim.joins for claim in claims.values()):
            self.nodes |= names.known(unread)
            unread = {name for name in wanted if name not in self.nodes}
        ids = names.new_ids("ingestion_identity", len(unread))
        fresh = [
            Node(pk, *name, source=self.source)
            for pk, name in zip(ids, sorted(unread), strict=True)
        ]
        self.nodes |= {node.name: node for node in fresh}
        new = {node.id for node in fresh}
        pairs, holders = [], set()
        for claim in claims.values():
            stronger, weaker = self.nodes[claim.stronger], self.nodes[claim.weaker]
            if weaker.parent is not None:
                holders.add(weaker.parent)
            if weaker.parent != stronger.id and stronger.id not in new and weaker.id not in new:
                pairs.append((stronger.id, weaker.id))
        links = growth.links(pairs)
        known = {node.id: node for node in self.nodes.values()}
        parents = {i: known[i] for i in holders if i in known}
        parents |= names.by_id(holders - parents.keys())
        return draw_up(claims.values(), self.nodes, fresh, parents, links)

    def _firsts(self) -> dict[Name, Person]:
        """Who first came with a name as their strongest one."""
        found: dict[Name, Person] = {}
        for person, given in zip(self.people, self.named, strict=True):
            usable = [name for name in given if name in self.nodes]
            if usable:
                found.setdefault(usable[0], person)
        return found

    def found(self) -> list[Found]:
        return [self._found(given) for given in self.named]

    def _found(self, given: list[Name]) -> Found:
        """By the strongest name; where machines alone are named, by the browser on the device.

        A stored event remembers its browser and no device. So what one browser did stays together
        and goes to the same person, whether that person was known before it came or after.
        """
        nodes = [self.nodes[name] for name in given if name in self.nodes]
        known = [node for node in nodes if not node.refused]
        if known and known[0].kind == DEVICE:
            del known[:-1]
        named = (Found(node.customer, node.id) for node in known if node.customer is not None)
        return next(named, NOBODY)


def _aliases(first: Name, previous: str, at: datetime) -> list[Claim]:
    """A previous id may be a customer number or a visitor's; it is taken as both."""
    if previous == first[1]:
        return []
    told = [Claim(first, (ANONYMOUS, previous), at)]
    if not guard.is_placeholder((EXTERNAL, previous)):
        told.append(Claim(first, (EXTERNAL, previous), at, joins=True))
        return told
    return []


def enrich(*, people: Sequence[tuple[int, Person]], now: datetime, overwrite: bool) -> int:
    """Write what is known about existing people into their rows; how many rows changed.

    Empty values never replace anything. Without `overwrite` only empty columns are filled. Of
    several rows for one person the last that says something counts. An e-mail address replaces the
    one on the row only if it is known to be this person's.
    """
    if overwrite:
        order = f"~{time.time_ns():020d}"  # later calls of the same moment count as later
        return len(
            profile.apply(
                changes=[
                    Change(key, person.at or now, f"{order}{i:09d}", told)
                    for i, (key, person) in enumerate(people)
                    if (told := _told(person))
                ],
                now=now,
            )
        )
    merged: dict[int, dict[str, str]] = {}
    for customer_id, person in people:
        row = merged.setdefault(customer_id, {})
        row.update({name: value for name in FILLED if (value := getattr(person, name))})
    merged = {key: row for key, row in merged.items() if row}
    return profile.fill(merged, now) if merged else 0


FILLED = ("first_name", "last_name", "country", "language", "timezone")


def _told(person: Person) -> dict[str, Any]:
    told = dict(person.attributes)
    told.update(
        {name: value for name in (*FILLED, "email", "phone") if (value := getattr(person, name))}
    )
    return told
