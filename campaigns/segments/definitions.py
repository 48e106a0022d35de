"""Segments as kept rules: save, count, archive, and say what they mean."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext

from campaigns.models import Campaign, Segment
from campaigns.segments import compile as compiler
from campaigns.segments import naming, rules, sizes, wording
from campaigns.segments.marks import Names
from campaigns.segments.naming import written as written
from campaigns.segments.rules import Node, RuleFault
from marketing.core import audit, bus
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import ApiKey, User

State = Segment.State
_KEPT = ("name", "description", "rule", "updated_at")


def save(
    *,
    name: str,
    rule: object,
    actor: User | ApiKey | None,
    segment: Segment | None = None,
    description: str = "",
    origin: dict[str, Any] | None = None,
    now: datetime | None = None,
) -> Segment:
    """Store a new segment, or a new rule of `segment`; RuleFault for the rule.

    Its size is stored with its members, within seconds (`upkeep.py`).
    """
    now = now or timezone.now()
    name = name.strip()
    if not name or len(name) > 120 or "\x00" in name:
        raise Invalid(
            gettext("Give the segment a name of at most 120 characters."),
            code="bad_name",
            field="name",
        )
    if len(description) > 500 or "\x00" in description:
        raise Invalid(
            gettext("A description has at most 500 characters."),
            code="bad_description",
            field="description",
        )
    node = read(rule, segment_id=segment.pk if segment else None)
    with transaction.atomic():
        if segment is None:
            segment = Segment(created_by=_person(actor), created_at=now, origin=origin or {})
        elif segment.state != State.LIVE:
            raise Conflict(
                gettext("This segment is archived; nothing was changed."), code="segment_archived"
            )
        segment.name, segment.description, segment.updated_at = name, description, now
        known, segment.rule = segment.rule, rules.to_json(node)
        segment.save(update_fields=None if segment.pk is None else _KEPT)
        if segment.rule != known:
            sizes.forget(segment=segment)
        audit.record(
            actor=actor, action="segment.saved", obj=segment, detail={"rule": segment.rule}
        )
        bus.announce("segment.saved")
    return segment


def _person(actor: User | ApiKey | None) -> User | None:
    return actor.created_by if isinstance(actor, ApiKey) else actor


def read(rule: object, *, segment_id: int | None = None) -> Node:
    """Parse a rule and make sure all it names is there and that it does not contain itself.

    A list may still be read: the rule is kept, and counted when it was.
    """
    node = compiler.read(rule)
    within = (segment_id,) if segment_id else ()
    compiler.to_q(node, as_of=timezone.now(), within=within, names=Names(unread=True))
    return node


def archive(
    *, segment: Segment, actor: User | ApiKey | None, now: datetime | None = None
) -> Segment:
    """Take a segment out of the lists; refused while something stands on it."""
    if users := used_by(segment):
        raise Conflict(
            gettext("“%(name)s” is still used by %(users)s, so it was not archived.")
            % {"name": segment.name, "users": ", ".join(users[:5])},
            code="segment_in_use",
            remedy=gettext("Change or finish those first."),
        )
    with transaction.atomic():
        segment.state, segment.updated_at = State.ARCHIVED, now or timezone.now()
        segment.save(update_fields=["state", "updated_at"])
        audit.record(actor=actor, action="segment.archived", obj=segment)
    return segment


def used_by(segment: Segment) -> list[str]:
    """Names of live segments whose rule names it, and of campaigns that are not over."""
    others = Segment.objects.filter(state=State.LIVE)
    naming_it = [o.name for o in others if o.pk != segment.pk and segment.pk in _named(o.rule)]
    over = Q(state="finished") | Q(state="cancelled")
    open_campaigns = Campaign.objects.filter(Q(segment=segment) | Q(exclude=segment)).exclude(over)
    return naming_it + list(open_campaigns.values_list("name", flat=True))


def uses(*, segments: Sequence[Segment]) -> dict[int, list[str]]:
    """By segment, the names of the live segments and the campaigns that stand on it."""
    wanted = {segment.pk for segment in segments}
    found: dict[int, list[str]] = {}
    for name, rule in Segment.objects.filter(state=State.LIVE).values_list("name", "rule"):
        for pk in _named(rule) & wanted:
            found.setdefault(pk, []).append(name)
    campaigns = list(
        Campaign.objects.filter(Q(segment__in=wanted) | Q(exclude__in=wanted))
        .order_by("id")
        .values_list("segment", "exclude", "name")
    )
    # Who it goes to stands before who is left out.
    for place in range(2):
        for *whom, name in campaigns:
            if whom[place] in wanted:
                found.setdefault(whom[place], []).append(name)
    return found


def _named(rule: object) -> set[int]:
    try:
        return rules.segments_in(compiler.read(rule))
    except RuleFault:
        return set()


def trouble(segment: Segment) -> str:
    """Why the members of a segment are not followed, in the reader's language; empty when they are.

    Asked of a segment with its `upkeep`, where there is one yet.
    """
    state = getattr(segment, "upkeep", None)
    try:
        if state is None or state.fault:
            node = compiler.read(segment.rule)
            compiler.to_q(node, as_of=timezone.now(), within=(segment.pk,))
    except RuleFault as fault:
        return explain(fault)
    return gettext(state.fault) if state is not None and state.fault else ""


def meaning(node: Node) -> str:
    """The rule as one sentence in the reader's language."""
    return wording.sentence(node, naming.words_of(node))


def explain(fault: RuleFault) -> str:
    """What is wrong with a rule, in the reader's language."""
    text = gettext(fault.template)
    return text % fault.params if fault.params else text
