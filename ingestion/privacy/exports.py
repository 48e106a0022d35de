"""A copy of everything we hold about one person, for that person: one ZIP, fetched once.

What belongs in it is told by each app (`marketing.core.personal`): a row of every table that is
about them, as JSON and as CSV, and what lies outside the tables, such as mails as they were sent.
"""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import signing
from django.db import connection, transaction
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion.identity import merging
from ingestion.models import Customer, PersonalExport, PrivacyRequest
from ingestion.privacy import subjects
from marketing.core import audit, brand, jobs, personal
from marketing.core.cells import safe_cell
from marketing.core.errors import Conflict, NotFound
from marketing.core.models import ApiKey, User
from marketing.core.personal import Holding, Subject

VALID_FOR = timedelta(days=7)
STALE = timedelta(days=1)
_SALT = "ingestion.privacy.export"


def start(
    *,
    customer_id: int,
    actor: User | ApiKey | None,
    request: PrivacyRequest | None = None,
    now: datetime,
) -> PersonalExport:
    """Begin to make a copy; a job does the work. NotFound for somebody unknown."""
    customer_id = merging.current(customer_id)
    user = actor if isinstance(actor, User) else None
    with transaction.atomic():
        export = PersonalExport.objects.create(
            customer_id=customer_id,
            request=request,
            created_by=user,
            created_at=now,
            expires_at=now + VALID_FOR,
        )
        export.job = jobs.start(
            kind="privacy.export",
            title=_("Copy of a person's data"),
            params={"export_id": export.pk},
            user=user,
        )
        export.save(update_fields=["job"])
        audit.record(
            actor=actor, action="export.started", obj=export, detail={"customer": customer_id}
        )
    return export


def run(*, export_id: int, job: jobs.Running, now: datetime) -> dict[str, Any]:
    """Write the ZIP; nothing is there to be fetched before it is whole."""
    export = PersonalExport.objects.filter(pk=export_id).first()
    subject = subjects.of_customer(merging.current(export.customer_id)) if export else None
    if export is None or subject is None:
        raise _nobody()
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{subject.number}-{export.public_id.hex}.zip"
    draft = place.with_suffix(".part")
    holdings = [h for h in personal.registry().holdings if h.exported and h.rows != "false"]
    job.step(1, gettext_lazy("Collecting"), total=len(holdings), unit="tables")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            counts = write(archive=archive, subject=subject, now=now, job=job, holdings=holdings)
        size = draft.stat().st_size
        with draft.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        draft.replace(place)
        kept = PersonalExport.objects.filter(pk=export_id).update(
            path=str(place.relative_to(settings.MEDIA_ROOT)),
            bytes=size,
            sha256=digest,
            counts=counts,
            ready_at=now,
            expires_at=now + VALID_FOR,
        )
    except BaseException as error:
        taken = isinstance(error, FileNotFoundError) and not draft.exists()
        draft.unlink(missing_ok=True)
        if not taken:  # by an erasure
            raise
        kept = 0
    if not kept:  # the person was erased meanwhile
        place.unlink(missing_ok=True)
        raise _nobody()
    return {"rows": sum(counts.values()), "bytes": size}


def _nobody() -> NotFound:
    return NotFound(_("There is no such person."), code="customer_unknown")


def _folder() -> Path:
    return Path(settings.MEDIA_ROOT) / "exports"


def write(
    *,
    archive: zipfile.ZipFile,
    subject: Subject,
    now: datetime,
    holdings: list[Holding],
    job: jobs.Running | None = None,
) -> dict[str, int]:
    """Write the person's data into an archive; how many rows of each table."""
    counts: dict[str, int] = {}
    contents = []
    for number, holding in enumerate(holdings, start=1):
        names, rows = _rows(holding, subject)
        if rows:
            counts[holding.table] = len(rows)
            name = _short(holding.table)
            contents.append({"name": name, "label": str(holding.label), "rows": len(rows)})
            archive.writestr(f"json/{name}.json", _as_json(names, rows))
            archive.writestr(f"csv/{name}.csv", _as_csv(names, rows))
        if job is not None:
            job.progress(number)
    for place in personal.registry().places:
        files = 0
        for path, content in place.export(subject) if place.export else ():
            archive.writestr(f"files/{path}", content)
            files += 1
        if files:
            counts[place.name] = files
            contents.append({"name": "", "label": str(place.label), "rows": files})
    person = Customer.every.filter(pk=subject.number).first()
    if person is None:
        raise _nobody()
    page = render_to_string(
        "ingestion/privacy/export_index.html",
        {
            "person": person,
            "contents": contents,
            "now": now,
            "business": brand.now().name,
        },
    )
    archive.writestr("index.html", page)
    return counts


