"""What pages show of clusters; nothing here loads a model."""

from typing import Any

from models_ml.clusters import wording
from models_ml.models import Clustering, ClusterMember, ModelVersion


def offered(*, most: int) -> list[dict[str, Any]]:
    """Clusters in use with their groups by name, for the builder of rules."""
    rows = list(Clustering.objects.filter(state=Clustering.State.ACTIVE, newest__gt=0)[:most])
    names = wording.group_names(keys=[row.key for row in rows])
    live = {
        version.name: {group["number"] for group in version.details.get("groups", [])}
        for version in ModelVersion.objects.filter(
            name__in=[row.name for row in rows], state=ModelVersion.State.LIVE
        )
    }
    return [
        {
            "key": row.key,
            "title": row.title,
            "groups": [
                (number, names[f"{row.key}/{number}"]) for number in sorted(live.get(row.name, ()))
            ],
        }
        for row in rows
        if live.get(row.name)
    ]


def of_person(*, customer_id: int) -> list[ClusterMember]:
    """The groups a person is in, with their clusters."""
    rows = ClusterMember.objects.filter(
        customer=customer_id, clustering__state=Clustering.State.ACTIVE
    )
    return list(rows.select_related("clustering").order_by("clustering__title"))
