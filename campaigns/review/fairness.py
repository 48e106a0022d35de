"""Whether an audience that a model chose was chosen alike from every watched group of people.

What is compared is whom the rule means with everybody it would mean if any score would do: the
people the model could choose from. A group chosen less than four fifths as often as another (see
`models_ml.algorithms.fourfifths`) keeps the campaign from starting, until somebody who may answers
for it with a reason.

Of very many people a random sample is looked at. The verdict says so, and its intervals are those
of the sample. An audience of few among very many is drawn from more closely, or looked at whole.
"""

import hashlib
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any as Anything

import orjson
from django.db import connection, transaction
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campaigns import locks
from campaigns.models import Campaign, Waiver
from campaigns.segments import clock, fields, marks, membership, nodes, once
from campaigns.segments import compile as compiler
from campaigns.segments.needs import expand
from campaigns.segments.nodes import All, Any, Compare, Node, Not, Score
from campaigns.segments.rules import RuleFault
from campaigns.segments.turns import OutOfTime, patiently
from marketing.core import audit, wording
from marketing.core.errors import Conflict, Invalid, Unavailable
from marketing.core.models import ApiKey, User
from models_ml import queries, watched
from models_ml.algorithms import fourfifths
from models_ml.algorithms.fourfifths import UNKNOWN, Judged, Tally
from models_ml.models import ModelVersion
from models_ml.watched import Watched

CODE = "chosen_unequally"
LEAST_REASON, LONGEST_REASON = 10, 2000
PATIENCE_MS, PAGE_MS = 25_000, 5_000
# At least so many people are looked at; of twice as many, one in two or more.
SAMPLE = 100_000
# One in a power of two, so that the sample is the same one while people come and go.
_ONE_IN = """
SELECT 1 << greatest(length(ltrim(times::bit(32)::text, '0')) - 1, 0) FROM (
    SELECT greatest(reltuples, 0)::bigint / %s AS times
    FROM pg_class WHERE oid = 'ingestion_customer'::regclass) AS about
"""
_DRAWN = "(hashint8extended({id}, 20111209) & 1048575) < (SELECT 1048576 / one_in FROM drawn)"
NOBODY: Node = Any(())
_COLUMNS = ("id", "country", "language", "attributes")


@dataclass(frozen=True)
class Finding:
    """An attribute and its groups, the largest first."""

    attribute: Watched
    groups: list[Judged]

    @property
    def flagged(self) -> list[Judged]:
        return fourfifths.flagged(self.groups)

    @property
    def large(self) -> list[Judged]:
        return [one for one in self.groups if one not in self.small]

    @property
    def small(self) -> list[Judged]:
        """Of fewer people than anything can be said of."""
        least = fourfifths.LEAST_PEOPLE
        return [one for one in self.groups if one.state == fourfifths.FEW and one.people < least]


@dataclass(frozen=True)
class Verdict:
    """What a look at an audience found.

    `models` are the versions whose scores choose; none: no model has a say. `watched` is false when
    no attribute is, `counted` when counting took too long. One of `one_in` people was looked at,
    and all numbers are of that sample. `waiver` answers for every flag.
    """

    digest: str
    models: list[str]
    watched: bool = False
    counted: bool = False
    people: int = 0
    chosen: int = 0
    findings: list[Finding] = field(default_factory=list)
    one_in: int = 1
    waiver: Waiver | None = None

    @property
    def sampled(self) -> bool:
        return self.one_in > 1

    @property
    def flags(self) -> list[tuple[str, str]]:
        """(attribute, group) of the groups that are chosen too seldom."""
        return [(f.attribute.name, g.name) for f in self.findings for g in f.flagged]

    @property
    def barred(self) -> bool:
        return bool(self.flags) and self.waiver is None

    def told(self) -> str:
        """The flagged groups in words."""
        return ", ".join(
            f"{f.attribute.label}: {g.name} ({g.ratio:.2f})"
            for f in self.findings
            for g in f.flagged
        )


def look(*, campaign: Campaign, milliseconds: int = PATIENCE_MS) -> Verdict:
    """Compare the groups of the campaign's audience. RuleFault when its rule cannot be read."""
    node = _meant(campaign)
    return _look(node, campaign, milliseconds) if node is not None else Verdict("", [])


def compares(*, campaign: Campaign) -> bool:
    """Whether a look would count anybody: a model chooses, and an attribute is watched.

    RuleFault when its rule cannot be read.
    """
    node = _meant(campaign)
    return node is not None and bool(_models(node)) and bool(watched.everything())


def of_rule(
    *, rule: object, campaign: Campaign | None = None, milliseconds: int = PATIENCE_MS
) -> Verdict:
    """The same of a rule; waivers are those of the campaign."""
    if not rule:
        return Verdict("", [])
    return _look(expand(compiler.read(rule), _named), campaign, milliseconds)


