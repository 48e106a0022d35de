"""What this app's tables, its cache and Django's own tables hold about people."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _
from redis import Redis

from marketing.core import audit
from marketing.core.models import AuditEntry, Job
from marketing.core.personal import ERASING, Holding, Place, Retained, Subject

_ABOUT = "object_type = 'ingestion.customer' AND object_id = ANY(%(numbers)s)"
HOLDINGS = [
    Holding(
        "core_auditentry",
        _("What the team did with this person's data"),
        rows=f"({_ABOUT}) OR object_label ~* %(text)s OR detail::text ~* %(text)s",
        erase=f"{ERASING}UPDATE core_auditentry SET object_label = '' WHERE {_ABOUT}",
        scrub=("object_label", "detail"),
    ),
    Holding(
        "core_job",
        _("Long work that names this person"),
        rows="concat_ws(' ', title, params, log, result, error) ~* %(text)s",
        erase="",
        scrub=("title", "params", "log", "result", "error", "step_label", "step_labels"),
        exported=False,
    ),
    Holding(
        "core_idempotencykey",
        _("Answers kept for repeated API requests"),
        rows="body::text ~* %(text)s OR body->>'id' = ANY(%(numbers)s)",
        exported=False,
    ),
    Holding(
        "django_admin_log",
        _("Changes made in the admin"),
        rows="object_repr ~* %(text)s OR change_message ~* %(text)s",
        erase="",
        scrub=("object_repr", "change_message"),
        exported=False,
    ),
]
IMPERSONAL = {
    "core_user": "people of the team, not of the shop",
    "core_user_groups": "roles of the team",
    "core_user_user_permissions": "rights of the team",
    "core_apikey": "keys of integrators",
    "core_brand": "how the business is called and looks",
    "core_secondfactor": "what the team needs beside passwords",
    "core_auditseal": "keyed digests of the audit trail",
    "core_auditcheck": "what the latest look over the audit trail found",
    "core_refusedsignin": "tries at the team's door, told and gone within a quarter of an hour",
    "core_slot": "the clock's own slots",
    "core_workerbeat": "signs of life of workers",
    "auth_group": "names of roles",
    "auth_group_permissions": "rights of roles",
    "auth_permission": "names of rights",
    "django_content_type": "names of tables",
    "django_migrations": "names of migrations",
    "django_session": "sessions of the team",
}


def _cached(subject: Subject) -> int:
    """Forget cache entries whose key or content names the person."""
    if subject.pattern is None:
        return 0
    client: Redis = Redis.from_url(settings.REDIS_URL)
    gone = 0
    for key in _keys(client):
        value: Any = client.get(key) if client.type(key) == b"string" else b""
        text = f"{key.decode('utf-8', 'replace')}\n{(value or b'').decode('utf-8', 'replace')}"
        if subject.is_named_in(text):
            gone += int(client.delete(key))
    return gone


def _keys(client: Redis) -> Iterator[bytes]:
    prefix = settings.CACHES["default"]["KEY_PREFIX"]
    yield from client.scan_iter(match=f"{prefix}:*", count=1000)


def _old_jobs(before: datetime) -> int:
    """Delete jobs that ended before then; imports, models and others that name one stay."""
    ended = Job.objects.filter(finished_at__lt=before).exclude(state__in=Job.OPEN)
    gone = 0
    while ids := list(ended.order_by("pk").values_list("pk", flat=True)[:500]):
        Job.objects.filter(pk__in=ids).delete()
        gone += len(ids)
    return gone


def _old_deeds(before: datetime) -> int:
    """Delete old entries of the audit trail; a new one says so, and the links of its chain stay."""
    old = AuditEntry.objects.filter(at__lt=before)
    if not (rows := old.count()):
        return 0
    audit.record(
        actor=None, action=audit.LET_GO, detail={"before": before.isoformat(), "rows": rows}
    )
    gone = 0
    while ids := list(old.order_by("pk").values_list("pk", flat=True)[:5_000]):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('perennial.letting_go', 'on', true)")
            cursor.execute("DELETE FROM core_auditentry WHERE id = ANY(%s)", [ids])
            gone += cursor.rowcount
    return gone


RETAINED = [
    Retained(
        "audit",
        _("Audit trail"),
        "core_auditentry",
        "at < %(before)s",
        "t.at",
        least=365,
        remove=_old_deeds,
    ),
    Retained(
        "jobs",
        _("Ended jobs and their logs"),
        "core_job",
        "state IN ('done', 'failed', 'stopped') AND finished_at < %(before)s",
        "t.finished_at",
        days=365,
        least=30,
        remove=_old_jobs,
    ),
    Retained(
        "idempotency",
        _("Answers kept for repeated API requests"),
        "core_idempotencykey",
        "created_at < %(before)s",
        "t.created_at",
        days=30,
    ),
    Retained(
        "sessions",
        _("Sessions of the team that ran out"),
        "django_session",
        "expire_date < %(before)s",
        "t.expire_date",
        days=1,
    ),
]
PLACES = [Place("cache", _("Cached answers"), erase=_cached)]