def _short(table: str) -> str:
    """The name of a table without its app."""
    labels = (config.label for config in apps.get_app_configs())
    fitting = [label for label in labels if table.startswith(f"{label}_")]
    return table.removeprefix(f"{max(fitting, key=len)}_") if fitting else table


def _rows(holding: Holding, subject: Subject) -> tuple[list[str], list[tuple[Any, ...]]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {holding.table} WHERE {holding.rows}", subject.params)
        names = [column.name for column in cursor.description]
        rows = cursor.fetchall()
    shown = [i for i, name in enumerate(names) if name not in holding.hidden]
    return [names[i] for i in shown], [tuple(row[i] for i in shown) for row in rows]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, memoryview | bytes):
        return bytes(value).hex()
    return value


def _as_json(names: list[str], rows: list[tuple[Any, ...]]) -> str:
    read = [dict(zip(names, (_plain(_read(v)) for v in row), strict=True)) for row in rows]
    return json.dumps(read, indent=1, ensure_ascii=False, default=str)


def _read(value: Any) -> Any:
    """JSON columns come as text through a bare cursor."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _as_csv(names: list[str], rows: list[tuple[Any, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(names)
    for row in rows:
        cells = (_plain(value) for value in row)
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in cells])
    return "\ufeff" + out.getvalue()


def token_of(export: PersonalExport) -> str:
    """What the link for the person holds: signed, for this copy alone."""
    return signing.dumps(export.public_id.hex, salt=_SALT)


def of_token(token: str, *, now: datetime) -> PersonalExport | None:
    """The copy that a link leads to; None when it was forged, used, or ran out."""
    try:
        key = signing.loads(token, salt=_SALT, max_age=VALID_FOR)
    except signing.BadSignature:
        return None
    found = PersonalExport.objects.filter(
        public_id=key, ready_at__isnull=False, fetched_at=None, expires_at__gt=now
    ).first()
    return found if found and place_of(found).exists() else None


def place_of(export: PersonalExport) -> Path:
    """Where the file lies."""
    return Path(settings.MEDIA_ROOT) / export.path


def fetch(*, export: PersonalExport, actor: User | ApiKey | None, now: datetime) -> bytes:
    """The file, once: whoever comes second finds it taken."""
    taken = PersonalExport.objects.filter(
        pk=export.pk, fetched_at=None, ready_at__isnull=False, expires_at__gt=now
    ).update(fetched_at=now)
    if not taken:
        raise Conflict(
            _("This copy was fetched already, or its time ran out."),
            code="export_gone",
            remedy=_("Make a new one."),
        )
    content = place_of(export).read_bytes()
    place_of(export).unlink(missing_ok=True)
    audit.record(
        actor=actor,
        action="export.fetched",
        obj=export,
        detail={"customer": export.customer_id, "sha256": export.sha256},
    )
    return content


def prune(*, now: datetime) -> int:
    """Delete copies whose time ran out, fetched or not, and what no copy names; how many."""
    gone = 0
    for export in _expired(now):
        place_of(export).unlink(missing_ok=True)
        gone += PersonalExport.objects.filter(pk=export.pk).update(path="")
    return gone + _sweep(now)


def _expired(now: datetime) -> Iterator[PersonalExport]:
    yield from PersonalExport.objects.filter(expires_at__lte=now).exclude(path="")


def _sweep(now: datetime) -> int:
    """Delete files of a day ago that belong to no copy: a crash left them."""
    border = (now - STALE).timestamp()
    old = [path for path in _folder().glob("*") if path.is_file() and _changed(path) < border]
    known = set(PersonalExport.objects.exclude(path="").values_list("path", flat=True))
    stray = [path for path in old if str(path.relative_to(settings.MEDIA_ROOT)) not in known]
    for path in stray:
        path.unlink(missing_ok=True)
    return len(stray)


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # fetched in this moment
        return float("inf")
