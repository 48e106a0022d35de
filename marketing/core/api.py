"""The API's frame: one error shape, cursor paging, jobs for slow things, idempotency."""

import hashlib
import json
import logging
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from marketing.core import downloads, formats
from marketing.core.errors import Conflict, Invalid, Refused
from marketing.core.models import ApiKey, IdempotencyKey, Job

logger = logging.getLogger(__name__)


def error_body(
    code: str, message: str, *, field: str | None = None, remedy: str | None = None, items: Any = ()
) -> dict[str, Any]:
    """The one shape of every refusal."""
    return {
        "error": {
            "code": code,
            "message": str(message),
            "field": field,
            "remedy": remedy,
            "items": list(items),
        }
    }


def _items_of(detail: Any, path: str = "") -> list[dict[str, str]]:
    if isinstance(detail, dict):
        return [
            i for k, v in detail.items() for i in _items_of(v, f"{path}.{k}" if path else str(k))
        ]
    if isinstance(detail, list):
        if all(isinstance(item, str) for item in detail):
            return [{"field": path, "message": str(item)} for item in detail]
        return [i for n, v in enumerate(detail) for i in _items_of(v, f"{path}[{n}]")]
    return [{"field": path, "message": str(detail)}]


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn whatever a view raised into the one error shape; unknown faults stay faults (500)."""
    headers: dict[str, str] = {}
    status: int
    if isinstance(error, Refused):
        status = error.status
        body = error_body(
            error.code, error.message, field=error.field, remedy=error.remedy, items=error.items
        )
    elif isinstance(error, Http404):
        status, body = 404, error_body("not_found", _("There is nothing here."))
    elif isinstance(error, PermissionDenied):
        status, body = 403, error_body("forbidden", str(error) or _("You may not do this."))
    elif isinstance(error, ValidationError):
        status, body = 422, error_body("invalid", " ".join(error.messages))
    elif isinstance(error, exceptions.ValidationError):
        items = _items_of(error.detail)
        first = items[0] if items else {"field": "", "message": ""}
        status = 422
        body = error_body("invalid", first["message"], field=first["field"] or None, items=items)
    elif isinstance(error, exceptions.APIException):
        status = error.status_code
        code = error.default_code if status != 429 else "too_many_requests"
        body = error_body(str(code), str(error.detail))
        if header := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = header
        if wait := getattr(error, "wait", None):
            headers["Retry-After"] = str(max(1, round(wait)))
    elif isinstance(error, OperationalError):
        logger.warning("database unavailable: %s", error)
        status, headers = 503, {"Retry-After": "5"}
        body = error_body("unavailable", _("The database does not answer; nothing was changed."))
    elif isinstance(error, ValueError) and "NUL (0x00)" in str(error):
        # psycopg refuses it before the statement is sent; no text of ours may hold one.
        status, body = 422, error_body("nul_byte", _("This text holds a zero byte."))
    else:
        return None
    set_rollback()
    return Response(body, status=status, headers=headers)


def refusal(error: Exception) -> HttpResponse:
    """The same answer outside the framework's views, to what `answer_error` knows."""
    if isinstance(error, InterfaceError):
        error = OperationalError(str(error))
    if getattr(error, "status_code", 0) == 401:
        error.auth_header = 'Bearer realm="api"'  # type: ignore[attr-defined]
    found = answer_error(error, {})
    assert found is not None
    headers = {name: value for name, value in found.headers.items() if name != "Content-Type"}
    return HttpResponse(
        formats.dumps(found.data),
        content_type="application/json",
        status=found.status_code,
        headers=headers,
    )


