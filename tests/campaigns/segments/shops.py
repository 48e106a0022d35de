"""Forty people with all that a rule can ask of them, and what the oracle knows of each."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from campaigns.models import Campaign, Message, PersonList, PersonListMember, Run
from ingestion import events, rollups
from ingestion.models import Consent, Customer, Identity, Order, OrderLine, Product, Suppression
from models_ml.models import Clustering, ClusterMember, Prediction, Score
from tests import factories
from tests.campaigns.segments import oracle

NOW = factories.NOW
ZONES = {"": None, "Asia/Tokyo": "Asia/Tokyo", "America/Los_Angeles": "America/Los_Angeles",
         "Pacific/Auckland": "Pacific/Auckland", "Not/Known": None}  # fmt: skip
COUNTRIES = {"GB": "Europe/London", "US": "America/New_York", "": "UTC", "XX": "UTC"}
ATTRIBUTES: dict[str, list[Any]] = {
    "tier": [None, "", "Gold", "silver", 3, True],
    "points": [None, 0, 12.5, "12.5", "many", -3, "1e5", "007"],
    "vip": [None, True, False, "true", 1],
    "born": [None, "2000-11-22", "1988-02-29", "1990-11-24T10:00", "2026-02-30", "20.11.1990",
             "2026-11-30", "2026-11-20", "2026-10-31"],
    "7": [None, "seven"],
}  # fmt: skip
GOODS = [
    ("A", "mugs", "Red mug", {"color": "red", "size": 3}),
    ("B", "mugs", "Blue mug", {"color": "blue"}),
    ("C", "", "Bag", {}),
]
ASKED = [
    *((channel, "marketing") for channel in ("email", "sms", "push")),
    ("email", "profiling"),
]
# Minutes before the present, many of them close together.
AGO = [0, 10, 20, 30, 60, 90, 120, 400, 700, 1000, 1440, 2000, 3000, 9000, 20000, 50000]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Shop:
    """The people by number, and the numbers of what rules name."""

    def __init__(self) -> None:
        self.chance = random.Random(11)
        self.people: dict[int, oracle.Person] = {}
        self.campaigns = [factories.campaign(name).pk for name in ("one", "two")]
        self.list = PersonList.objects.create(name="Fair", read_at=factories.NOW).pk
        self.goods = [
            Product.objects.create(sku=sku, category=category, name=name, attributes=said)
            for sku, category, name, said in GOODS
        ]
        self.version = factories.model_version("churn")
        self.predictions = [
            Prediction.objects.create(key=key, title=key.title(), kind=kind, horizon_days=30)
            for key, kind in (("churn", "chance"), ("next-order", "date"))
        ]
        self.clustering = Clustering.objects.create(key="kinds", title="Kinds", newest=3)
        batch: list[events.Incoming] = []
        for number in range(40):
            batch += self.person(number)
        rollups.refresh(customer_ids=list(self.people))
        for pk, seen in Customer.objects.values_list("pk", "first_seen_at"):  # some ordered before
            self.people[pk].values["customer.first_seen_at"] = seen
        events.record(batch=batch, source="test", now=NOW)

    def person(self, number: int) -> list[events.Incoming]:
        chance = self.chance
        zone, country = chance.choice(list(ZONES)), chance.choice(list(COUNTRIES))
        told = {
            name: value
            for name, values in ATTRIBUTES.items()
            if (value := chance.choice(values)) is not None
        }
        seen = NOW + timedelta(days=chance.choice([-800, -366, -365, -40, -1, 0, 3]))
        made = factories.customer(
            f"q{number}",
            email=None if number % 9 == 4 else f"q{number}@example.com",
            phone="" if number % 4 else f"+4420794609{number:02}",
            timezone=zone,
            country=country,
            attributes=told,
            first_seen_at=seen,
            consent=None,
        )
        person = oracle.Person(
            {"customer.first_seen_at": seen, "suppressed.email": False, "suppressed.sms": False},
            id=made.pk,
            zone=ZONES[zone] or COUNTRIES[country],
            attributes=told,
        )
        self.people[made.pk] = person
        self.numbers(made, person)
        self.consents(made, person)
        self.orders(made, person)
        self.mails(made, person)
        self.sorted_into(made, person)
        if chance.random() < 0.3:
            person.lists.add(self.list)
            on = made
            if chance.random() < 0.4:  # listed under a row that was merged into this one
                on = Customer.every.create(merged_into=made)
            PersonListMember.objects.create(list_id=self.list, customer=on)
        return self.acts(made, person)

    def numbers(self, made: Customer, person: oracle.Person) -> None:
        chance = self.chance
        values: dict[str, Any] = dict.fromkeys(
            ("orders", "recency_days", "tenure_days", "r_score", "f_score", "m_score",
             "repeat_90d")
        )  # fmt: skip
        if chance.random() < 0.85:
            values["repeat_90d"] = chance.choice([None, 0.2, 0.8])
            values["orders"] = orders = chance.choice([0, 1, 2, 4, 9])
            if orders:
                values["recency_days"] = float(chance.choice([0, 29, 90, 91, 365, 366, 500]))
                values["tenure_days"] = values["recency_days"] + chance.choice([0, 1, 30, 600])
                scores = ("r_score", "f_score", "m_score")
                values |= {name: chance.randint(1, 5) for name in scores}
            factories.traits(made, **values)
        person.values |= {f"traits.{name}": value for name, value in values.items()}
        for prediction in self.predictions:
            if chance.random() < 0.7:
                value = round(chance.random(), 2)
                if prediction.kind == "date":
                    value = (NOW - EPOCH).total_seconds() / 86400 + chance.choice([-3, 0.5, 6, 40])
                place = chance.choice([1, 10, 50, 90, 91, 100])
                person.scores[prediction.key] = (value, place)
                Score.objects.create(
                    prediction=prediction, customer=made, value=value, percentile=place,
                    version=self.version,
                )  # fmt: skip

    def sorted_into(self, made: Customer, person: oracle.Person) -> None:
        if number := self.chance.choice([None, 1, 2, 3]):
            ClusterMember.objects.create(clustering=self.clustering, customer=made, number=number)
            person.groups[self.clustering.key] = number

    def consents(self, made: Customer, person: oracle.Person) -> None:
        chance = self.chance
        for channel, purpose in ASKED:
            said = chance.choice(["yes", "yes", "no", "over", None])
            if said is None:
                continue
            Consent.objects.create(
                customer=made, channel=channel, purpose=purpose, granted=said != "no", source="t",
                at=NOW - timedelta(days=900),
                expires_at=datetime(2024, 1, 1, tzinfo=UTC) if said == "over" else None,
            )  # fmt: skip
            person.consents[channel, purpose] = "yes" if said == "yes" else "no"
            person.no_profiling |= purpose == "profiling" and said == "no"
            if said == "yes":
                person.reach.add((channel, purpose))
        barred = {channel for channel in ("email", "sms") if chance.random() < 0.2}
        for channel in barred:
            address = made.email if channel == "email" else made.phone
            if address:
                Suppression.objects.create(channel=channel, address=address, reason="manual")
                person.values[f"suppressed.{channel}"] = True
        if chance.random() < 0.5:
            Identity.objects.create(customer=made, kind="device", value=f"device {made.pk}")
        else:
            barred.add("push")
        barred |= {"email"} if made.email is None else set()
        barred |= {"sms"} if not made.phone else set()
        person.reach = {pair for pair in person.reach if pair[0] not in barred}

    def orders(self, made: Customer, person: oracle.Person) -> None:
        chance = self.chance
        for _ in range(chance.choice([0, 1, 1, 2, 4])):
            at = NOW - timedelta(hours=chance.choice([1, 8, 15, 30, 24 * 29, 24 * 45, 24 * 400]))
            order = Order.objects.create(
                source=factories.source(), external_id=f"{made.pk}-{len(person.lines)}",
                customer=made, placed_at=at, currency=chance.choice(["GBP", "EUR"]),
                total=chance.choice([10, 55]), country=chance.choice(["GB", "FR", ""]),
            )  # fmt: skip
            for line in range(chance.randint(1, 3)):
                goods, kind = chance.choice(self.goods), chance.choice(["product"] * 4 + ["return"])
                quantity = chance.randint(1, 3)
                price = Decimal(chance.choice(["2.5", "10", "19.99"]))
                total = price * quantity * (-1 if kind == "return" else 1)
                OrderLine.objects.create(
                    order=order, line_no=line, customer=made, product=goods, placed_at=at,
                    sku=goods.sku, quantity=quantity, unit_price=price, total=total, kind=kind,
                )  # fmt: skip
                known = {
                    "name": goods.name, "price": float(price), "quantity": quantity,
                    "total": float(total), "order_total": float(order.total),
                    "currency": order.currency, "country": order.country,
                }  # fmt: skip
                said = goods.attributes
                person.lines.append(
                    oracle.Line(order.pk, at, goods.sku, goods.category, known, kind, said)
                )

    def mails(self, made: Customer, person: oracle.Person) -> None:
        chance = self.chance
        for number in self.campaigns:
            for _ in range(chance.randint(0, 2)):
                run = Run.objects.create(campaign=Campaign.objects.get(pk=number))
                at = NOW - timedelta(hours=chance.choice([2, 12, 20, 50, 900]))
                state = chance.choice(["sent", "sent", "failed", "skipped"])
                acts = {}
                values: dict[str, Any] = {"queued_at": at, "state": state}
                if state == "sent":
                    acts["sent"] = values["sent_at"] = at
                    for act, later in (("opened", 1), ("clicked", 2)):
                        if chance.random() < 0.5:
                            acts[act] = values[f"{act}_at"] = at + timedelta(hours=later)
                elif state == "failed":
                    acts["failed"] = at
                else:
                    values["reason"] = chance.choice(["holdout", "no_consent"])
                    if values["reason"] == "holdout":
                        acts["held_out"] = at
                channel = chance.choice(["email", "sms"])
                Message.objects.create(run=run, customer=made, channel=channel, **values)
                person.mails.append(oracle.Mail(number, channel, acts))

    def acts(self, made: Customer, person: oracle.Person) -> list[events.Incoming]:
        chance = self.chance
        batch = []
        for number in range(chance.randint(0, 9)):
            ago = timedelta(minutes=chance.choice(AGO))
            kind = chance.choice(["a", "b", "c"])
            said = chance.choice([{}, {"n": 1}, {"n": 2, "7": "x"}])
            person.events.append((kind, NOW - ago, said))
            batch.append(
                events.Incoming(type=kind, at=NOW - ago, customer_id=made.pk, properties=said,
                                message_id=f"{made.pk}-{number}")
            )  # fmt: skip
        return batch
