"""What a campaign and each of its variants may cost, held over those whose turn it is.

A variant with a limit gets no message more than its limit pays for, at the prices for each that are
written down. People are put in the order of a hash and dealt out by number, so that everybody has
the same chance, and whom a variant cannot pay for gets another. Who is left when nothing pays any
more is skipped, by a hash as well, so that nobody is favoured.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import connection

from campaigns.experiments import bandits
from campaigns.models import Run, Variant
from campaigns.recipients import prices, routes
from campaigns.recipients.draws import Draw, slot_sql

# How many people still wait, by the channels that reach them; of one channel the key is empty.
People = Mapping[str, int]
BUDGET = "budget"
_WAITS = "m.run_id = %s AND m.state = 'queued' AND m.first_try_at IS NULL"
_GIVEN = """
    SELECT m.reach, m.variant, count(*) FROM campaigns_message AS m
    WHERE {waits} GROUP BY m.reach, m.variant"""
_GONE = """
    SELECT m.variant, m.channel, count(*) FROM campaigns_message AS m
    WHERE m.run_id = %s AND m.state <> 'skipped' AND (m.state <> 'queued' OR {before})
    GROUP BY m.variant, m.channel"""
_BEYOND = """
    UPDATE campaigns_message SET state = 'skipped', reason = 'budget', next_try_at = NULL
    WHERE id IN (
        SELECT id FROM (
            SELECT m.id, sum(coalesce(price.each, %s)) OVER (
                ORDER BY md5('budget:' || m.id), m.id) AS spent
            FROM campaigns_message AS m
            LEFT JOIN unnest(%s::text[], %s::numeric[]) AS price (channel, each)
                ON price.channel = m.channel
            WHERE {waits}) AS those
        WHERE spent > %s)"""
_DEAL = """
    UPDATE campaigns_message AS m
    SET variant = coalesce(plan.variant, m.variant), chance = plan.chance,
        state = CASE WHEN plan.variant IS NULL THEN 'skipped' ELSE m.state END,
        reason = CASE WHEN plan.variant IS NULL THEN 'budget' ELSE m.reason END,
        next_try_at = CASE WHEN plan.variant IS NULL THEN NULL ELSE {due} END{also}
    FROM (SELECT m.id, m.reach, m.customer_id, row_number() OVER (
                 PARTITION BY m.reach
                 ORDER BY md5(%s || ':' || m.customer_id) COLLATE "C", m.id) - 1 AS place
          FROM campaigns_message AS m
          WHERE {waits} AND m.reach = ANY(%s)) AS those
    JOIN ingestion_customer AS c ON c.id = those.customer_id
    LEFT JOIN unnest(%s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::float8[])
        AS plan (reach, variant, channel, low, high, chance)
        ON plan.reach = those.reach AND place >= plan.low AND place < plan.high
    WHERE m.id = those.id"""
_ALSO = """, channel = coalesce(plan.channel, m.channel),
        address = CASE WHEN plan.variant IS NULL THEN m.address ELSE {address} END"""


@dataclass(frozen=True)
class Turn:
    """Whose turn it is: those of a round, or all who wait where it is the `last`; 0 goes first."""

    run: Run
    draw: Draw
    number: int = 0
    last: bool = False

    def sql(self) -> tuple[str, list[Any]]:
        """Whether it is the turn of a message `m` of those that wait."""
        slot, of_slot = slot_sql("m.customer_id", self.draw)
        sign = ">=" if self.last else "="
        return f"{_WAITS} AND ({slot}) {sign} %s", [self.run.pk, *of_slot, self.number]

    def before(self) -> tuple[str, list[Any]]:
        """Whether the turn of a message `m` came earlier."""
        slot, of_slot = slot_sql("m.customer_id", self.draw)
        return f"({slot}) < %s", [*of_slot, self.number]

    def people(self) -> dict[str, int]:
        """How many they are, by the channels that reach them."""
        found: dict[str, int] = {}
        for reach, _variant, n in self.given():
            found[reach] = found.get(reach, 0) + n
        return found

    def given(self) -> list[tuple[str, str, int]]:
        """What they have been given: by the channels that reach them, variant, and how many."""
        waits, params = self.sql()
        with connection.cursor() as cursor:
            cursor.execute(_GIVEN.format(waits=waits), params)
            return list(cursor.fetchall())

    def gone(self) -> list[tuple[str, str, int]]:
        """What was given earlier: variant, channel, and how many."""
        before, params = self.before()
        with connection.cursor() as cursor:
            cursor.execute(_GONE.format(before=before), [self.run.pk, *params])
            return list(cursor.fetchall())

    def channel_of(self, variant: str) -> str:
        """The channel that a variant goes by."""
        own = self.run.snapshot.get("channel", "email")
        return str(dict(self.draw.routes).get(variant, own))


def left(turn: Turn) -> dict[str, int]:
    """How many messages each variant with a limit may still have."""
    rows = Variant.objects.filter(campaign=turn.run.campaign_id)
    limits = {row.key: row.limit for row in rows if row.limit is not None}
    if not limits:
        return {}
    each = prices.of_campaign(turn.run.campaign_id)
    spent: dict[str, Decimal] = {}
    for variant, channel, n in turn.gone():
        spent[variant] = spent.get(variant, Decimal(0)) + n * each.of(channel)
    price = {key: each.of(turn.channel_of(key)) for key in limits}
    return {
        key: max(int((limit - spent.get(key, Decimal(0))) / price[key]), 0)
        for key, limit in limits.items()
        if price[key]
    }


def by_variant(given: Iterable[tuple[str, str, int]]) -> dict[str, int]:
    """How many have each variant, whatever reaches them."""
    found: dict[str, int] = {}
    for _reach, variant, n in given:
        found[variant] = found.get(variant, 0) + n
    return found


def reached(most: Mapping[str, int], given: Mapping[str, int]) -> list[str]:
    """The variants that have nothing left."""
    return [key for key, roof in most.items() if given.get(key, 0) >= roof]


def parted(
    sets: routes.Sets, people: People, most: Mapping[str, int]
) -> dict[str, dict[str, float]]:
    """What each set of people may have of what is left: as they would have without limits."""
    found: dict[str, dict[str, float]] = {reach: {} for reach in sets}
    for variant, roof in most.items():
        wanted = {
            reach: people.get(reach, 0) * given[variant]
            for reach, given in sets.items()
            if variant in given
        }
        if not sum(wanted.values()):
            wanted = {reach: float(people.get(reach, 0)) for reach in wanted}
        total = sum(wanted.values())
        for reach, n in wanted.items():
            found[reach][variant] = roof * n / total if total else 0.0
    return found


def capped(
    sets: routes.Sets, people: People, most: Mapping[str, int], otherwise: routes.Sets
) -> dict[str, dict[str, float]]:
    """The shares of each set under the limits; they may sum to less than one."""
    mine = parted(sets, people, most)
    return {
        reach: bandits.capped(
            given, people=people.get(reach, 0), most=mine[reach], otherwise=otherwise.get(reach)
        )
        for reach, given in sets.items()
    }


def deal(
    turn: Turn, *, sets: routes.Sets, most: Mapping[str, int], otherwise: routes.Sets, key: str
) -> dict[str, int]:
    """Give those whose turn it is their variants in whole numbers, and skip whom none pays for.

    `sets`: shares by the channels that reach people, with an empty key where there is one channel.
    `otherwise`: the shares of what one variant leaves over, where the others have none of `sets`.
    Returns how many got each variant.
    """
    people = turn.people()
    mine = parted(sets, people, most)
    plan: list[tuple[str, str, str, int, int, float]] = []
    counts: dict[str, int] = {}
    for reach, given in sets.items():
        n = people.get(reach, 0)
        got = bandits.dealt(given, people=n, most=mine[reach], otherwise=otherwise.get(reach))
        served, low = sum(got.values()), 0
        for variant, number in got.items():
            if number:
                channel = turn.channel_of(variant)
                plan.append((reach, variant, channel, low, low + number, number / served))
                low += number
                counts[variant] = counts.get(variant, 0) + number
    waits, params = turn.sql()
    also = _ALSO.format(address=routes.ADDRESS.format(channel="plan.channel"))
    sql = _DEAL.format(
        waits=waits,
        also=also if turn.draw.routes else "",
        due="NULL::timestamptz" if turn.number else "m.next_try_at",
    )
    columns = [list(column) for column in zip(*plan, strict=True)] or [[]] * 6
    with connection.cursor() as cursor:
        cursor.execute(sql, [key, *params, list(sets), *columns])
    return counts


def begin(turn: Turn) -> bool:
    """Deal anew to those who go first, where their own hashes give a variant more than it may cost.

    True where it was done.
    """
    most = left(turn)
    given = by_variant(turn.given()) if most else {}
    if all(given.get(key, 0) <= roof for key, roof in most.items()):
        return False
    weights = dict(turn.draw.variants)
    total = sum(weights.values())
    plain = {"": {key: weight / total for key, weight in weights.items()}}
    sets = routes.fixed(turn.draw.routes, turn.draw.variants) if turn.draw.routes else plain
    deal(turn, sets=sets, most=most, otherwise=sets, key=f"{turn.draw.key}:variant")
    return True


def keep_to(turn: Turn, budget: Decimal | None) -> None:
    """Skip whom the campaign's budget does not reach among those whose turn it is, by chance."""
    each = prices.of_campaign(turn.run.campaign_id)
    if budget is None or not each.by_channel:
        return
    spent = sum((n * each.of(channel) for _key, channel, n in turn.gone()), Decimal(0))
    by = routes.channels(turn.draw.routes) or [turn.channel_of("")]
    waits, params = turn.sql()
    with connection.cursor() as cursor:
        cursor.execute(
            _BEYOND.format(waits=waits),
            [each.of(prices.EVERY), by, [each.of(channel) for channel in by], *params,
             budget - spent],
        )  # fmt: skip
