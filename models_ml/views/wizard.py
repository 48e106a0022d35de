"""A new prediction in three choices, with a look at the data before anything starts."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketing.core import brand
from marketing.core.auth import page
from marketing.core.errors import Invalid, NotFound, Refused
from models_ml.features import targets
from models_ml.models import Prediction
from models_ml.predictions import definitions, ready, sufficiency, training
from models_ml.predictions.ready import Ready
from models_ml.predictions.sufficiency import Sufficiency
from models_ml.views.asking import PART_OF, AskForm


@page("edit")
def new(request: HttpRequest) -> HttpResponse:
    """The three choices: what, within how many days, about whom. Posting makes it and trains."""
    start = _start(request)
    if request.method != "POST":
        form = AskForm(initial=AskForm.filled(start) if start else None)
        return _show(request, form, start)
    form = AskForm(request.POST)
    if not form.is_valid():
        return _show(request, form, start, status=422)
    try:
        found = _look(form)
        if not found.ok:
            form.add_error(None, _("The data does not suffice yet; nothing was started."))
            return _show(request, form, start, found, status=422)
        prediction = _make(request, form, start)
        training.start(prediction=prediction, user=request.user)  # type: ignore[arg-type]
    except Refused as refusal:
        _blame(form, refusal)
        return _show(request, form, start, status=422)
    messages.success(
        request, _("The question is asked and the training has been queued. You can leave.")
    )
    return redirect("models_ml:prediction", key=prediction.key)


@require_POST
@page("edit")
def check(request: HttpRequest) -> HttpResponse:
    """What the data holds for the choices made so far, as a part of the page."""
    form = AskForm(request.POST)
    found, wanting = None, ""
    if form.is_question():
        try:
            found = _look(form)
        except Refused as refusal:
            wanting = str(refusal.message)
    else:
        wanting = form.wanting()
    return render(request, "models_ml/_check.html", {"found": found, "wanting": wanting})


def _start(request: HttpRequest) -> Ready | None:
    """The ready question that fills in the choices, if one is named."""
    try:
        return ready.find(key=request.GET.get("from", ""))
    except NotFound:
        return None


def _look(form: AskForm) -> Sufficiency:
    return sufficiency.look(
        target=targets.read(form.target()),
        horizon_days=form.cleaned_data["horizon_days"],
        population=definitions.read_population(form.population()),
        now=timezone.now(),
    )


def _make(request: HttpRequest, form: AskForm, start: Ready | None) -> Prediction:
    """A new row; under the ready question's own key as long as that is free and still asked."""
    target = form.target()
    same = start is not None and start.target.get("type") == target.get("type")
    free = start is not None and not Prediction.objects.filter(key=start.key).exists()
    wishes: dict[str, Any] = {**start.settings} if start is not None and same else {}
    return definitions.create(
        title=form.cleaned_data["title"],
        target=target,
        horizon_days=form.cleaned_data["horizon_days"],
        population=form.population(),
        settings=wishes | form.wishes(),
        key=start.key if start is not None and same and free else "",
        is_ready=bool(same and free),
        actor=request.user,  # type: ignore[arg-type]
        now=timezone.now(),
    )


def _blame(form: AskForm, refusal: Refused) -> None:
    """A refusal at the field it is about, where the page has that field."""
    name = (refusal.field or "").split(".")[-1] if isinstance(refusal, Invalid) else ""
    form.add_error(name if name in form.fields else None, forms.ValidationError(str(refusal)))


def _show(
    request: HttpRequest,
    form: AskForm,
    start: Ready | None,
    found: Sufficiency | None = None,
    status: int = 200,
) -> HttpResponse:
    kinds = form.kinds()
    return render(
        request,
        "models_ml/prediction_new.html",
        {
            "form": form,
            "start": start,
            "kinds": kinds,
            "parts": PART_OF,
            "found": found,
            "currency": brand.now().currency,
            "quick": (7, 14, 30, 60, 90, 180, 365),
        },
        status=status,
    )
