"""What pages show of clusters; nothing here loads a model."""

from typing import Any

from models_ml.clusters import wording
from models_ml.models import Clustering, ModelVersion


def offered(*, most: int) -> list[dict[str, Any]]:
    """Clusters in use with their groups by name, for the builder of rules."""
    rows = list(Clustering.objects.filter(state=Clustering.State.ACTIVE, newest__gt=0)[:most])
    live = live_versions(rows)
    found = []
    for row in rows:
        if version := live.get(row.name):
            names = wording.names_of(row, version)
            numbers = sorted(group["number"] for group in version.details.get("groups", []))
            groups = [(number, names[number]) for number in numbers]
            found.append({"key": row.key, "title": row.title, "groups": groups})
    return found


def live_versions(rows: list[Clustering]) -> dict[str, ModelVersion]:
    """The version in use of each, by its name."""
    if not rows:
        return {}
    found = ModelVersion.objects.filter(
        name__in=[row.name for row in rows], state=ModelVersion.State.LIVE
    )
    return {version.name: version for version in found}
