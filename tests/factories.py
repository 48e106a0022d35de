"""Rows for tests, made by plain functions: name what matters, the rest is filled in.

The cast: ada buys often, ben bought once long ago, cleo never bought and never agreed to mail.
"""

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from django.contrib.auth.models import Group
from django.test import Client

from campaigns.models import Campaign, Message, Run, Segment, Template
from ingestion.models import (
    Consent,
    Customer,
    CustomerRollup,
    Identity,
    ImportJob,
    Order,
    OrderLine,
    Product,
    Source,
)
from marketing.core import auth
from marketing.core.models import Job, User
from models_ml.algorithms import classify
from models_ml.models import Clustering, ModelVersion, Traits
from recommendations.models import PickList, Placement, RecommendationSet

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
_number = itertools.count(1)


def now() -> datetime:
    """The real present, for what pages compare with the clock."""
    return datetime.now(UTC)


def user(role: str = "marketer", **values: Any) -> User:
    """Somebody who signs in with PASSWORD, in one of the four roles."""
    auth.create_roles()
    name = values.pop("username", f"{role}{next(_number)}")
    made = User.objects.create_user(name, password=PASSWORD, **values)
    made.groups.add(Group.objects.get(name=role))
    return made


def signed_in(role: str = "marketer", **values: Any) -> Client:
    """A browser in which somebody of a role is signed in."""
    made = Client()
    made.force_login(user(role, **values))
    return made


def source(name: str = "shop") -> Source:
    return Source.objects.get_or_create(name=name)[0]


def customer(name: str = "", *, consent: bool | None = True, **values: Any) -> Customer:
    """A person with a mail address under example.com; `consent=None` means never asked."""
    n = next(_number)
    name = name or f"person{n}"
    values = {
        "external_id": f"c{n}",
        "email": f"{name.lower()}@example.com",
        "first_name": name.title(),
        "country": "GB",
        "first_seen_at": NOW - timedelta(days=400),
        **values,
    }
    made = Customer.objects.create(**values)
    number = Identity.objects.create(customer=made, kind="external", value=str(made.external_id))
    if made.email:
        Identity.objects.create(
            customer=made, kind="email", value=made.email, parent=number, linked_at=number.at
        )
    if consent is not None:
        long_ago = NOW - timedelta(days=100)
        Consent.objects.create(
            customer=made,
            granted=consent,
            source="sign-up form",
            at=long_ago,
            received_at=long_ago,  # else the real clock's: it may stand before NOW or after it
        )
    return made


def product(sku: str = "", **values: Any) -> Product:
    sku = sku or f"SKU{next(_number)}"
    values = {"name": f"Product {sku}", "price": Decimal("4.50"), **values}
    return Product.objects.get_or_create(sku=sku, defaults=values)[0]


def order(
    buyer: Customer | None,
    *,
    days_ago: float = 1,
    lines: list[tuple[Product, int]] | None = None,
    **values: Any,
) -> Order:
    """An order of (product, quantity) lines at the products' prices; the buyer's rollup follows."""
    lines = lines or [(product("TEAPOT"), 1)]
    placed_at = values.pop("placed_at", NOW - timedelta(days=days_ago))
    total = sum((goods.price or Decimal(0)) * quantity for goods, quantity in lines)
    made = Order.objects.create(
        **{
            "source": source(),
            "external_id": f"o{next(_number)}",
            "customer": buyer,
            "placed_at": placed_at,
            "currency": "GBP",
            "total": total,
            "country": "GB",
            **values,
        }
    )
    OrderLine.objects.bulk_create(
        OrderLine(
            order=made,
            line_no=i,
            customer=buyer,
            product=goods,
            placed_at=placed_at,
            sku=goods.sku,
            description=goods.name,
            quantity=quantity,
            unit_price=goods.price or 0,
            total=(goods.price or Decimal(0)) * quantity,
        )
        for i, (goods, quantity) in enumerate(lines, start=1)
    )
    if buyer is not None:
        _roll_up(buyer)
    return made


