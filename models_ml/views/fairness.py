"""Which attributes are watched, so that models choose groups of people alike."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from marketing.core.auth import may, page, person
from marketing.core.errors import Forbidden, Invalid, Refused
from models_ml import watched
from models_ml.models import WatchedAttribute
from models_ml.watched import Watched


@page("view")
@require_http_methods(["GET", "POST"])
def fairness(request: HttpRequest) -> HttpResponse:
    """What is watched, and a form for more."""
    error: Refused | None = None
    if request.method == "POST":
        try:
            _watch(request)
            return redirect("models_ml:fairness")
        except Refused as refusal:
            error = refusal
    rows = [
        {"row": row, "attribute": one, "groups": watched.names_of(one)}
        for row in WatchedAttribute.objects.select_related("created_by")
        for one in [Watched(row.name, row.kind, tuple(row.bands))]
    ]
    known = {one.name for one in watched.everything()}
    return render(
        request,
        "models_ml/fairness.html",
        {
            "rows": rows,
            "offered": [name for name in watched.offered() if name not in known],
            "kinds": WatchedAttribute.Kind.choices,
            "given": request.POST,
            "error": error,
            "most": watched.MOST,
        },
        status=error.status if error else 200,
    )


def _watch(request: HttpRequest) -> None:
    if not may(request.user, "fairness"):
        raise Forbidden(_("Only an admin chooses what is watched."), code="forbidden")
    try:
        bands = [float(one) for one in request.POST.get("bands", "").replace(",", " ").split()]
    except ValueError:
        raise Invalid(
            _("Bands are numbers with commas between them, such as 25, 35, 45."),
            code="bands_invalid",
            field="bands",
        ) from None
    made = watched.watch(
        name=request.POST.get("name", ""),
        kind=request.POST.get("kind", ""),
        bands=bands,
        actor=person(request),
        now=timezone.now(),
    )
    messages.success(request, _("“%(name)s” is watched from now on.") % {"name": made.name})


@page("fairness")
@require_POST
def unwatch(request: HttpRequest, pk: int) -> HttpResponse:
    """Watch an attribute no longer."""
    attribute = get_object_or_404(WatchedAttribute, pk=pk)
    watched.unwatch(attribute=attribute, actor=person(request))
    messages.success(request, _("“%(name)s” is watched no longer.") % {"name": attribute.name})
    return redirect("models_ml:fairness")
