"""What will be sold: every product with its next weeks, and one product closely."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from marketing.core import wording
from marketing.core.auth import page
from marketing.core.errors import Refused
from models_ml.demand import reading
from models_ml.models import ModelVersion, ProductDemand
from models_ml.views import figures, plots

PER_PAGE = 25
METHODS = {
    "mean": gettext_lazy("Mean of the last periods"),
    "smoothing": gettext_lazy("Exponential smoothing"),
    "croston": gettext_lazy("Croston, corrected (SBA)"),
    "fading": gettext_lazy("Croston that fades (TSB)"),
    "boosting": gettext_lazy("Gradient boosting over all products"),
    "young": gettext_lazy("Rate of young products"),
}
SORTS = {"most": "-mean", "name": "product__name"}


@page("view")
def demand_list(request: HttpRequest) -> HttpResponse:
    """Products by what is expected of them, each with what was sold and what will be."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:100]
    sort = request.GET.get("sort", "most")
    rows = reading.sums().order_by(SORTS.get(sort, "-mean"), "product_id")
    if text:
        rows = rows.filter(Q(product__name__icontains=text) | Q(product__sku__istartswith=text))
    shown = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    live, newest = reading.live(), reading.newest()
    context: dict[str, Any] = {
        "page": shown,
        "rows": _rows(list(shown.object_list), live),
        "q": text,
        "sort": sort if sort in SORTS else "most",
        "version": live,
    }
    if request.headers.get("HX-Target") == "demand-rows":
        return render(request, "models_ml/demand/_rows.html", context)
    job = reading.open_job()
    failed = reading.last_failure() if job is None else None
    context |= {
        "job": job,
        "failed": failed,
        "refused": newest if newest is not None and newest.state == "refused" else None,
        "judged": _judged(live or newest),
        "ending": _as_of(live),
    }
    return render(request, "models_ml/demand/list.html", context)


@require_POST
@page("edit")
def forecast(request: HttpRequest) -> HttpResponse:
    """Queue a forecast."""
    try:
        reading.start(user=request.user)  # type: ignore[arg-type]
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(request, _("The forecast has been queued. You can leave."))
    return redirect("models_ml:demand")


@page("view")
def product(request: HttpRequest, product_id: int) -> HttpResponse:
    """One product: what was sold lately, what is expected, and what it is told by."""
    row = reading.sums().filter(product=product_id).first()
    version = ModelVersion.objects.filter(pk=row.version_id).first() if row else None
    if row is None or version is None:
        raise Http404
    ahead = reading.periods(products=[product_id])[product_id]
    days = ahead[0].days if ahead else 7
    sold = reading.sold(products=[product_id], until=row.starts_at, days=days)[product_id]
    return render(
        request,
        "models_ml/demand/product.html",
        {
            "row": row,
            "product": row.product,
            "sentence": sentence(row),
            "usual": wording.comma(round(row.usual)),
            "method": str(METHODS.get(row.method, row.method)),
            "young": row.method == "young",
            "ahead": ahead,
            "by_week": days == 7,
            "plot": plots.sales(sold, ahead),
            "stock": _stock(row),
            "version": version,
        },
    )


def sentence(row: ProductDemand) -> str:
    """What is expected of a product, with its bounds."""
    return _("Expected to sell %(n)s (%(low)s–%(high)s) in the next 4 weeks") % {
        "n": wording.comma(round(row.mean)),
        "low": wording.comma(round(row.low)),
        "high": wording.comma(round(row.high)),
    }


def _rows(sums: list[ProductDemand], live: ModelVersion | None) -> list[dict[str, Any]]:
    numbers = [row.product_id for row in sums]
    if not numbers:
        return []
    days = int((live.params if live else {}).get("days", 7))
    ahead = reading.periods(products=numbers)
    sold = reading.sold(products=numbers, until=sums[0].starts_at, days=days)
    return [
        {
            "row": row,
            "product": row.product,
            "mean": wording.comma(round(row.mean)),
            "low": wording.comma(round(row.low)),
            "high": wording.comma(round(row.high)),
            "usual": wording.comma(round(row.usual)),
            "method": str(METHODS.get(row.method, row.method)),
            "small": plots.sales(sold[row.product_id], ahead[row.product_id], small=True),
        }
        for row in sums
    ]


def _stock(row: ProductDemand) -> str:
    """How long the stock lasts at what is expected; empty where it is not known."""
    if row.product.stock is None or row.mean <= 0:
        return ""
    weeks = row.product.stock / (row.mean / 4)
    if weeks >= 52:
        return _("The stock of %(n)s lasts for more than a year.") % {
            "n": wording.comma(row.product.stock)
        }
    text = ngettext(
        "The stock of %(n)s lasts about %(weeks)s week.",
        "The stock of %(n)s lasts about %(weeks)s weeks.",
        round(weeks),
    )
    return text % {"n": wording.comma(row.product.stock), "weeks": wording.trimmed(weeks, 1)}


def _as_of(live: ModelVersion | None) -> datetime | None:
    return live.data_until if live else None


def _judged(version: ModelVersion | None) -> dict[str, Any] | None:
    """The figures of a version as its page shows them."""
    if version is None:
        return None
    details = version.details
    known = version.metrics
    top = max((one.get("mase") or 0 for one in details.get("table", [])), default=0) or 1
    return {
        "version": version,
        "main": figures.against(version, "mase"),
        "gap": figures.gap(details),
        "coverage": known.get("coverage_4_weeks"),
        "weekly": known.get("coverage"),
        "above": known.get("above_4_weeks"),
        "young": known.get("coverage_young"),
        "products": details.get("judged_products"),
        "season_known": details.get("season_known"),
        "origins": len(details.get("origins") or []),
        "off": wording.pct(abs(1 - known["total_ratio"]), 0) if known.get("total_ratio") else "",
        "under": (known.get("total_ratio") or 1) < 1,
        "table": [
            {
                **one,
                "title": str(METHODS.get(one["name"], one["name"])),
                "width": round(100 * (one.get("mase") or 0) / top, 1),
                "products": (details.get("methods") or {}).get(one["name"], 0),
            }
            for one in sorted(details.get("table", []), key=lambda one: one.get("mase") or 9e9)
        ],
    }
