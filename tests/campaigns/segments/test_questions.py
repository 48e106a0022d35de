"""Every question a rule can ask means in SQL what a plain reading of it means, for every person."""

from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.models import SegmentMember
from campaigns.segments import compile as compiler
from campaigns.segments import definitions, membership, nodes, upkeep
from campaigns.segments.rules import RuleFault, to_json
from campaigns.segments.terms import CALENDAR
from ingestion.models import Customer
from tests import factories
from tests.campaigns.segments import oracle
from tests.campaigns.segments.shops import NOW, Shop

MOMENTS = [NOW, NOW - timedelta(hours=10), NOW + timedelta(days=9, hours=3)]

spans = st.one_of(
    st.builds(lambda n: {"minutes": n}, st.sampled_from([5, 10, 30, 90])),
    st.builds(lambda n: {"hours": n}, st.sampled_from([1, 2, 12])),
    st.builds(lambda n: {"days": n}, st.sampled_from([1, 3])),
    st.just({"weeks": 1}),
)
times = st.one_of(
    st.just({}),
    st.builds(lambda n: {"days": n}, st.sampled_from([1, 2, 30, 365])),
    st.builds(lambda name: {"when": {"calendar": name}}, st.sampled_from(CALENDAR)),
    st.builds(lambda span: {"when": {"last": span}}, spans),
    st.sampled_from(
        [
            {"when": {"days_ago": [30, 1]}},
            {"when": {"days_ago": [1, 0]}},
            {"when": {"since": "2026-11-21"}},
            {"when": {"until": "2026-11-21"}},
            {"when": {"since": "2026-10-01", "until": "2026-11-20"}},
        ]
    ),
)
often = st.one_of(
    st.builds(lambda n: {"at_least": n}, st.integers(1, 3)),
    st.builds(lambda n: {"at_most": n}, st.integers(0, 2)),
    st.builds(lambda n, m: {"at_least": n, "at_most": n + m}, st.integers(0, 2), st.integers(0, 2)),
)
comparisons = ["<", "<=", "=", "!=", ">=", ">"]
tests = st.lists(
    st.sampled_from(
        [
            {"property": "n", "op": ">=", "value": 2},
            {"property": "n", "op": "known"},
            {"property": "7", "op": "=", "value": "x"},
        ]
    ),
    max_size=1,
)


def numbers(values: list[float]) -> Any:
    return st.one_of(
        st.builds(
            lambda op, v: {"op": op, "value": v},
            st.sampled_from(comparisons),
            st.sampled_from(values),
        ),
        st.builds(
            lambda a, b: {"op": "between", "value": sorted([a, b])},
            st.sampled_from(values),
            st.sampled_from(values),
        ),
    )


