"""One person under all their names, so that whatever holds one of them can be found."""

from collections.abc import Sequence

from django.db import connection

from marketing.core.personal import Subject

_ROWS = """
    WITH RECURSIVE rows AS (
        SELECT id FROM ingestion_customer WHERE id = %s
        UNION SELECT c.id FROM ingestion_customer c JOIN rows r ON c.merged_into_id = r.id)
    SELECT c.id, c.external_id, c.email, c.phone, c.first_name, c.last_name
    FROM ingestion_customer c JOIN rows USING (id) ORDER BY c.id <> %s, c.id"""


def of_customer(customer_id: int) -> Subject | None:
    """The person with the rows merged into them; None when there is no such person."""
    with connection.cursor() as cursor:
        cursor.execute(_ROWS, [customer_id, customer_id])
        rows = cursor.fetchall()
        if not rows:
            return None
        numbers = tuple(row[0] for row in rows)
        cursor.execute(
            "SELECT kind, value FROM ingestion_identity WHERE customer_id = ANY(%s) ORDER BY id",
            [list(numbers)],
        )
        names: dict[str, list[str]] = {}
        for kind, value in cursor.fetchall():
            names.setdefault(kind, []).append(value)
        full = {(row[4].strip(), row[5].strip()) for row in rows}
        phones = _all(names.pop("phone", []), [row[3] for row in rows])
        return Subject(
            numbers=numbers,
            external_ids=_all(names.pop("external", []), [row[1] for row in rows]),
            emails=_all(names.pop("email", []), [row[2] for row in rows]),
            phones=phones,
            shared=_shared(phones, numbers),
            devices=_all([value for values in names.values() for value in values], []),
            full_names=_alone({pair for pair in full if all(pair)}, numbers),
            rare_names=_rare({name for pair in full for name in pair}, numbers),
        )


def _all(known: Sequence[str], shown: Sequence[str | None]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in (*known, *shown) if value))


def _shared(phones: Sequence[str], numbers: tuple[int, ...]) -> tuple[str, ...]:
    """Numbers that somebody else has, too: a family's."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT phone FROM ingestion_customer"
            " WHERE phone = ANY(%(phones)s) AND phone <> '' AND id <> ALL(%(ids)s)"
            " UNION SELECT value FROM ingestion_identity"
            " WHERE kind = 'phone' AND value = ANY(%(phones)s) AND customer_id <> ALL(%(ids)s)"
            " ORDER BY 1",
            {"phones": list(phones), "ids": list(numbers)},
        )
        return tuple(row[0] for row in cursor.fetchall())


def _alone(pairs: set[tuple[str, str]], numbers: tuple[int, ...]) -> tuple[tuple[str, str], ...]:
    """First and last names together that nobody else has: a namesake keeps their own."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT f, l FROM unnest(%(first)s::text[], %(last)s::text[]) AS n (f, l)"
            " WHERE NOT EXISTS (SELECT 1 FROM ingestion_customer c WHERE c.id <> ALL(%(ids)s)"
            " AND lower(c.first_name) = lower(f) AND lower(c.last_name) = lower(l)) ORDER BY 1, 2",
            {
                "first": [first for first, _last in sorted(pairs)],
                "last": [last for _first, last in sorted(pairs)],
                "ids": list(numbers),
            },
        )
        return tuple((first, last) for first, last in cursor.fetchall())


def _rare(words: set[str], numbers: tuple[int, ...]) -> tuple[str, ...]:
    """Those of at least four letters that nobody else is called."""
    chosen = sorted(word for word in words if len(word) >= 4)
    if not chosen:
        return ()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT w FROM unnest(%(words)s::text[]) AS w WHERE NOT EXISTS ("
            " SELECT 1 FROM ingestion_customer c WHERE c.id <> ALL(%(ids)s)"
            " AND (c.first_name = w OR c.last_name = w)) ORDER BY 1",
            {"words": chosen, "ids": list(numbers)},
        )
        return tuple(row[0] for row in cursor.fetchall())


def known_by(*, subject: Subject) -> list[int]:
    """People who go by one of these names now: the person came back, or a backup was restored."""
    pairs = [
        (kind, value)
        for kind, values in (
            ("external", subject.external_ids),
            ("email", subject.emails),
            ("phone", subject.own_phones),
        )
        for value in values
    ]
    if not pairs:
        return []
    kinds, values = (list(column) for column in zip(*pairs, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT i.customer_id FROM ingestion_identity i"
            " JOIN unnest(%s::text[], %s::text[]) AS n (kind, value) USING (kind, value)"
            " WHERE i.customer_id IS NOT NULL ORDER BY 1",
            [kinds, values],
        )
        return [row[0] for row in cursor.fetchall()]
