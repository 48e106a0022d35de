"""People are sorted into groups that hold, or it is said that they are one group."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from campaigns.segments import compile as compiler
from campaigns.segments import membership as members
from ingestion.models import Change, Consent, Customer, Order, OrderLine
from marketing.core.errors import Conflict, Invalid, NotFound, Refused
from marketing.core.models import Job
from models_ml import registry, renewal
from models_ml.algorithms.clusters import choosing
from models_ml.clusters import definitions, membership, reading, training, wording
from models_ml.models import Clustering, ClusterMember, ModelVersion
from tests import factories

NOW = factories.NOW
pytestmark = pytest.mark.django_db
FACTS = ["recency_days", "orders", "avg_order_value"]


@pytest.fixture(autouse=True)
def few_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "COUNTS", (2, 3, 4, 5))


@dataclass
class Kind:
    """Buyers alike: how many orders, about how much each, and how long ago the last one was."""

    people: int
    orders: int
    value: float
    days_ago: int


REGULARS, BIG, GONE = Kind(40, 12, 20, 5), Kind(40, 3, 400, 30), Kind(40, 1, 25, 250)


def buyers(*kinds: Kind, seed: int = 3) -> list[list[int]]:
    """Ids of the people of each kind, every one a little different."""
    chance, made = np.random.default_rng(seed), []
    taken = Customer.objects.count()
    for number, kind in enumerate(kinds):
        people = Customer.objects.bulk_create(
            Customer(external_id=f"k{taken}-{number}-{n}") for n in range(kind.people)
        )
        orders = []
        for person in people:
            last = kind.days_ago * float(chance.uniform(0.7, 1.4))
            count = max(1, round(kind.orders * float(chance.uniform(0.7, 1.4))))
            value = kind.value * float(chance.uniform(0.7, 1.4))
            for n in range(count):
                at = NOW - timedelta(days=last + n * 7)
                total = Decimal(f"{value:.2f}")
                orders.append(Order(
                    source=factories.source(), external_id=f"{person.external_id}-{n}",
                    customer=person, placed_at=at, currency="GBP", total=total, country="GB",
                ))  # fmt: skip
        OrderLine.objects.bulk_create(
            OrderLine(
                order=one,
                line_no=1,
                customer=one.customer,
                placed_at=one.placed_at,
                sku="X",
                quantity=1,
                unit_price=one.total,
                total=one.total,
            )
            for one in Order.objects.bulk_create(orders)
        )
        made.append([person.pk for person in people])
    return made


def sort(**wishes: Any) -> Clustering:
    return definitions.create(title="By buying", **{"chosen": FACTS, "now": NOW, **wishes})


def find(clustering: Clustering) -> ModelVersion:
    version = training.train(clustering=clustering, now=NOW)
    membership.assign(clustering=clustering, as_of=NOW)
    clustering.refresh_from_db()
    return version


def number_of(people: list[int]) -> int:
    found = set(ClusterMember.objects.filter(customer__in=people).values_list("number", flat=True))
    assert len(found) == 1
    return int(found.pop())


def said(rule: dict[str, Any]) -> set[int]:
    return set(members.ids(compiler.read(rule), as_of=NOW))


@pytest.mark.parametrize("method", ["kmeans", "mixture"])
def test_three_kinds_of_buyers_are_found_told_apart_and_kept_as_segments(method: str) -> None:
    regulars, big, gone = buyers(REGULARS, BIG, GONE)
    refused = factories.customer()
    factories.order(refused)
    Consent.objects.create(
        customer=refused, channel="email", purpose="profiling", granted=False, current=True,
        source="test", at=NOW,
    )  # fmt: skip
    clustering = sort(method=method)
    version = find(clustering)
    assert version.state == ModelVersion.State.LIVE
    assert version.details["count"] == 3
    assert clustering.sizes["people"] == version.rows == 120  # not who refused
    assert sorted(clustering.sizes["groups"].values()) == [40, 40, 40]
    of = {number_of(people): people for people in (regulars, big, gone)}
    assert set(of) == {1, 2, 3}
    groups = {group["number"]: group for group in version.details["groups"]}
    names = wording.names_of(clustering, version)
    frequent, rich = number_of(regulars), number_of(big)
    assert groups[frequent]["suggested"][0] == ["orders", "high"]
    assert names[frequent].startswith("Order often")
    orders = next(t for t in groups[frequent]["traits"] if t["fact"] == "orders")
    assert wording.apart(orders).startswith("orders 2.")
    assert groups[rich]["revenue_share"] > 0.7
    certain = ClusterMember.objects.filter(customer__in=regulars).values_list("chance", flat=True)
    assert min(certain) > 0.9
    rule = {"cluster": clustering.key, "in": [frequent]}
    assert said(rule) == set(regulars)
    assert said({"not": rule}) == {*big, *gone, refused.pk}
    offered = reading.offered(most=5)
    assert offered[0]["groups"] == sorted(names.items())


def test_finding_again_keeps_numbers_and_tells_only_who_moved() -> None:
    regulars, big, gone = buyers(REGULARS, BIG, GONE)
    clustering = sort()
    find(clustering)
    was = {number_of(people): people for people in (regulars, big, gone)}
    definitions.name_group(
        clustering=clustering, number=number_of(big), name="Stars", actor=None, now=NOW
    )
    Change.objects.all().delete()
    membership.assign(clustering=clustering, as_of=NOW)
    assert not Change.objects.filter(kind="score").exists()
    # One of the gone comes back like a regular, and a fourth kind appears.
    back = gone[0]
    OrderLine.objects.filter(customer=regulars[0]).update(customer=back)
    dear = buyers(Kind(40, 1, 6000, 400), seed=9)[0]
    version = find(clustering)
    for number, people in was.items():
        assert number_of([p for p in people if p not in (back, regulars[0])]) == number
    assert number_of(dear) == 4
    assert number_of([back]) == number_of(regulars[1:])
    moved = version.details["moved"]
    assert moved["version"] == 1
    assert moved["came"] == [4]
    assert moved["gone"] == []
    assert moved["people"] - moved["stayed"] == 1
    told = Change.objects.get(kind="score", what=clustering.name)
    assert set(told.people or ()) == {back, regulars[0], *dear}
    assert wording.names_of(clustering, version)[number_of(big)] == "Stars"


def test_people_who_are_one_group_are_told_so_and_nothing_is_published() -> None:
    buyers(Kind(150, 4, 60, 40))
    clustering = sort()
    version = find(clustering)
    assert version.state == ModelVersion.State.REFUSED
    assert "one group" in version.reason
    assert version.details["count"] is None
    assert [one["count"] for one in version.details["tried"]] == [2, 3, 4, 5]
    assert not ClusterMember.objects.exists()
    with pytest.raises(compiler.RuleFault, match="no group number 1"):
        compiler.to_q(compiler.read({"cluster": clustering.key, "in": [1]}), as_of=NOW)


def trouble(clustering: Clustering) -> str:
    with pytest.raises(Refused):
        training.train(clustering=clustering, now=NOW)
    clustering.refresh_from_db()
    return str(clustering.trouble["code"])


def test_nobody_ten_people_and_people_all_the_same_are_states_with_words() -> None:
    assert trouble(sort()) == "nobody"
    buyers(Kind(10, 3, 20, 5))
    assert trouble(sort()) == "too_few_people"
    people = buyers(Kind(60, 1, 20, 9))[0]
    OrderLine.objects.filter(customer__in=people).update(
        placed_at=NOW - timedelta(days=9), total=Decimal(20)
    )
    OrderLine.objects.exclude(customer__in=people).delete()
    assert trouble(sort()) == "nothing_differs"
    assert ModelVersion.objects.count() == 0


def test_a_fact_that_is_missing_everywhere_is_left_out_by_name() -> None:
    buyers(REGULARS, BIG, GONE)
    clustering = sort(chosen=[*FACTS, "visit_days"])
    version = find(clustering)
    assert version.state == ModelVersion.State.LIVE
    assert version.details["left_out"] == [{"fact": "visit_days", "why": "unknown", "known": 0.0}]
    assert version.details["facts"] == FACTS


def test_whoever_refuses_later_or_is_merged_leaves_every_group() -> None:
    regulars, _big, _gone = buyers(REGULARS, BIG, GONE)
    clustering = sort()
    find(clustering)
    rule = {"cluster": clustering.key, "in": [number_of(regulars)]}
    Consent.objects.create(
        customer_id=regulars[0], channel="email", purpose="profiling", granted=False, current=True,
        source="test", at=NOW,
    )  # fmt: skip
    assert said(rule) == set(regulars[1:])
    membership.assign(clustering=clustering, as_of=NOW)
    assert not ClusterMember.objects.filter(customer=regulars[0]).exists()
    Customer.every.filter(pk=regulars[1]).update(merged_into=regulars[2])
    renewal.follow(customer_ids=[regulars[1]])
    assert not ClusterMember.objects.filter(customer=regulars[1]).exists()


def test_a_damaged_version_leaves_everyone_where_they_are() -> None:
    buyers(REGULARS, BIG, GONE)
    clustering = sort()
    version = find(clustering)
    registry._read.cache_clear()
    path = registry.folder(version) / membership.ARRAYS
    body = bytearray(path.read_bytes())
    body[-40] ^= 1
    path.write_bytes(bytes(body))
    with pytest.raises(Conflict, match="damaged"):
        membership.assign(clustering=clustering, as_of=NOW)
    assert ClusterMember.objects.count() == 120


@pytest.mark.parametrize(
    ("wishes", "field"),
    [
        ({"title": " "}, "title"),
        ({"chosen": ["orders"]}, "facts"),
        ({"chosen": ["orders", "nope"]}, "facts"),
        ({"chosen": "orders"}, "facts"),
        ({"method": "magic"}, "method"),
        ({"who": "nobody"}, "who"),
        ({"wanted": 11}, "wanted"),
    ],
)
def test_what_cannot_be_sorted_by_is_refused(wishes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        definitions.create(**{"title": "By buying", "now": NOW, **wishes})
    assert refusal.value.field == field
    assert not Clustering.objects.exists()


def test_clusters_are_looked_for_once_at_a_time_and_again_after_a_month() -> None:
    clustering = sort()
    assert definitions.follow_numbers(now=NOW) == 0  # nothing in use
    job = definitions.start(clustering=clustering)
    with pytest.raises(Conflict, match="already"):
        definitions.start(clustering=clustering)
    Job.objects.filter(pk=job.pk).update(state="done")
    factories.model_version(clustering.name, state="live", trained_at=NOW)
    assert definitions.follow_numbers(now=NOW) == 1
    assert definitions.follow_numbers(now=NOW) == 0  # is being sorted
    assert definitions.follow_numbers(now=NOW + timedelta(days=31)) == 1
    assert list(Job.objects.order_by("id").values_list("kind", flat=True)) == [
        "clusters.train", "clusters.assign", "clusters.train",
    ]  # fmt: skip
    with pytest.raises(NotFound):
        definitions.name_group(clustering=clustering, number=9, name="x", actor=None, now=NOW)
    definitions.archive(clustering=clustering, actor=None, now=NOW)
    with pytest.raises(Conflict, match="archived"):
        definitions.start(clustering=clustering)