def _roll_up(buyer: Customer) -> None:
    orders = list(Order.objects.filter(customer=buyer).order_by("placed_at"))
    lines = list(OrderLine.objects.filter(customer=buyer))
    CustomerRollup.objects.update_or_create(
        customer=buyer,
        defaults={
            "orders": len(orders),
            "units": sum(line.quantity for line in lines),
            "revenue": sum(one.total for one in orders),
            "products": len({line.sku for line in lines}),
            "first_order_at": orders[0].placed_at,
            "last_order_at": orders[-1].placed_at,
            "recent_orders": [one.placed_at for one in reversed(orders)][:5],
        },
    )


def traits(person: Customer, **values: Any) -> Traits:
    values = {"as_of": NOW, "orders": 3, "revenue": 42.0, "recency_days": 12.0, **values}
    values.setdefault("stage", _stage(values))
    return Traits.objects.update_or_create(customer=person, defaults=values)[0]


def _stage(numbers: dict[str, Any]) -> str:
    """The stage of these numbers by the bounds that a shop starts with."""
    recency, tenure = numbers.get("recency_days") or 0, numbers.get("tenure_days")
    if not numbers.get("orders"):
        return "never_ordered"
    if tenure is not None and tenure <= 30:
        return "new"
    if recency > 90:
        return "lapsed" if recency > 365 else "at_risk"
    return "loyal" if numbers["orders"] >= 4 else "active"


def segment(
    name: str = "Recent buyers", rule: dict[str, Any] | None = None, **values: Any
) -> Segment:
    rule = rule or {"field": "traits.recency_days", "op": "<=", "value": 30}
    return Segment.objects.create(name=name, rule=rule, **{"size": 2, "counted_at": NOW, **values})


def template(name: str = "Come back", **values: Any) -> Template:
    values = {
        "subject": "Something for you",
        "mjml": "<mjml><mj-body><mj-section><mj-column><mj-text>Hello</mj-text></mj-column>"
        "</mj-section></mj-body></mjml>",
        "html": "<p>Hello</p>",
        "text": "Hello",
        **values,
    }
    return Template.objects.create(name=name, **values)


def campaign(name: str = "Spring letter", **values: Any) -> Campaign:
    values.setdefault("segment", None)
    values.setdefault("template", None)
    return Campaign.objects.create(
        name=name, **{"from_name": "My shop", "from_email": "hello@shop.example.com", **values}
    )


def run(of: Campaign, people: list[Customer], *, state: str = "sent", **values: Any) -> Run:
    """A run with one message per person, all in one state."""
    made = Run.objects.create(campaign=of, audience=len(people), **values)
    Message.objects.bulk_create(
        Message(
            run=made,
            customer=person,
            address=person.email or "",
            state=state,
            subject="Something for you",
            sent_at=NOW if state == "sent" else None,
            message_id=f"<m{next(_number)}@example.com>" if state == "sent" else None,
        )
        for person in people
    )
    return made


def job(title: str = "Import orders.csv", *, state: str = "running", **values: Any) -> Job:
    values = {"kind": "import.run", "queue": "bulk", "created_at": NOW, **values}
    if state != "queued":
        values.setdefault("started_at", values["created_at"])
    if state in ("done", "failed", "stopped"):
        values.setdefault("finished_at", values["started_at"] + timedelta(seconds=42))
    return Job.objects.create(title=title, state=state, **values)


def import_job(name: str = "orders.csv", **values: Any) -> ImportJob:
    values = {
        "kind": "orders",
        "state": "done",
        "received": 100,
        "stored": 90,
        "duplicate": 6,
        "quarantined": 4,
        "path": f"/nowhere/{name}",
        **values,
    }
    return ImportJob.objects.create(source=source(), original_name=name, **values)


def model_version(name: str = "repeat_90d", version: int = 1, **values: Any) -> ModelVersion:
    values = {
        "state": "live",
        "algorithm": "decision tree",
        "metrics": {"auc": 0.81},
        "baseline": {"auc": 0.74},
        "rows": 4000,
        "trained_at": NOW,
        **values,
    }
    return ModelVersion.objects.create(name=name, version=version, **values)


