"""Who is in which group: worked out from today's facts, written for everyone by COPY.

Only what differs is written: a person who stays in a group costs nothing to whoever reads the
changes. Whoever said no to profiling, was erased or merged is in no group.
"""

import io
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from ingestion import changes
from marketing.core import bus
from marketing.core.db import COPY_HEAD, COPY_TAIL, advisory_lock
from marketing.core.errors import Conflict
from models_ml import registry
from models_ml.algorithms import artifacts
from models_ml.algorithms.clusters.fitted import Groups
from models_ml.algorithms.clusters.scaling import Scaler
from models_ml.clusters import definitions, facts
from models_ml.features import reading
from models_ml.models import Clustering, ClusterMember, ModelVersion

FILE, ARRAYS = "sorting.json", "groups.npz"
MEMBERS = ClusterMember._meta.db_table
LAID = "models_ml_sorted"
_DECIMALS = 3

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sorting:
    """A stored version: facts on one scale, its groups and the number of each."""

    scaler: Scaler
    groups: Groups
    numbers: Ints

    def write(self, folder: Path) -> None:
        artifacts.write_json(
            folder / FILE,
            {
                "scaler": self.scaler.as_json(),
                "kind": self.groups.kind,
                "numbers": self.numbers.tolist(),
            },
        )
        artifacts.write_arrays(folder / ARRAYS, **self.groups.arrays())

    def sort(self, names: list[str], x: Floats) -> tuple[Ints, Floats]:
        """The number of each row's group and the chance of it."""
        z = self.scaler.apply(x[:, [names.index(name) for name in self.scaler.names]])
        place, chance = self.groups.assign(z)
        return self.numbers[place], chance


def read_sorting(folder: Path) -> Sorting:
    told = artifacts.read_json(folder / FILE)
    arrays = artifacts.read_arrays(folder / ARRAYS)
    return Sorting(
        Scaler.from_json(told["scaler"]),
        Groups.from_arrays(told["kind"], arrays),
        np.array(told["numbers"], dtype=np.int64),
    )


def read_facts(*, clustering: Clustering, as_of: datetime) -> tuple[Ints, list[str], Floats]:
    """Ids, the names of the facts and their raw values (n, f), of everyone it is about."""
    found = reading.read(
        features=facts.features(clustering.facts),
        population=definitions.population_of(clustering),
        cuts=[as_of],
    )
    names = [feature.name for feature in found.features]
    return found.asked.person, names, found.x.to_numpy(dtype=np.float64)


def assign(*, clustering: Clustering, as_of: datetime) -> int:
    """Sort everyone by the version in use; how many people. Without one nobody is in a group."""
    version = registry.live(clustering.name)
    nobody = np.empty(0, dtype=np.int64)
    if version is None:
        return write(
            clustering=clustering, version=None, person=nobody, number=nobody,
            chance=np.empty(0), as_of=as_of,
        )  # fmt: skip
    try:
        sorting = registry.load(version, read_sorting)
    except (artifacts.Damaged, OSError) as fault:
        raise Conflict(
            _("The files of %(version)s are damaged, so nobody was sorted again.")
            % {"version": version},
            code="model_damaged",
            remedy=_("People stay in the groups they are in. Find the clusters again."),
        ) from fault
    person, names, x = read_facts(clustering=clustering, as_of=as_of)
    number, chance = sorting.sort(names, x) if len(person) else (nobody, np.empty(0))
    return write(
        clustering=clustering, version=version, person=person, number=number, chance=chance,
        as_of=as_of,
    )  # fmt: skip


