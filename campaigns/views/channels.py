"""Settings: channels with their test, and the domains that mails come from."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from campaigns import ways
from campaigns.channels import domains, rotation, saving, trying
from campaigns.messaging import providers
from campaigns.messaging.providers import registry
from campaigns.messaging.providers.base import Answer, Verdict
from campaigns.models import Channel, Domain
from campaigns.views import channel_forms
from campaigns.views.journeys_words import MESSAGES
from campaigns.views.people import signed_in
from marketing.core import brand
from marketing.core.auth import may, page
from marketing.core.errors import Conflict, Refused

# kind → (icon, colour)
LOOKS = {key: (look.icon, look.hue) for key, look in MESSAGES.items()} | {
    "webhook": ("webhook", "k4")
}
STATES = {
    domains.GOOD: ("good", gettext_lazy("Good")),
    domains.MISSING: ("warn", gettext_lazy("Not published")),
    domains.WRONG: ("bad", gettext_lazy("Wrong")),
    domains.UNKNOWN: ("", gettext_lazy("Not known")),
}
VERDICTS = {
    Verdict.SENT: ("good", gettext_lazy("Sent: the provider took it.")),
    Verdict.RETRY: ("warn", gettext_lazy("Not taken now; it may be taken later.")),
    Verdict.FAILED: ("bad", gettext_lazy("Refused.")),
    Verdict.UNKNOWN: ("warn", gettext_lazy("Not known: no answer came after it was handed over.")),
}


def _health(channel: Channel) -> tuple[str, Any]:
    """(tone, word) of how a channel fares."""
    if not channel.enabled:
        return "", _("Off")
    if channel.failing_since:
        return "bad", _("Failing")
    if channel.last_ok_at:
        return "good", _("Works")
    return "", _("Not used yet")


def _row(channel: Channel) -> dict[str, Any]:
    icon, hue = LOOKS[channel.kind]
    tone, word = _health(channel)
    made = providers.everything().get(channel.provider)
    variants = dict(made.variants) if made else {}
    service = variants.get(channel.settings.get("variant", ""))
    return {
        "channel": channel,
        "icon": icon,
        "hue": hue,
        "tone": tone,
        "word": word,
        "provider": service or (made.label if made else channel.provider),
        "where": channel.from_address or channel.settings.get("url", ""),
    }


@page("view")
@require_GET
def channel_list(request: HttpRequest) -> HttpResponse:
    rows = [_row(channel) for channel in Channel.objects.all()]
    kinds = {row["channel"].kind for row in rows}
    return render(
        request,
        "campaigns/channels/list.html",
        {
            "rows": rows,
            "house": None if "email" in kinds else f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}",
        },
    )


@page("keys")
@require_GET
def channel_new(request: HttpRequest) -> HttpResponse:
    """The providers to choose from."""
    cards: list[dict[str, Any]] = []
    for name, made in providers.everything().items():
        icon, hue = LOOKS[made.kind]
        cards.append(
            {
                "name": name,
                "made": made,
                "icon": icon,
                "hue": hue,
                "kind": Channel.Kind(made.kind).label,
                "order": list(LOOKS).index(made.kind),
            }
        )
    cards.sort(key=lambda card: (card["order"], str(card["made"].label)))
    return render(request, "campaigns/channels/new.html", {"cards": cards})


@page("keys")
@require_http_methods(["GET", "POST"])
def channel_create(request: HttpRequest, provider: str) -> HttpResponse:
    """Settings of a new channel; a test may be sent before they are saved."""
    if provider not in providers.everything():
        raise Http404
    return _edit(request, provider, None)


@page("keys")
@require_http_methods(["GET", "POST"])
def channel_edit(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Other settings. Secrets are not shown; an empty field keeps one."""
    channel = get_object_or_404(Channel, pk=channel_id)
    return _edit(request, channel.provider, channel)