did = st.builds(
    lambda event, n, time, where: {"did": event, **n, **time, "where": where},
    st.sampled_from(["a", "b"]),
    often,
    times,
    tests,
)
steps = st.builds(
    lambda key, event, where, within: (
        {key: event, "where": where} | ({} if within is None else {"within": within})
    ),
    st.sampled_from(["did", "did", "did_not"]),
    st.sampled_from(["a", "b", "c"]),
    tests,
    st.none() | spans,
)
sequence = st.builds(
    lambda event, later, time: {"sequence": [{"did": event}, *later], **time},
    st.sampled_from(["a", "b"]),
    st.lists(steps, min_size=1, max_size=3),
    times,
)
texts = st.one_of(
    st.builds(
        lambda op, v: {"op": op, "value": v},
        st.sampled_from(["=", "!=", "contains", "starts_with"]),
        st.sampled_from(["gold", "GOLD", "3", "true", "s", "%"]),
    ),
    st.builds(
        lambda op: {"op": op, "value": ["Gold", "silver"]}, st.sampled_from(["in", "not_in"])
    ),
)
known = st.builds(lambda op: {"op": op}, st.sampled_from(["known", "unknown"]))
days = st.one_of(
    st.builds(
        lambda op, n: {"op": op, "value": n},
        st.sampled_from(["within_days", "not_within_days", "in_next_days", "anniversary_within"]),
        st.sampled_from([1, 2, 8, 364]),
    ),
    st.builds(
        lambda op, day: {"op": op, "value": day},
        st.sampled_from(["before", "after"]),
        st.sampled_from(["2026-11-21", "2000-11-22"]),
    ),
    st.builds(
        lambda op, name: {"op": op, "value": name},
        st.sampled_from(["during", "not_during"]),
        st.sampled_from(CALENDAR),
    ),
    known,
    st.just({"op": "anniversary_within", "value": 0}),
)
attribute = st.one_of(
    st.builds(lambda q: {"attribute": "tier", **q}, texts | known),
    st.builds(
        lambda q: {"attribute": "points", "as": "number", **q}, numbers([-3, 0, 7, 12.5]) | known
    ),
    st.builds(lambda v: {"attribute": "vip", "as": "flag", "op": "=", "value": v}, st.booleans()),
    st.builds(lambda q: {"attribute": "born", "as": "date", **q}, days),
    st.just({"attribute": "7", "op": "=", "value": "seven"}),
)
field = st.one_of(
    st.builds(lambda q: {"field": "traits.repeat_90d", **q}, numbers([0, 0.2, 0.5]) | known),
    st.builds(lambda q: {"field": "customer.first_seen_at", **q}, days),
    st.builds(
        lambda channel, v: {"field": f"suppressed.{channel}", "op": "=", "value": v},
        st.sampled_from(["email", "sms"]),
        st.booleans(),
    ),
)
line_tests = st.lists(
    st.one_of(
        st.builds(
            lambda name, q: {"property": name, **q},
            st.sampled_from(["price", "quantity", "total", "order_total"]),
            numbers([1, 2.5, 10, 19.99, 50]),
        ),
        st.builds(
            lambda op, v: {"property": "category", "op": op, "value": v},
            st.sampled_from(["=", "!=", "contains", "starts_with"]),
            st.sampled_from(["mugs", "m", "bags"]),
        ),
        st.sampled_from(
            [
                {"property": "currency", "op": "in", "value": ["GBP"]},
                {"property": "country", "op": "not_in", "value": ["GB"]},
                {"property": "name", "op": "contains", "value": "MUG"},
                {"property": "sku", "op": "=", "value": "A"},
                {"property": "product.color", "op": "!=", "value": "red"},
                {"property": "product.size", "op": ">", "value": 2},
            ]
        ),
    ),
    max_size=2,
)
ordered = st.builds(
    lambda measure, q, time, where: {"ordered": measure, **q, **time, "where": where},
    st.sampled_from(["orders", "lines", "units", "money", "products", "average"]),
    numbers([-1, 0, 1, 1.5, 2, 3, 20, 40]),
    times,
    line_tests,
)
bought = st.builds(
    lambda what, n, time: {"bought": what, **n, **time},
    st.sampled_from([{"any": True}, {"sku": "A"}, {"category": "mugs"}]),
    often,
    times,
)
message = st.builds(
    lambda act, campaign, channel, n, time: (
        {"message": act, **n, **time}
        | ({} if campaign is None else {"campaign": campaign})
        | ({} if channel is None else {"channel": channel})
    ),
    st.sampled_from(["sent", "opened", "clicked", "failed", "held_out"]),
    st.sampled_from([None, "first", "second"]),
    st.sampled_from([None, "email"]),
    often,
    times,
)
marks = st.one_of(
    st.builds(
        lambda channel: {"reach": channel, "purpose": "marketing"},
        st.sampled_from(["email", "sms", "push"]),
    ),
    st.builds(
        lambda c, p, a: {"consent": c, "purpose": p, "answer": a},
        st.sampled_from(["email", "sms"]),
        st.sampled_from(["marketing", "profiling"]),
        st.sampled_from(["yes", "no", "never_asked"]),
    ),
    st.builds(lambda q: {"score": "churn", **q}, numbers([0, 0.25, 0.5, 0.9]) | known),
    st.builds(
        lambda op, n: {"score": "churn", "op": op, "value": n},
        st.sampled_from(["top", "bottom"]),
        st.sampled_from([1, 10, 50, 100]),
    ),
    st.builds(
        lambda pair: {"score": "next-order", "op": "in_days", "value": sorted(pair)},
        st.lists(st.sampled_from([-5, 0, 5.5, 7]), min_size=2, max_size=2),
    ),
    st.builds(
        lambda scores: {"rfm": scores},
        st.dictionaries(
            st.sampled_from(["r", "f", "m"]),
            st.lists(st.integers(1, 5), min_size=1, max_size=4, unique=True),
            min_size=1,
        ),
    ),
    st.builds(
        lambda stages: {"lifecycle": stages},
        st.lists(
            st.sampled_from(["new", "active", "loyal", "at_risk", "lapsed", "never_ordered"]),
            min_size=1,
            max_size=3,
        ),
    ),
    st.builds(
        lambda groups: {"cluster": "kinds", "in": groups},
        st.lists(st.integers(1, 3), min_size=1, max_size=2),
    ),
    st.builds(
        lambda salt, pair: {"bucket": salt, "from": min(pair), "to": max(pair)},
        st.sampled_from(["x", "test"]),
        st.lists(st.sampled_from([0, 12.5, 50, 99.9, 100]), min_size=2, max_size=2, unique=True),
    ),
    st.just({"in_list": "fair"}),
)
leaves = st.one_of(
    did, sequence, sequence, attribute, field, ordered, bought, message, marks, marks
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda x: {"all": x}, st.lists(inner, max_size=3)),
        st.builds(lambda x: {"any": x}, st.lists(inner, max_size=3)),
        st.builds(lambda x: {"not": x}, inner),
    ),
    max_leaves=4,
)


