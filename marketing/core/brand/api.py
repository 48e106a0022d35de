"""The brand for integrators: read it, change what is named."""

import base64
import binascii
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketing.core import brand
from marketing.core.api import View
from marketing.core.brand import values as allowed
from marketing.core.errors import Invalid


class BrandSchema(serializers.Serializer):
    """What is in force: what was saved, over the environment."""

    name = serializers.CharField()
    site_url = serializers.CharField()
    postal_address = serializers.CharField(help_text="Lines are parted by line feeds.")
    sender_name = serializers.CharField()
    sender_email = serializers.CharField()
    color = serializers.CharField(help_text="#rrggbb, of buttons and links in mails.")
    currency = serializers.CharField(help_text="ISO 4217; amounts are never converted.")
    timezone = serializers.CharField(help_text="A name of the IANA database.")
    language = serializers.ChoiceField(choices=[code for code, _label in settings.LANGUAGES])
    cancel_prefix = serializers.CharField(
        help_text="What numbers of cancelled orders begin with; empty where none do."
    )
    logo_url = serializers.CharField(help_text="Empty without a logo.")
    saved_at = serializers.DateTimeField(
        allow_null=True, help_text="Null while the environment alone speaks."
    )


class BrandChange(serializers.Serializer):
    """What is left out stays; an empty text gives the word back to the environment."""

    name = serializers.CharField(required=False, max_length=100)
    site_url = serializers.CharField(required=False, allow_blank=True, max_length=500)
    postal_address = serializers.CharField(required=False, allow_blank=True, max_length=300)
    sender_name = serializers.CharField(required=False, allow_blank=True, max_length=100)
    sender_email = serializers.CharField(required=False, allow_blank=True, max_length=254)
    color = serializers.CharField(required=False, allow_blank=True, max_length=7)
    currency = serializers.CharField(required=False, min_length=3, max_length=3)
    timezone = serializers.CharField(required=False, max_length=64)
    language = serializers.ChoiceField(
        required=False, choices=[code for code, _label in settings.LANGUAGES]
    )
    cancel_prefix = serializers.CharField(required=False, allow_blank=True, max_length=8)
    logo = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=allowed.LOGO_BYTES * 4 // 3 + 4,
        help_text="A PNG, JPEG or GIF in base64, up to 300 kB; null takes the logo away.",
    )


class BrandDetail(View):
    scope_noun = "brand"

    @extend_schema(operation_id="brand_get", responses=BrandSchema)
    def get(self, request: Request) -> Response:
        """What the business is called and looks like."""
        return Response(_body())

    @extend_schema(operation_id="brand_change", request=BrandChange, responses=BrandSchema)
    def patch(self, request: Request) -> Response:
        """Change what is named. Workers hear of it within seconds; what was sent stays."""
        given = BrandChange(data=request.data)
        given.is_valid(raise_exception=True)
        values = dict(given.validated_data)
        if not isinstance(request.data, dict) or not values:
            raise Invalid(_("Name at least one setting."), code="nothing_named")
        logo = values.pop("logo", "")
        brand.save(
            values=values,
            logo=_decoded(logo) if logo else None,
            without_logo=logo is None,
            actor=request.auth or request.user,  # type: ignore[arg-type]
            at=timezone.now(),
        )
        return Response(_body())


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(_("The logo is not base64."), code="logo_unreadable", field="logo") from None


def _body() -> dict[str, Any]:
    found = brand.now()
    return {
        **{name: getattr(found, name) for name in brand.FIELDS},
        "logo_url": found.logo_url,
        "saved_at": found.saved_at,
    }
