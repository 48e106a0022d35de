"""A rule in SQL means what a plain reading of it means, for every person."""

import random
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.models import Segment
from campaigns.segments import compile as compiler
from campaigns.segments import membership
from campaigns.segments.rules import Node, RuleFault, to_json
from ingestion import events
from ingestion.models import Customer, Suppression
from tests import factories
from tests.campaigns.segments import oracle

NOW = factories.NOW
COUNTRIES = ["GB", "FR", "DE", ""]
SKUS = [("A", "mugs"), ("B", "mugs"), ("C", "bags")]

numbers = st.sampled_from([-1, 0, 1, 2, 2.5, 3, 10, 12.5, 40])
times = st.integers(1, 3)
days = st.sampled_from([None, 5, 30, 365])
leaves = st.one_of(
    st.builds(
        lambda f, op, v: {"field": f, "op": op, "value": v},
        st.sampled_from(
            ["traits.orders", "traits.recency_days", "traits.trend", "traits.repeat_90d"]
        ),
        st.sampled_from(["<", "<=", "=", "!=", ">=", ">"]),
        numbers,
    ),
    st.builds(
        lambda f, low, high: {"field": f, "op": "between", "value": sorted([low, high])},
        st.sampled_from(["traits.orders", "traits.recency_days"]),
        numbers,
        numbers,
    ),
    st.builds(
        lambda f, op: {"field": f, "op": op},
        st.sampled_from(["traits.recency_days", "customer.country", "customer.email"]),
        st.sampled_from(["known", "unknown"]),
    ),
    st.builds(
        lambda op, v: {"field": "customer.country", "op": op, "value": v},
        st.sampled_from(["=", "!="]),
        st.sampled_from(["GB", "FR", "XX"]),
    ),
    st.builds(
        lambda op, v: {"field": "customer.country", "op": op, "value": v},
        st.sampled_from(["in", "not_in"]),
        st.lists(st.sampled_from(["GB", "FR"]), min_size=1, max_size=2),
    ),
    st.builds(
        lambda op, v: {"field": "customer.email", "op": op, "value": v},
        st.sampled_from(["contains", "starts_with"]),
        st.sampled_from(["P1", "p", "%", "_1", "@EXAMPLE"]),
    ),
    st.builds(lambda v: {"field": "can_email", "op": "=", "value": v}, st.booleans()),
    st.builds(
        lambda what, n, d: {"bought": what, "at_least": n, "days": d},
        st.sampled_from([{"any": True}, {"sku": "A"}, {"sku": "Z"}, {"category": "mugs"}]),
        times,
        days,
    ),
    st.builds(
        lambda e, n, d, w: {"did": e, "at_least": n, "days": d, "where": w},
        st.sampled_from(["view", "click", "never"]),
        times,
        days,
        st.lists(
            st.one_of(
                st.builds(
                    lambda op, v: {"property": "price", "op": op, "value": v},
                    st.sampled_from(["<", "<=", "=", "!=", ">=", ">"]),
                    st.sampled_from([0, 5, 7.5]),
                ),
                st.builds(
                    lambda op, v: {"property": "page", "op": op, "value": v},
                    st.sampled_from(["=", "!=", "contains"]),
                    st.sampled_from(["/sale", "s", "x'y"]),
                ),
                st.just({"property": "page", "op": "known"}),
                st.just({"property": "new", "op": "=", "value": True}),
            ),
            max_size=2,
        ),
    ),
    st.just({"in_segment": "inner"}),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda x: {"all": x}, st.lists(inner, max_size=3)),
        st.builds(lambda x: {"any": x}, st.lists(inner, max_size=3)),
        st.builds(lambda x: {"not": x}, inner),
    ),
    max_leaves=7,
)


@pytest.fixture
def people(db) -> dict[int, oracle.Person]:  # type: ignore[no-untyped-def]
    """Forty people with everything known and unknown in all mixtures, and what the oracle knows."""
    chance = random.Random(3)
    goods = [factories.product(sku, category=category) for sku, category in SKUS]
    out: dict[int, oracle.Person] = {}
    batch: list[events.Incoming] = []
    for n in range(40):
        email = None if n % 7 == 3 else f"p{n}@example.com"
        consent = [True, False, None][n % 3]
        person = factories.customer(
            f"p{n}", email=email, country=chance.choice(COUNTRIES), consent=consent
        )
        known = oracle.Person({"customer.country": person.country, "customer.email": email})
        suppressed = n % 11 == 0
        if suppressed and email:
            Suppression.objects.create(channel="email", address=email, reason="bounced")
        known.values["can_email"] = bool(email and consent is True and not suppressed)
        if n % 5:
            recency = chance.choice([None, 0.0, 2.0, 3.0, 12.5])
            values = {
                "orders": chance.randint(0, 4), "recency_days": recency,
                "trend": chance.choice([-1.0, 0.0, 2.5]), "repeat_90d": chance.choice([None, 0.4]),
            }  # fmt: skip
            factories.traits(person, **values)
        else:
            values = dict.fromkeys(["orders", "recency_days", "trend", "repeat_90d"])
        known.values |= {f"traits.{name}": value for name, value in values.items()}
        for _ in range(chance.randint(0, 3)):
            ago = chance.choice([1, 20, 100, 500])
            wanted = chance.sample(goods, chance.randint(1, 2))
            order = factories.order(person, days_ago=ago, lines=[(g, 1) for g in wanted])
            at = NOW - timedelta(days=ago)
            known.lines += [oracle.Line(order.pk, at, g.sku, g.category) for g in wanted]
        for _ in range(chance.randint(0, 4)):
            said = chance.choice(
                [{}, {"price": 5}, {"price": "5"}, {"price": 7.5, "page": "/sale"}, {"page": "x'y"},
                 {"new": True}, {"new": "true", "page": "/"}]
            )  # fmt: skip
            kind, at = (
                chance.choice(["view", "click"]),
                NOW - timedelta(days=chance.choice([2, 60])),
            )
            known.events.append((kind, at, said))
            batch.append(
                events.Incoming(type=kind, at=at, customer_id=person.pk, properties=said,
                                message_id=f"m{len(batch)}")
            )  # fmt: skip
        out[person.pk] = known
    events.record(batch=batch, source="test", now=NOW)
    return out