def _edit(request: HttpRequest, provider: str, channel: Channel | None) -> HttpResponse:
    made = providers.load(provider)
    form = channel_forms.ChannelForm.of(request, made, channel)
    status = 200
    fresh: dict[str, str] = {}
    context: dict[str, Any] = {"to": request.POST.get("to", "")}
    if request.method == "POST":
        is_test = request.POST.get("do") == "test"
        if is_test:
            form.fields["name"].required = False
        if form.is_valid():
            try:
                if is_test:
                    context |= _told(_try(request, provider, channel, form))
                else:
                    saved, fresh = saving.save(
                        provider=provider,
                        name=form.cleaned_data["name"],
                        given=form.given(),
                        sender=form.sender(),
                        channel=channel,
                        user=signed_in(request),
                        now=timezone.now(),
                    )
                    if not fresh:
                        messages.success(request, _("The channel is saved."))
                        return redirect("campaigns:channel-edit", saved.pk)
                    channel = saved
                    form = channel_forms.ChannelForm.of(_as_get(request), made, channel)
            except Refused as refusal:
                status = 422
                context["refused"] = refusal
                form.mark(refusal)
        else:
            status = 422
        if is_test and request.headers.get("HX-Request"):
            return render(request, "campaigns/channels/_test.html", {**context, "form": form})
    return render(
        request,
        "campaigns/channels/edit.html",
        {**context, **_about(made, provider, channel), "form": form, "fresh": fresh},
        status=status,
    )


def _as_get(request: HttpRequest) -> HttpRequest:
    """The same request, for a form that shows what was saved."""
    request.method = "GET"
    return request


def _try(
    request: HttpRequest,
    provider: str,
    channel: Channel | None,
    form: channel_forms.ChannelForm,
) -> Answer:
    """With the settings on the page, saved or not; those as saved count for the channel's state."""
    now, to = timezone.now(), request.POST.get("to", "")
    given = saving.trial(
        provider=provider, given=form.given(), sender=form.sender(), channel=channel
    )
    if channel is not None and not form.changed_data and channel.enabled:
        return trying.send(channel=channel, to=to, now=now)
    return trying.send_with(
        provider=provider, given=given, to=to, from_name=form.sender().from_name, now=now
    )


def _told(answer: Answer) -> dict[str, Any]:
    tone, word = VERDICTS[answer.verdict]
    return {"answer": answer, "answer_tone": tone, "answer_word": word}


def _about(made: Any, provider: str, channel: Channel | None) -> dict[str, Any]:
    icon, hue = LOOKS[made.kind]
    return {
        "channel": channel,
        "row": _row(channel) if channel else None,
        "made": made,
        "kind_name": Channel.Kind(made.kind).label,
        "asks": ways.asks(made.kind),
        "icon": icon,
        "hue": hue,
        "shown": _shown(made, channel) if channel else [],
        "has_own_secret": any(one.made for one in made.fields),
        "domain": _domain(channel),
    }


def _shown(made: Any, channel: Channel) -> list[tuple[Any, str]]:
    """What is to be entered at the provider."""
    own = [one for one in made.fields if one.made and not one.secret]
    return [
        (_("Address to which the provider reports"), registry.hook_url(channel)),
        *((one.label, channel.settings.get(one.name, "")) for one in own),
    ]


def _domain(channel: Channel | None) -> Domain | None:
    if channel is None or channel.kind != "email" or not channel.from_address:
        return None
    name = domains.host_of(channel.from_address)
    return Domain.objects.filter(name=name).first() or Domain(name=name)


