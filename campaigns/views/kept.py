"""People that another page has found, kept as a list that a segment may ask about."""

import json
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from campaigns.segments import gathering
from marketing.core.auth import page
from marketing.core.errors import Refused
from models_ml.insights import stage_history
from models_ml.views import stages


@require_POST
@page("edit")
def list_of_stages(request: HttpRequest) -> HttpResponse:
    """Keep those who moved between two moments as a list, and begin a segment of it."""
    flow = stages.asked_flow(request.POST)
    if flow is None:
        messages.info(request, _("These moments are no longer kept. Choose from those below."))
        return redirect("models_ml:lifecycle")
    start, end, was, became = flow
    name = stages.name_of_flow(flow)
    try:
        made = gathering.gather(
            name=name,
            description=_("Kept from the flow between stages."),
            people=stage_history.people(
                start=start["place"], end=end["place"], first=was, last=became
            ),
            user=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("models_ml:lifecycle")
    rule = json.dumps({"all": [{"in_list": made.pk}]})
    return redirect(
        reverse("campaigns:segment-new") + "?" + urlencode({"rule": rule, "name": name})
    )
