"""Lists of people for ad networks: who is meant, who is left out and why, and the file itself.

Consent, suppression and the global hold-out are asked in the query that reads the people, so that a
no said a moment ago counts. Rows are read through a cursor of the server, hashed on their way, and
nothing but the hashes is ever written.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    F,
    Func,
    Q,
    QuerySet,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campaigns import experiments
from campaigns.ads import hashing, permission
from campaigns.models import AdExport, GlobalHoldout, Segment
from campaigns.recipients import audience
from ingestion import consent
from marketing.core import audit, jobs
from marketing.core.errors import Conflict, Invalid, NotFound
from marketing.core.models import User

JOB = "ads.export"
KEPT = timedelta(days=1)
AT_ONCE = 2_000
FOLDER = "ad_exports"
REASONS: dict[str, Any] = {
    "no_address": gettext_lazy("Neither an address nor a number with its country"),
    "suppressed": gettext_lazy("Unsubscribed, bounced or on the suppression list"),
    "no_consent": gettext_lazy("Has not agreed to ads"),
    "global_holdout": gettext_lazy("Kept out of every campaign to measure them all"),
    "unusable": gettext_lazy("Address or number in a form that the network does not take"),
}
POSTCODES = ("zip", "postcode", "postal_code")


def _told(channel: str, wanted: Q) -> Q:
    """In SQL: this name of somebody may be told."""
    may = Q(consent.agreed(channel=channel, purpose=permission.PURPOSE))
    return wanted & Q(consent.open_to(channel=channel)) & may


def people_of(segment: Segment) -> Any:
    """Everybody the segment means with `mail` and `call`, which of their names may be told, and
    `reason`, empty for those who go into the file.
    """
    mail = ~Q(email=None) & ~Q(email="")
    call = Q(phone__startswith="+")
    held: Any = Value(False)
    if kept := GlobalHoldout.objects.filter(ended_at=None).first():
        held = RawSQL(
            f"{audience.hash_sql('ingestion_customer.id')} < %s",
            [audience.kept_key(kept), experiments.holdout_ceiling(kept.percent)],
            output_field=BooleanField(),
        )
    agreed = Q(consent.agreed(channel="email", purpose=permission.PURPOSE), mail) | Q(
        consent.agreed(channel="sms", purpose=permission.PURPOSE), call
    )
    return (
        audience.members(rule=segment.rule)
        .annotate(
            mail=Case(When(_told("email", mail), then=Value(True)), default=Value(False)),
            call=Case(When(_told("sms", call), then=Value(True)), default=Value(False)),
            held=held,
        )
        .annotate(
            reason=Case(
                When(Q(mail=False, call=False) & ~mail & ~call, then=Value("no_address")),
                When(Q(mail=False, call=False) & ~agreed, then=Value("no_consent")),
                When(Q(mail=False, call=False), then=Value("suppressed")),
                When(held=True, then=Value("global_holdout")),
                default=Value(""),
                output_field=CharField(),
            )
        )
    )


def counted(segment: Segment) -> dict[str, int]:
    """How many the segment means, by the reason for which they are left out; "" for the others."""
    rows = people_of(segment).order_by().values_list("reason").annotate(Count("pk"))
    return dict(rows)


def _known(segment: Segment) -> Iterator[hashing.Known]:
    postcodes = [
        Func(F("attributes"), Value(name), function="jsonb_extract_path_text",
             output_field=TextField())
        for name in POSTCODES
    ]  # fmt: skip
    rows = (
        people_of(segment)
        .filter(reason="")
        .order_by()
        .annotate(postcode=Coalesce(*postcodes, Value(""), output_field=TextField()))
        .values_list(
            "mail", "call", "email", "phone", "first_name", "last_name", "country", "postcode"
        )
    )
    for row in rows.iterator(chunk_size=AT_ONCE):
        mail, call, email, phone, *rest = row
        yield hashing.Known(email if mail else "", phone if call else "", *rest)


def start(*, segment_id: Any, format: str, user: User, now: datetime) -> AdExport:
    """Ask for a list; a worker writes it. Refused while nobody can have agreed to ads."""
    if format not in AdExport.Format.values:
        raise Invalid(_("Choose for which network the list is."), code="bad_format", field="format")
    number = str(segment_id)
    segment = Segment.objects.filter(
        pk=int(number) if number.isascii() and number.isdigit() and len(number) < 18 else 0,
        state=Segment.State.LIVE,
    ).first()
    if segment is None:
        raise Invalid(_("Choose a segment."), code="no_segment", field="segment_id")
    if not permission.is_asked():
        raise Conflict(
            _("Nobody was asked yet whether ads may know them, so nobody can be handed out."),
            code="no_purpose",
            remedy=_("Add the purpose “Ads” and ask people for it."),
        )
    with transaction.atomic():
        made = AdExport.objects.create(
            segment=segment, segment_name=segment.name, format=format, created_by=user,
            created_by_label=user.display_name[:200], created_at=now,
        )  # fmt: skip
        made.job = jobs.start(
            kind=JOB,
            title=_("List for ads: %(name)s") % {"name": segment.name},
            params={"export": made.pk},
            user=user,
        )
        made.save(update_fields=["job"])
        audit.record(
            actor=user, action="ads.exported", obj=made,
            detail={"segment": segment.pk, "format": format},
        )  # fmt: skip
    return made


def write(*, export: AdExport, report: Any, now: datetime) -> AdExport:
    """Count, read, hash and write the file beside its place, then put it there.

    `report(done, total)` is called on the way and may raise to stop. Written anew from the start
    after a stop: until it is whole, there is no file.
    """
    if export.segment is None:
        raise Invalid(_("The segment was deleted meanwhile."), code="no_segment")
    layout = hashing.LAYOUTS[export.format]
    counts = counted(export.segment)
    folder = Path(settings.MEDIA_ROOT) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{export.public_id}.csv"
    half, people = path.with_suffix(".part"), 0
    wanted = counts.pop("", 0)
    try:
        with half.open("wb") as out:
            for chunk, n in hashing.lines(_known(export.segment), layout=layout):
                out.write(chunk)
                people += n
                report(people, wanted)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    export.meant = wanted + sum(counts.values())
    export.people = people
    # Among them the few who said no between counting and reading.
    short = max(wanted - people, 0)
    export.left_out = {**counts, **({"unusable": short} if short else {})}
    export.state, export.ready_at = AdExport.State.READY, now
    export.file, export.size = f"{FOLDER}/{path.name}", path.stat().st_size
    export.save()
    return export


def opened(*, export: AdExport, user: User) -> Path:
    """The file, for somebody who takes it; written down too. NotFound once it was deleted."""
    path = Path(settings.MEDIA_ROOT) / export.file if export.file else None
    if export.state != AdExport.State.READY or path is None or not path.exists():
        raise NotFound(
            _("This list is no longer kept."),
            code="file_gone",
            remedy=_("Make it again: who agreed may have changed since."),
        )
    AdExport.objects.filter(pk=export.pk).update(downloads=F("downloads") + 1)
    audit.record(actor=user, action="ads.downloaded", obj=export, detail={"people": export.people})
    return path


def tidy(*, now: datetime) -> int:
    """Delete files older than a day; the log of them stays."""
    return drop(AdExport.objects.filter(ready_at__lt=now - KEPT))


def drop(exports: QuerySet[AdExport]) -> int:
    """Delete the files of these lists, and say so in the log."""
    gone = 0
    for export in exports.filter(state=AdExport.State.READY):
        (Path(settings.MEDIA_ROOT) / export.file).unlink(missing_ok=True)
        AdExport.objects.filter(pk=export.pk).update(state=AdExport.State.GONE, file="", size=0)
        gone += 1
    return gone


def totals(left_out: Mapping[str, int]) -> list[tuple[Any, int]]:
    """The reasons in words, most people first."""
    return sorted(
        ((REASONS.get(reason, reason), n) for reason, n in left_out.items() if n),
        key=lambda pair: -pair[1],
    )
