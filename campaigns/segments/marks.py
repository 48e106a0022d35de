"""What is known of people besides their acts, as conditions in SQL: whether they may be written to,
what is predicted of them, their place among others, and the lists they are on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from django.db.models import CharField, Exists, F, Func, OuterRef, Q, TextField, Value
from django.db.models.functions import Cast, Concat, Substr
from django.db.models.lookups import GreaterThanOrEqual, In, LessThan

from campaigns import experiments
from campaigns.models import PersonList, PersonListMember
from campaigns.segments import fields
from campaigns.segments.logic import exact, exactly
from campaigns.segments.nodes import (
    Bucket,
    Cluster,
    Consented,
    InList,
    Lifecycle,
    Reach,
    Rfm,
    Score,
)
from campaigns.segments.terms import NotRead, RuleFault, gettext_noop, join
from ingestion import consent
from ingestion.models import Consent, Customer
from models_ml.insights import lifecycle
from models_ml.models import Clustering, ClusterMember, Prediction
from models_ml.models import Score as Scored

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = 86_400
_LOOKUP = {"<": "lt", "<=": "lte", ">=": "gte", ">": "gt"}


@dataclass
class Names:
    """What rules name by key or number, read once for many rules.

    With `unread` a rule may ask about a list that is still to be read, of which nobody is a member.
    """

    unread: bool = False

    @cached_property
    def predictions(self) -> dict[str, tuple[int, str]]:
        """The number and the kind of each prediction by its key."""
        return {key: (number, kind) for key, number, kind, _title in self._predictions}

    @cached_property
    def titles(self) -> dict[str, str]:
        """What each prediction is called, by its key."""
        return {key: title for key, _number, _kind, title in self._predictions}

    @cached_property
    def _predictions(self) -> list[tuple[str, int, str, str]]:
        return list(Prediction.objects.values_list("key", "pk", "kind", "title"))

    @cached_property
    def clusterings(self) -> dict[str, tuple[int, int]]:
        """The number of each way of sorting people by its key, and its newest group's."""
        rows = Clustering.objects.values_list("key", "pk", "newest")
        return {key: (number, newest) for key, number, newest in rows}

    @cached_property
    def lists(self) -> dict[int, tuple[str, bool]]:
        """The name of each list by its number, and whether it was read."""
        rows = PersonList.objects.values_list("pk", "name", "read_at")
        return {number: (name, at is not None) for number, name, at in rows}


def reach(node: Reach, want: bool, path: str) -> Q:
    _check_purpose(node.purpose, path)
    return exactly(fields.reachable(channel=node.channel, purpose=node.purpose), want)


def consented(node: Consented, want: bool, path: str) -> Q:
    _check_purpose(node.purpose, path)
    agreed = consent.agreed(channel=node.channel, purpose=node.purpose)
    asked = Exists(
        Consent.objects.filter(
            customer=OuterRef("pk"), channel=node.channel, purpose=node.purpose, current=True
        )
    )
    match node.answer:
        case "yes":
            return Q(agreed) if want else Q(~agreed)
        case "no":  # a yes that has run out is one, too
            return Q(asked) & Q(~agreed) if want else Q(~asked) | Q(agreed)
    return Q(~asked) if want else Q(asked)


def _check_purpose(slug: str, path: str) -> None:
    if not consent.is_purpose(slug):
        raise RuleFault(
            join(path, "purpose"),
            gettext_noop("There is no purpose called “%(name)s”."),
            name=slug[:80],
        )


def score(node: Score, as_of: datetime, names: Names, want: bool, path: str) -> Q:
    """One look-up by key: of the value, or of the place among everybody scored.

    Whoever said no to predictions since has none, though the row stays until the next scoring.
    """
    if node.prediction not in names.predictions:
        raise RuleFault(
            join(path, "score"),
            gettext_noop("There is no prediction called “%(name)s”."),
            name=node.prediction[:80],
        )
    number, kind = names.predictions[node.prediction]
    if node.op == "in_days" and kind != Prediction.Kind.DATE:
        raise RuleFault(join(path, "op"), gettext_noop("This prediction does not tell a date."))
    rows = Scored.objects.filter(_said(node, as_of), prediction=number, customer=OuterRef("pk"))
    found = Exists(rows.filter(~consent.objects_to_profiling("customer")))
    return Q(found) if want == (node.op != "unknown") else Q(~found)


