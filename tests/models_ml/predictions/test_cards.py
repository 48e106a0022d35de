"""What the card of a version says of groups of people, and of how its answers move."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from ingestion.models import Customer, OrderLine
from marketing.core.errors import Invalid
from models_ml import queries, watched
from models_ml.algorithms.tabular.frame import Frame
from models_ml.predictions import definitions, fair, training
from models_ml.predictions.engines import samples, small
from tests import factories
from tests.models_ml.predictions import shops

NOW = factories.NOW
pytestmark = pytest.mark.django_db


def test_the_best_tenth_is_told_apart_by_what_is_watched() -> None:
    people = [factories.customer(f"p{n}") for n in range(60)]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE ingestion_customer SET attributes ="
            " jsonb_build_object('gender', CASE WHEN id %% 2 = %s THEN 'f' ELSE 'm' END)",
            [people[0].pk % 2],
        )
    person = np.array([p.pk for p in people], dtype=np.int64)
    said = np.where(np.arange(60) % 2 == 0, 0.1, 0.2)  # every man above every woman
    came = np.arange(60) < 30
    nothing = fair.of(person=person, said=said, came=came, as_of=NOW)
    assert nothing == {"by": "", "people": 60, "chosen": 0, "attributes": []}
    watched.watch(name="gender", actor=None, now=NOW)
    found = fair.of(person=person, said=said, came=came, as_of=NOW)
    assert (found["by"], found["people"], found["chosen"]) == ("tenth", 60, 6)
    men, women = sorted(found["attributes"][0]["groups"], key=lambda one: one["name"] == "f")
    assert (men["name"], men["people"], men["chosen"], men["rate"]) == ("m", 30, 6, 0.2)
    assert (men["missed"], men["bothered"]) == (9 / 15, 0.0)
    assert (women["chosen"], women["missed"], women["state"]) == (0, 1.0, "low")
    paying = fair.of(person=person, said=said, came=came, as_of=NOW, threshold=0.15)
    assert (paying["by"], paying["chosen"]) == ("threshold", 30)
    amounts = fair.of(person=person, said=said, came=None, as_of=NOW)
    assert amounts["attributes"][0]["groups"][0]["missed"] is None


def test_a_training_keeps_both_on_the_card_and_the_page_draws_them(client: Client) -> None:
    shops.plant(people=400)
    watched.watch(name="customer.country", actor=None, now=NOW)
    Customer.objects.filter(pk__in=Customer.objects.order_by("pk")[:150]).update(country="FR")
    made = definitions.create(
        title="Buys again",
        target={"type": "order"},
        horizon_days=60,
        settings={"candidates": ["tree"]},
        now=NOW,
    )
    version = training.train(prediction=made, now=NOW)
    card = version.details
    groups = card["fairness"]["attributes"][0]["groups"]
    assert sum(group["people"] for group in groups) == card["judged_people"]
    assert sum(group["chosen"] for group in groups) == card["fairness"]["chosen"]
    first = card["dependence"][0]
    strongest = max(card["importances"], key=card["importances"].get)
    assert (first["column"], first["kind"]) == (strongest, "number")
    points = first["points"]
    assert all(0 <= p["low"] <= p["high"] <= 1 and 0 <= p["mean"] <= 1 for p in points)
    assert [p["at"] for p in points] == sorted(p["at"] for p in points)
    assert len(card["dependence"]) <= 6
    client.force_login(factories.user("marketer"))
    seen = client.get(reverse("models_ml:prediction", args=[made.key])).content.decode()
    assert "How its answer moves" in seen
    assert "Would it choose everybody alike?" in seen
    assert seen.count('class="m-band"') == sum(c["kind"] == "number" for c in card["dependence"])


def test_too_few_people_for_a_model_are_told_as_rates_with_intervals(client: Client) -> None:
    shops.plant(people=14)
    made = definitions.create(
        title="Buys again", target={"type": "order"}, horizon_days=60, now=NOW
    )
    with pytest.raises(Invalid) as refused:
        training.train(prediction=made, now=NOW)
    assert refused.value.code in small.CODES
    made.refresh_from_db()
    everybody, *groups = made.trouble["known"]
    as_of = queries.data_now(now=NOW)
    moment = as_of.replace(microsecond=0) - timedelta(days=60)
    known = set(OrderLine.objects.filter(placed_at__lt=moment).values_list("customer", flat=True))
    after = OrderLine.objects.filter(placed_at__gte=moment, placed_at__lt=as_of)
    yes = len(known & set(after.values_list("customer", flat=True)))
    rate = ((yes + 0.5) / (len(known) + 1) + yes) / (1 + len(known))
    assert (everybody["by"], everybody["people"]) == ("everybody", len(known))
    assert everybody["value"] == pytest.approx(rate, abs=1e-5)
    assert 0 < everybody["low"] < everybody["value"] < everybody["high"] < 1
    for name in ("recency_days", "orders"):
        of = [one for one in groups if one["by"] == name]
        assert sum(one["people"] for one in of) == len(known)
        assert all(one["low"] <= one["value"] <= one["high"] for one in of)
        assert all(one["from"] is not None for one in of)
    client.force_login(factories.user("marketer"))
    seen = client.get(reverse("models_ml:prediction", args=[made.key])).content.decode()
    assert "What is known without a model" in seen
    assert seen.count('class="m-span"') == len(groups) + 1


def test_amounts_of_few_people_are_means_drawn_together() -> None:
    one = np.datetime64("2026-01-01", "s")
    x = pd.DataFrame({"orders": [1.0, 1.0, 2.0, 5.0]})
    frame = Frame(x, np.array([10.0, 20.0, 30.0, 100.0]), np.arange(4), np.repeat(one, 4))
    rest = Frame(x[:0], np.array([]), np.arange(0), np.repeat(one, 0))
    sample = samples.Sample(frame, rest, [], [], {}, (NOW,), NOW, None, False)
    found = small.of(sample, chance=False)
    assert [(row["by"], row["from"], row["people"]) for row in found] == [
        ("everybody", None, 4),
        ("orders", 1, 2),
        ("orders", 2, 1),
        ("orders", 4, 1),
    ]
    assert found[0]["value"] == 40.0
    assert 15 < found[1]["value"] < 40 < found[3]["value"] < 100
