"""Unlike the rest, from orders to the facts that say so on somebody's page."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from marketing.core.errors import Invalid
from models_ml import registry
from models_ml.models import Prediction, Score
from models_ml.predictions import answers, definitions, ready, reasons, scoring, training
from tests import factories
from tests.models_ml.predictions import shops

NOW = factories.NOW
pytestmark = pytest.mark.django_db


def test_somebody_who_buys_like_nobody_else_stands_out_and_the_page_says_in_what() -> None:
    shops.plant(people=300)
    odd = factories.customer("odd")
    for n in range(40):
        factories.order(odd, placed_at=NOW - timedelta(days=3, minutes=9 * n),
                        lines=[(factories.product("CRATE", price=900), 300)])  # fmt: skip
    made = ready.install(key="unusual", now=NOW)
    assert made.kind == Prediction.Kind.DEGREE
    version = training.train(prediction=made, now=NOW)
    assert version.metrics["agreement"] > 0.8
    assert version.metrics["planted"] > 0.8
    # So few people hardly prove it better than one fact alone: somebody answers for it.
    registry.promote(version=version)
    assert version.details["verdict"]["code"] in ("better", "no_better_than_baseline")
    scoring.score(prediction=made, now=NOW)
    rows = list(Score.objects.filter(prediction=made).order_by("-value"))
    assert len(rows) == 301
    assert odd.pk in {row.customer_id for row in rows[:5]}
    body = reasons.work_out(prediction=made, customer_id=odd.pk, now=NOW)
    assert body is not None
    shares = [one["share"] for one in body["reasons"]]
    mine = next(row.value for row in rows if row.customer_id == odd.pk)
    assert body["usual"] + sum(shares) == pytest.approx(mine) == pytest.approx(body["value"])
    assert body["reasons"][0]["known"] != body["reasons"][0]["usual"]
    assert answers.known(prediction=made, customer_id=odd.pk) == body
    client = Client()
    client.force_login(factories.user("marketer"))
    assert client.get(reverse("models_ml:prediction", args=[made.key])).status_code == 200
    why = client.get(reverse("models_ml:prediction-why", args=[made.key, odd.pk])).content.decode()
    assert body["reasons"][0]["meaning"][1:] in why


def test_too_few_people_and_other_engines_are_refused() -> None:
    shops.plant(people=30)
    made = ready.install(key="unusual", now=NOW)
    with pytest.raises(Invalid, match="100 are needed"):
        training.train(prediction=made, now=NOW)
    with pytest.raises(Invalid, match="answers another question"):
        definitions.create(
            title="Orders", target={"type": "order"}, horizon_days=30,
            settings={"engine": "oddness"}, now=NOW,
        )  # fmt: skip
    assert made.settings["engine"] == "oddness"


def test_a_default_is_a_ready_chance_that_asks_which_event_it_is() -> None:
    one = ready.find(key="risk_event")
    assert (one.asks, one.target["type"], one.needs) == (("target",), "event", "events")
