"""What stands: models, people by stage, recent campaigns. Each part asks once."""

import json
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from django.db import connection
from django.db.models import Count, OuterRef, Subquery
from django.utils.translation import gettext as _

from campaigns.models import Campaign, Message, Run
from ingestion.models import Customer, ImportJob, Order
from marketing.core import wording
from models_ml import catalog
from models_ml.insights import lifecycle as stages
from models_ml.models import ModelVersion
from models_ml.views import titles as model_titles

_STEPS = """
SELECT (SELECT count(*) FROM ingestion_customer WHERE merged_into_id IS NULL),
    count(*) FILTER (WHERE orders >= %s), count(*) FILTER (WHERE orders >= %s),
    count(*) FILTER (WHERE orders >= %s), count(*) FILTER (WHERE orders >= %s)
FROM ingestion_customerrollup
"""


@dataclass(frozen=True)
class Health:
    """One model as the home page shows it."""

    label: str
    icon: str
    quality: str
    version: ModelVersion


def newest_models() -> list[ModelVersion]:
    """Each model's live version, or its newest one where none is live."""
    rows = (
        ModelVersion.objects.exclude(state=ModelVersion.State.RETIRED)
        .only(
            "name",
            "version",
            "state",
            "metrics",
            "baseline",
            "details",
            "reason",
            "trained_at",
            "rows",
        )
        .order_by("name", "-version")
    )
    found: dict[str, ModelVersion] = {}
    for row in rows:
        kept = found.get(row.name)
        if kept is None or (row.state == "live" and kept.state != "live"):
            found[row.name] = row
    return list(found.values())


def health(models: list[ModelVersion]) -> list[Health]:
    """What the home page shows: every prediction, and of the engines the best that serves."""
    engines = [row for row in models if row.name in catalog.BY_NAME]
    best = max(engines, key=_rank, default=None)
    models = [row for row in models if row.name not in catalog.BY_NAME or row is best]
    titles = model_titles(row.name for row in models)
    return [
        Health(
            titles[row.name],
            "binary-tree-2" if row.name == "repeat_90d" else "shopping-bag",
            _quality(row),
            row,
        )
        for row in models
    ]


def _rank(row: ModelVersion) -> tuple[bool, float]:
    return row.state == ModelVersion.State.LIVE, _figure_of(row.metrics, "ndcg@10") or 0.0


def _quality(row: ModelVersion) -> str:
    for key, label in (("auc", _("AUC")), ("ndcg@10", _("NDCG@10")), ("ndcg_at_10", _("NDCG@10"))):
        value, base = _figure_of(row.metrics, key), _figure_of(row.baseline, key)
        if value is not None and base is not None:
            return _("%(label)s %(value)s, baseline %(base)s") % {
                "label": label,
                "value": f"{value:.3f}",
                "base": f"{base:.3f}",
            }
        if value is not None:
            return f"{label} {value:.3f}"
    return _("trained on %(rows)s rows") % {"rows": wording.comma(row.rows)}


def _figure_of(figures: dict[str, Any], key: str) -> float | None:
    value = figures.get(key)
    if isinstance(value, dict):
        value = value.get("value")
    return float(value) if isinstance(value, (int, float)) else None


def lifecycle() -> list[dict[str, Any]]:
    """How far people have come: known, first order, second, loyal; with the share that goes on."""
    loyal = stages.bounds().loyal_orders
    with connection.cursor() as cursor:
        cursor.execute(_STEPS, [1, 2, loyal, loyal * 2])
        known, first, second, often, later = cursor.fetchone()
    steps = [
        (_("Known"), known, 0),
        (_("First order"), first, 1),
        (_("Second order"), second, 2),
        (_("Loyal: %(n)s orders") % {"n": loyal}, often, loyal),
        (_("%(n)s orders") % {"n": loyal * 2}, later, loyal * 2),
    ]
    if loyal == 2:  # the second order is what makes loyal
        del steps[2]
    top = steps[0][1]
    if not top:
        return []
    return [
        {
            "name": name,
            "n": n,
            "share": wording.of(n, top),
            "rate": wording.pct(n / steps[i - 1][1]) if i and steps[i - 1][1] else "",
            "orders": orders,
        }
        for i, (name, n, orders) in enumerate(steps)
    ]


def most_stop(steps: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Between which two stages of `lifecycle` most buyers stay; None where nobody does.

    `rule` holds for exactly these people, as far as the last run of the features has seen them.
    """
    bought = steps[1:]
    pairs = [(here, there) for here, there in pairwise(bought) if here["n"] > there["n"]]
    if not pairs:
        return None
    here, there = max(pairs, key=lambda pair: pair[0]["n"] - pair[1]["n"])
    least = {"field": "traits.orders", "op": ">=", "value": here["orders"]}
    below = {"field": "traits.orders", "op": "<", "value": there["orders"]}
    return {
        "here": here["name"],
        "there": there["name"],
        "people": here["n"] - there["n"],
        "of": here["n"],
        "rule": json.dumps({"all": [least, below]}),
    }


def recent_campaigns() -> list[Campaign]:
    """The newest campaigns with the counts of their last run: `audience`, `sent`, `waiting`."""
    last = Run.objects.filter(campaign=OuterRef("pk")).order_by("-id")
    campaigns: list[Any] = list(
        Campaign.objects.select_related("segment")
        .only("name", "state", "created_at", "scheduled_at", "segment__name", "segment__size")
        .annotate(
            run_id=Subquery(last.values("id")[:1]), audience=Subquery(last.values("audience")[:1])
        )[:6]
    )
    runs = [c.run_id for c in campaigns if c.run_id]
    counts: dict[int, dict[str, int]] = {}
    if runs:
        rows = (
            Message.objects.filter(run__in=runs)
            .order_by()
            .values_list("run_id", "state")
            .annotate(Count("id"))
        )
        for run_id, state, n in rows:
            counts.setdefault(run_id, {})[state] = n
    for campaign in campaigns:
        seen = counts.get(campaign.run_id or 0, {})
        campaign.sent = seen.get("sent", 0)
        campaign.waiting = seen.get("queued", 0) + seen.get("sending", 0)
    return campaigns


def is_empty() -> bool:
    """Whether nothing was ever brought in: no people, orders or imports."""
    return not (ImportJob.objects.exists() or Customer.objects.exists() or Order.objects.exists())
