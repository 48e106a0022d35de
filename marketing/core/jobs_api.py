"""Jobs for integrators: list, look, cancel, try again."""

from uuid import UUID

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from marketing.core import jobs
from marketing.core.api import View, accepted, job_body
from marketing.core.errors import Refused
from marketing.core.models import Job


class JobSchema(serializers.Serializer):
    """Documents `job_body`; answers are built without it."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    title = serializers.CharField()
    state = serializers.ChoiceField(choices=Job.State.choices)
    step = serializers.IntegerField()
    steps = serializers.IntegerField()
    step_label = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    unit = serializers.CharField()
    percent = serializers.IntegerField(allow_null=True)
    seconds_left = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    result = serializers.DictField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    url = serializers.CharField()


class JobStarted(serializers.Serializer):
    """Work that goes on after the answer."""

    job = JobSchema()


class JobList(View):
    scope_noun = "jobs"

    @extend_schema(
        operation_id="jobs_list",
        responses=JobSchema(many=True),
        parameters=[OpenApiParameter("state", str), OpenApiParameter("limit", int)],
    )
    def get(self, request: Request) -> Response:
        """Newest first; `?state=` narrows to one state."""
        rows = Job.objects.all()
        if state := request.query_params.get("state"):
            if state not in Job.State.values:
                raise Refused(
                    f"There is no state {state!r}.",
                    code="bad_state",
                    field="state",
                    remedy=", ".join(Job.State.values),
                )
            rows = rows.filter(state=state)
        return self.paginate(rows, job_body)


class JobDetail(View):
    scope_noun = "jobs"

    @extend_schema(operation_id="jobs_get", responses=JobSchema)
    def get(self, request: Request, public_id: UUID) -> Response:
        return Response(job_body(get_object_or_404(Job, public_id=public_id)))


class JobCancel(View):
    scope_noun = "jobs"

    @extend_schema(operation_id="jobs_cancel", request=None, responses={202: JobStarted})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Stop at the next safe point; what was stored stays."""
        job = get_object_or_404(Job, public_id=public_id)
        return accepted(jobs.cancel(job_id=job.id))


class JobRetry(View):
    scope_noun = "jobs"

    @extend_schema(operation_id="jobs_retry", request=None, responses={202: JobStarted})
    def post(self, request: Request, public_id: UUID) -> Response:
        """Queue a failed or stopped job again."""
        job = get_object_or_404(Job, public_id=public_id)
        return accepted(jobs.retry(job_id=job.id))