def write(
    *,
    clustering: Clustering,
    version: ModelVersion | None,
    person: Ints,
    number: Ints,
    chance: Floats,
    as_of: datetime,
) -> int:
    """Let these be the groups, all at once; tell whose group is another one now."""
    key = {"key": clustering.pk}
    with advisory_lock(f"clusters:{clustering.pk}"), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        _lay(cursor, person, number, chance)
        cursor.execute(
            f"SELECT coalesce(s.customer_id, m.customer_id) FROM {LAID} AS s"
            f" FULL JOIN (SELECT * FROM {MEMBERS} WHERE clustering_id = %(key)s) AS m"
            " USING (customer_id) WHERE s.number IS DISTINCT FROM m.number"
            f" LIMIT {changes.MOST + 1}",
            key,
        )
        moved = [row[0] for row in cursor.fetchall()]
        cursor.execute(
            f"DELETE FROM {MEMBERS} AS m WHERE m.clustering_id = %(key)s"
            f" AND NOT EXISTS (SELECT FROM {LAID} AS s WHERE s.customer_id = m.customer_id)",
            key,
        )
        cursor.execute(
            f"INSERT INTO {MEMBERS} AS m (clustering_id, customer_id, number, chance)"
            f" SELECT %(key)s, customer_id, number, chance FROM {LAID} ORDER BY customer_id"
            " ON CONFLICT (clustering_id, customer_id) DO UPDATE"
            " SET number = excluded.number, chance = excluded.chance"
            " WHERE (m.number, m.chance) IS DISTINCT FROM (excluded.number, excluded.chance)",
            key,
        )
        cursor.execute(f"SELECT number, count(*) FROM {LAID} GROUP BY number")
        sizes = {str(one): count for one, count in cursor.fetchall()}
        clustering.sizes = {
            "version": version.version if version else None,
            "as_of": as_of.isoformat(),
            "people": sum(sizes.values()),
            "groups": sizes,
        }
        Clustering.objects.filter(pk=clustering.pk).update(sizes=clustering.sizes)
        if moved:
            people = None if len(moved) > changes.MOST else moved
            changes.note(kind=changes.SCORE, what=clustering.name, people=people)
            bus.announce("scores.written", key=clustering.name)
    return int(clustering.sizes["people"])


def _lay(cursor: Any, person: Ints, number: Ints, chance: Floats) -> None:
    """Put the new groups beside the old ones, less whoever may be in none by now."""
    cursor.execute(f"DROP TABLE IF EXISTS {LAID}")
    cursor.execute(
        f"CREATE TEMP TABLE {LAID}"
        " (customer_id bigint, number smallint, chance double precision) ON COMMIT DROP"
    )
    fields = [
        ("width", ">i2"), ("person_size", ">i4"), ("person", ">i8"),
        ("number_size", ">i4"), ("number", ">i2"), ("chance_size", ">i4"), ("chance", ">f8"),
    ]  # fmt: skip
    rows = np.empty(len(person), dtype=np.dtype(fields))
    rows["width"], rows["person_size"], rows["number_size"], rows["chance_size"] = 3, 8, 2, 8
    rows["person"], rows["number"] = person, number
    rows["chance"] = np.round(chance, _DECIMALS)
    body = io.BytesIO(COPY_HEAD + rows.tobytes() + COPY_TAIL)
    cursor.copy_expert(f"COPY {LAID} FROM STDIN (FORMAT binary)", body, 1 << 20)
    cursor.execute(
        f"DELETE FROM {LAID} AS s WHERE NOT EXISTS (SELECT FROM ingestion_customer AS c"
        " WHERE c.id = s.customer_id AND c.merged_into_id IS NULL)"
        " OR EXISTS (SELECT FROM ingestion_consent AS x WHERE x.customer_id = s.customer_id"
        " AND x.purpose = 'profiling' AND x.current AND NOT x.granted)"
    )
    cursor.execute(f"ANALYZE {LAID}")


def of_people(*, clustering: Clustering) -> tuple[Ints, Ints]:
    """Everyone who is in a group, by id, and its number."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT customer_id, number FROM {MEMBERS} WHERE clustering_id = %s"
            " ORDER BY customer_id",
            [clustering.pk],
        )
        rows = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]