def _said(node: Score, as_of: datetime) -> Q:
    value = node.value
    if isinstance(value, tuple):
        low, high = float(value[0]), float(value[1])
        if node.op == "in_days":
            today = (as_of - _EPOCH).total_seconds() / _DAY
            low, high = today + low, today + high
        return Q(value__gte=exact(low), value__lte=exact(high))
    if node.op == "top":
        return Q(percentile__gt=100 - int(value))  # type: ignore[arg-type]
    if node.op == "bottom":
        return Q(percentile__lte=int(value))  # type: ignore[arg-type]
    if node.op in _LOOKUP:
        return Q(**{f"value__{_LOOKUP[node.op]}": exact(value)})  # type: ignore[arg-type]
    if node.op in ("=", "!="):
        given = exact(value)  # type: ignore[arg-type]
        same = Q(value__gte=given, value__lte=given)
        return same if node.op == "=" else Q(value__lt=given) | Q(value__gt=given)
    return Q()


def rfm(node: Rfm, want: bool) -> Q:
    wanted = {"r": node.r, "f": node.f, "m": node.m}
    asked = {f"traits__{key}_score__in": scores for key, scores in wanted.items() if scores}
    return exactly(Q(**asked), want)


def stage(node: Lifecycle, want: bool, path: str) -> Q:
    for number, name in enumerate(node.stages):
        if name not in lifecycle.STAGES:
            raise RuleFault(
                f"{join(path, 'lifecycle')}[{number}]",
                gettext_noop("There is no stage called “%(name)s”."),
                name=name[:80],
            )
    return exactly(Q(In(lifecycle.stage(row="traits__"), list(node.stages))), want)


def cluster(node: Cluster, names: Names, want: bool, path: str) -> Q:
    """One look-up by key. Whoever said no to predictions since is in no group, though the row stays
    until people are sorted again.
    """
    if node.clustering not in names.clusterings:
        raise RuleFault(
            join(path, "cluster"),
            gettext_noop("There are no clusters called “%(name)s”."),
            name=node.clustering[:80],
        )
    key, newest = names.clusterings[node.clustering]
    for place, number in enumerate(node.numbers):
        if number > newest:
            raise RuleFault(
                f"{join(path, 'in')}[{place}]",
                gettext_noop("There is no group number %(id)s."),
                id=number,
            )
    rows = ClusterMember.objects.filter(
        clustering=key, customer=OuterRef("pk"), number__in=node.numbers
    )
    found = Exists(rows.filter(~consent.objects_to_profiling("customer")))
    return Q(found) if want else Q(~found)


class _Bytewise(Func):
    """A text to be compared byte by byte."""

    template = '(%(expressions)s COLLATE "C")'
    output_field = TextField()


def bucket(node: Bucket, want: bool) -> Q:
    """People whose hash lies between two percentages; `experiments.bucket` tells the same."""
    key = Concat(Value(f"bucket:{node.salt}:"), Cast(F("pk"), TextField()))
    digest = Func(key, function="md5", output_field=CharField())
    place = _Bytewise(Substr(digest, 1, 8))
    low, high = (experiments.holdout_ceiling(share) for share in (node.start, node.end))
    above, below = GreaterThanOrEqual(place, Value(low)), LessThan(place, Value(high))
    return exactly(Q(above) & Q(below), want)


def in_list(node: InList, names: Names, want: bool, path: str) -> Q:
    """On the list themselves, or as somebody who was found to be the same person."""
    if node.id not in names.lists:
        raise RuleFault(
            join(path, "in_list"), gettext_noop("There is no list number %(id)s."), id=node.id
        )
    name, read = names.lists[node.id]
    if not (read or names.unread):
        raise NotRead(join(path, "in_list"), name)
    rows = PersonListMember.objects.filter(list=node.id)
    own = Exists(rows.filter(customer=OuterRef("pk")))
    was = Exists(
        Customer.every.filter(
            Exists(rows.filter(customer=OuterRef("pk"))), merged_into=OuterRef("pk")
        )
    )
    return Q(own) | Q(was) if want else Q(~own) & Q(~was)
