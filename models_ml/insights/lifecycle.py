"""Where people stand with the shop: one stage each, worked out from their orders.

The stages are asked in order and the first that fits counts, so that everybody has exactly one. It
is stored with the numbers of each person and follows from them and from the bounds in use.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from ingestion.models import Customer
from marketing.core.errors import Invalid
from marketing.core.models import ApiKey, User
from models_ml.insights import yardsticks
from models_ml.models import Traits, Yardstick

KIND = Yardstick.Kind.STAGES
NEVER, NEW, LAPSED, AT_RISK, LOYAL, ACTIVE = (
    "never_ordered",
    "new",
    "lapsed",
    "at_risk",
    "loyal",
    "active",
)
STAGES: dict[str, str | Promise] = {
    NEW: gettext_lazy("New"),
    ACTIVE: pgettext_lazy("stage", "Active"),
    LOYAL: gettext_lazy("Loyal"),
    AT_RISK: gettext_lazy("At risk"),
    LAPSED: gettext_lazy("Lapsed"),
    NEVER: gettext_lazy("Never ordered"),
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Where one stage ends and the next begins."""

    new_days: int = 30
    risk_days: int = 90
    lapsed_days: int = 365
    loyal_orders: int = 4


START = asdict(Bounds())
LABELS: dict[str, str | Promise] = {
    "new_days": gettext_lazy("New for"),
    "risk_days": gettext_lazy("At risk after"),
    "lapsed_days": gettext_lazy("Lapsed after"),
    "loyal_orders": gettext_lazy("Loyal from"),
}
# The least and the most of each.
RANGES = {
    "new_days": (1, 3650),
    "risk_days": (1, 3650),
    "lapsed_days": (2, 7300),
    "loyal_orders": (2, 1000),
}


def read(body: Mapping[str, Any]) -> Bounds:
    """The bounds of a stored version."""
    return Bounds(**{name: int(body.get(name, START[name])) for name in START})


def bounds() -> Bounds:
    """The bounds in use, or that will be once the job that measures everybody is through."""
    row = yardsticks.newest(kind=KIND)
    return read(row.body) if row else Bounds()


def check(bounds: Bounds) -> None:
    """Invalid, naming the bound, for bounds by which a stage could hold nobody."""
    for name, (least, most) in RANGES.items():
        if not least <= getattr(bounds, name) <= most:
            raise _refusal(
                name,
                _("“%(name)s” must be a whole number from %(least)d to %(most)d."),
                "out_of_range",
                least=least,
                most=most,
            )
    if bounds.new_days > bounds.risk_days:
        raise _refusal(
            "new_days",
            _("“%(name)s” must not be longer than “%(other)s”: nobody new could be at risk."),
            "wrong_order",
            other=LABELS["risk_days"],
        )
    if bounds.risk_days >= bounds.lapsed_days:
        raise _refusal(
            "risk_days",
            _("“%(name)s” must be shorter than “%(other)s”: nobody would ever be at risk."),
            "wrong_order",
            other=LABELS["lapsed_days"],
        )


def _refusal(name: str, message: str, code: str, **words: object) -> Invalid:
    return Invalid(
        message % {"name": LABELS[name], **words},
        code=code,
        field=name,
        remedy=_("Nothing was changed."),
    )


def save(*, bounds: Bounds, actor: User | ApiKey | None, now: datetime) -> Yardstick:
    """Put other bounds in use; a job gives everybody their stage by them."""
    check(bounds)
    return yardsticks.keep(kind=KIND, body=asdict(bounds), start=START, actor=actor, now=now)


def sizes() -> dict[str, int]:
    """How many people are in each stage now; whoever has no numbers yet never ordered."""
    kept = yardsticks.totals(kind=KIND)
    if kept is not None and "stages" in kept:
        found = dict(kept["stages"])
    else:
        rows = Traits.objects.values_list("stage").annotate(people=Count("pk")).order_by()
        found = dict(rows)
    ordered = sum(people for stage, people in found.items() if stage != NEVER)
    found[NEVER] = max(Customer.objects.count() - ordered, 0)
    return found


def shift(*, to: Bounds) -> dict[tuple[str, str], int]:
    """How many of those with numbers are in which stage now and would be in which."""
    params: dict[str, Any] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT stage, {stage_sql(of=to, params=params)} AS next, count(*)"
            " FROM models_ml_traits GROUP BY 1, 2",
            params,
        )
        return {(was, becomes): people for was, becomes, people in cursor.fetchall()}


def people(stage: str) -> QuerySet[Any, int]:
    """The ids of everyone in a stage, whoever spent most first."""
    if stage == NEVER:  # which those are in, too, who have no numbers yet
        ordered = Traits.objects.filter(pk=OuterRef("pk")).exclude(stage=NEVER)
        never = Customer.objects.filter(~Exists(ordered))
        return never.order_by("pk").values_list("pk", flat=True)
    return yardsticks.best_first(yardsticks.people(Q(stage=stage)))


def stage(*, row: str = "") -> Coalesce:
    """The stage as an expression over Traits; `row` is the look-up path that leads to them."""
    return Coalesce(F(f"{row}stage"), Value(NEVER))


def stage_sql(
    *,
    of: Bounds,
    params: dict[str, Any],
    orders: str = "orders",
    tenure: str = "tenure_days",
    recency: str = "recency_days",
    words: Mapping[str, str] | None = None,
) -> str:
    """The stage as SQL over three expressions; `words` are what the stages are to be called."""
    params |= asdict(of)
    said = {name: (words or {}).get(name, name) for name in STAGES}
    return (
        f"CASE WHEN coalesce({orders}, 0) < 1 THEN '{said[NEVER]}'"
        f" WHEN {tenure} <= %(new_days)s THEN '{said[NEW]}'"
        f" WHEN {recency} > %(lapsed_days)s THEN '{said[LAPSED]}'"
        f" WHEN {recency} > %(risk_days)s THEN '{said[AT_RISK]}'"
        f" WHEN {orders} >= %(loyal_orders)s THEN '{said[LOYAL]}'"
        f" ELSE '{said[ACTIVE]}' END"
    )
