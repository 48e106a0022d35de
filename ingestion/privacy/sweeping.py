"""The second half of an erasure: files, caches, models, and texts that name the person."""

import time
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ingestion import erasure
from ingestion.models import Consent, Customer, Erasure, Event, Inbox, Order
from ingestion.privacy import ledger, subjects
from marketing.core import jobs, personal, vault
from marketing.core.errors import Refused
from marketing.core.models import Job
from marketing.core.personal import Subject

WAIT_SECONDS = 60.0
RETRY_AFTER = timedelta(minutes=20)
# How only the person can have answered.
_OWN = ("double_opt_in", "preferences", "form")
# What their devices sent before the erasure and nobody had stored yet.
_VISITS = """
    DELETE FROM ingestion_event WHERE customer_id IS NULL AND anonymous_id <> ''
    AND anonymous_id = ANY(%(devices)s) AND received_at <= %(at)s"""


def run(*, erasure_id: int, job: jobs.Running, now: datetime) -> dict[str, Any]:
    """Complete one erasure and its receipt. May be done again from the start at any point."""
    receipt = Erasure.objects.get(pk=erasure_id)
    if not receipt.sealed:
        return {"rows": sum(receipt.counts.values())}
    subject = Subject.of_text(vault.unseal(sealed=receipt.sealed, row=ledger.row_of(receipt)))
    if not ledger.holds(receipt):  # the process ended between the commit and the file
        ledger.append(receipt)
    counts, trouble = dict(receipt.counts), {}
    job.step(1, gettext_lazy("Waiting for what is on its way"))
    _wait_for_inbox(job)
    _add(counts, _remove_latecomers(receipt, subject))
    job.step(
        2,
        gettext_lazy("Texts in which others name them"),
        total=len(personal.tables()),
        unit="tables",
    )
    _add(counts, _clean_texts(subject, job))
    job.step(3, gettext_lazy("Files, caches and models"))
    for place in personal.registry().places:
        if place.erase is None:
            continue
        job.check()
        try:
            _add(counts, {place.name: place.erase(subject)})
        except Refused as refusal:
            trouble[place.name] = str(refusal)
    job.step(4, gettext_lazy("Looking once more"), total=len(personal.tables()), unit="tables")
    left = look_again(subject=subject, job=job)
    _finish(receipt, counts, left, trouble, now)
    if trouble:
        raise Refused(" ".join(trouble.values()), code="erasure_incomplete")
    return {"rows": sum(counts.values()), "left": left}


def resume(*, now: datetime) -> int:
    """Begin again whatever erasure was not completed and has no job at work; how many."""
    waiting = Erasure.objects.exclude(sealed="").filter(at__lt=now - RETRY_AFTER)
    open_jobs = Job.objects.filter(kind="privacy.sweep", state__in=Job.OPEN)
    at_work = {params.get("erasure_id") for params in open_jobs.values_list("params", flat=True)}
    begun = 0
    for receipt in waiting.exclude(pk__in=at_work):
        jobs.start(
            kind="privacy.sweep",
            title=_("Erase a person from files and texts"),
            params={"erasure_id": receipt.pk},
            steps=4,
        )
        begun += 1
    return begun


def _add(counts: dict[str, int], more: dict[str, int]) -> None:
    for name, number in more.items():
        if number:
            counts[name] = counts.get(name, 0) + number


def _wait_for_inbox(job: jobs.Running) -> None:
    """Events accepted before the erasure are stored first, so that none comes after it."""
    newest = Inbox.objects.order_by("-id").values_list("id", flat=True).first()
    until = time.monotonic() + WAIT_SECONDS
    while newest and Inbox.objects.filter(id__lte=newest).exists() and time.monotonic() < until:
        job.check()
        time.sleep(0.2)


def _remove_latecomers(receipt: Erasure, subject: Subject) -> dict[str, int]:
    """Rows that were on their way: about the erased rows, or about new ones of the same names."""
    counts: dict[str, int] = {}
    again = Customer.every.filter(
        pk__in=subjects.known_by(subject=subject), created_at__gte=receipt.at
    ).exclude(_came_back(receipt.at))
    found = [subjects.of_customer(number) for number in again.values_list("pk", flat=True)]
    keep = receipt.mode == Erasure.Mode.ANONYMISE
    for person in (Subject(numbers=subject.numbers), *filter(None, found)):
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
            _add(counts, erasure.remove_rows(subject=person, keep_orders=keep))
    with connection.cursor() as cursor:
        cursor.execute(_VISITS, {**subject.params, "at": receipt.at})
        _add(counts, {"ingestion_event": cursor.rowcount})
    return counts


def _came_back(since: datetime) -> Q:
    """Of a customer: they did something themselves since then, so they are not what came late."""
    mine = {"customer": OuterRef("pk")}
    return (
        Q(Exists(Consent.objects.filter(method__in=_OWN, at__gt=since, **mine)))
        | Q(Exists(Event.objects.filter(at__gt=since, **mine)))
        | Q(Exists(Order.objects.filter(placed_at__gt=since, **mine)))
    )


def _clean_texts(subject: Subject, job: jobs.Running) -> dict[str, int]:
    counts: dict[str, int] = {}
    for number, holding in enumerate(personal.registry().holdings, start=1):
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
                statement = holding.statement(keeps_orders=True)
                if holding.reads_texts and statement:
                    cursor.execute(statement, subject.params)
                    _add(counts, {holding.table: cursor.rowcount})
            changed = personal.scrub(
                table=holding.table, columns=holding.scrub, expression=subject.expression
            )
            changed += personal.scrub(
                table=holding.table, columns=holding.examples, expression=subject.wider_expression
            )
            _add(counts, {holding.table: changed})
        job.progress(number)
    return counts


def look_again(*, subject: Subject, job: jobs.Running | None = None) -> dict[str, int]:
    """Table → rows that still name the person, over the whole database."""
    left = {}
    for number, table in enumerate(personal.tables(), start=1):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            if found := personal.mentions(table=table, subject=subject):
                left[table] = found
        if job is not None:
            job.progress(number)
    return left


def _finish(
    receipt: Erasure,
    counts: dict[str, int],
    left: dict[str, int],
    trouble: dict[str, str],
    now: datetime,
) -> None:
    receipt.counts, receipt.left = counts, left
    if not trouble:
        receipt.finished_at, receipt.sealed = now, ""
        receipt.sha256 = ledger.seal_receipt(receipt)
    receipt.save(update_fields=["counts", "left", "finished_at", "sealed", "sha256"])