@page("keys")
@require_POST
def channel_act(request: HttpRequest, channel_id: int) -> HttpResponse:
    """Make it the default, turn it off or on, remove it, or make its secret anew."""
    user, now = signed_in(request), timezone.now()
    try:
        match request.POST.get("do"):
            case "default":
                saving.make_default(channel_id=channel_id, user=user)
                messages.success(request, _("Messages that name no channel go by this one now."))
            case "off":
                saving.switch(channel_id=channel_id, on=False, user=user)
                messages.success(request, _("The channel is off. Its messages wait."))
            case "on":
                saving.switch(channel_id=channel_id, on=True, user=user)
                messages.success(request, _("The channel is on."))
            case "remove":
                saving.remove(channel_id=channel_id, user=user)
                messages.success(request, _("The channel is removed."))
                return redirect("campaigns:channel-list")
            case "renew":
                fresh = saving.renew(channel_id=channel_id, user=user, now=now)
                channel = get_object_or_404(Channel, pk=channel_id)
                made = providers.load(channel.provider)
                form = channel_forms.ChannelForm.of(_as_get(request), made, channel)
                return render(
                    request,
                    "campaigns/channels/edit.html",
                    {**_about(made, channel.provider, channel), "form": form, "fresh": fresh},
                )
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("campaigns:channel-edit", channel_id)


def _domain_row(domain: Domain) -> dict[str, Any]:
    tone, word = STATES[domains.state_of(domain)]
    return {"domain": domain, "tone": tone, "word": word}


@page("view")
@require_http_methods(["GET", "POST"])
def domain_list(request: HttpRequest) -> HttpResponse:
    """Domains with their state, and a form for one more."""
    refused: Refused | None = None
    if request.method == "POST" and may(request.user, "keys"):
        now = timezone.now()
        try:
            domain = domains.add(
                name=request.POST.get("name", ""), user=signed_in(request), now=now
            )
            domains.check(domain_id=domain.pk, now=now)
        except Refused as refusal:
            refused = refusal
        else:
            messages.success(request, _("Publish these records, then check again."))
            return redirect("campaigns:domain-detail", domain.pk)
    rows = [_domain_row(domain) for domain in Domain.objects.all()]
    # The first one that is needed is that of the address which mails come from.
    likely = "" if rows else brand.now().sender_email.partition("@")[2]
    return render(
        request,
        "campaigns/channels/domains.html",
        {
            "rows": rows,
            "refused": refused,
            "name": request.POST.get("name", likely),
        },
        status=422 if refused else 200,
    )


@page("view")
@require_GET
def domain_detail(request: HttpRequest, domain_id: int) -> HttpResponse:
    """The records of a domain, to copy, each with what was found."""
    domain = get_object_or_404(Domain, pk=domain_id)
    records = [
        {"record": record, "tone": tone, "word": word}
        for record in domains.records(domain)
        for tone, word in [STATES[record.state or domains.UNKNOWN]]
    ]
    return render(
        request,
        "campaigns/channels/domain.html",
        {
            "row": _domain_row(domain),
            "domain": domain,
            "records": records,
            "begun": rotation.is_begun(domain),
            "ready": rotation.is_ready(domain),
            "retired": [
                {"host": host, "until": until, "over": until < timezone.localdate()}
                for host, until in rotation.retired(domain)
            ],
        },
    )


@page("keys")
@require_POST
def domain_act(request: HttpRequest, domain_id: int) -> HttpResponse:
    """Ask the DNS again, change the keys that sign, or forget the domain."""
    user, now, done = signed_in(request), timezone.now(), _("The DNS was asked again.")
    try:
        match request.POST.get("do"):
            case "remove":
                domains.remove(domain_id=domain_id, user=user)
                messages.success(request, _("The domain and its keys are removed."))
                return redirect("campaigns:domain-list")
            case "renew":
                rotation.begin(domain_id=domain_id, user=user, now=now)
                done = _(
                    "New keys are made. Publish their records; nothing changes before you switch."
                )
            case "drop":
                rotation.drop(domain_id=domain_id, user=user)
                done = _("The new keys are dropped. The old ones go on.")
            case "switch":
                domains.check(domain_id=domain_id, now=now)
                rotation.switch(domain_id=domain_id, user=user, now=now)
                done = _("Mails are signed with the new keys from now on.")
        domains.check(domain_id=domain_id, now=now)
    except Refused as refusal:
        messages.error(request, str(refusal))
        if isinstance(refusal, Conflict):
            return redirect("campaigns:domain-detail", domain_id)
        return redirect("campaigns:domain-list")
    messages.success(request, done)
    return redirect("campaigns:domain-detail", domain_id)
