"""What this app keeps of people: a row of numbers each, and vectors inside stored models."""

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from marketing.core.errors import Conflict
from marketing.core.personal import Holding, Place, Subject
from models_ml import registry
from models_ml.algorithms import artifacts
from models_ml.models import ModelVersion

HOLDINGS = [
    Holding(
        "models_ml_traits",
        _("Numbers and predictions"),
        rows="customer_id = ANY(%(ids)s)",
    ),
    Holding(
        "models_ml_score",
        _("Scores"),
        rows="customer_id = ANY(%(ids)s)",
    ),
    Holding(
        "models_ml_stagepath",
        _("Stages over time"),
        rows="customer_id = ANY(%(ids)s)",
    ),
    Holding(
        "models_ml_clustermember",
        _("Clusters"),
        rows="customer_id = ANY(%(ids)s)",
    ),
    Holding(
        "models_ml_formerscore",
        _("Scores of the model before"),
        rows="customer_id = ANY(%(ids)s)",
    ),
]
IMPERSONAL = {
    "models_ml_clustering": "how the shop sorts people into groups",
    "models_ml_exploration": "what the shop wants groups found for",
    "models_ml_prediction": "what the shop wants to know of everybody",
    "models_ml_yardstick": "how the shop measures people",
    "models_ml_stageflow": "figures about many people at once",
    "models_ml_productdemand": "what is expected to be sold of each product",
    "models_ml_watch": "figures about many people at once",
    "models_ml_watchedattribute": "properties whose groups should be chosen alike",
    "models_ml_modelversion": "figures of models; their folders are emptied of the person",
}


def _models(subject: Subject) -> int:
    """Take the person out of every stored model, live or retired; how many held them."""
    changed, damaged = 0, []
    for version in ModelVersion.objects.exclude(folder=""):
        try:
            changed += registry.let_go(version=version, numbers=subject.numbers)
        except artifacts.Damaged:
            damaged.append(version.folder)
    if damaged:
        raise Conflict(
            gettext(
                "Stored models that are damaged could not be searched for the person: %(folders)s."
            )
            % {"folders": ", ".join(sorted(damaged))},
            code="models_damaged",
            remedy=gettext("Bring these folders back from a backup or delete them."),
        )
    return changed


PLACES = [Place("models", _("Stored models"), erase=_models)]
