"""Pages and API addresses of this app."""

from django.urls import path

from models_ml import api as endpoints
from models_ml import prediction_api as predictions
from models_ml import views

app_name = "models_ml"

pages: list = [
    path("models/", views.model_list, name="model-list"),
    path("models/<int:pk>/", views.model_detail, name="model-detail"),
    path("models/<int:pk>/promote/", views.model_promote, name="model-promote"),
    path("models/train/<slug:name>/", views.model_train, name="model-train"),
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