@pytest.fixture
def shop(db: Any) -> Shop:
    return Shop()


def named(rule: Any, shop: Shop) -> Any:
    """The drawn rule with the numbers of this shop's campaigns and list."""
    if isinstance(rule, dict):
        numbers = {"first": shop.campaigns[0], "second": shop.campaigns[1]}
        return {
            key: numbers.get(value, value)
            if key == "campaign"
            else shop.list
            if key == "in_list"
            else named(value, shop)
            for key, value in rule.items()
        }
    return [named(part, shop) for part in rule] if isinstance(rule, list) else rule


def expected(node: Any, shop: Shop, as_of: datetime) -> set[int]:
    return {pk for pk, person in shop.people.items() if oracle.holds(node, person, as_of, {})}


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(rule=trees, as_of=st.sampled_from(MOMENTS))
def test_sql_and_a_plain_reading_agree_on_every_question(
    rule: Any, as_of: datetime, shop: Shop
) -> None:
    node = compiler.read(named(rule, shop))
    assert compiler.read(to_json(node)) == node
    assert set(membership.ids(node, as_of=as_of)) == expected(node, shop, as_of)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(rule=leaves, as_of=st.sampled_from(MOMENTS))
def test_not_is_exactly_everybody_else(rule: Any, as_of: datetime, shop: Shop) -> None:
    node = compiler.read(named(rule, shop))
    rest = compiler.read({"not": to_json(node)})
    meant, others = (set(membership.ids(n, as_of=as_of)) for n in (node, rest))
    assert meant == expected(node, shop, as_of)
    assert meant | others == set(shop.people)
    assert not meant & others


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("rule", "path", "message"),
    [
        ({"score": "nope", "op": "known"}, "score", "no prediction called “nope”"),
        ({"in_list": 999}, "in_list", "no list number 999"),
        ({"reach": "email", "purpose": "nope"}, "purpose", "no purpose called “nope”"),
        (
            {"consent": "email", "purpose": "nope", "answer": "no"},
            "purpose",
            "no purpose called “nope”",
        ),
        ({"cluster": "nope", "in": [1]}, "cluster", "no clusters called “nope”"),
        ({"lifecycle": ["new", "nope"]}, "lifecycle[1]", "no stage called “nope”"),
    ],
)
def test_what_is_not_there_is_refused_with_its_path(
    rule: dict[str, Any], path: str, message: str
) -> None:
    with pytest.raises(RuleFault, match=message) as caught:
        compiler.to_q(compiler.read({"all": [{"all": []}, rule]}), as_of=NOW)
    assert caught.value.path == f"all[1].{path}"


def test_a_date_is_asked_only_of_a_prediction_that_tells_one(shop: Shop) -> None:
    with pytest.raises(RuleFault, match="does not tell a date"):
        compiler.to_q(compiler.read({"score": "churn", "op": "in_days", "value": [0, 7]}))


