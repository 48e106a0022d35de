"""Predictions for integrators: ask for them, train them, and read what they say of people."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ingestion import queries as facts
from ingestion.models import Consent, Customer
from marketing.core.api import View, accepted
from marketing.core.errors import Invalid
from marketing.core.jobs_api import JobStarted
from marketing.core.models import ApiKey, User
from models_ml.api.versions import ModelShape, model_body
from models_ml.models import ModelVersion, Prediction, Score
from models_ml.predictions import definitions, life, reading, training

QUESTION = ("title", "target", "horizon_days", "population", "settings")


class PredictionWrite(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=120)
    target = serializers.JSONField(
        help_text="type and what it asks for: order, no_order, spend_over, spend, order_value,"
        " event, no_event, answer, moved or attribute"
    )
    horizon_days = serializers.IntegerField(min_value=1, max_value=definitions.LONGEST_DAYS)
    population = serializers.JSONField(
        required=False, help_text="who (buyers or everyone), least_orders, ordered_within_days"
    )
    settings = serializers.JSONField(
        required=False, help_text="candidates, attributes, allow, profit, retrain_days, further"
    )


class PredictionShape(PredictionWrite):
    key = serializers.SlugField()
    kind = serializers.ChoiceField(choices=Prediction.Kind.choices)
    state = serializers.ChoiceField(choices=Prediction.State.choices)
    is_ready = serializers.BooleanField()
    trouble = serializers.DictField(allow_null=True)
    scored_people = serializers.IntegerField()
    scored_at = serializers.DateTimeField(allow_null=True)
    scored_as_of = serializers.DateTimeField(allow_null=True)
    scored_version = serializers.IntegerField(
        allow_null=True, help_text="the version whose scores are served"
    )
    stale = serializers.BooleanField(
        help_text="whether those scores are another version's than the one in use: everyone is"
        " being scored again"
    )
    created_at = serializers.DateTimeField()
    model = ModelShape(allow_null=True, help_text="the version in use")
    url = serializers.CharField()


SCORE_FIELDS: dict[str, serializers.Field[Any, Any, Any, Any]] = {
    "value": serializers.FloatField(),
    "low": serializers.FloatField(allow_null=True),
    "high": serializers.FloatField(allow_null=True),
    "percentile": serializers.IntegerField(min_value=1, max_value=100),
}
SCORES = inline_serializer(
    "PredictionScore",
    {
        "customer_id": serializers.IntegerField(),
        "external_id": serializers.CharField(allow_null=True),
        **SCORE_FIELDS,
    },
    many=True,
)
OF_PERSON = inline_serializer(
    "PredictionsOfCustomer",
    {
        "customer_id": serializers.IntegerField(),
        "external_id": serializers.CharField(),
        "predictions": inline_serializer(
            "PredictionOfCustomer",
            {
                "key": serializers.SlugField(),
                "title": serializers.CharField(),
                "kind": serializers.ChoiceField(choices=Prediction.Kind.choices),
                "horizon_days": serializers.IntegerField(),
                "value": serializers.FloatField(),
                "low": serializers.FloatField(allow_null=True),
                "high": serializers.FloatField(allow_null=True),
                "percentile": serializers.IntegerField(min_value=1, max_value=100),
                "date": serializers.DateTimeField(allow_null=True),
                "version": serializers.IntegerField(),
                "as_of": serializers.DateTimeField(allow_null=True),
            },
            many=True,
        ),
    },
)


def prediction_body(prediction: Prediction, live: ModelVersion | None) -> dict[str, Any]:
    """How a prediction and its version in use look to an integrator."""
    names = (
        "key", "kind", "state", "is_ready", "scored_people", "scored_at", "scored_as_of",
        "scored_version", "created_at", *QUESTION,
    )  # fmt: skip
    return {
        **{name: getattr(prediction, name) for name in names},
        "stale": not life.is_served_by(prediction=prediction, version=live),
        "trouble": prediction.trouble or None,
        "model": model_body(live) if live else None,
        "url": reverse("api:prediction-detail", args=[prediction.key]),
    }


def _body(prediction: Prediction) -> dict[str, Any]:
    return prediction_body(prediction, reading.live(prediction=prediction))


def _actor(request: Request) -> User | ApiKey:
    return request.auth if isinstance(request.auth, ApiKey) else request.user  # type: ignore[return-value]


def _user(request: Request) -> User | None:
    actor = _actor(request)
    return actor.created_by if isinstance(actor, ApiKey) else actor


def _values(data: Any, *, required: tuple[str, ...], known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise Invalid(
            _("Send one JSON object."),
            code="not_an_object",
            field="body",
            remedy=_("Fields: %(names)s.") % {"names": ", ".join(known)},
        )
    for name in data:
        if name not in known:
            raise Invalid(
                _("There is no field called %(name)s.") % {"name": str(name)[:80]},
                code="unknown_field",
                field=str(name)[:80],
                remedy=_("Fields: %(names)s.") % {"names": ", ".join(known)},
            )
    for name in required:
        if name not in data:
            raise Invalid(
                _("This is missing."),
                code="missing",
                field=name,
                remedy=_("Send these at least: %(names)s.") % {"names": ", ".join(required)},
            )
    return dict(data)


class PredictionList(View):
    scope_noun = "models"

    @extend_schema(operation_id="predictions_list", responses=PredictionShape(many=True))
    def get(self, request: Request) -> Response:
        """All predictions in use, newest first; `?state=archived` for those put away."""
        wanted = request.query_params.get("state", Prediction.State.ACTIVE)
        if wanted not in Prediction.State.values:
            raise Invalid(
                _("A prediction is active or archived."), code="state_invalid", field="state"
            )
        live = reading.all_live()
        return self.paginate(
            Prediction.objects.filter(state=wanted),
            lambda row: prediction_body(row, live.get(row.key)),
        )

    @extend_schema(
        operation_id="predictions_create",
        request=PredictionWrite,
        responses={201: PredictionShape},
    )
    def post(self, request: Request) -> Response:
        """Ask a new question. Nothing is learned before its training is asked for."""
        values = _values(
            request.data, required=("title", "target", "horizon_days"), known=(*QUESTION, "key")
        )
        made = definitions.create(actor=_actor(request), **values)
        body = _body(made)
        return Response(body, status=201, headers={"Location": body["url"]})


class PredictionDetail(View):
    scope_noun = "models"

    @extend_schema(operation_id="predictions_get", responses=PredictionShape)
    def get(self, request: Request, key: str) -> Response:
        """One prediction, with the version in use."""
        return Response(_body(definitions.get(key=key)))

    @extend_schema(
        operation_id="predictions_update", request=PredictionWrite, responses=PredictionShape
    )
    def patch(self, request: Request, key: str) -> Response:
        """Change what is sent. What it asks stays as it is once it was published."""
        values = _values(request.data, required=(), known=QUESTION)
        made = definitions.change(
            prediction=definitions.get(key=key), actor=_actor(request), **values
        )
        return Response(_body(made))


class PredictionTrain(View):
    scope_noun = "models"

    @extend_schema(operation_id="predictions_train", request=None, responses={202: JobStarted})
    def post(self, request: Request, key: str) -> Response:
        """Learn, judge, publish if better than its baseline, and score everyone."""
        job = training.start(prediction=definitions.get(key=key), user=_user(request))
        return accepted(job)


class PredictionRollBack(View):
    scope_noun = "models"

    @extend_schema(operation_id="predictions_roll_back", request=None, responses=PredictionShape)
    def post(self, request: Request, key: str) -> Response:
        """Let the version speak again that spoke before the present one."""
        prediction = definitions.get(key=key)
        life.roll_back(prediction=prediction, actor=_actor(request))
        return Response(_body(prediction))


class PredictionScores(View):
    scope_noun = "customers"

    @extend_schema(
        operation_id="predictions_scores",
        parameters=[OpenApiParameter("top", int, description="only the best so many percent")],
        responses=SCORES,
    )
    def get(self, request: Request, key: str) -> Response:
        """Everybody's scores by a prediction; `?top=10` for the best tenth."""
        prediction = definitions.get(key=key)
        refused = Consent.objects.filter(purpose="profiling", current=True, granted=False)
        rows = (
            Score.objects.filter(prediction=prediction)
            .exclude(customer_id__in=refused.values("customer_id"))
            .select_related("customer")
        )
        if top := request.query_params.get("top"):
            if not (top.isascii() and top.isdigit()) or not 1 <= int(top[:9]) <= 100:
                raise Invalid(
                    _("The best so many percent is a number from 1 to 100."),
                    code="top_invalid",
                    field="top",
                )
            rows = rows.filter(percentile__gt=100 - int(top))
        return self.paginate(rows, _score_body, ordering="customer_id")


def _score_body(score: Score) -> dict[str, Any]:
    return {
        "customer_id": score.customer_id,
        "external_id": score.customer.external_id,
        "value": score.value,
        "low": score.low,
        "high": score.high,
        "percentile": score.percentile,
    }


class CustomerPredictions(View):
    scope_noun = "customers"

    @extend_schema(operation_id="customers_predictions", responses=OF_PERSON)
    def get(self, request: Request, external_id: str) -> Response:
        """What every prediction says of a person; nothing of whoever refused profiling."""
        customer_id = facts.customer_id(external_id=external_id)
        found = reading.of_person(customer_id=customer_id)
        names = (
            "key", "title", "kind", "horizon_days", "value", "low", "high", "percentile", "date",
            "version", "as_of",
        )  # fmt: skip
        return Response(
            {
                "customer_id": customer_id,
                "external_id": Customer.objects.values_list("external_id", flat=True).get(
                    pk=customer_id
                ),
                "predictions": [{name: getattr(one, name) for name in names} for one in found],
            }
        )
