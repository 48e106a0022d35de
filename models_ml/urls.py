"""Pages and API addresses of this app."""

from django.urls import path

from models_ml import api as endpoints
from models_ml import prediction_api as predictions
from models_ml.views import acting, fairness, listing, person, question, versions, wizard

app_name = "models_ml"

pages: list = [
    path("models/", listing.model_list, name="model-list"),
    path("models/new/", wizard.new, name="prediction-new"),
    path("models/new/check/", wizard.check, name="prediction-check"),
    path("models/fairness/", fairness.fairness, name="fairness"),
    path("models/fairness/<int:pk>/stop/", fairness.unwatch, name="fairness-unwatch"),
    path("models/<int:pk>/", versions.model_detail, name="model-detail"),
    path("models/<int:pk>/promote/", versions.model_promote, name="model-promote"),
    path("models/train/<str:name>/", versions.model_train, name="model-train"),
    path("models/person/<int:customer_id>/", person.scores, name="person-scores"),
    path("models/of/<slug:key>/", question.prediction, name="prediction"),
    path("models/of/<slug:key>/train/", acting.train, name="prediction-train"),
    path("models/of/<slug:key>/roll-back/", acting.roll_back, name="prediction-roll-back"),
    path("models/of/<slug:key>/why/<int:customer_id>/", person.why, name="prediction-why"),
    path("models/of/<slug:key>/look/", acting.look, name="prediction-look"),
    path("models/of/<slug:key>/archive/", acting.archive, name="prediction-archive"),
    path("models/of/<slug:key>/restore/", acting.restore, name="prediction-restore"),
    path("models/of/<slug:key>/<int:number>/publish/", acting.publish, name="prediction-publish"),
    path("models/of/<slug:key>/<int:number>/shade/", acting.shade, name="prediction-shade"),
]
api: list = [
    path("models/", endpoints.ModelList.as_view(), name="model-list"),
    path("models/<int:version_id>/", endpoints.ModelDetail.as_view(), name="model-detail"),
    path("predictions/", predictions.PredictionList.as_view(), name="prediction-list"),
    path(
        "predictions/<slug:key>/", predictions.PredictionDetail.as_view(), name="prediction-detail"
    ),
    path(
        "predictions/<slug:key>/train/",
        predictions.PredictionTrain.as_view(),
        name="prediction-train",
    ),
    path(
        "predictions/<slug:key>/roll-back/",
        predictions.PredictionRollBack.as_view(),
        name="prediction-roll-back",
    ),
    path(
        "predictions/<slug:key>/scores/",
        predictions.PredictionScores.as_view(),
        name="prediction-scores",
    ),
    path(
        "customers/<str:external_id>/predictions/",
        predictions.CustomerPredictions.as_view(),
        name="customer-predictions",
    ),
    path(
        "customers/<str:external_id>/scores/",
        endpoints.CustomerScores.as_view(),
        name="customer-scores",
    ),
]
