"""Requests of people about their data, their copies, and suppressed addresses, for integrators."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import consent
from ingestion.api import batches
from ingestion.models import Customer, PersonalExport, PrivacyRequest, Suppression
from ingestion.privacy import exports, requests, suppressions
from ingestion.privacy.suppressions import Entry
from ingestion.views.public import zip_answer
from marketing.core import audit
from marketing.core.api import View
from marketing.core.errors import Invalid, NotFound


class PrivacyRequestIn(serializers.Serializer):
    external_id = serializers.CharField(max_length=100, required=False)
    email = serializers.CharField(max_length=254, required=False)
    kind = serializers.ChoiceField(choices=PrivacyRequest.Kind.choices)
    note = serializers.CharField(max_length=requests.NOTE_LIMIT, required=False)


class PrivacyRequestOut(serializers.Serializer):
    id = serializers.UUIDField()
    kind = serializers.ChoiceField(choices=PrivacyRequest.Kind.choices)
    state = serializers.ChoiceField(choices=PrivacyRequest.State.choices)
    customer = serializers.CharField(allow_null=True)
    received_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.CharField()
    copies = serializers.ListField(child=serializers.UUIDField())
    receipts = serializers.ListField(child=serializers.UUIDField())


class FulfilIn(serializers.Serializer):
    outcome = serializers.CharField(required=False)
    keep_orders = serializers.BooleanField(default=False)


class CopyOut(serializers.Serializer):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=["making", "ready", "fetched", "expired"])
    bytes = serializers.IntegerField()
    sha256 = serializers.CharField()
    expires_at = serializers.DateTimeField()


class SuppressionIn(serializers.Serializer):
    address = serializers.CharField(
        max_length=254,
        help_text="an address; a domain, *.example.com for it and all under it; or the SHA-256 of"
        " an address in hex",
    )
    channel = serializers.CharField(
        default="email", help_text="one of " + ", ".join(suppressions.CHANNELS)
    )
    reason = serializers.ChoiceField(choices=suppressions.GIVEN, default="manual")
    note = serializers.CharField(max_length=300, required=False, help_text="how we know")


class SuppressionsAdded(serializers.Serializer):
    received = serializers.IntegerField()
    new = serializers.IntegerField(help_text="how many of them were not known yet")


class SuppressionOut(SuppressionIn):
    kind = serializers.ChoiceField(choices=Suppression.Kind.choices)
    customer_id = serializers.IntegerField(allow_null=True)
    reason = serializers.ChoiceField(choices=consent.REASONS)
    source = serializers.CharField()  # type: ignore[assignment]
    at = serializers.DateTimeField()


def request_body(row: PrivacyRequest) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "kind": row.kind,
        "state": row.state,
        "customer": row.customer and (row.customer.external_id or row.customer.email),
        "received_at": row.received_at,
        "due_at": row.due_at,
        "closed_at": row.closed_at,
        "outcome": row.outcome,
        "copies": [copy.public_id for copy in row.exports.all()],
        "receipts": [receipt.public_id for receipt in row.erasures.all()],
    }


def _rows() -> Any:
    return PrivacyRequest.objects.select_related("customer").prefetch_related("exports", "erasures")


def _object(body: Any, fields: set[str]) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Invalid(_("Send a JSON object."), code="not_an_object")
    if unknown := sorted(set(body) - fields):
        raise Invalid(
            _("There is no field of this name."), code="unknown_field", field=unknown[0][:60]
        )
    return body


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or "\0" in value:
        raise Invalid(_("This must be a text."), code="not_a_text", field=name)
    return value.strip()


class PrivacyRequestList(View):
    scope_noun = "privacy"

    @extend_schema(
        operation_id="privacy_requests_list",
        responses=PrivacyRequestOut(many=True),
        parameters=[OpenApiParameter("state", str), OpenApiParameter("limit", int)],
    )
    def get(self, request: Request) -> Response:
        """Newest first; `state` is open, done or declined."""
        rows = _rows()
        if state := request.query_params.get("state"):
            rows = rows.filter(state=state[:10])
        return self.paginate(rows, request_body)

    @extend_schema(
        operation_id="privacy_requests_file",
        request=PrivacyRequestIn,
        responses={201: PrivacyRequestOut},
    )
    def post(self, request: Request) -> Response:
        """Put what a person asked for into the queue; asking twice is one request."""
        body = _object(request.data, {"external_id", "email", "kind", "note"})
        external_id, email = _text(body, "external_id"), _text(body, "email")
        people = Customer.objects.all()
        if external_id:
            people = people.filter(external_id=external_id)
        elif email:
            people = people.filter(email=consent.normalise(email))
        else:
            raise Invalid(
                _("Say who asks: external_id or email."), code="no_person", field="external_id"
            )
        person = people.first()
        if person is None:
            raise NotFound(_("There is no such person."), code="customer_unknown")
        actor: Any = request.auth or request.user
        row = requests.file(
            customer_id=person.pk,
            kind=_text(body, "kind"),
            came_by="API",
            note=_text(body, "note"),
            actor=actor,
            now=timezone.now(),
        )
        return Response(request_body(_rows().get(pk=row.pk)), status=201)


class PrivacyRequestDetail(View):
    scope_noun = "privacy"

    @extend_schema(operation_id="privacy_requests_get", responses=PrivacyRequestOut)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(request_body(get_object_or_404(_rows(), public_id=public_id)))


class PrivacyRequestFulfil(View):
    scope_noun = "privacy"

    @extend_schema(
        operation_id="privacy_requests_fulfil", request=FulfilIn, responses=PrivacyRequestOut
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """Do what was asked: make the copy, erase, stop profiling, or note what was corrected."""
        body = _object(request.data, {"outcome", "keep_orders"})
        keep = body.get("keep_orders", False)
        if not isinstance(keep, bool):
            raise Invalid(
                _("This must be true or false."), code="not_yes_or_no", field="keep_orders"
            )
        row = get_object_or_404(PrivacyRequest, public_id=public_id)
        actor: Any = request.auth or request.user
        requests.fulfil(
            request_id=row.pk,
            keep_orders=keep,
            outcome=_text(body, "outcome"),
            actor=actor,
            now=timezone.now(),
        )
        return Response(request_body(_rows().get(pk=row.pk)))


class CopyDetail(View):
    scope_noun = "privacy"

    @extend_schema(operation_id="privacy_copies_get", responses=CopyOut)
    def get(self, request: Request, public_id: UUID) -> Response:
        """How far a copy is."""
        row = get_object_or_404(PersonalExport, public_id=public_id)
        now = timezone.now()
        if row.fetched_at:
            state = "fetched"
        elif row.expires_at <= now:
            state = "expired"
        else:
            state = "ready" if row.ready_at else "making"
        return Response(
            {
                "id": row.public_id,
                "state": state,
                "bytes": row.bytes,
                "sha256": row.sha256,
                "expires_at": row.expires_at,
            }
        )


class CopyFile(View):
    scope_noun = "privacy"

    @extend_schema(
        operation_id="privacy_copies_fetch",
        request=None,
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
    )
    def post(self, request: Request, public_id: UUID) -> HttpResponse:
        """The ZIP, once: afterwards it is gone."""
        row = get_object_or_404(PersonalExport, public_id=public_id)
        actor: Any = request.auth or request.user
        return zip_answer(exports.fetch(export=row, actor=actor, now=timezone.now()))


class SuppressionList(View):
    scope_noun = "consents"
    lists_people = True

    @extend_schema(
        operation_id="suppressions_list",
        responses=SuppressionOut(many=True),
        parameters=[OpenApiParameter("address", str), OpenApiParameter("limit", int)],
    )
    def get(self, request: Request) -> Response:
        """Newest first. Addresses of erased people are hashes, and are not listed."""
        rows = Suppression.objects.all()
        if address := request.query_params.get("address"):
            rows = rows.filter(address=consent.normalise(address.replace("\0", "")))
        return self.paginate(
            rows,
            lambda row: {
                "address": row.address,
                "kind": row.kind,
                "customer_id": row.customer_id,
                "channel": row.channel,
                "reason": row.reason,
                "source": row.source,
                "note": row.note,
                "at": row.at,
            },
        )

    @extend_schema(
        operation_id="suppressions_add",
        request=SuppressionIn(many=True),
        responses=SuppressionsAdded,
    )
    def post(self, request: Request) -> Response:
        """Never send to these again: one, or up to 1,000."""
        items, _many = batches.items_of(request.data)
        wanted: dict[tuple[str, str, str], list[Entry]] = {}
        for item in items:
            body = _object(item, {"address", "channel", "reason", "note"})
            channel = body.get("channel", "email")
            entry = suppressions.entry_of(_text(body, "address"), channel=str(channel))
            if channel not in suppressions.CHANNELS or entry is None:
                raise Invalid(
                    _("Give an address and its channel. Nothing was stored."),
                    code="bad_address",
                    field="address",
                )
            said = (channel, str(body.get("reason", "manual")), str(body.get("note", "")))
            wanted.setdefault(said, []).append(entry)
        actor: Any = request.auth or request.user
        now = timezone.now()
        with transaction.atomic():
            new = sum(
                suppressions.add(
                    entries=entries,
                    channel=channel,
                    reason=reason,
                    source=batches.SOURCE,
                    note=note,
                    actor=actor,
                    now=now,
                )
                for (channel, reason, note), entries in wanted.items()
            )
        return Response({"received": len(items), "new": new})

    @extend_schema(
        operation_id="suppressions_lift",
        request=None,
        responses={204: None},
        parameters=[
            OpenApiParameter("address", str, required=True),
            OpenApiParameter("channel", str),
        ],
    )
    def delete(self, request: Request) -> Response:
        """Take an address off the list, also one of somebody erased."""
        address = request.query_params.get("address", "").replace("\0", "")
        channel = request.query_params.get("channel", "email")
        if not consent.lift(address=address, channel=channel):
            raise NotFound(_("This address is not on the list."), code="not_suppressed")
        actor: Any = request.auth or request.user
        audit.record(
            actor=actor,
            action="suppression.lifted",
            detail={"channel": channel, "hash": consent.digest_of(address).hex()[:16]},
        )
        return Response(status=204)
