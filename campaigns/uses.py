"""Which fields of the facts segments, content and campaigns read, so that a problem names them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from campaigns.messaging import rendering
from campaigns.models import Campaign, Segment, Template
from campaigns.segments import compile as compiler
from campaigns.segments import nodes, rules
from ingestion import consent
from ingestion.quality import fields, holds
from ingestion.quality.holds import Holding
from ingestion.quality.uses import Place, Use
from marketing.core.errors import Conflict
from models_ml import uses as numbers

DEPTH = 20
_OWN: dict[str, tuple[Place, ...]] = {
    "can_email": (("customers", "email"),),
    "suppressed.email": (("customers", "email"),),
    "suppressed.sms": (("customers", "phone"),),
    "rollup.first_order_at": (("orders", "placed_at"), ("orders", "customer")),
    "rollup.last_order_at": (("orders", "placed_at"), ("orders", "customer")),
}
_MERGED: dict[str, tuple[Place, ...]] = {
    "first_name": (("customers", "first_name"),),
    "last_name": (("customers", "last_name"),),
    "email": (("customers", "email"),),
    "country": (("customers", "country"),),
    "orders": numbers.ORDERS,
    "revenue": numbers.MONEY,
    "last_order_date": numbers.ORDERS,
    "days_since_order": numbers.ORDERS,
    "products": (("products", "name"), ("products", "price"), *numbers.PICKS),
}
# What questions about purchases name, and the place it is made from.
_LINES: dict[str, Place] = {
    "category": ("products", "category"),
    "name": ("products", "name"),
    "price": ("lines", "unit_price"),
    "quantity": ("lines", "quantity"),
    "units": ("lines", "quantity"),
    "total": ("lines", "total"),
    "money": ("lines", "total"),
    "average": ("lines", "total"),
    "order_total": ("orders", "total"),
    "currency": ("orders", "currency"),
    "country": ("orders", "country"),
}
_ENDED = (Campaign.State.FINISHED, Campaign.State.CANCELLED)


def of_field(name: str) -> tuple[Place, ...]:
    """The places that a field of a rule is made from."""
    if name in _OWN:
        return _OWN[name]
    group, _dot, column = name.partition(".")
    if group == "customer":
        return (("customers", column),)
    return numbers.of_trait(column)


def of_rule(
    rule: Mapping[str, Any] | None, rules_by_id: Mapping[int, Mapping[str, Any]], depth: int = 0
) -> set[Place]:
    """The places that a segment's rule reads, through the segments it names."""
    if not rule or depth > DEPTH:
        return set()
    try:
        node = compiler.read(rule)
    except rules.RuleFault:
        return set()
    return _of_node(node, rules_by_id, depth)


def _of_node(
    node: rules.Node, rules_by_id: Mapping[int, Mapping[str, Any]], depth: int
) -> set[Place]:
    match node:
        case rules.All(inner) | rules.Any(inner):
            return {place for part in inner for place in _of_node(part, rules_by_id, depth)}
        case rules.Not(inner):
            return _of_node(inner, rules_by_id, depth)
        case rules.Compare(field, _, _):
            return set(of_field(field))
        case nodes.Attribute(name, _, _, _):
            return {("customers", name)}
        case nodes.Did(event, _, _, where):
            return _of_event(event, where)
        case nodes.Sequence(steps, _, _):
            return {place for step in steps for place in _of_event(step.event, step.where)}
        case nodes.Bought(by, _, _, _):
            return _of_lines({"category"} if by == "category" else set())
        case nodes.Ordered(measure, _, _, where):
            return _of_lines({measure, *(test.property for test in where)})
        case nodes.Reach(channel, _):
            column = consent.ADDRESSES.get(channel)
            return {("customers", column)} if column else set()
        case nodes.Rfm(r, f, m):
            asked = {"r_score": r, "f_score": f, "m_score": m}
            return {place for name, of in asked.items() if of for place in numbers.of_trait(name)}
        case nodes.Lifecycle(_):
            return set(numbers.ORDERS)
        case nodes.Cluster(key, _):
            return set(numbers.of_clustering(key))
        case rules.InSegment(key):
            return of_rule(rules_by_id.get(key), rules_by_id, depth + 1)
    return set()