def name_segment(rule: Any, number: int) -> Any:
    """The drawn rule with the placeholder segment replaced by a real one."""
    if isinstance(rule, dict):
        return {
            key: number if key == "in_segment" else name_segment(value, number)
            for key, value in rule.items()
        }
    return [name_segment(part, number) for part in rule] if isinstance(rule, list) else rule


INNER = {
    "any": [
        {"field": "customer.country", "op": "=", "value": "GB"},
        {"not": {"field": "traits.orders", "op": ">", "value": 1}},
    ]
}


@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(rule=trees)
def test_sql_and_a_plain_reading_agree_on_random_rules(rule: Any, people) -> None:  # type: ignore[no-untyped-def]
    inner = Segment.objects.get_or_create(name="inner", defaults={"rule": INNER})[0]
    node = compiler.read(name_segment(rule, inner.pk))
    segments: dict[int, Node] = {inner.pk: compiler.read(INNER)}
    expected = {
        number for number, person in people.items() if oracle.holds(node, person, NOW, segments)
    }
    assert set(membership.ids(node, as_of=NOW)) == expected
    assert membership.members(node, as_of=NOW).count() == len(expected)


def test_one_person_is_asked_about_by_the_same_condition(people) -> None:  # type: ignore[no-untyped-def]
    node = compiler.read({"bought": {"any": True}, "at_least": 2, "days": 365})
    meant = set(membership.ids(node, as_of=NOW))
    assert 0 < len(meant) < 40
    for number in people:
        assert membership.contains(node, customer_id=number, as_of=NOW) is (number in meant)


def test_a_hostile_value_stays_a_value(people) -> None:  # type: ignore[no-untyped-def]
    rule = {"field": "customer.email", "op": "=", "value": "x' OR '1'='1"}
    assert membership.count(compiler.read(rule)).people == 0
    rule = {
        "did": "view",
        "where": [{"property": "page", "op": "=", "value": "'); DROP TABLE x;--"}],
    }
    assert membership.count(compiler.read(rule)).people == 0
    assert Customer.objects.count() == 40


@pytest.mark.django_db
class TestSegmentsInSegments:
    def test_a_segment_that_would_contain_itself_is_refused(self) -> None:
        a = factories.segment("a", {"all": []})
        b = factories.segment("b", {"in_segment": a.pk})
        a.rule = {"all": [{"in_segment": b.pk}]}
        a.save()
        with pytest.raises(RuleFault, match="part of itself") as caught:
            compiler.to_q(compiler.read(a.rule), within=(a.pk,))
        assert caught.value.path == "all[0].in_segment.in_segment"

    def test_a_circle_among_others_is_refused_too(self) -> None:
        a = factories.segment("a", {"all": []})
        b = factories.segment("b", {"in_segment": a.pk})
        a.rule = {"in_segment": b.pk}
        a.save()
        with pytest.raises(RuleFault, match="part of itself"):
            compiler.to_q(compiler.read({"in_segment": a.pk}))

    def test_a_segment_that_does_not_exist_is_refused_with_its_path(self) -> None:
        with pytest.raises(RuleFault, match="no segment number 999") as caught:
            compiler.to_q(compiler.read({"not": {"in_segment": 999}}))
        assert caught.value.path == "not.in_segment"

    def test_a_rule_that_grows_too_large_through_segments_is_refused(self) -> None:
        last = factories.segment("0", {"all": []})
        for n in range(12):
            last = factories.segment(str(n), {"any": [{"in_segment": last.pk}] * 2})
        with pytest.raises(RuleFault, match="more than 2000 parts"):
            compiler.to_q(compiler.read({"in_segment": last.pk}))


@pytest.mark.django_db
def test_every_part_about_many_rows_is_asked_of_one_customer() -> None:
    node = compiler.read(
        {"all": [{"not": {"bought": {"sku": "A"}, "at_least": 3}}, {"did": "x", "at_least": 2}]}
    )
    sql = membership.sql(node)
    assert sql.count("EXISTS") == 2
    assert " IN (SELECT" not in sql
    assert sql.count("OFFSET") == 2
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + sql)


def test_a_stored_rule_reads_back_as_the_same_rule() -> None:
    rule = {"all": [{"bought": {"any": True}, "at_least": 2, "days": None}]}
    assert to_json(compiler.read(rule)) == rule
