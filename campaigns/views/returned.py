"""The page of returned mail: which mailboxes are read, and what came back."""

from datetime import timedelta

from django import forms
from django.contrib import messages as notes
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from campaigns.answers import boxes, feedback
from campaigns.models import ReturnBox, Returned
from campaigns.views.people import signed_in
from marketing.core.auth import may, page
from marketing.core.errors import Invalid, Refused
from marketing.core.forms import Styled, show_refusal

SHOWN, DAYS = 50, 30


class BoxForm(Styled, forms.ModelForm):
    """One mailbox. The password goes in and is never shown."""

    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Kept sealed and never shown. Leave empty to keep the one before."),
    )

    class Meta:
        model = ReturnBox
        fields = ("name", "host", "port", "security", "username", "folder", "enabled")
        labels = {
            "name": gettext_lazy("Name"),
            "host": gettext_lazy("Server"),
            "port": gettext_lazy("Port"),
            "security": gettext_lazy("Protection"),
            "username": gettext_lazy("User name"),
            "folder": gettext_lazy("Folder"),
            "enabled": gettext_lazy("Read it every minute"),
        }
        widgets = {"host": forms.TextInput(attrs={"placeholder": "imap.example.com"})}


@page("view")
@require_http_methods(["GET", "POST"])
def returned_mail(request: HttpRequest, box_id: int | None = None) -> HttpResponse:
    """Everybody may look; whoever may change keys sets up a mailbox."""
    box = get_object_or_404(ReturnBox, pk=box_id) if box_id else None
    form = BoxForm(request.POST or None, instance=box)
    if request.method == "POST":
        if not may(request.user, "keys"):
            raise PermissionDenied(
                _("Your role may look at this but not change it. Ask an admin for more rights.")
            )
        if form.is_valid() and _saved(request, form):
            return redirect("campaigns:returned-mail")
    since = timezone.now() - timedelta(days=DAYS)
    news = Returned.objects.select_related("message").filter(at__gte=since)[:SHOWN]
    return render(
        request,
        "campaigns/returned/mail.html",
        {
            "form": form,
            "box": box,
            "boxes": ReturnBox.objects.all(),
            "news": news,
            "totals": [
                {"label": Returned.Kind(kind).label, "n": n}
                for kind, n in feedback.totals(since=since).items()
            ],
            "days": DAYS,
        },
        status=422 if form.errors else 200,
    )


def _saved(request: HttpRequest, form: BoxForm) -> bool:
    try:
        box = boxes.save(
            box=form.save(commit=False),
            password=form.cleaned_data["password"],
            user=signed_in(request),
        )
    except Invalid as refusal:
        show_refusal(form, refusal)
        return False
    if trouble := boxes.check(box=box):
        notes.warning(
            request,
            _("Saved, but the mailbox does not open: %(why)s. It is tried again every minute.")
            % {"why": trouble},
        )
    else:
        notes.success(request, _("Saved. The mailbox opens and is read every minute."))
    return True


@page("keys")
@require_POST
def box_remove(request: HttpRequest, box_id: int) -> HttpResponse:
    """Stop reading a mailbox."""
    try:
        boxes.remove(box_id=box_id, user=signed_in(request))
        notes.success(request, _("The mailbox is not read any more. What it brought stays."))
    except Refused as refusal:
        notes.error(request, refusal.message)
    return redirect("campaigns:returned-mail")