def clustering(key: str = "by-buying", *, found: bool = True, **values: Any) -> Clustering:
    """People sorted into three groups; without `found` it was seen that they are one."""
    made = Clustering.objects.create(
        key=key, title=key.replace("-", " ").capitalize(), newest=3 if found else 0,
        facts=["recency_days", "orders", "avg_order_value"], **values,
    )  # fmt: skip
    tried = [
        {"count": n, "silhouette": 0.5 - abs(n - 3) / 10, "stability": 0.9 if n < 5 else 0.6,
         "stability_low": 0.5, "gap": 0.2 if found else 0.0, "gap_error": 0.01, "smallest": 0.1,
         "bic": None, "stands": found and n < 5,
         "against": ([] if found else ["no_gap"]) + ([] if n < 5 else ["unstable"])}
        for n in range(2, 11)
    ]  # fmt: skip
    groups = [
        {"number": n, "people": 300 // n, "share": 1 / n, "revenue": 900.0, "revenue_share": 0.4,
         "certainty": 1.0, "suggested": [["orders", side]],
         "traits": [{"fact": "orders", "value": value, "everyone": 2.0, "apart": apart},
                    {"fact": "recency_days", "value": 40.0, "everyone": 50.0, "apart": -0.3}]}
        for n, side, value, apart in ((1, "high", 6.2, 1.4), (2, "low", 1.0, -0.8),
                                      (3, "low", 1.4, -0.5))
    ]  # fmt: skip
    model_version(
        made.name,
        state="live" if found else "refused",
        reason="" if found else "People are one group by these facts.",
        details={
            "kind": "clusters", "method": "kmeans", "as_of": NOW.isoformat(), "tried": tried,
            "count": 3 if found else None, "one_bic": None, "sampled": 550,
            "known": {"orders": 1.0, "avg_order_value": 0.9}, "facts": made.facts,
            "left_out": [{"fact": "visit_days", "why": "unknown", "known": 0.0}],
            "groups": groups if found else [],
            "moved": {"version": 1, "people": 550, "stayed": 540, "gone": [], "came": [3],
                      "drifted": {"1": 0.1}, "flows": [[1, 1, 540], [2, 3, 10]]} if found else None,
        },
    )  # fmt: skip
    return made


def tree_version(version: int = 1, **values: Any) -> ModelVersion:
    """A live tree with three groups: recent people, older ones with few orders, with many."""
    groups = {1: (300, 180), 3: (500, 60), 4: (200, 70)}
    everyone = (sum(yes for _n, yes in groups.values()), sum(n for n, _yes in groups.values()))
    paths = {
        1: [("recency_days", "<=", 34.5)],
        3: [("recency_days", ">", 34.5), ("orders", "<=", 2.5)],
        4: [("recency_days", ">", 34.5), ("orders", ">", 2.5)],
    }
    leaves = [
        {
            "id": leaf,
            "people": n,
            "yes": yes,
            "chance": round(yes / n, 4),
            "earlier_rate": round(yes / n, 4),
            "rate": classify.wilson(yes, n).as_json(),
            "lift": classify.lift(yes, n, *everyone).as_json(),
            "conditions": [
                {"feature": name, "op": op, "threshold": cut, "missing": False}
                for name, op, cut in paths[leaf]
            ],
        }
        for leaf, (n, yes) in groups.items()
    ]
    nodes = [
        _node(0, "recency_days", 34.5, 1, 2, 1000, 0.31),
        _node(1, None, 0.0, -1, -1, 300, 0.6),
        _node(2, "orders", 2.5, 3, 4, 700, 0.1857),
        _node(3, None, 0.0, -1, -1, 500, 0.12),
        _node(4, None, 0.0, -1, -1, 200, 0.35),
    ]
    details = {
        "kind": "tree",
        "horizon_days": 90,
        "judged_at": (NOW - timedelta(days=90)).isoformat(),
        "judged_people": 1000,
        "learned_at": [(NOW - timedelta(days=180)).isoformat()],
        "learned_people": 1000,
        "later_in_time": True,
        "base_rate": classify.wilson(*everyone).as_json(),
        "auc_gain": {"value": 0.07, "low": 0.05, "high": 0.09},
        "nodes": nodes,
        "leaves": leaves,
        "calibration": [
            {"said": 0.12, "seen": 0.13, "low": 0.1, "high": 0.16, "people": 500},
            {"said": 0.6, "seen": 0.58, "low": 0.52, "high": 0.64, "people": 300},
        ],
        "gains": [{"people": 0.0, "found": 0.0}, {"people": 1.0, "found": 1.0}],
        "gains_baseline": [{"people": 0.0, "found": 0.0}, {"people": 1.0, "found": 1.0}],
    }
    return model_version(
        "repeat_90d",
        version,
        algorithm="decision tree (CART), honest",
        details=details,
        params={"depth": 2},
        metrics={"auc": 0.81, "log_loss": 0.5, "brier": 0.17},
        baseline={"auc": 0.74, "log_loss": 0.6, "brier": 0.2, "rule": "recency"},
        data_from=NOW - timedelta(days=700),
        data_until=NOW,
        **values,
    )


