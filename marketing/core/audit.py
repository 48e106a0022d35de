"""The audit trail: who did what to which object."""

from typing import Any

from django.db.models import Model

from marketing.core.models import ApiKey, AuditEntry, User

LET_GO = "audit.let_go"  # of entries that were removed when their time was over


def record(
    *,
    actor: User | ApiKey | None,
    action: str,
    obj: Model | None = None,
    detail: dict[str, Any] | None = None,
    nobody: str = "system",
) -> AuditEntry:
    """Add one entry. `action` is noun.verb in the past, such as `segment.saved`.

    `nobody` is who did it where there is no actor, in English: pages say it in the reader's words.
    """
    user = actor if isinstance(actor, User) else getattr(actor, "created_by", None)
    if isinstance(actor, ApiKey):
        label = f"API key {actor.name}"
    else:
        label = actor.display_name if isinstance(actor, User) else nobody
    return AuditEntry.objects.create(
        actor=user,
        actor_label=label[:200],
        action=action,
        object_type=obj._meta.label_lower if obj is not None else "",
        object_id=str(obj.pk) if obj is not None else "",
        object_label=str(obj)[:300] if obj is not None else "",
        detail=detail or {},
    )
