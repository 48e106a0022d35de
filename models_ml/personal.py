"""What this app keeps of people: a row of numbers each, and vectors inside stored models."""

import shutil
from pathlib import Path

from django.conf import settings
from django.utils.translation import gettext_lazy as _

from marketing.core.personal import Holding, Place, Subject
from models_ml import registry
from models_ml.algorithms import artifacts, forgetting
from models_ml.models import ModelVersion

HOLDINGS = [
    Holding(
        "models_ml_traits",
        _("Numbers and predictions"),
        rows="customer_id = ANY(%(ids)s)",
    )
]
IMPERSONAL = {
    "models_ml_modelversion": "figures of models; their folders are emptied of the person"
}


def _models(subject: Subject) -> int:
    """Take the person out of every stored model, live or retired; how many held them."""
    changed = 0
    for version in ModelVersion.objects.exclude(folder=""):
        folder = registry.folder(version)
        try:
            made = forgetting.drop_people(folder=folder, numbers=subject.numbers)
        except artifacts.Damaged:
            continue
        if made is None:
            continue
        place = str(made.relative_to(Path(settings.MODEL_DIR)))
        ModelVersion.objects.filter(pk=version.pk).update(folder=place)
        shutil.rmtree(folder, ignore_errors=True)
        changed += 1
    return changed


PLACES = [Place("models", _("Stored models"), erase=_models)]
