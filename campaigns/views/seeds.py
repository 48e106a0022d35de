"""Seed mailboxes in the settings, the press that sends a mail to them, and where it landed."""

from typing import Any

from django import forms
from django.contrib import messages as notes
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns.content import saving, seeing
from campaigns.models import Campaign, SeedCopy, SeedMailbox, SeedTest, Template
from campaigns.recipients import audience
from campaigns.seeds import history, mailboxes, sending
from campaigns.sending import runs
from campaigns.views import content as editor
from campaigns.views.people import signed_in
from marketing.core.auth import may, page
from marketing.core.errors import Invalid, Refused
from marketing.core.forms import Styled, show_refusal, whole_number

SHOWN, FEW = 20, 5
# What a result of SPF, DKIM or DMARC means at a glance.
TONES = {"pass": "good", "fail": "bad", "softfail": "warn", "permerror": "bad", "temperror": "warn"}
PLACES = {"inbox": "good", "spam": "bad", "other": "warn"}
STATES = {"missing": "bad", "refused": "bad"}


class MailboxForm(Styled, forms.ModelForm):
    """One seed mailbox. The password goes in and is never shown."""

    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Kept sealed and never shown. Leave empty to keep the one before."),
    )

    class Meta:
        model = SeedMailbox
        fields = (
            "label", "address", "host", "port", "security", "username", "inbox", "spam", "enabled",
        )  # fmt: skip
        labels = {
            "label": gettext_lazy("Name"),
            "address": gettext_lazy("E-mail address"),
            "host": gettext_lazy("IMAP server"),
            "port": gettext_lazy("Port"),
            "security": gettext_lazy("Protection"),
            "username": gettext_lazy("User name"),
            "inbox": gettext_lazy("Folder of the inbox"),
            "spam": gettext_lazy("Folder for spam"),
            "enabled": gettext_lazy("Send it a copy"),
        }
        help_texts = {
            "host": gettext_lazy("Left empty, copies are sent and nobody looks for them."),
            "username": gettext_lazy("Left empty: the address."),
            "spam": gettext_lazy("Left empty, it is found out."),
        }
        widgets = {
            "label": forms.TextInput(attrs={"placeholder": "Gmail"}),
            "host": forms.TextInput(attrs={"placeholder": "imap.example.com"}),
        }


@page("view")
@require_http_methods(["GET", "POST"])
def seed_list(request: HttpRequest, mailbox_id: int | None = None) -> HttpResponse:
    """Everybody may look; whoever may change keys sets up a mailbox."""
    box = get_object_or_404(SeedMailbox, pk=mailbox_id) if mailbox_id else None
    form = MailboxForm(request.POST or None, instance=box)
    if request.method == "POST":
        if not may(request.user, "keys"):
            raise PermissionDenied(
                _("Your role may look at this but not change it. Ask an admin for more rights.")
            )
        if form.is_valid() and _saved(request, form):
            return redirect("campaigns:seed-list")
    return render(
        request,
        "campaigns/seeds/list.html",
        {
            "form": form,
            "box": box,
            "boxes": SeedMailbox.objects.all(),
            "tests": history.made()[:SHOWN],
        },
        status=422 if form.errors else 200,
    )


def _saved(request: HttpRequest, form: MailboxForm) -> bool:
    try:
        box = mailboxes.save(
            mailbox=form.save(commit=False),
            password=form.cleaned_data["password"],
            user=signed_in(request),
        )
    except Invalid as refusal:
        show_refusal(form, refusal)
        return False
    if trouble := mailboxes.check(mailbox=box, now=timezone.now()):
        said = _("Saved, but the mailbox does not open: %(why)s.") % {"why": trouble.rstrip(".")}
        notes.warning(request, said)
    elif box.host:
        notes.success(request, _("Saved. The mailbox opens."))
    else:
        notes.success(request, _("Saved. Copies are sent there; nobody looks for them."))
    return True


@page("keys")
@require_POST
def seed_remove(request: HttpRequest, mailbox_id: int) -> HttpResponse:
    """Send it no more copies."""
    try:
        mailboxes.remove(mailbox_id=mailbox_id, user=signed_in(request))
        notes.success(request, _("The mailbox gets no more copies. What was found in it stays."))
    except Refused as refusal:
        notes.error(request, refusal.message)
    return redirect("campaigns:seed-list")


