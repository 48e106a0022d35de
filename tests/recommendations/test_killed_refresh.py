"""A worker that dies while it writes everybody's picks: old ones serve until all new ones do."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from marketing.core import jobs
from marketing.core.models import Job
from recommendations import build, placements, serve
from recommendations.models import PickList, Placement, RecommendationSet
from tests.recommendations.conftest import NOW

KEY = 20_111_209
# Whoever writes the picks of one person by ALS is kept waiting by the database, as by a slow disk.
_WAITS = f"WHILE NOT pg_try_advisory_xact_lock_shared({KEY}) LOOP PERFORM pg_sleep(0.02); END LOOP;"
_ROW = """
CREATE OR REPLACE FUNCTION held_back() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (SELECT engine FROM recommendations_recommendationset WHERE id = NEW.set_id) = 'als' THEN
        {waits}
    END IF;
    RETURN NEW;
END $$"""
_TRIGGER = """
CREATE TRIGGER held_back BEFORE INSERT ON recommendations_picklist
FOR EACH ROW WHEN (NEW.customer_id = {person}) EXECUTE FUNCTION held_back()"""
_WRITING = """
SELECT pid FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()
AND query LIKE '%COPY recommendations_picklist%'"""


def writing() -> list[int]:
    """The database's processes that are in the middle of writing picks."""
    with connection.cursor() as cursor:
        cursor.execute(_WRITING)
        return [pid for (pid,) in cursor.fetchall()]


@contextmanager
def held_back(person: int) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [KEY])
        cursor.execute(_ROW.replace("{waits}", _WAITS))
        cursor.execute(_TRIGGER.replace("{person}", str(person)))
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [KEY])
            cursor.execute("DROP FUNCTION held_back CASCADE")


def let_others_by() -> None:
    """Who waits goes on waiting; whoever comes now does not."""
    with connection.cursor() as cursor:
        cursor.execute(_ROW.replace("{waits}", ""))


def stored() -> tuple[list[tuple[str, str, bool]], list[tuple[str, int]]]:
    """Every set, and whose picks are there under the engine of which set ("": of none)."""
    sets = {row.pk: row for row in RecommendationSet.objects.order_by("engine")}
    engines = {key: row.engine for key, row in sets.items()}
    rows = PickList.objects.values_list("set_id", "customer_id")
    return (
        [(row.engine, row.state, row.serving) for row in sets.values()],
        sorted((engines.get(number, ""), person) for number, person in rows),
    )


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_everybody_keeps_their_old_picks_until_all_new_ones_stand_whoever_is_killed(
    shop, train, start_worker, wait_for
):
    train("next_product_als")
    place = build.default_placement()
    build.refresh(placement=place, now=NOW)
    everybody = [person.pk for person in shop.people]
    whole = stored()
    assert whole == (
        [("als", "complete", True), ("popular", "complete", False)],
        sorted((engine, person) for engine in ("als", "popular") for person in everybody),
    )
    old = serve.for_customers(everybody)
    Placement.objects.filter(pk=place.pk).update(size=5)
    job = jobs.start(kind="recommendations.refresh", title="Choose", steps=placements.REFRESH_STEPS)
    shown = []

    def done() -> bool:
        shown.append(serve.for_customers(everybody))
        state = Job.objects.get(pk=job.pk)
        assert state.state != Job.State.FAILED, state.error
        return state.state == Job.State.DONE

    with held_back(everybody[110]):
        start_worker("train", app="tests.recommendations.small_parts", processes=2)
        # The first engine's all stand, two parts of the second's, and the third is on its way.
        wait_for(lambda: PickList.objects.count() == 2 * 200 + 200 + 2 * 40 and writing())
        owner = Job.objects.get(pk=job.pk).owner
        os.kill(int(owner.rsplit(":", 1)[1]), signal.SIGKILL)
        assert serve.for_customers(everybody) == old
        let_others_by()
        Job.objects.filter(pk=job.pk).update(lease_until=timezone.now())
        jobs.sweep(now=timezone.now() + timedelta(seconds=1))
        wait_for(done)
        job.refresh_from_db()
        assert job.attempt == 2
        assert stored() == whole
        assert writing(), "the database still has a part of whoever was killed in hand"
    new = serve.for_customers(everybody)
    assert {len(picks) for picks in new.values()} == {5}
    assert shown[0] == old
    assert all(one in (old, new) for one in shown)
    # What was in the database's hands when they were killed goes with the next refresh.
    wait_for(lambda: not writing())
    build.refresh(placement=place, now=NOW)
    assert stored() == whole
