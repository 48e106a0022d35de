"""Two people made one by somebody's word, and any merge undone."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from ingestion.identity import clusters, identify, names
from ingestion.identity.clusters import Crowd, Why
from ingestion.identity.names import ITSELF, Node
from ingestion.models import Customer, Identity, IdentityLink, Merge
from marketing.core import audit
from marketing.core.errors import Conflict, NotFound
from marketing.core.models import ApiKey, User

LATELY = timedelta(days=1)


@dataclass(frozen=True)
class Merged:
    """What a merge moved, for whoever asked for it."""

    kept_id: int
    names: int
    events: int
    orders: int


def current(customer_id: int) -> int:
    """The person a row stands for today: itself, or whoever it was merged into."""
    row = Customer.every.filter(pk=customer_id).values_list("merged_into_id", flat=True)
    found = list(row[:1])
    if not found:
        raise NotFound(_("There is no such person."), code="customer_unknown")
    return found[0] or customer_id


def moved_lately(*, now: datetime) -> list[int]:
    """Rows that were merged or parted within the last day, for whoever keeps rows about them."""
    since = now - LATELY
    lately = Merge.objects.filter(Q(at__gte=since) | Q(undone_at__gte=since))
    return list(lately.order_by("gone_id").values_list("gone_id", flat=True).distinct())


def merge(
    *,
    kept: int,
    gone: int,
    actor: User | ApiKey | None,
    now: datetime,
    kind: str = Merge.Kind.PERSON,
    evidence: dict[str, Any] | None = None,
) -> Merged:
    """Make two people one; `kept` is the row that stays. Nothing is lost, all can be undone."""
    with transaction.atomic():
        identify.lock_alone()
        kept, gone = current(kept), current(gone)
        if kept == gone:
            raise Conflict(
                _("These two are one person already; nothing was changed."), code="same_person"
            )
        crowd = clusters.gather([kept, gone])
        ends = [_end(crowd, customer, now) for customer in (kept, gone)]
        before = clusters.stored(crowd)
        for node in ends:
            if not node.anchored and node.kind != names.EXTERNAL:
                node.anchored = True
                Identity.objects.filter(pk=node.id).update(anchored=True)
        link, _new = IdentityLink.objects.update_or_create(
            stronger_id=ends[0].id,
            weaker_id=ends[1].id,
            defaults={"state": IdentityLink.State.JOINED, "source": "", "at": now},
        )
        crowd.joined.add((link.stronger_id, link.weaker_id))
        why = Why(kind, "", _user(actor), dict(evidence or {}), keep=kept)
        outcome = clusters.settle(crowd, before, why, now=now)
        audit.record(
            actor=actor,
            action="people.merged",
            obj=Customer.objects.get(pk=kept),
            detail={"gone": gone, "kind": kind},
        )
    return Merged(kept, outcome.names, outcome.events, outcome.orders)


def undo(*, merge_id: int, actor: User | ApiKey | None, now: datetime) -> int:
    """Part two merged people again, each with what is theirs; the id of the row that is back.

    The claims that joined them are refused for good, so the same data does not merge them again.
    """
    with transaction.atomic():
        identify.lock_alone()
        row = Merge.objects.select_for_update().filter(pk=merge_id).first()
        if row is None:
            raise NotFound(_("There is no such merge."), code="merge_unknown")
        if row.undone_at is not None:
            raise Conflict(
                _("This merge was undone before; nothing was changed."), code="undone_before"
            )
        back = Customer.every.get(pk=row.gone_id)
        if back.merged_into_id is None or back.anchor_id is None:
            raise Conflict(
                _("These two are no longer one person; nothing was changed."), code="apart_already"
            )
        crowd = clusters.gather([back.merged_into_id])
        before = clusters.stored(crowd)
        _part(crowd, back.anchor_id, crowd.anchors.get(back.merged_into_id), now)
        why = Why(row.kind, row.source, _user(actor))
        outcome = clusters.settle(crowd, before, why, now=now)
        if back.pk not in {move.customer for move in outcome.parted}:
            raise Conflict(
                _(
                    "Something else says that these two are one person, so they cannot be parted "
                    "by undoing this merge; nothing was changed. Undo the later merges first."
                ),
                code="joined_otherwise",
            )
        Merge.objects.filter(pk=row.pk).update(undone_at=now, undone_by=label(actor))
        audit.record(
            actor=actor,
            action="people.parted",
            obj=Customer.objects.get(pk=back.pk),
            detail={"merge": row.pk},
        )
    return back.pk


def label(actor: User | ApiKey | None) -> str:
    if isinstance(actor, User):
        return actor.display_name[:200]
    return _("API key %(name)s") % {"name": actor.name} if actor is not None else ""


def _user(actor: User | ApiKey | None) -> User | None:
    return actor if isinstance(actor, User) else getattr(actor, "created_by", None)


def _end(crowd: Crowd, customer: int, now: datetime) -> Node:
    """The name by which a person takes part in a merge; a row without any gets one."""
    anchor = crowd.anchors.get(customer)
    if anchor is not None:
        roots = clusters.grouped(crowd.graph, crowd.joined)
        return crowd.graph[anchor] if crowd.graph[anchor].firm else crowd.graph[roots[anchor]]
    row = Identity.objects.create(
        customer_id=customer,
        kind=ITSELF,
        value=str(customer),
        anchored=True,
        at=now,
        joined_at=now,
    )
    node = Node(row.pk, ITSELF, row.value, customer, anchored=True)
    crowd.graph[node.id] = node
    crowd.anchors[customer] = node.id
    return node


def _part(crowd: Crowd, leaves: int, stays: int | None, now: datetime) -> None:
    """Refuse every claim between the side of `leaves` and the side of `stays`."""
    cut: list[tuple[int, int, datetime]] = []
    node = crowd.graph.get(leaves)
    if node is None:
        raise Conflict(
            _("The name this person began with is gone; nothing was changed."), code="anchor_gone"
        )
    below = _below(crowd, leaves)
    if node.parent is not None and not node.firm:
        cut.append((node.parent, leaves, node.linked_at or now))
        node.parent = node.linked_at = None
        _refuse_claims(crowd, leaves, below, now)
    other = crowd.graph.get(stays) if stays is not None else None
    if stays is not None and other is not None and other.parent is not None and not other.firm:
        roots = clusters.grouped(crowd.graph, crowd.joined)
        if roots.get(stays) == leaves or other.parent == leaves:
            cut.append((other.parent, stays, other.linked_at or now))
            other.parent = other.linked_at = None
    for pair in sorted(crowd.joined):
        if leaves in pair:
            without = crowd.joined - {pair}
            roots = clusters.grouped(crowd.graph, without)
            if stays is None or roots.get(leaves) != roots.get(stays) or len(crowd.joined) == 1:
                crowd.joined = without
                cut.append((pair[0], pair[1], now))
                break
    for stronger, weaker, at in cut:
        IdentityLink.objects.update_or_create(
            stronger_id=stronger,
            weaker_id=weaker,
            defaults={"state": IdentityLink.State.REFUSED, "at": at},
        )


def _below(crowd: Crowd, top: int) -> set[int]:
    """A name and all that it claimed."""
    children: dict[int, list[int]] = {}
    for key, node in crowd.graph.items():
        if node.parent is not None:
            children.setdefault(node.parent, []).append(key)
    found, front = {top}, [top]
    while front:
        front = [key for one in front for key in children.get(one, ()) if key not in found]
        found.update(front)
    return found


def _refuse_claims(crowd: Crowd, leaves: int, below: set[int], now: datetime) -> None:
    """Claims that waited behind the refused one, by other names of the same person."""
    others = [key for key in crowd.graph if key not in below]
    IdentityLink.objects.filter(
        stronger_id__in=others, weaker_id__in=below, state=IdentityLink.State.WAITING
    ).update(state=IdentityLink.State.REFUSED)
