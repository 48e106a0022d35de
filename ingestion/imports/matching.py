"""Which column fills which field, how sure that is, and what was chosen for such a file before."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ingestion import schemas
from ingestion.models import ImportJob, Source
from ingestion.preprocess import detect, properties, values

REMEMBERED, NAMED, ALIAS, CONTENT = "remembered", "named", "alias", "content"
KEPT = "kept"  # a column that no field takes, as a property
SURE = {REMEMBERED: 100, NAMED: 100, ALIAS: 90, CONTENT: 70}
_KEPT = ("date_style", "decimal", "timezone", "currency", "property_kinds", "numbered")
_SHARE = 0.8  # of the filled samples that have to look like it


@dataclass(frozen=True)
class Before:
    """The last import of a file with the same columns."""

    kind: str = ""
    source: Source | None = None
    mapping: dict[str, int] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)


def signature(header: Sequence[str]) -> str:
    """One text for one set of columns in one order, whatever the capitals and spaces."""
    return hashlib.sha256("\x1f".join(schemas.fold(name) for name in header).encode()).hexdigest()


def remembered(*, header: Sequence[str], source: Source | None = None) -> Before:
    """What was chosen the last time such a file was started, for this source before others."""
    rows = ImportJob.objects.filter(
        signature=signature(header), job__isnull=False, mends=None, source__is_demo=False
    ).select_related("source")
    found = (rows.filter(source=source) if source else rows).order_by("-id").first()
    if found is None:
        return Before()
    options = {name: found.options[name] for name in _KEPT if found.options.get(name)}
    return Before(found.kind, found.source, dict(found.mapping), options)


def suggest(
    *,
    kind: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    source: Source | None = None,
    before: Before | None = None,
) -> dict[str, tuple[int, str]]:
    """Field or property → (column, how it was found). Each column is used once.

    What no field takes becomes a property, unless such a file was imported before: then what was
    taken of it is taken again, and no more. An agreement that was left out is never guessed.
    """
    known = {f.name for f in schemas.KINDS[kind]}
    found: dict[str, tuple[int, str]] = {}
    taken: set[int] = set()

    def take(name: str, index: int, how: str) -> None:
        fits = name in known or properties.may_be(kind, name)
        if fits and name not in found and index not in taken and 0 <= index < len(header):
            found[name] = (index, how)
            taken.add(index)

    for name, column in (source.mapping.get(kind, {}) if source else {}).items():
        if column in header:
            take(name, list(header).index(column), REMEMBERED)
    if before and before.kind == kind:
        for name, index in before.mapping.items():
            take(name, index, REMEMBERED)
    if not (before and before.kind == kind):
        for name, index in schemas.suggest(kind, header).items():
            is_named = schemas.fold(header[index]) == schemas.fold(name)
            take(name, index, NAMED if is_named else ALIAS)
        for name, index in _by_content(kind, header, rows, known - set(found), taken).items():
            take(name, index, CONTENT)
        for name, index in properties.suggest(kind, header, taken).items():
            take(name, index, KEPT)
    fields = [f.name for f in schemas.KINDS[kind] if f.name in found]
    return {name: found[name] for name in (*fields, *(n for n in found if n not in known))}


def _by_content(
    kind: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    open_fields: set[str],
    taken: set[int],
) -> dict[str, int]:
    """Columns that hold addresses, and the only column that holds dates."""
    samples = {
        index: [row[index] for row in rows if index < len(row) and row[index].strip()]
        for index in range(len(header))
        if index not in taken
    }
    found: dict[str, int] = {}
    if "email" in open_fields:
        for index, texts in samples.items():
            good = sum(not values.email(text)[1] for text in texts if "@" in text)
            if texts and good >= len(texts) * _SHARE:
                found["email"] = index
                break
    needed = next((f.name for f in schemas.KINDS[kind] if f.required and f.kind == "moment"), "")
    dates = [
        index
        for index, texts in samples.items()
        if texts and set(detect.date_styles(texts)) - {"epoch"}
    ]
    if needed in open_fields and len(dates) == 1:
        found[needed] = dates[0]
    return found


def plain(suggested: Mapping[str, tuple[int, str]]) -> dict[str, int]:
    """Field → column."""
    return {name: index for name, (index, _how) in suggested.items()}
