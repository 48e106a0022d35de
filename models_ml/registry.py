"""Versions of models: a folder that never changes and a row about it; one live row a name.

Promotion is one transaction that moves the word `live` to another row, so rolling back is
promoting the older row. Folders are immutable, therefore what was read from one may be kept for as
long as the process lives.
"""

import shutil
import uuid
from collections.abc import Callable, Collection
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from marketing.core import bus, wording
from marketing.core.db import advisory_lock
from marketing.core.errors import Conflict
from models_ml import catalog
from models_ml.algorithms import artifacts, forgetting, tensorboard
from models_ml.models import ModelVersion

Model = TypeVar("Model")
State = ModelVersion.State
CURVES = "tensorboard"


def save(
    *,
    name: str,
    algorithm: str,
    write: Callable[[Path], None],
    params: dict[str, Any],
    metrics: dict[str, Any],
    baseline: dict[str, Any],
    data_from: datetime | None,
    data_until: datetime | None,
    rows: int,
    seed: int,
    seconds: float = 0.0,
    details: dict[str, Any] | None = None,
    job_id: int | None = None,
    now: datetime | None = None,
) -> ModelVersion:
    """Write a new folder by `write(folder)` and store its row as a candidate."""
    now = now or timezone.now()
    place = Path(name) / f"{now:%Y%m%d-%H%M%S}-{uuid.uuid4().hex[:8]}"
    manifest = {
        "name": name,
        "algorithm": algorithm,
        "params": params,
        "metrics": metrics,
        "baseline": baseline,
        "data_from": data_from.isoformat() if data_from else None,
        "data_until": data_until.isoformat() if data_until else None,
        "rows": rows,
        "seed": seed,
        "trained_at": now.isoformat(),
    }
    with artifacts.create(Path(settings.MODEL_DIR) / place, manifest) as folder:
        write(folder)
    with advisory_lock(f"model:{name}"):
        newest = (
            ModelVersion.objects.filter(name=name).aggregate(newest=Max("version"))["newest"] or 0
        )
        version = ModelVersion.objects.create(
            name=name,
            version=newest + 1,
            state=State.CANDIDATE,
            algorithm=algorithm,
            folder=str(place),
            params=params,
            metrics=metrics,
            baseline=baseline,
            details=details or {},
            data_from=data_from,
            data_until=data_until,
            rows=rows,
            seed=seed,
            seconds=seconds,
            job_id=job_id,
            trained_at=now,
        )
    # Whoever was erased during the training: from here on an erasure finds the version itself.
    let_go(version=version)
    _draw_curves(version)
    return version


def _draw_curves(version: ModelVersion) -> None:
    """How it learned, for TensorBoard, beside the folders of models."""
    scalars = list(tensorboard.scalars_of(version.details))
    if scalars:
        place = Path(settings.MODEL_DIR) / CURVES / version.name / f"v{version.version}"
        tensorboard.write(place, scalars, at=version.trained_at.timestamp())


def let_go(*, version: ModelVersion, numbers: Collection[int] | None = None) -> bool:
    """Take people out of a version's files, if not told whom, those whose row is gone.

    Whether the version held any of them; see `forgetting.drop_people`.
    """
    with transaction.atomic():
        row = ModelVersion.objects.select_for_update().get(pk=version.pk)
        old = folder(row)
        if numbers is None:
            numbers = _unknown(forgetting.people_in(folder=old).tolist())
        made = forgetting.drop_people(folder=old, numbers=numbers) if numbers else None
        if made is None:
            return False
        version.folder = str(made.relative_to(Path(settings.MODEL_DIR)))
        # Counted where the training itself is the reason: a model that learned from who is gone.
        version.forgotten = row.forgotten + 1
        version.save(update_fields=["folder", "forgotten"])
        transaction.on_commit(partial(shutil.rmtree, old, ignore_errors=True))
    return True


def _unknown(numbers: list[int]) -> list[int]:
    """Those who are nobody's number."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n FROM unnest(%s::bigint[]) n WHERE NOT EXISTS"
            " (SELECT 1 FROM ingestion_customer c WHERE c.id = n)",
            [numbers],
        )
        return [row[0] for row in cursor.fetchall()]


def promote(*, version: ModelVersion) -> ModelVersion:
    """Make this version the live one of its name; the one before it is retired. Idempotent."""
    with advisory_lock(f"model:{version.name}"):
        row = ModelVersion.objects.select_for_update().get(pk=version.pk)
        if row.state == State.LIVE:
            return row
        if not (folder(row) / artifacts.MANIFEST).exists():
            raise Conflict(
                _("The files of %(version)s are gone, so it was not published.") % {"version": row},
                code="model_files_missing",
                remedy=_("Train the model again."),
            )
        entry = catalog.BY_NAME.get(row.name)
        if entry is not None and entry.holds and not (folder(row) / entry.holds).exists():
            raise Conflict(
                _("%(version)s was stored by an earlier release that kept it in another way, so it "
                  "was not published.") % {"version": row},
                code="model_of_earlier_release",
                remedy=_("Train the model again."),
            )  # fmt: skip
        ModelVersion.objects.filter(name=row.name, state=State.LIVE).update(state=State.RETIRED)
        row.state, row.reason = State.LIVE, ""
        row.save(update_fields=["state", "reason"])
        bus.announce("model.promoted", version_id=row.pk, name=row.name)
    return row


def refuse(*, version: ModelVersion, why: Callable[[], str]) -> ModelVersion:
    """Keep the version with its figures and the reason why it is not published.

    `why` says it in the language of the moment; it is kept in each that pages have.
    """
    version.state = State.REFUSED
    explain(version=version, why=why)
    return version


def explain(*, version: ModelVersion, why: Callable[[], str]) -> None:
    """Keep why a version is not used, in each language that pages have."""
    version.reason, version.reasons = why(), wording.in_each(why)
    version.save(update_fields=["state", "reason", "reasons"])


def retire(*, version: ModelVersion) -> ModelVersion:
    """Take a version out of use; with it, its name has no live version."""
    version.state = State.RETIRED
    version.save(update_fields=["state"])
    return version


def outcome(version: ModelVersion) -> dict[str, Any]:
    """What a job that trained a tree says of it: its number, its fate, AUC beside the rule's."""
    return {
        "version": version.version,
        "state": version.state,
        "auc": version.metrics["auc"],
        "auc_baseline": version.baseline["auc"],
    }


def live(name: str) -> ModelVersion | None:
    """The live version of this name."""
    return ModelVersion.objects.filter(name=name, state=State.LIVE).first()


def folder(version: ModelVersion) -> Path:
    return Path(settings.MODEL_DIR) / version.folder


def load(version: ModelVersion, read: Callable[[Path], Model]) -> Model:
    """Read a version's folder once per process, after its hashes were checked."""
    return _read(folder(version), read)


@lru_cache(maxsize=8)
def _read(path: Path, read: Callable[[Path], Any]) -> Any:
    artifacts.check(path)
    return read(path)
