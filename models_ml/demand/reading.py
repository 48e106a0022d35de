"""What is expected to be sold, for pages and programs; loads no model library."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from marketing.core import jobs
from marketing.core.db import advisory_lock
from marketing.core.errors import Conflict
from marketing.core.models import Job, User
from models_ml import queries, registry
from models_ml.models import ModelVersion, ProductDemand

NAME, KIND = "demand", "demand.forecast"
WEEKLY, DAILY = timedelta(days=7), timedelta(days=1)
SHOWN_PERIODS = {7: 26, 1: 56}


def start(*, user: User | None = None, version: ModelVersion | None = None) -> Job:
    """Queue a forecast, or let a version speak again; Conflict while one is open."""
    if open_job() is not None:
        raise Conflict(_("A forecast is being made already."), code="already_forecasting")
    return jobs.start(
        kind=KIND,
        title=_("Forecast what will be sold"),
        params={"version": version.pk} if version else {},
        user=user,
        steps=2,
        result_url=reverse("models_ml:demand"),
    )


def open_job() -> Job | None:
    return Job.objects.filter(kind=KIND, state__in=Job.OPEN).order_by("-id").first()


def last_failure() -> Job | None:
    """The newest job, if it ended without a forecast."""
    newest = Job.objects.filter(kind=KIND).exclude(state__in=Job.OPEN).order_by("-id").first()
    return newest if newest is not None and newest.state == Job.State.FAILED else None


def start_if_due(*, now: datetime) -> Job | None:
    """Once somebody asked for a forecast it is made again for every week of data that came."""
    with advisory_lock("demand.due", wait=False) as ours:
        if not ours or not due(now=now):
            return None
        return start()


def due(*, now: datetime) -> bool:
    newest = ModelVersion.objects.filter(name=NAME).defer("details").first()
    if newest is None or newest.data_until is None or open_job() is not None:
        return False
    if Job.objects.filter(kind=KIND, finished_at__gt=now - DAILY).exists():
        return False
    return queries.data_now(now=now) - newest.data_until >= WEEKLY


def serve_after_promotion(*, version: ModelVersion) -> Job | None:
    """Queue the rows of a version that was published by hand, if others serve now."""
    row = ProductDemand.objects.order_by("pk").first()
    if (row is not None and row.version_id == version.pk) or open_job() is not None:
        return None
    return start(version=version)


def live() -> ModelVersion | None:
    return registry.live(NAME)


def newest() -> ModelVersion | None:
    return ModelVersion.objects.filter(name=NAME).first()


def sums() -> QuerySet[ProductDemand]:
    """The next four weeks of every product, the most first."""
    rows = ProductDemand.objects.filter(days=ProductDemand.SUM_DAYS)
    return rows.select_related("product").order_by("-mean", "product_id")


def periods(*, products: Sequence[int]) -> dict[int, list[ProductDemand]]:
    """Each product's periods ahead, in order."""
    found: dict[int, list[ProductDemand]] = {number: [] for number in products}
    rows = ProductDemand.objects.filter(product__in=products).exclude(days=ProductDemand.SUM_DAYS)
    for row in rows.order_by("product_id", "starts_at"):
        found[row.product_id].append(row)
    return found


def sold(*, products: Sequence[int], until: datetime, days: int) -> dict[int, list[int]]:
    """What was sold of products lately, a number a period, the oldest first."""
    count = SHOWN_PERIODS.get(days, 26)
    found = {number: [0] * count for number in products}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.product_id,"
            " floor(extract(epoch FROM %(until)s - l.placed_at) / 86400 / %(days)s)::int,"
            " sum(l.quantity)::bigint"
            " FROM ingestion_orderline AS l"
            " JOIN ingestion_order AS o ON o.id = l.order_id AND o.status <> 'cancelled'"
            " WHERE l.product_id = ANY(%(ids)s) AND l.kind = 'product' AND NOT l.outlier"
            " AND l.quantity > 0 AND l.placed_at >= %(since)s AND l.placed_at < %(until)s"
            " GROUP BY 1, 2",
            {
                "ids": list(products),
                "until": until,
                "days": days,
                "since": until - timedelta(days=count * days),
            },
        )
        for product, back, units in cursor.fetchall():
            if back < count:
                found[product][count - 1 - back] = units
    return found