def _node(
    key: int, feature: str | None, cut: float, left: int, right: int, people: int, rate: float
) -> dict[str, Any]:
    return {
        "id": key,
        "feature": feature,
        "threshold": cut,
        "left": left,
        "right": right,
        "people": people,
        "rate": rate,
    }


def picks(person: Customer, goods: list[Product], *, engine: str = "als") -> RecommendationSet:
    """A serving set with these products for one person."""
    place = Placement.objects.get_or_create(slug="email", defaults={"name": "E-mail"})[0]
    made, _new = RecommendationSet.objects.get_or_create(
        placement=place, engine=engine, state="complete", defaults={"serving": True}
    )
    pick_list(made, person, goods)
    return made


def pick_list(
    made: RecommendationSet,
    person: Customer | int,
    goods: list[Product],
    *,
    why: int = 0,
    names: Product | None = None,
) -> PickList:
    """These products of a set for one person, all for one reason."""
    return PickList.objects.create(
        set=made,
        customer_id=person if isinstance(person, int) else person.pk,
        products=[item.pk for item in goods],
        scores=[1 / rank for rank in range(1, len(goods) + 1)],
        whys=[why] * len(goods),
        anchors=[names.pk if names else -1] * len(goods),
    )


class Picked(NamedTuple):
    """One place of a stored list."""

    customer_id: int
    rank: int
    product_id: int
    why: int
    anchor: int


def picked(**where: Any) -> list[Picked]:
    """Every place of the lists that are asked for."""
    return [
        Picked(row.customer_id, rank, *place)
        for row in PickList.objects.filter(**where).order_by("set", "customer")
        for rank, place in enumerate(zip(row.products, row.whys, row.anchors, strict=True), start=1)
    ]


class Cast(NamedTuple):
    """Three people whose differences most tests need."""

    ada: Customer
    ben: Customer
    cleo: Customer


def cast() -> Cast:
    """ada: four orders up to yesterday; ben: one order 200 days ago; cleo: none, and no consent."""
    teapot, cup = (
        product("TEAPOT", name="Red teapot"),
        product("CUP", name="Blue cup", price=Decimal("2.25")),
    )
    ada = customer("ada", last_name="Byron", external_id="10001")
    ben = customer("ben", last_name="Okri", external_id="10002")
    cleo = customer("cleo", consent=False, external_id="10003")
    for days in (1, 15, 40, 90):
        order(ada, days_ago=days, lines=[(teapot, 2), (cup, 4)])
    order(ben, days_ago=200, lines=[(cup, 1)])
    traits(ada, orders=4, recency_days=1.0, revenue=72.0, repeat_90d=0.6, repeat_90d_leaf=1)
    traits(ben, orders=1, recency_days=200.0, revenue=2.25, repeat_90d=0.12, repeat_90d_leaf=3)
    traits(cleo, orders=0, recency_days=None, revenue=0.0)
    return Cast(ada, ben, cleo)


def shop() -> Cast:
    """A small shop with something on every page."""
    people = cast()
    import_job()
    job(state="done", result={"stored": 90, "quarantined": 4}, result_url="")
    job("Train the tree", kind="tree.train", queue="train", state="failed", error="Too few people.")
    job(
        "Import more.csv",
        step=2,
        steps=3,
        step_label="Storing rows",
        done=300,
        total=1000,
        log=[{"at": NOW.isoformat(), "text": "300 rows stored", "level": "info"}],
    )
    tree_version()
    picks(people.ada, [product("CUP"), product("TEAPOT")])
    recent = segment()
    sent = campaign("Autumn letter", segment=recent, template=template(), state="finished")
    run(sent, [people.ada, people.ben])
    campaign("Spring letter", segment=recent)
    return people