def _look(node: Node, campaign: Campaign | None, milliseconds: int) -> Verdict:
    models = _models(node)
    attributes = watched.everything()
    digest = _digest(node, models, attributes)
    names = [label for _key, label in models]
    if not models or not attributes:
        return Verdict(digest, names, watched=bool(attributes))
    began = time.monotonic()
    try:
        with patiently(milliseconds):
            told = _compare(node, attributes)
    except OutOfTime:
        return Verdict(digest, names, watched=True)
    one_in, people, chosen, findings = told
    closer = 1 << max((people * one_in // SAMPLE).bit_length() - 1, 0)
    left = milliseconds - round(1000 * (time.monotonic() - began))
    if closer < one_in and left > 0:
        with suppress(OutOfTime), patiently(left):
            one_in, people, chosen, findings = _compare(node, attributes, closer)
    found = Verdict(digest, names, True, True, people, chosen, findings, one_in)
    waiver = _waiver(campaign, found) if campaign is not None and found.flags else None
    return replace(found, waiver=waiver)


def _meant(campaign: Campaign) -> Node | None:
    """Everybody the campaign means, less those whom it leaves out; None while nobody is chosen."""
    if campaign.segment is None or not campaign.segment.rule:
        return None
    node = compiler.read(campaign.segment.rule)
    if campaign.exclude is not None:
        without = compiler.read(campaign.exclude.rule) if campaign.exclude.rule else All(())
        node = All((node, Not(without)))
    return expand(node, _named)


def _named(number: int) -> Node | None:
    rule = compiler.rule_of(number)
    return None if rule is None else compiler.read(rule)


def _predicted(leaf: Node) -> str:
    """The model whose number a question asks for; empty for any other question."""
    if isinstance(leaf, Score):
        return leaf.prediction
    if isinstance(leaf, Compare) and fields.FIELDS[leaf.field].group == fields.PREDICTED:
        return leaf.field.partition(".")[2]
    return ""


def _models(node: Node) -> list[tuple[str, str]]:
    """(name and number of the version, its label) of every model that the rule asks."""
    keys = sorted({key for leaf in nodes.walk(node) if (key := _predicted(leaf))})
    live = dict(
        ModelVersion.objects.filter(name__in=keys, state=ModelVersion.State.LIVE).values_list(
            "name", "version"
        )
    )
    titles = dict(once.keep("names", marks.Names).titles) if keys else {}
    titles |= {key: str(field.label) for key, field in queries.BY_NAME.items() if key in keys}
    return [
        (
            f"{key}:{live.get(key, 0)}",
            _("“%(title)s” (version %(number)s)")
            % {"title": titles.get(key, key), "number": live.get(key, 0)},
        )
        for key in keys
    ]


def _digest(node: Node, models: list[tuple[str, str]], attributes: Iterable[Watched]) -> str:
    told = {
        "rule": repr(node),
        "models": [key for key, _label in models],
        "watched": [one.as_json() for one in attributes],
    }
    return hashlib.sha256(orjson.dumps(told)).hexdigest()


def choosable(node: Node, want: bool = True) -> Node:
    """The rule with every question to a model answered by any score: whom it could have chosen.

    It means everybody that the rule itself means, whatever is negated.
    """
    match node:
        case All(parts):
            return All(tuple(choosable(part, want) for part in parts))
        case Any(parts):
            return Any(tuple(choosable(part, want) for part in parts))
        case Not(inner):
            return Not(choosable(inner, not want))
        case Score(prediction, op) if op != "unknown":
            return Score(prediction, "known") if want else NOBODY
        case Compare(name, op) if op != "unknown" and _predicted(node):
            return Compare(name, "known", None) if want else NOBODY
    return node


def _compare(
    node: Node, attributes: list[Watched], one_in: int | None = None
) -> tuple[int, int, int, list[Finding]]:
    """Of one in so many people everybody who could be chosen and is, by the groups of every
    attribute, in one query. What is to be told of so many people decides how many are looked at.
    """
    as_of = clock.moment()
    people = membership.members(choosable(node), as_of=as_of).order_by()
    inner, given = people.values_list(*_COLUMNS).query.sql_with_params()
    chosen, wanted = membership.ids(node, as_of=as_of).order_by().query.sql_with_params()
    parts = [watched.group_sql(one, row="p", as_of=as_of) for one in attributes]
    groups = "".join(f", coalesce({sql}, '{UNKNOWN}') AS g{n}" for n, (sql, _p) in enumerate(parts))
    keys = [f"g{n}" for n in range(len(attributes))]
    sets = ", ".join(f"({key})" for key in keys)
    drawn, share = ("SELECT %s::int", one_in) if one_in else (_ONE_IN, SAMPLE)
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH drawn (one_in) AS ({drawn})"
            f" SELECT {', '.join(f'grouping({key}), {key}' for key in keys)}, count(*),"
            f" count(*) FILTER (WHERE is_chosen) FROM (SELECT m.id IS NOT NULL AS is_chosen{groups}"
            f" FROM ({inner}) AS p ({', '.join(_COLUMNS)}) LEFT JOIN (SELECT id FROM ({chosen})"
            f" AS c (id) WHERE {_DRAWN.format(id='id')}) AS m ON m.id = p.id"
            f" WHERE {_DRAWN.format(id='p.id')}) AS w GROUP BY GROUPING SETS ((), {sets})"
            " UNION ALL SELECT "
            f"{'NULL::int, NULL::text, ' * len(keys)} one_in, NULL FROM drawn",
            [
                share,
                *(value for _sql, told in parts for value in told),
                *given,
                *wanted,
            ],
        )
        rows = cursor.fetchall()
    number = next(people for *_groups, people, chosen in rows if chosen is None)
    return number, *_findings([row for row in rows if row[-1] is not None], attributes)


def _findings(
    rows: list[tuple[Anything, ...]], attributes: list[Watched]
) -> tuple[int, int, list[Finding]]:
    tallies: list[list[Tally]] = [[] for _one in attributes]
    everybody = (0, 0)
    for *told, people, chosen in rows:
        of = next((n for n in range(len(attributes)) if not told[2 * n]), None)
        if of is None:
            everybody = (people, chosen)
        else:
            tallies[of].append(Tally(told[2 * of + 1], people, chosen))
    found = [
        Finding(one, fourfifths.judge(each)) for one, each in zip(attributes, tallies, strict=True)
    ]
    return *everybody, found


def _waiver(campaign: Campaign, found: Verdict) -> Waiver | None:
    """The newest waiver for exactly this, if it answers for every group that is flagged now."""
    given = Waiver.objects.filter(campaign=campaign, digest=found.digest)
    for waiver in given.select_related("given_by"):
        if {tuple(pair) for pair in waiver.groups} >= set(found.flags):
            return waiver
    return None


def digest_of(*, campaign: Campaign) -> str:
    """What a verdict on this audience speaks of now, without counting anybody."""
    if (node := _meant(campaign)) is None:
        return ""
    return _digest(node, _models(node), watched.everything())


def refuse_unequal(*, campaign: Campaign) -> str:
    """What was looked at; Invalid when a group is chosen too seldom and nobody answers for it."""
    try:
        found = look(campaign=campaign)
    except RuleFault:
        return ""  # said by the check of the campaign, in better words
    if found.models and found.watched and not found.counted:
        raise Unavailable(
            _("It could not be counted in time whether the watched groups are chosen alike."),
            code="not_counted",
            remedy=_("Nothing was sent. Try again in a moment, or make the rule simpler."),
        )
    if found.barred:
        message = _(
            "The model chooses some groups less than four fifths as often as others: %(groups)s."
        ) % {"groups": found.told()}
        if found.sampled:
            message += " " + _("This was seen in a random sample of %(people)s people.") % {
                "people": wording.comma(found.people)
            }
        raise Invalid(
            message,
            code=CODE,
            field="segment",
            remedy=_(
                "Nothing was sent. Change the audience, or let somebody who may answer for it give"
                " a reason: on the check page, or by POST to %(url)s with {“reason”: …}."
            )
            % {"url": reverse("api:campaign-waive", args=[campaign.pk])},
            items=_items(found),
        )
    return found.digest


def _items(found: Verdict) -> list[dict[str, Anything]]:
    return [
        {
            "attribute": one.attribute.name,
            "group": group.name,
            "people": group.people,
            "chosen": group.chosen,
            "ratio": group.ratio,
            "low": group.ratio_low,
            "high": group.ratio_high,
        }
        for one in found.findings
        for group in one.flagged
    ]


def waive(*, campaign_id: int, reason: str, actor: User | ApiKey, now: datetime) -> Waiver:
    """Answer for the groups that are flagged now; kept in the audit log.

    It holds for this rule, these versions and groups; a retrain or another audience asks again.
    """
    reason = reason.strip() if isinstance(reason, str) else ""
    if not LEAST_REASON <= len(reason) <= LONGEST_REASON or "\x00" in reason:
        raise Invalid(
            ngettext(
                "Give a reason of at least %(least)d letter.",
                "Give a reason of at least %(least)d letters.",
                LEAST_REASON,
            )
            % {"least": LEAST_REASON},
            code="reason_missing",
            field="reason",
        )
    campaign = locks.known(campaign_id, Campaign.objects.select_related("segment"))
    found = look(campaign=campaign)
    if not found.barred:
        raise Conflict(
            _("No group is flagged that nobody answers for; nothing was changed."),
            code="nothing_to_waive",
        )
    with transaction.atomic():
        made = Waiver.objects.create(
            campaign=campaign,
            digest=found.digest,
            groups=found.flags,
            reason=reason,
            given_by=actor if isinstance(actor, User) else actor.created_by,
            given_at=now,
        )
        audit.record(
            actor=actor,
            action="campaign.fairness_waived",
            obj=campaign,
            detail={
                "reason": reason,
                "groups": _items(found),
                "models": found.models,
                "digest": found.digest,
            },
        )
    return made
