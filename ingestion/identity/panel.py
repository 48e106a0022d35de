"""What a person's own page says of their names and merges."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Q, When
from django.utils.translation import gettext as _

from ingestion.identity import wording
from ingestion.identity.names import ANONYMOUS, EXTERNAL, RANK
from ingestion.models import Customer, Identity, Merge, Twins

NAMES, MERGES = 8, 5


@dataclass(frozen=True)
class Panel:
    """Names with their reasons, how many more there are, merges, and a likely duplicate."""

    names: list[dict[str, Any]]
    more: int
    merges: list[dict[str, Any]]
    twin: Twins | None
    other: Customer | None


def of(customer: Customer) -> Panel:
    """Names, merges and suggestions of one person, in four questions."""
    # An alias names its former id twice, as a number and as a visitor: one of them is enough.
    numbers = Identity.objects.filter(customer=customer, kind=EXTERNAL).values("value")
    known = Identity.objects.filter(customer=customer).exclude(kind=ANONYMOUS, value__in=numbers)
    names = list(
        known.annotate(rank=Case(*(When(kind=k, then=r) for k, r in RANK.items()), default=9))
        .order_by("rank", "id")
        .values("id", "kind", "value", "source", "at", "linked_at", "parent_id")[: NAMES + 1]
    )
    total = len(names)
    if total > NAMES:
        total = known.count()
    by_id: dict[int, Mapping[str, Any]] = {name["id"]: name for name in names}
    merges = (
        Merge.objects.select_related("gone")
        .filter(Q(kept=customer) | Q(kept__merged_into=customer), undone_at=None)
        .order_by("-id")[:MERGES]
    )
    twin = (
        Twins.objects.select_related("left", "right")
        .filter(Q(left=customer) | Q(right=customer), state=Twins.State.OPEN)
        .filter(left__merged_into=None, right__merged_into=None)
        .order_by("-score")
        .first()
    )
    other = None
    if twin is not None:
        other = twin.right if twin.left_id == customer.pk else twin.left
    return Panel(
        [_told(name, by_id) for name in names[:NAMES]],
        max(0, total - NAMES),
        [{"row": row, "because": wording.because(row)} for row in merges],
        twin,
        other,
    )


def _told(name: Mapping[str, Any], by_id: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    above = by_id.get(name["parent_id"])
    source = name["source"] or _("a source")
    why = _("first named by %(source)s") % {"source": source}
    if above is not None:
        why = _("given with %(name)s by %(source)s") % {
            "name": wording.name((above["kind"], above["value"])),
            "source": source,
        }
    return {
        "kind": wording.KINDS.get(name["kind"], name["kind"]),
        "icon": wording.KIND_ICONS.get(name["kind"], "user"),
        "value": name["value"],
        "why": why,
        "at": name["linked_at"] or name["at"],
    }
