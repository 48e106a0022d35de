"""Giving everybody of a round the variant that suits people like them. For workers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from psycopg2.extras import execute_values

from campaigns.experiments import assignment
from campaigns.experiments.linear import Linear, choose_within
from campaigns.models import Choice, Message, Run, Trial
from campaigns.recipients import audience, limits, routes
from campaigns.variants.profiles import COLUMNS, chances_of, features, may_get, with_ways
from campaigns.variants.shares import Sets

AT_ONCE = 20_000
_WAITING = """
    SELECT m.customer_id, m.reach, {columns} FROM campaigns_message AS m
    LEFT JOIN models_ml_traits AS t ON t.customer_id = m.customer_id
    WHERE {waits} AND m.customer_id > %s AND m.reach = ANY(%s) ORDER BY m.customer_id LIMIT %s"""
_RELEASE = """
    UPDATE campaigns_message AS m SET variant = v.variant, next_try_at = NULL{also}
    FROM (VALUES %s) AS v (customer_id, variant, chance){people}
    WHERE m.run_id = {run} AND m.customer_id = v.customer_id AND m.state = 'queued'
      AND m.first_try_at IS NULL{mine}"""


@dataclass
class Part:
    """The people of a round, and what is known of which variant suits whom.

    `sets` are the shares by channels, with an empty key where there is one channel; `most` is how
    many each variant with a limit may still be given to.
    """

    run: Run
    trial: Trial
    number: int
    draw: audience.Draw
    learner: Linear
    floor: float
    sets: Sets
    most: dict[str, int]

    def choose(self) -> dict[str, int]:
        """Give everybody a variant by their chances, and write the chances down; how many got each.

        Of people in the order of their ids each so many have a like part of what is left of a
        limit, so that none of them comes too late.
        """
        counts: dict[str, int] = {}
        turn = limits.Turn(self.run, self.draw, self.number)
        waits, params = turn.sql()
        reaches = routes.choices(self.draw.routes) if self.draw.routes else [""]
        people = turn.people() if self.most else {}
        still = sum(people.get(reach, 0) for reach in reaches)
        last = 0
        with connection.cursor() as cursor:
            while True:
                cursor.execute(
                    _WAITING.format(columns=COLUMNS, waits=waits),
                    [*params, last, reaches, AT_ONCE],
                )
                rows = cursor.fetchall()
                if not rows:
                    return counts
                last = rows[-1][0]
                for name, n in self._give(rows, len(rows) / max(still, len(rows))).items():
                    counts[name] = counts.get(name, 0) + n
                still -= len(rows)

    def _give(self, rows: list[tuple[Any, ...]], part: float) -> dict[str, int]:
        """Choose for some of them, who may have this part of what is left."""
        reached = [row[1] for row in rows]
        ways = routes.channels(self.draw.routes)
        x = with_ways(features([row[2:] for row in rows]), reached, ways)
        may = may_get(reached, self.learner.arms, self.sets)
        chances = chances_of(self.learner, self.trial.learner, x, may, self.floor, seed=self.number)
        salt = f"{self.draw.key}:round{self.number}"
        own = [int(assignment.bucket(key=salt, unit=row[0]), 16) / 2**32 for row in rows]
        most = np.array(
            [np.floor(self.most.get(name, np.inf) * part) for name in self.learner.arms]
        )
        arm, had = choose_within(chances, most=most, uniform=np.array(own))
        chosen = [i for i, place in enumerate(arm) if place < len(self.learner.arms)]
        given = [
            Choice(
                run=self.run, customer_id=rows[i][0], number=self.number,
                variant=self.learner.arms[arm[i]], chance=float(had[i]),
                known=np.round(x[i], 5).tolist(),
            )
            for i in chosen
        ]  # fmt: skip
        values = [(one.customer_id, one.variant, one.chance) for one in given]
        with connection.cursor() as cursor:
            execute_values(cursor, self._release_sql(), values, page_size=AT_ONCE)
        Choice.objects.bulk_create(given, ignore_conflicts=True)
        without = [row[0] for i, row in enumerate(rows) if arm[i] == len(self.learner.arms)]
        Message.objects.filter(run=self.run, customer_id__in=without).update(
            state=Message.State.SKIPPED, reason=limits.BUDGET, next_try_at=None
        )
        counts: dict[str, int] = {}
        for one in given:
            counts[one.variant] = counts.get(one.variant, 0) + 1
            if one.variant in self.most:
                self.most[one.variant] -= 1
        return counts

    def _release_sql(self) -> str:
        """What gives people what was chosen; where it goes by another channel, with its address."""
        run = int(self.run.pk)
        if not self.draw.routes:
            return _RELEASE.format(run=run, also="", people="", mine="")
        pairs = ", ".join(f"('{key}', '{channel}')" for key, channel in self.draw.routes)
        address = routes.ADDRESS.format(channel="way.channel")
        return _RELEASE.format(
            run=run,
            also=f", channel = way.channel, chance = v.chance, address = {address}",
            people=f", ingestion_customer AS c, (VALUES {pairs}) AS way (variant, channel)",
            mine=" AND c.id = m.customer_id AND way.variant = v.variant",
        )
