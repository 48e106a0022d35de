"""The attributes that are watched for fairness, and which group of them each person is in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from marketing.core import audit
from marketing.core.db import DAY_THERE_IS
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import ApiKey, User
from models_ml.algorithms.fourfifths import UNKNOWN
from models_ml.models import WatchedAttribute

Kind = WatchedAttribute.Kind
MOST = 6
MOST_BANDS = 12
AGES = (25, 35, 45, 55, 65)
COLUMNS: dict[str, str | Promise] = {
    "customer.country": gettext_lazy("country"),
    "customer.language": gettext_lazy("language"),
}
_LATEST = """
    SELECT key, count(*) FROM (
        SELECT attributes FROM ingestion_customer WHERE merged_into_id IS NULL
        ORDER BY id DESC LIMIT 2000) AS lately, jsonb_object_keys(attributes) AS key
    GROUP BY key ORDER BY count(*) DESC, key LIMIT 100"""


@dataclass(frozen=True, slots=True)
class Watched:
    """An attribute without its row, as it stood when something was judged by it."""

    name: str
    kind: str
    bands: tuple[float, ...] = ()

    @property
    def label(self) -> str:
        return str(COLUMNS.get(self.name, self.name))

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "kind": self.kind, "bands": list(self.bands)}


def everything() -> list[Watched]:
    """What is watched, in the order in which it was chosen."""
    rows = WatchedAttribute.objects.values_list("name", "kind", "bands")
    return [Watched(name, kind, tuple(bands)) for name, kind, bands in rows]


def watch(
    *,
    name: str,
    kind: str = Kind.TEXT,
    bands: Sequence[float] | None = None,
    actor: User | ApiKey | None,
    now: datetime,
) -> WatchedAttribute:
    """Watch the groups of an attribute from now on."""
    name = name.strip()
    if not 0 < len(name) <= 220 or "\x00" in name:
        raise Invalid(_("Choose a property of people."), code="name_missing", field="name")
    if kind not in Kind.values or (name in COLUMNS and kind != Kind.TEXT):
        raise Invalid(_("This cannot be told in such groups."), code="kind_invalid", field="kind")
    told = _bands(kind, bands)
    if WatchedAttribute.objects.count() >= MOST:
        raise Conflict(
            _("%(most)d attributes are watched already; stop watching one first.") % {"most": MOST},
            code="too_many_watched",
        )
    user = actor if isinstance(actor, User) else getattr(actor, "created_by", None)
    try:
        with transaction.atomic():
            made = WatchedAttribute.objects.create(
                name=name, kind=kind, bands=told, created_by=user, created_at=now
            )
            detail = {"kind": kind, "bands": told}
            audit.record(actor=actor, action="fairness.watched", obj=made, detail=detail)
    except IntegrityError:
        raise Conflict(
            _("“%(name)s” is watched already.") % {"name": name}, code="watched_already"
        ) from None
    return made


def unwatch(*, attribute: WatchedAttribute, actor: User | ApiKey | None) -> None:
    """Watch the groups of an attribute no longer."""
    with transaction.atomic():
        audit.record(actor=actor, action="fairness.unwatched", obj=attribute)
        attribute.delete()


def _bands(kind: str, bands: Sequence[float] | None) -> list[float]:
    if kind == Kind.TEXT:
        return []
    if not bands and kind == Kind.BIRTH:
        return list(AGES)
    found = sorted({float(one) for one in bands or ()})
    if not 1 <= len(found) <= MOST_BANDS or not all(abs(one) < 1e12 for one in found):
        raise Invalid(
            _("Say where bands begin: 1 to %(most)d numbers.") % {"most": MOST_BANDS},
            code="bands_invalid",
            field="bands",
        )
    return [int(one) if one.is_integer() else one for one in found]


def offered() -> list[str]:
    """Properties that the newest people have, the commonest first."""
    with connection.cursor() as cursor:
        cursor.execute(_LATEST)
        return [*COLUMNS, *(row[0] for row in cursor.fetchall())]


def names_of(one: Watched) -> list[str]:
    """What the bands are called, the lowest first."""
    ends = [f"{value:g}" for value in one.bands]
    if not ends:
        return []
    if one.kind == Kind.BIRTH:
        last = [f"{value - 1:g}" for value in one.bands[1:]]
    else:
        last = [f"<{end}" for end in ends[1:]]
    inner = [f"{a}–{b}" for a, b in zip(ends, last, strict=False)]
    return [f"<{ends[0]}", *inner, f"≥{ends[-1]}"]


def group_sql(one: Watched, *, row: str, as_of: datetime) -> tuple[str, list[Any]]:
    """SQL of the name of a person's group; `row` is an alias with the columns of customers."""
    if one.name in COLUMNS:
        column = one.name.partition(".")[2]
        return f"coalesce(nullif({row}.{column}, ''), '{UNKNOWN}')", []
    said, name = f"btrim({row}.attributes ->> %s)", one.name
    if one.kind == Kind.TEXT:
        return f"coalesce(nullif(left(lower({said}), 80), ''), '{UNKNOWN}')", [name]
    params: list[Any]
    place = "width_bucket({value}, %s::float8[]) + 1"
    bands = [float(value) for value in one.bands]
    if one.kind == Kind.NUMBER:
        fits = f"{said} ~ '^-?[0-9]{{1,15}}(\\.[0-9]{{1,15}})?$'"
        value, params = f"({said})::float8", [name, name]
    else:
        fits = f"{said} ~ '{DAY_THERE_IS}'"
        value = f"date_part('year', age(%s::date, left({said}, 10)::date))"
        params = [name, as_of.date(), name]
    sql = f"CASE WHEN {fits} THEN (%s::text[])[{place.format(value=value)}] ELSE '{UNKNOWN}' END"
    before = params[: fits.count("%s")]
    return sql, [*before, names_of(one), *params[len(before) :], bands]


def of_people(
    *, ids: Iterable[int], attributes: Sequence[Watched], as_of: datetime
) -> dict[str, list[str]]:
    """For each attribute the groups of these people, in their order."""
    wanted = [int(one) for one in ids]
    parts = [group_sql(one, row="c", as_of=as_of) for one in attributes]
    columns = "".join(f", coalesce({sql}, '{UNKNOWN}')" for sql, _params in parts)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT w.n{columns} FROM unnest(%s::bigint[]) WITH ORDINALITY AS w (id, n)"
            " LEFT JOIN ingestion_customer AS c ON c.id = w.id ORDER BY w.n",
            [*(value for _sql, params in parts for value in params), wanted],
        )
        rows = cursor.fetchall()
    return {one.name: [row[n + 1] for row in rows] for n, one in enumerate(attributes)}
