"""An address that a shop delivers to: secret, recent deliveries, test, mapping with a preview."""

import json
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST

from ingestion import schemas
from ingestion.imports.wording import field as field_name
from ingestion.models import ImportJob, WebhookEndpoint, WebhookReceipt
from ingestion.preprocess import paths
from ingestion.webhooks import endpoints, samples, trying
from marketing.core.auth import may, page, person
from marketing.core.errors import Refused

SHOWN = 20
PREVIEWED = 5
Scheme = WebhookEndpoint.Scheme
# scheme → (icon, what it is for, topics to choose at the sender)
SENDERS: dict[str, tuple[str, Any, tuple[str, ...]]] = {
    Scheme.STANDARD: (
        "webhook",
        gettext_lazy("Any system that signs JSON as Standard Webhooks say. You choose the fields."),
        (),
    ),
    Scheme.SHOPIFY: (
        "shopping-bag",
        gettext_lazy("Orders, refunds, customers and products, as Shopify sends them."),
        (
            "orders/create", "orders/updated", "orders/cancelled", "orders/delete",
            "refunds/create", "customers/create", "customers/update", "customers/delete",
            "products/create", "products/update", "products/delete",
        ),
    ),
    Scheme.WOOCOMMERCE: (
        "building-store",
        gettext_lazy("Orders, customers and products, as WooCommerce sends them."),
        (
            "order.created", "order.updated", "order.deleted", "customer.created",
            "customer.updated", "customer.deleted", "product.created", "product.updated",
            "product.deleted",
        ),
    ),
}  # fmt: skip


def _endpoint(source_id: int) -> WebhookEndpoint:
    return get_object_or_404(WebhookEndpoint.objects.select_related("source"), source_id=source_id)


def _secret_key(endpoint: WebhookEndpoint) -> str:
    return f"webhook-secret-{endpoint.pk}"


@page("data")
def webhook_new(request: HttpRequest, scheme: str) -> HttpResponse:
    """Name a new address; its secret is shown once afterwards."""
    if scheme not in Scheme.values:
        raise Http404
    refused: Refused | None = None
    if request.method == "POST":
        try:
            endpoint, secret = endpoints.create(
                name=request.POST.get("name", ""),
                scheme=scheme,
                kind=request.POST.get("kind", "events"),
                secret=request.POST.get("secret", ""),
                user=person(request),
                now=timezone.now(),
            )
        except Refused as refusal:
            refused = refusal
        else:
            request.session[_secret_key(endpoint)] = secret
            return redirect("ingestion:webhook", endpoint.source_id)
    icon, text, _topics = SENDERS[scheme]
    context = {
        "scheme": scheme,
        "label": Scheme(scheme).label,
        "icon": icon,
        "text": text,
        "refused": refused,
        "kinds": [(kind, ImportJob.Kind(kind).label) for kind in schemas.KINDS],
        "given": request.POST,
    }
    return render(request, "ingestion/webhook/new.html", context, status=422 if refused else 200)


@page("view")
def webhook_detail(request: HttpRequest, source_id: int) -> HttpResponse:
    """One address with everything about it."""
    endpoint = _endpoint(source_id)
    secret = ""
    if may(request.user, "data"):
        secret = request.session.pop(_secret_key(endpoint), "")
    return render(request, "ingestion/webhook/detail.html", _context(request, endpoint) | {
        "secret": secret,
        **_mapping(endpoint, endpoint.kind, endpoint.mapping),
    })  # fmt: skip


def _context(request: HttpRequest, endpoint: WebhookEndpoint) -> dict[str, Any]:
    icon, text, topics = SENDERS[endpoint.scheme]
    state = request.GET.get("state", "")
    receipts = WebhookReceipt.objects.filter(endpoint=endpoint).defer("body")
    if state in WebhookReceipt.State.values:
        receipts = receipts.filter(state=state)
    rows = list(receipts.order_by("-id")[:SHOWN])
    address = reverse("doors:webhook", args=[endpoint.token])
    return {
        "endpoint": endpoint,
        "source": endpoint.source,
        "address": request.build_absolute_uri(address),
        "ending": endpoints.ending(endpoint) if may(request.user, "data") else "",
        "icon": icon,
        "text": text,
        "topics": topics,
        "rows": rows,
        "state": state,
        "states": [(value, label) for value, label in WebhookReceipt.State.choices],
        "waiting": any(row.state == WebhookReceipt.State.WAITING for row in rows),
        "generic": endpoint.scheme == Scheme.STANDARD,
        "earlier": endpoint.earlier_until and endpoint.earlier_until > timezone.now(),
    }