def test_every_question_is_asked_of_one_person_alone(shop: Shop) -> None:
    """Each leaf is a look-up by the customer: nothing gathers everybody first."""
    when = {"when": {"calendar": "today"}}
    questions = [
        {"did": "a", "at_least": 3, "at_most": 4, **when},
        {"sequence": [{"did": "a"}, {"did_not": "b"}, {"did": "c", "within": {"days": 2}}]},
        {"bought": {"any": True}, "at_least": 2},
        {"ordered": "money", "op": ">=", "value": 20, **when},
        {"ordered": "orders", "op": "=", "value": 2},
        {"message": "opened", "at_least": 2},
        {"score": "churn", "op": "top", "value": 10},
        {"in_list": shop.list},
        {"reach": "push", "purpose": "marketing"},
    ]
    for rule in [*questions, *({"not": rule} for rule in questions)]:
        text = membership.sql(compiler.read(rule), as_of=NOW)
        assert " IN (SELECT" not in text
        assert "GROUP BY" not in text or rule.get("ordered", "money") == "money"
        with connection.cursor() as cursor:
            cursor.execute("EXPLAIN " + text)
    one = membership.members(compiler.read({"all": questions}), as_of=NOW)
    assert one.filter(pk=next(iter(shop.people))).exists() in (True, False)


OF_EVERY_KIND: list[dict[str, Any]] = [
    {"field": "customer.first_seen_at", "op": "not_within_days", "value": 30},
    {"attribute": "tier", "op": "known"},
    {"attribute": "points", "as": "number", "op": ">=", "value": 0},
    {"attribute": "born", "as": "date", "op": "before", "value": "2026-01-01"},
    {"did": "a", "at_least": 2, "days": 30, "where": [{"property": "n", "op": "known"}]},
    {"sequence": [{"did": "a"}, {"did_not": "b", "within": {"hours": 12}}], "days": 30},
    {"bought": {"category": "mugs"}, "days": 365},
    {"ordered": "average", "op": ">=", "value": 20, "when": {"calendar": "last_month"}},
    {"message": "opened", "campaign": "first"},
    {"reach": "email", "purpose": "marketing"},
    {"consent": "email", "purpose": "profiling", "answer": "never_asked"},
    {"score": "churn", "op": "top", "value": 50},
    {"score": "next-order", "op": "in_days", "value": [0, 7]},
    {"rfm": {"r": [3, 4, 5], "f": [1, 2, 3]}},
    {"lifecycle": ["at_risk", "lapsed"]},
    {"cluster": "kinds", "in": [1, 3]},
    {"bucket": "x", "from": 0, "to": 50},
    {"in_list": "fair"},
]


def test_a_live_segment_of_every_kind_is_filled_with_whom_its_rule_means(shop: Shop) -> None:
    rows = [factories.segment(str(n), named(rule, shop)) for n, rule in enumerate(OF_EVERY_KIND)]
    first, second, third = ({"in_segment": row.pk} for row in rows[:3])
    either = {"any": [{"not": first}, {"all": [second, third]}]}
    rows.append(factories.segment("either", either))
    rules = {row.pk: compiler.read(row.rule) for row in rows}
    asked = {type(node) for rule in rules.values() for node in nodes.walk(rule)}
    assert asked == set(get_args(nodes.Node)), "a kind of question without a segment here"
    upkeep.refresh(now=NOW)
    for number, rule in rules.items():
        meant = {pk for pk, one in shop.people.items() if oracle.holds(rule, one, NOW, rules)}
        inside = SegmentMember.objects.filter(segment=number)
        assert set(inside.values_list("customer_id", flat=True)) == meant, rule
        assert 0 < len(meant) < len(shop.people), rule


def test_a_random_part_is_of_its_size_and_stays_the_same(db: Any) -> None:
    rows = Customer.objects.bulk_create(Customer(external_id=f"r{n}") for n in range(4000))
    parts = [
        set(membership.ids(compiler.read({"bucket": salt, "from": low, "to": high})))
        for salt, low, high in (("a", 0, 25), ("a", 25, 50), ("a", 0, 50), ("b", 0, 50))
    ]
    first, second, half, other = parts
    assert not first & second
    assert first | second == half
    assert all(abs(len(part) - 1000) < 130 for part in (first, second, half & other))
    whole = compiler.read({"bucket": "a", "from": 0, "to": 100})
    assert membership.count(whole).people == len(rows)


def test_the_sentence_calls_things_by_their_names(shop: Shop) -> None:
    rule = {
        "all": [
            {"message": "clicked", "campaign": shop.campaigns[0]},
            {"score": "next-order", "op": "in_days", "value": [0, 7]},
            {"in_list": shop.list},
            {"reach": "email", "purpose": "marketing"},
            {"lifecycle": ["at_risk"]},
        ]
    }
    assert definitions.meaning(compiler.read(rule)) == (
        "People where they clicked in a message of “one” and “Next-Order” is 0 to 7 days from now"
        " and they are on the list “Fair” and they can be reached by e-mail for “News and"
        " offers” and their stage is At risk."
    )