def _of_event(event: str, where: Iterable[nodes.Where]) -> set[Place]:
    subject = fields.EVENTS + event
    return {(subject, ""), *((subject, test.property) for test in where)}


def _of_lines(asked: set[str]) -> set[Place]:
    """The columns of order lines and products that a question about purchases reads."""
    found: set[Place] = {("lines", "product"), ("orders", "customer")}
    for name, place in _LINES.items():
        if name in asked:
            found.add(place)
    found |= {("products", name[8:]) for name in asked if name.startswith("product.")}
    return found


def of_template(parts: Mapping[str, Any]) -> set[Place]:
    """The places that a mail's merge fields show."""
    found: set[Place] = set()
    written = (parts, *(parts.get("languages") or {}).values())
    sources = (said.get(name) or "" for said in written for name in ("subject", "html", "text"))
    for source in sources:
        try:
            wants = rendering.variables(source)
        except rendering.TemplateRefused:
            continue
        for variable in wants:
            root, _dot, part = variable.partition(".")
            found.update(numbers.of_trait(part) if root == "traits" else _MERGED.get(root, ()))
    return found


def segment_rules() -> dict[int, Mapping[str, Any]]:
    return dict(Segment.objects.values_list("id", "rule"))


def of_campaign(
    campaign: Campaign, known: Mapping[int, Mapping[str, Any]] | None = None
) -> set[Place]:
    """The places that a campaign needs: its people, their address, and what its mail shows."""
    known = segment_rules() if known is None else known
    found: set[Place] = {("customers", "email")}
    if campaign.segment is not None:
        found |= of_rule(campaign.segment.rule, known)
    if campaign.exclude is not None:
        found |= of_rule(campaign.exclude.rule, known)
    if campaign.template is not None:
        found |= of_template(vars(campaign.template))
    return found


def keys_of(campaign: Campaign) -> set[str]:
    """The names by which somebody may have chosen to hold this campaign back."""
    return {f"campaign:{campaign.pk}"} | (
        {f"segment:{campaign.segment_id}"} if campaign.segment_id else set()
    )


def everything() -> Iterable[Use]:
    """Every segment, template and campaign that is not over, with the places it reads."""
    segments = list(Segment.objects.all())
    known: dict[int, Mapping[str, Any]] = {row.pk: row.rule for row in segments}
    for row in segments:
        places = frozenset(of_rule(row.rule, known))
        url = reverse("campaigns:segment-edit", args=[row.pk])
        yield Use("segment", f"segment:{row.pk}", row.name, url, places)
    for mail in Template.objects.all():
        url = reverse("campaigns:template-edit", args=[mail.pk])
        places = frozenset(of_template(vars(mail)))
        yield Use("template", f"template:{mail.pk}", mail.name, url, places)
    live = Campaign.objects.exclude(state__in=_ENDED).select_related(
        "segment", "exclude", "template"
    )
    for campaign in live:
        yield Use(
            "campaign",
            f"campaign:{campaign.pk}",
            campaign.name,
            reverse("campaigns:campaign-detail", args=[campaign.pk]),
            frozenset(of_campaign(campaign, known)),
            str(campaign.get_state_display()),
        )


def held(
    campaign: Campaign,
    among: Iterable[Holding] | None = None,
    known: Mapping[int, Mapping[str, Any]] | None = None,
) -> list[Holding]:
    """What holds a campaign back now. `known` are the rules of segments, if read already."""
    found = holds.holding() if among is None else list(among)
    if not found:
        return []
    return holds.reasons(places=of_campaign(campaign, known), keys=keys_of(campaign), among=found)


def refuse_held(campaign: Campaign) -> None:
    """Raise Conflict when something holds the campaign back."""
    found = held(campaign)
    if found:
        raise Conflict(
            holds.sentence(found),
            code="held",
            remedy=_("See the problem under Data, Quality, or change what it holds back."),
        )