class Cursor(CursorPagination):
    """Pages by the last row seen, so new rows never shift them. `?limit=` up to 1,000."""

    page_size = 100
    max_page_size = 1000
    page_size_query_param = "limit"
    ordering = "-id"

    def get_page_size(self, request: Request) -> int:
        raw = request.query_params.get(self.page_size_query_param)
        if raw is None:
            return self.page_size
        if not raw.isascii() or not raw.isdigit() or not 1 <= int(raw[:9]) <= self.max_page_size:
            raise Refused(
                _("limit must be a whole number from 1 to %(max)d.") % {"max": self.max_page_size},
                code="bad_limit",
                field="limit",
            )
        return int(raw)

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {"data": data, "next": self.get_next_link(), "previous": self.get_previous_link()}
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["data"],
            "properties": {"data": schema, "next": link, "previous": link},
        }


def job_body(job: Job) -> dict[str, Any]:
    """How a job looks to an integrator."""
    return {
        "id": str(job.public_id),
        "kind": job.kind,
        "title": job.title,
        "state": job.state,
        "step": job.step,
        "steps": job.steps,
        "step_label": job.doing,
        "done": job.done,
        "total": job.total,
        "unit": job.unit,
        "percent": job.percent,
        "seconds_left": job.seconds_left,
        "error": job.error or None,
        "result": job.result,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "url": reverse("api:job-detail", args=[job.public_id]),
    }


def accepted(job: Job) -> Response:
    """202 for work that goes on after the answer; its address is in the body and in Location."""
    body = job_body(job)
    return Response({"job": body}, status=202, headers={"Location": body["url"]})


class IdempotentMixin:
    """Views whose POST may carry `Idempotency-Key`: a repeat gets the first answer again.

    The same key with another body is refused with 409; a repeat while the first still runs, too.
    """

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self._claimed: IdempotencyKey | None = None
        return super().dispatch(request, *args, **kwargs)  # type: ignore[misc]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        key = request.headers.get("Idempotency-Key")
        if request.method != "POST" or not key:
            return
        if len(key) > 200:
            raise Invalid(_("An Idempotency-Key has at most 200 characters."), code="key_too_long")
        owner = (
            f"key:{request.auth.pk}"
            if isinstance(request.auth, ApiKey)
            else f"user:{request.user.pk}"
        )
        payload = json.dumps([request.path, request.data], sort_keys=True, default=str)
        digest = hashlib.sha256(payload.encode()).hexdigest()
        try:
            with transaction.atomic():
                self._claimed = IdempotencyKey.objects.create(owner=owner, key=key, digest=digest)
        except IntegrityError:
            first = IdempotencyKey.objects.get(owner=owner, key=key)
            if first.digest != digest:
                raise Conflict(
                    _("This Idempotency-Key was used for another request."),
                    code="key_reused",
                    remedy=_("Use a new key for a new request."),
                ) from None
            if first.status is None:
                raise Conflict(
                    _("The first request with this key has not been answered yet."),
                    code="still_running",
                    remedy=_("Ask again in a moment."),
                ) from None
            raise _Replay(first) from None

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, _Replay):
            return Response(
                exc.first.body, status=exc.first.status, headers={"Idempotency-Replayed": "true"}
            )
        return super().handle_exception(exc)  # type: ignore[misc]

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)  # type: ignore[misc]
        if self._claimed is not None:
            if response.status_code < 500:
                body = json.loads(formats.dumps(response.data))
                IdempotencyKey.objects.filter(pk=self._claimed.pk).update(
                    status=response.status_code, body=body
                )
            else:
                self._claimed.delete()  # a fault may be tried again under the same key
        return response


class _Replay(Exception):
    def __init__(self, first: IdempotencyKey) -> None:
        self.first = first


class View(IdempotentMixin, APIView):
    """Base of every API view: name the noun whose scope it needs."""

    scope_noun: str = ""
    lists_people = False  # what it gives counts as people that are taken out

    def paginate(self, queryset: Any, to_body: Any, ordering: str = "-id") -> Response:
        """One page of `queryset` as bodies."""
        pager = Cursor()
        pager.ordering = ordering
        rows: list[Any] | None = pager.paginate_queryset(queryset, self.request, view=self)
        if self.lists_people:
            downloads.meter(self.request, len(rows or []))
        return pager.get_paginated_response([to_body(row) for row in rows or []])
