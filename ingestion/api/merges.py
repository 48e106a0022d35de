"""Merges by programs: two people made one, the list of merges, and the way back."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion.identity import suggestions, wording
from ingestion.models import Identity, Merge
from marketing.core.api import View
from marketing.core.errors import Invalid, NotFound


class MergeIn(serializers.Serializer):
    """The person who joins, by external id."""

    external_id = serializers.CharField(max_length=100)


class MergeOut(serializers.Serializer):
    """One merge."""

    id = serializers.IntegerField()
    kept = serializers.IntegerField(help_text="Our id of whoever stays")
    gone = serializers.IntegerField(help_text="Our id of whoever joined them")
    kind = serializers.CharField()
    because = serializers.CharField()
    moved = serializers.DictField()
    at = serializers.DateTimeField()
    undone_at = serializers.DateTimeField(allow_null=True)


def body_of(row: Merge) -> dict[str, Any]:
    return {
        "id": row.pk,
        "kept": row.kept_id,
        "gone": row.gone_id,
        "kind": row.kind,
        "because": wording.because(row),
        "moved": row.moved,
        "at": row.at,
        "undone_at": row.undone_at,
    }


def _customer(external_id: str) -> int:
    """Our id of whoever goes by this external id today."""
    found = Identity.objects.filter(kind="external", value=external_id, customer__isnull=False)
    customer = found.values_list("customer_id", flat=True).first()
    if customer is None:
        raise NotFound(
            _("Nobody has the external id %(value)s.") % {"value": external_id},
            code="customer_unknown",
        )
    return int(customer)


class CustomerMerge(View):
    scope_noun = "customers"

    @extend_schema(operation_id="customers_merge", request=MergeIn, responses={201: MergeOut})
    def post(self, request: Request, external_id: str) -> Response:
        """Make another person one with this one, who stays. It can be undone."""
        other = request.data.get("external_id") if isinstance(request.data, dict) else None
        if not isinstance(other, str) or not other:
            raise Invalid(
                _("Give the external_id of the person who joins."),
                code="missing",
                field="external_id",
            )
        kept, gone = _customer(external_id), _customer(other[:100])
        actor: Any = request.auth or request.user
        suggestions.merge(kept=kept, gone=gone, actor=actor, now=timezone.now())
        return Response(body_of(Merge.objects.latest("id")), status=201)


class MergeList(View):
    scope_noun = "customers"

    @extend_schema(operation_id="merges_list", responses=MergeOut(many=True))
    def get(self, request: Request) -> Response:
        """Newest first, those undone among them."""
        return self.paginate(Merge.objects.all(), body_of)


class MergeUndo(View):
    scope_noun = "customers"

    @extend_schema(operation_id="merges_undo", request=None, responses=MergeOut)
    def post(self, request: Request, merge_id: int) -> Response:
        """Part two merged people again, each with what is theirs."""
        actor: Any = request.auth or request.user
        suggestions.undo(merge_id=merge_id, actor=actor, now=timezone.now())
        return Response(body_of(Merge.objects.get(pk=merge_id)))
