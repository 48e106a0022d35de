"""Names that would glue strangers together: placeholders, and names that too many people share.

A refused name finds nobody and joins nobody. It is listed with what to do about it, and somebody
may allow it after all.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.conf import settings
from django.db import connection

from ingestion.identity.names import EMAIL, EXTERNAL, PHONE, Name, Node
from ingestion.models import RefusedName

Full = tuple[Name, int]

_NOBODY = re.compile(
    r"|null|nil|none|nan|n/?a|undefined|unknown|anonymous|anon|guest|false|true|\(null\)"
    r"|\(?not[ _-]?set\)?|\[object object\]|%%.*%%|\{\{.*\}\}|[0\-_.*?#]+|-1",
    re.IGNORECASE,
)
_ZERO_UUID = re.compile(r"([0f])\1{7}-?(\1{4}-?){3}\1{12}", re.IGNORECASE)
_NOBODYS_MAIL = re.compile(
    r"(none|null|undefined|unknown|anonymous|guest|nobody|na|no-?reply|no-?e?mail)@.+"
    r"|(test|abc|asdf|email|mail|user)@(test|none|null|no|abc|asdf|email|mail)(\.[a-z]+)?",
    re.IGNORECASE,
)
_ONE_DIGIT = re.compile(r"\+?(\d)\1{5,}")
# A number or a browser that begins otherwise is none of `_NOBODY` and no zero UUID.
_BEGINNINGS = frozenset("nuagftNUAGFT([%{0-_.*?#")


def doubtful(values: Iterable[str]) -> set[str]:
    """Those numbers and browsers that must be looked at closer; nearly all need not."""
    if settings.IDENTITY_PLACEHOLDERS:
        return set(values)
    return {v for v in values if not v or v[0] in _BEGINNINGS or v[0].isspace()}


def is_placeholder(name: Name) -> bool:
    """Whether programs send this where they know nobody."""
    kind, value = name
    if settings.IDENTITY_PLACEHOLDERS and value.casefold() in settings.IDENTITY_PLACEHOLDERS:
        return True
    if kind == EMAIL:
        return _NOBODYS_MAIL.fullmatch(value) is not None
    if kind == PHONE:
        return _ONE_DIGIT.fullmatch(value) is not None
    text = value.strip()
    if text and text[0] not in _BEGINNINGS:
        return False
    return _NOBODY.fullmatch(text) is not None or _ZERO_UUID.fullmatch(value) is not None


def allowed() -> frozenset[Name]:
    """The names that somebody allowed by hand."""
    return frozenset(RefusedName.objects.filter(allowed=True).values_list("kind", "value"))


def placeholders(counts: Mapping[Name, int], *, source: str, now: datetime) -> frozenset[Name]:
    """Those of these names that are refused as placeholders; they are counted on the list."""
    suspects = {name: times for name, times in counts.items() if is_placeholder(name)}
    if not suspects:
        return frozenset()
    names = list(suspects)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ingestion_refusedname (kind, value, reason, people, times, source,"
            " allowed, first_at, last_at)"
            " SELECT kind, value, 'placeholder', 0, times, %s, false, %s, %s"
            " FROM unnest(%s::text[], %s::text[], %s::bigint[]) AS n (kind, value, times)"
            " ORDER BY kind, value"
            " ON CONFLICT (kind, value) DO UPDATE SET last_at = excluded.last_at,"
            " times = ingestion_refusedname.times + excluded.times, source = excluded.source"
            " RETURNING kind, value, allowed",
            [
                source[:100],
                now,
                now,
                [kind for kind, _ in names],
                [value for _, value in names],
                list(suspects.values()),
            ],
        )
        return frozenset((kind, value) for kind, value, allowed in cursor.fetchall() if not allowed)


def barred(names: Iterable[Name], *, source: str, now: datetime) -> frozenset[Name]:
    """Those of these placeholders that nobody allowed. New ones are put on the list.

    Unlike `placeholders` this counts nothing, so that requests in which a program sends the same
    one all day do not wait for each other's row.
    """
    wanted = sorted(set(names))
    known = dict(_listed(wanted))
    fresh = [name for name in wanted if name not in known]
    RefusedName.objects.bulk_create(
        [
            RefusedName(
                kind=kind,
                value=value,
                reason=RefusedName.Reason.PLACEHOLDER,
                people=0,
                times=1,
                source=source[:100],
                first_at=now,
                last_at=now,
            )
            for kind, value in fresh
        ],
        ignore_conflicts=True,
    )
    return frozenset(name for name in wanted if not known.get(name))


def _listed(wanted: Sequence[Name]) -> list[tuple[Name, bool]]:
    """Those of these names that are on the list, and whether somebody allowed each."""
    values = [value for _kind, value in wanted]
    rows = RefusedName.objects.filter(value__in=values).values_list("kind", "value", "allowed")
    return [((kind, value), allowed) for kind, value, allowed in rows]


def refuse(
    refused: Iterable[tuple[Name, int]], *, reason: str, source: str, now: datetime
) -> set[Name]:
    """Put names on the list, with how many people each would join; those not allowed by hand."""
    found = set()
    for (kind, value), people in sorted(refused):
        row, _new = RefusedName.objects.get_or_create(
            kind=kind,
            value=value,
            defaults={
                "reason": reason,
                "people": people,
                "source": source[:100],
                "first_at": now,
                "last_at": now,
            },
        )
        if row.allowed:
            continue
        found.add((kind, value))
        RefusedName.objects.filter(pk=row.pk).update(people=people, reason=reason, last_at=now)
    return found


def shared(pairs: Iterable[tuple[int, int]]) -> dict[Name, int]:
    """Weak names that more people claim than one household has; how many claim each."""
    weaker = sorted({weak for _strong, weak in pairs})
    if not weaker:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.kind, i.value, count(DISTINCT s.customer_id) FROM ingestion_identitylink l"
            " JOIN ingestion_identity i ON i.id = l.weaker_id"
            " JOIN ingestion_identity s ON s.id = l.stronger_id"
            " WHERE l.weaker_id = ANY(%s) AND l.state = 'waiting' AND NOT i.refused"
            " GROUP BY i.id HAVING count(DISTINCT s.customer_id) >= %s",
            [weaker, settings.IDENTITY_MAX_OWNERS],
        )
        return {(kind, value): people for kind, value, people in cursor.fetchall()}


def overfull(customers: Iterable[int], kinds: Sequence[str], most: int) -> dict[int, Full]:
    """People with more names of these kinds than one person has: a name, and how many they have."""
    ids = sorted(set(customers))
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT customer_id, count(*) FROM ingestion_identity"
            " WHERE customer_id = ANY(%s) AND kind = ANY(%s)"
            " GROUP BY customer_id HAVING count(*) >= %s",
            [ids, list(kinds), most],
        )
        counts = dict(cursor.fetchall())
        if not counts:
            return {}
        cursor.execute(
            "SELECT DISTINCT ON (customer_id) customer_id, kind, value FROM ingestion_identity"
            " WHERE customer_id = ANY(%s) AND kind = ANY(%s)"
            " ORDER BY customer_id, kind <> 'external', id",
            [list(counts), [EXTERNAL, EMAIL, PHONE]],
        )
        return {key: ((kind, value), counts[key]) for key, kind, value in cursor.fetchall()}


def overjoined(pairs: Iterable[tuple[int, int]], nodes: Mapping[int, Node]) -> dict[Name, int]:
    """Customer numbers that aliases would glue more others to than one person has."""
    wanted = list(pairs)
    around: dict[int, set[int]] = {}
    for a, b in wanted:
        around.setdefault(a, set()).add(b)
        around.setdefault(b, set()).add(a)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT n.id, count(*) FROM unnest(%(ids)s::bigint[]) AS n (id)"
            " JOIN (SELECT stronger_id AS id FROM ingestion_identitylink"
            "       WHERE state = 'joined' AND stronger_id = ANY(%(ids)s) UNION ALL"
            "       SELECT weaker_id FROM ingestion_identitylink"
            "       WHERE state = 'joined' AND weaker_id = ANY(%(ids)s)) l USING (id)"
            " GROUP BY n.id",
            {"ids": sorted(around)},
        )
        stored = dict(cursor.fetchall())
    return {
        nodes[key].name: people
        for key, others in around.items()
        if (people := len(others) + stored.get(key, 0)) > settings.IDENTITY_MAX_ALIASES
    }