@page("edit")
@require_http_methods(["GET", "POST"])
def campaign_seeds(request: HttpRequest, campaign_id: int) -> HttpResponse:
    """The panel beside the check; one press sends the mail."""
    found = Campaign.objects.select_related("segment", "template").prefetch_related("variants")
    campaign = get_object_or_404(found, pk=campaign_id)
    if request.method == "POST":
        try:
            test = sending.of_campaign(
                campaign_id=campaign_id,
                variant=request.POST.get("variant", ""),
                customer_id=whole_number(request.POST.get("person")),
                user=signed_in(request),
                now=timezone.now(),
            )
        except Refused as refusal:
            notes.error(request, str(refusal))
            return redirect("campaigns:campaign-check", campaign_id)
        return redirect("campaigns:seed-test", test.pk)
    mails = runs.mails(campaign, campaign.template) if campaign.template else []
    return render(
        request,
        "campaigns/seeds/_panel.html",
        {
            "campaign": campaign,
            "mailboxes": mailboxes.enabled().count(),
            "people": _people(campaign),
            "variants": [key for key, _mail in mails] if len(mails) > 1 else [],
            "tests": history.made(campaign_id=campaign_id)[:FEW],
        },
    )


def _people(campaign: Campaign) -> list[Any]:
    """A few of its people, to write the mail as."""
    rule = campaign.segment.rule if campaign.segment else None
    try:
        return audience.some(rule=rule, number=FEW) or seeing.people()
    except Refused:
        return seeing.people()


@page("edit")
@require_POST
def template_seeds(request: HttpRequest) -> HttpResponse:
    """Send what is in the editor, saved or not."""
    found: dict[str, Any] = {}
    try:
        stored = Template.objects.filter(pk=whole_number(request.POST.get("template")) or 0).first()
        found["test"] = sending.of_mail(
            said=_said(request, stored),
            customer_id=whole_number(request.POST.get("person")),
            user=signed_in(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        found["refusal"] = refusal
    return render(request, "campaigns/seeds/_sent.html", found)


def _said(request: HttpRequest, stored: Template | None) -> Template:
    """The mail as it stands in the form, in the other languages as they were saved."""
    values = editor.posted(request)
    name = values.pop("name")
    made = saving.mail(**editor.to_save(values))
    said = Template(
        pk=stored.pk if stored else None,
        name=name or (stored.name if stored else ""),
        version=stored.version if stored else 0,
        **{part: made[part] for part in ("subject", "html", "text")},
    )
    if stored is not None and not request.POST.get("language"):
        said.languages = stored.languages
    return said


def _results(test: SeedTest) -> dict[str, Any]:
    copies = list(test.copies.all())
    rows: list[dict[str, Any]] = [
        {
            "copy": copy,
            "tone": PLACES.get(copy.place) or STATES.get(copy.state, ""),
            "word": copy.get_place_display() if copy.place else copy.get_state_display(),
            "checks": [
                (name, value, TONES.get(value, "warn" if value else ""))
                for name, value in (("SPF", copy.spf), ("DKIM", copy.dkim), ("DMARC", copy.dmarc))
            ],
        }
        for copy in copies
    ]
    found = [copy for copy in copies if copy.state == SeedCopy.State.FOUND]
    return {
        "test": test,
        "rows": rows,
        "found": found,
        "inboxed": sum(copy.place == SeedCopy.Place.INBOX for copy in found),
        "failed": sorted(
            {
                name
                for row in rows
                for name, value, _tone in row["checks"]
                if value and value != "pass"
            }
        ),
        "live": any(copy.state in SeedCopy.OPEN for copy in copies),
    }


def _test(test_id: int) -> SeedTest:
    found = SeedTest.objects.select_related("campaign", "template", "customer", "asked_by")
    return get_object_or_404(found, pk=test_id)


@page("view")
@require_GET
def seed_test(request: HttpRequest, test_id: int) -> HttpResponse:
    """Where each copy landed, and the tests of the same mail before."""
    test = _test(test_id)
    if test.campaign_id:
        before = history.made(campaign_id=test.campaign_id)
    elif test.template_id:
        before = history.made(template_id=test.template_id)
    else:
        before = history.made().none()
    return render(
        request,
        "campaigns/seeds/test.html",
        {
            **_results(test),
            "mail": test.content.get("template", {}),
            "tests": before.exclude(pk=test.pk)[:SHOWN],
        },
    )


@page("view")
@require_GET
def seed_results(request: HttpRequest, test_id: int) -> HttpResponse:
    """The part of the page that moves; it asks again by itself while copies are awaited."""
    found = _results(_test(test_id))
    return render(request, "campaigns/seeds/_results.html", found)