def _mapping(
    endpoint: WebhookEndpoint, kind: str, mapping: dict[str, Any], *, guess: bool = False
) -> dict[str, Any]:
    """The mapping as a form, and what it makes of the last delivery."""
    if endpoint.scheme != Scheme.STANDARD:
        return {}
    last = (
        WebhookReceipt.objects.filter(endpoint=endpoint)
        .exclude(topic=samples.TEST_TOPIC)
        .order_by("-id")
        .first()
    )
    raw = bytes(last.body) if last else samples.body_of(Scheme.STANDARD)
    fault, rows, body = "", [], None
    try:
        body = paths.parse_body(raw)
        if guess or not mapping.get("fields"):
            names = {
                f.name: tuple({schemas.fold(a) for a in (f.name, *f.aliases)})
                for f in schemas.KINDS[kind]
            }
            mapping = paths.suggest(body, names)
        rows = paths.rows_of(paths.parse_mapping(mapping), body)
    except paths.Faulty as faulty:
        fault = trying.words(trying.Unclear(faulty.path, faulty.code))[1]
    fields = dict(mapping.get("fields", {}))
    return {
        "kind": kind,
        "kinds": [(name, ImportJob.Kind(name).label) for name in schemas.KINDS],
        "list_path": mapping.get("list", ""),
        "fields": [
            {
                "name": f.name,
                "label": field_name(f.name),
                "path": fields.get(f.name, ""),
                "needed": f.required and not (kind == "events" and f.name == "at"),
                "value": rows[0].get(f.name, "") if rows else "",
            }
            for f in schemas.KINDS[kind]
        ],
        "last": last,
        "payload": _pretty(raw),
        "fault": fault,
        "head": [field_name(name) for name in fields],
        "preview": [list(row.values()) for row in rows[:PREVIEWED]],
        "row_count": len(rows),
    }


def _pretty(raw: bytes) -> str:
    """A delivery as people read it; what is no JSON as it came."""
    try:
        text = json.dumps(json.loads(raw), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = raw.decode("utf-8", "replace")
    return text[:6_000]


@page("view")
def webhook_live(request: HttpRequest, source_id: int) -> HttpResponse:
    """Recent deliveries, newest first."""
    return render(
        request, "ingestion/webhook/_receipts.html", _context(request, _endpoint(source_id))
    )


@require_POST
@page("data")
def webhook_test(request: HttpRequest, source_id: int) -> HttpResponse:
    """Send a signed test through the door."""
    try:
        trying.send_test(endpoint=_endpoint(source_id), now=timezone.now())
        messages.success(request, _("The test was taken. Below you see what became of it."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("ingestion:webhook", source_id)


@require_POST
@page("data")
def webhook_switch(request: HttpRequest, source_id: int) -> HttpResponse:
    """Switch the address on or off."""
    endpoint = _endpoint(source_id)
    endpoints.switch(endpoint=endpoint, enabled=not endpoint.source.enabled, user=person(request))
    return redirect("ingestion:webhook", source_id)


@require_POST
@page("data")
def webhook_rotate(request: HttpRequest, source_id: int) -> HttpResponse:
    """Give the address a new secret, shown once."""
    endpoint = _endpoint(source_id)
    try:
        secret = endpoints.rotate(
            endpoint=endpoint,
            secret=request.POST.get("secret", ""),
            user=person(request),
            now=timezone.now(),
        )
    except Refused as refusal:
        messages.error(request, str(refusal))
    else:
        request.session[_secret_key(endpoint)] = secret
    return redirect("ingestion:webhook", source_id)


@require_POST
@page("data")
def webhook_map(request: HttpRequest, source_id: int) -> HttpResponse:
    """Try a mapping on the last delivery, or save it."""
    endpoint = _endpoint(source_id)
    kind = request.POST.get("kind", "")
    if kind not in schemas.KINDS or endpoint.scheme != Scheme.STANDARD:
        raise Http404
    fields = {
        f.name: text
        for f in schemas.KINDS[kind]
        if (text := request.POST.get(f"field-{f.name}", "").strip()[: paths.LONGEST + 1])
    }
    mapping = {"list": request.POST.get("list", "").strip()[: paths.LONGEST + 1], "fields": fields}
    if request.POST.get("do") != "save":
        context = _mapping(endpoint, kind, mapping, guess=kind != request.POST.get("was"))
        return render(
            request, "ingestion/webhook/_mapping.html", _context(request, endpoint) | context
        )
    try:
        endpoints.choose(endpoint=endpoint, kind=kind, mapping=mapping, user=person(request))
    except Refused as refusal:
        context = _mapping(endpoint, kind, mapping) | {"refused": refusal}
        return render(
            request,
            "ingestion/webhook/detail.html",
            _context(request, endpoint) | context,
            status=422,
        )
    messages.success(request, _("The mapping is saved. New deliveries use it."))
    return redirect("ingestion:webhook", source_id)


@require_POST
@page("data")
def webhook_again(request: HttpRequest, source_id: int, receipt_id: int) -> HttpResponse:
    """Try a quarantined delivery once more."""
    receipt = get_object_or_404(WebhookReceipt, pk=receipt_id, endpoint__source_id=source_id)
    try:
        trying.again(receipt=receipt, user=person(request))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("ingestion:webhook", source_id)
