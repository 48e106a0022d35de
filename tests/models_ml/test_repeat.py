"""Who orders again: learned from the past alone, published only when it is worth it."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection

from campaigns.segments import clock, leaves, membership
from campaigns.segments import compile as compiler
from ingestion.models import Customer, Order, OrderLine
from marketing.core import jobs
from marketing.core.errors import Invalid
from marketing.core.models import Job
from models_ml import features, queries, registry, repeat
from models_ml.algorithms.tree import Params
from models_ml.models import ModelVersion, Traits
from tests import factories

NOW = factories.NOW
PARAMS = Params(depth=3, min_leaf=40)
PEOPLE = 600
pytestmark = pytest.mark.django_db


def history(people: int, *, planted: bool) -> None:
    """360 days of orders. Planted: regulars, casual buyers and people who order once, by thirds.

    How many units they buy tells them apart; regulars order every 80 to 89 days, for good.
    """
    rng = np.random.default_rng(5)
    source, product = factories.source(), factories.product("P")
    made = Customer.objects.bulk_create(
        Customer(id=1_000_000 + n, external_id=f"x{n}") for n in range(people)
    )
    orders, units = [], []
    for n, person in enumerate(made):
        kind = n % 3 if planted else 1
        at = NOW - timedelta(days=float(360 - rng.uniform(0, 360 if kind == 2 else 60)))
        gap = {0: lambda: rng.uniform(80, 89), 1: lambda: rng.exponential(120), 2: lambda: 999}[
            kind
        ]
        while at < NOW:
            number = f"h{len(orders)}"
            orders.append(
                Order(
                    source=source, external_id=number, customer=person, placed_at=at, total=5,
                    currency="GBP",
                )
            )  # fmt: skip
            low = {0: 10, 1: 5, 2: 1}[kind]
            units.append(int(rng.integers(low, low + 4)))
            at += timedelta(days=float(gap()))
    OrderLine.objects.bulk_create(
        OrderLine(
            order=order, line_no=1, customer_id=order.customer_id, product=product,
            placed_at=order.placed_at, sku="P", quantity=n, unit_price=5, total=5,
        )
        for order, n in zip(Order.objects.bulk_create(orders), units, strict=True)
    )  # fmt: skip


@pytest.fixture
def trained(db) -> ModelVersion:  # type: ignore[no-untyped-def]
    history(PEOPLE, planted=True)
    version = repeat.train(as_of=NOW, now=NOW, params=PARAMS)
    features.build(as_of=NOW)
    repeat.score()
    return version


def test_planted_regulars_are_found_and_the_tree_goes_live(trained: ModelVersion) -> None:
    assert trained.state == "live"
    assert trained.metrics["auc"] > trained.baseline["auc"]
    assert trained.details["auc_gain"]["low"] > 0
    best = max(trained.details["leaves"], key=lambda leaf: leaf["rate"]["value"])
    assert best["rate"]["value"] > 0.9
    assert trained.details["later_in_time"] is True
    assert queries.live() == trained


def test_a_tree_that_is_no_better_than_its_baseline_is_kept_but_not_published() -> None:
    history(PEOPLE, planted=False)
    version = repeat.train(as_of=NOW, now=NOW, params=PARAMS)
    assert version.state == "refused"
    assert "not reliably better" in version.reason
    assert version.metrics["auc"] < 0.6
    assert queries.live() is None
    features.build(as_of=NOW)
    assert repeat.score() == 0
    assert not Traits.objects.filter(repeat_90d__isnull=False).exists()


def test_too_short_a_history_is_refused_and_nothing_is_stored() -> None:
    factories.cast()
    with pytest.raises(Invalid, match="too few people"):
        repeat.train(as_of=NOW, now=NOW)
    assert not ModelVersion.objects.exists()


def test_the_tree_and_the_segment_of_each_leaf_mean_the_same_people(trained: ModelVersion) -> None:
    factories.customer("cleo")
    features.build(as_of=NOW)
    repeat.score()
    people, leaf_of = repeat.apply(version=trained)
    assert len(people) == PEOPLE
    stored = dict(Traits.objects.filter(orders__gt=0).values_list("customer_id", "repeat_90d_leaf"))
    assert stored == dict(zip(people.tolist(), leaf_of.tolist(), strict=True))
    met = 0
    for leaf in trained.details["leaves"]:
        rule = compiler.read(leaves.rule_of(leaf))
        meant = set(membership.ids(rule))
        assert meant == set(people[leaf_of == leaf["id"]].tolist())
        met += len(meant)
    assert met == PEOPLE


def test_every_chance_is_the_rate_of_its_leaf_and_newcomers_have_none(
    trained: ModelVersion,
) -> None:
    cleo = factories.customer("cleo")
    features.build(as_of=NOW)
    assert repeat.score() == PEOPLE
    chances = {leaf["id"]: leaf["chance"] for leaf in trained.details["leaves"]}
    rows = Traits.objects.exclude(pk=cleo.pk).values_list("repeat_90d_leaf", "repeat_90d")
    assert all(chances[leaf] == chance for leaf, chance in rows)
    assert Traits.objects.get(pk=cleo.pk).repeat_90d is None


def test_scoring_again_rewrites_nobody(trained: ModelVersion) -> None:
    def places() -> list[tuple[str, ...]]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ctid::text FROM models_ml_traits ORDER BY customer_id")
            return list(cursor.fetchall())

    before = places()
    assert repeat.score() == PEOPLE
    assert places() == before


def test_orders_after_the_moment_do_not_change_the_tree(trained: ModelVersion) -> None:
    person = Customer.objects.first()
    for day in range(1, 40):
        factories.order(person, placed_at=NOW + timedelta(days=day))
    again = repeat.train(as_of=NOW, now=NOW, params=PARAMS)
    assert again.details["nodes"] == trained.details["nodes"]
    assert again.metrics == trained.metrics


def test_a_persons_page_says_why(trained: ModelVersion) -> None:
    row = Traits.objects.filter(repeat_90d__isnull=False).first()
    assert row is not None
    person = queries.for_customer(customer_id=row.pk)
    assert person is not None
    assert person.chance == row.repeat_90d
    assert person.low is not None
    assert person.high is not None
    assert person.low <= person.chance <= person.high
    assert person.model == "repeat_90d v1"
    assert person.reasons
    for reason in person.reasons:
        assert reason.value == getattr(row, reason.field)


def test_going_back_to_an_older_version_brings_its_word_back(trained: ModelVersion) -> None:
    words = list(Traits.objects.order_by("pk").values_list("repeat_90d_leaf", "repeat_90d"))
    other = repeat.train(as_of=NOW, now=NOW, params=Params(depth=1, min_leaf=40))
    registry.promote(version=other)
    repeat.score()
    assert list(Traits.objects.order_by("pk").values_list("repeat_90d_leaf", "repeat_90d")) != words
    registry.promote(version=trained)
    repeat.score()
    assert list(Traits.objects.order_by("pk").values_list("repeat_90d_leaf", "repeat_90d")) == words


def test_the_training_job_trains_scores_and_can_be_taken_up_again() -> None:
    history(PEOPLE, planted=True)
    job = jobs.start(kind="tree.train", title="Train", params={"depth": 3, "min_leaf": 40}, steps=5)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.DONE, job.error
    assert job.result["scored"] == PEOPLE
    version = ModelVersion.objects.get()
    assert job.result_url == f"/models/{version.pk}/"
    Job.objects.filter(pk=job.pk).update(state="queued")
    jobs.run(job_id=job.pk)
    assert ModelVersion.objects.count() == 1


def test_the_features_job_counts_everyone_as_of_the_last_order() -> None:
    factories.cast()
    Traits.objects.all().delete()
    job = jobs.start(kind="features.build", title="Count", steps=2)
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.DONE, job.error
    assert job.result["people"] == 3
    assert Traits.objects.count() == 3


class TestDataNow:
    def test_a_history_that_ended_is_seen_as_on_its_last_day(self) -> None:
        factories.order(factories.customer(), days_ago=300)
        last = NOW - timedelta(days=300)
        assert queries.data_now(now=NOW) == last + timedelta(seconds=1)

    def test_a_shop_that_still_sells_gets_the_clock(self) -> None:
        factories.order(factories.customer(), days_ago=30)
        assert queries.data_now(now=NOW) == NOW
        assert clock.moment(now=NOW) == NOW

    def test_numbers_and_rules_agree_when_a_history_is_over(self) -> None:
        factories.order(factories.customer(), days_ago=31)
        last = NOW - timedelta(days=31) + timedelta(seconds=1)
        assert (queries.data_now(now=NOW), clock.moment(now=NOW)) == (last, last)

    def test_without_orders_it_is_now(self) -> None:
        assert queries.data_now(now=NOW) == NOW
        assert queries.as_of(now=NOW) == NOW
