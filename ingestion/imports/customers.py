"""One chunk of clean rows about people → customers, identities and consent."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Max

from ingestion import consent
from ingestion.identity import identify
from ingestion.imports.outcome import Stored
from ingestion.models import Customer, ImportJob
from ingestion.preprocess import customers
from ingestion.preprocess.customers import Clean, Row
from ingestion.preprocess.faults import Fault

clean = customers.clean
BLOCK = 1 << 20  # rows about people are many objects each: small chunks keep memory flat
_KEPT = (
    "external_id",
    "email",
    "phone",
    "first_name",
    "last_name",
    "country",
    "language",
    "timezone",
)


def options(chosen: Mapping[str, Any], now: datetime) -> customers.Options:
    """The reading options of an import as the pure side takes them."""
    return customers.Options(
        chosen["timezone"],
        chosen["date_style"],
        now,
        chosen.get("decimal", "."),
        chosen.get("property_kinds", {}),
        chosen.get("numbered", ""),
    )


def store_chunk(*, clean: Clean, record: ImportJob, now: datetime) -> Stored:
    """Store one chunk inside the caller's transaction.

    A row that tells nothing new about a known person is a duplicate.
    """
    people = [_person(row) for row in clean.rows]
    source = record.source.name
    newest = Customer.objects.aggregate(Max("pk"))["pk__max"] or 0
    ids = identify.resolve(people=people, source=source, now=now)
    known = [(i, person) for i, person in zip(ids, people, strict=True) if i is not None]
    before = {
        row["id"]: row
        for row in Customer.objects.filter(pk__in={i for i, _ in known}).values(
            "id", *_KEPT, "attributes"
        )
    }
    identify.enrich(people=known, now=now, overwrite=True)
    answered, rules = _answers(clean.rows, ids, source, now)
    stored, made = 0, set()
    for customer_id, person in known:
        row = before[customer_id]
        fresh = customer_id > newest and customer_id not in made
        made.add(customer_id)
        known_of = row["attributes"]
        tells = any((value := getattr(person, name)) and value != row[name] for name in _KEPT)
        tells = tells or any(known_of.get(n) != value for n, value in person.attributes.items())
        if fresh or tells or customer_id in answered:
            stored += 1
            answered.discard(customer_id)
            row |= {name: value for name in _KEPT if (value := getattr(person, name))}
            known_of |= person.attributes
    faults = [
        Fault(row.line, clean.batch.raw(row.index), "no_person", "customer_id", {})
        for row, found in zip(clean.rows, ids, strict=True)
        if found is None
    ]
    duplicates = len(clean.rows) - stored - len(faults)
    return Stored(stored, duplicates, sorted(before), faults=faults, rules=rules)


def _person(row: Row) -> identify.Person:
    return identify.Person(
        **{name: getattr(row, name) for name in _KEPT}, attributes=dict(row.attributes)
    )


def _answers(
    rows: list[Row], ids: list[int | None], source: str, now: datetime
) -> tuple[set[int], dict[str, dict[str, Any]]]:
    """Record what the file says about marketing; whose answer changed, and the findings.

    A yes counts with proof only, and never against a later no; a yes without its own day against
    no no at all.
    """
    rules: dict[str, dict[str, Any]] = {}

    def count(rule: str) -> None:
        rules.setdefault(rule, {"rows": 0, "examples": []})["rows"] += 1

    answers: list[consent.Answer] = []
    for row, customer_id in zip(rows, ids, strict=True):
        if row.subscribed is None or customer_id is None:
            continue
        if row.subscribed and not (row.proof or row.consent_at):
            count("consent_without_proof")
            continue
        count("consent_granted" if row.subscribed else "consent_refused")
        proof = {"file": source, "line": row.line, "where": row.proof}
        answers.append(
            consent.Answer(
                customer_id,
                row.subscribed,
                row.consent_at or now,
                proof,
                "import",
                dated=row.consent_at is not None,
            )
        )
    changed = consent.record(answers=answers, source=source, now=now) if answers else set()
    return changed, rules
