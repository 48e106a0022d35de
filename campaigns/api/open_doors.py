"""API views that a person's own browser asks, from the shop's site: by a token, from any origin."""

from collections.abc import Sequence
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView

from campaigns.channels import tokens
from ingestion.models import Customer

CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Cache-Control": "no-store",
}
PREFLIGHT = {
    **CORS,
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "86400",
}


class PersonToken(BaseAuthentication):
    """`Authorization: Bearer <token>`; `request.auth` is the person it names."""

    def authenticate(self, request: Request) -> tuple[None, Customer] | None:
        parts = get_authorization_header(request).split()
        if len(parts) != 2 or parts[0].lower() != b"bearer":
            return None
        try:
            found = tokens.person(token=parts[1].decode("ascii", "replace"), now=timezone.now())
        except tokens.NotKnown as refusal:
            raise AuthenticationFailed(str(refusal)) from None
        return None, found

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="person"'


class PersonTokenScheme(OpenApiAuthenticationExtension):
    target_class = PersonToken
    name = "personToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "signed by your server with the inbox channel's secret (HS256): sub is"
            " your number of the person, exp its end",
        }


class IsPerson(BasePermission):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.auth, Customer)


class PersonThrottle(SimpleRateThrottle):
    """So many requests a minute for each person, or for each address of an unknown one."""

    scope = "person"
    rate = "600/min"

    def get_rate(self) -> str:
        return self.rate

    def get_cache_key(self, request: Request, view: APIView) -> str:
        who = request.auth.pk if isinstance(request.auth, Customer) else self.get_ident(request)
        return f"throttle:person:{who}"


class OpenView(APIView):
    """A view for browsers on any site."""

    authentication_classes = (PersonToken,)
    permission_classes: Sequence[type[BasePermission]] = (IsPerson,)
    throttle_classes = (PersonThrottle,)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if request.method == "OPTIONS":
            return HttpResponse(status=204, headers=PREFLIGHT)
        return super().dispatch(request, *args, **kwargs)

    @property
    def person(self) -> Customer:
        """Whose token came with the request."""
        return cast(Customer, self.request.auth)

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        for name, value in CORS.items():
            response[name] = value
        return response
