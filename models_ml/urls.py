"""Pages and API addresses of this app."""

from django.urls import path

from models_ml.api import demand as demands
from models_ml.api import predictions
from models_ml.api import versions as endpoints
from models_ml.views import (
    acting,
    bands,
    clusters,
    cohorts,
    demand,
    fairness,
    listing,
    person,
    question,
    rfm,
    stages,
    versions,
    wizard,
)

app_name = "models_ml"

_insights: list = [
    path("insights/", rfm.insights, name="insights"),
    path("insights/rfm/", rfm.grid, name="rfm"),
    path("insights/rfm/people/", rfm.people, name="rfm-people"),
    path("insights/rfm/bands/", bands.bands_page, name="rfm-bands"),
    path("insights/rfm/bands/save/", bands.bands_save, name="rfm-bands-save"),
    path("insights/clusters/", clusters.overview, name="clusters"),
    path("insights/clusters/new/", clusters.new, name="clusters-new"),
    path("insights/clusters/<slug:key>/", clusters.detail, name="clusters-of"),
    path("insights/clusters/<slug:key>/find/", clusters.train, name="clusters-train"),
    path("insights/clusters/<slug:key>/archive/", clusters.archive, name="clusters-archive"),
    path("insights/clusters/<slug:key>/<int:number>/", clusters.name, name="clusters-name"),
    path("insights/cohorts/", cohorts.page_of, name="cohorts"),
    path("insights/cohorts/table.csv", cohorts.download, name="cohorts-csv"),
    path("insights/lifecycle/", stages.overview, name="lifecycle"),
    path("insights/lifecycle/people/", stages.people, name="stage-people"),
    path("insights/lifecycle/bounds/", stages.bounds_page, name="lifecycle-bounds"),
    path("insights/lifecycle/bounds/save/", stages.bounds_save, name="lifecycle-bounds-save"),
]
pages: list = [
    *_insights,
    path("models/", listing.model_list, name="model-list"),
    path("insights/demand/", demand.demand_list, name="demand"),
    path("insights/demand/forecast/", demand.forecast, name="demand-forecast"),
    path("insights/demand/<int:product_id>/", demand.product, name="demand-product"),
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
    path("demand/", demands.DemandList.as_view(), name="demand-list"),
    path("demand/<path:sku>/", demands.DemandOfProduct.as_view(), name="demand-product"),
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
