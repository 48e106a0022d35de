"""The lab: engines compared on one exam, by group, while they learn, and placements proposed."""

import json
from datetime import timedelta

import pytest
from django.urls import reverse

from marketing.core.models import Job
from models_ml import sittings
from models_ml.models import ModelVersion
from recommendations import evaluate, lab, outcomes
from recommendations.models import Placement, Visitor
from tests import factories
from tests.recommendations.conftest import NOW


@pytest.fixture
def client(db):
    return factories.signed_in("marketer")


def front(**more) -> Placement:
    return Placement.objects.create(slug="front", name="Front page", kind="home", **more)


def visitors(place: Placement, arm: str, total: int, clicked: int) -> None:
    Visitor.objects.bulk_create(
        Visitor(
            placement=place, unit=f"a:{arm}{n}", arm=arm, first_at=NOW - timedelta(days=2),
            last_at=NOW, shown=1, clicked=int(n < clicked),
        )
        for n in range(total)
    )  # fmt: skip


def test_engines_stand_side_by_side_with_how_sure_each_figure_is(
    shop, train, client, django_assert_max_num_queries
):
    made = train("next_product_als")
    told = made["next_product_als"].details["lab"]
    ndcg = made["next_product_als"].metrics["ndcg@10"]
    assert told["ndcg"]["mean"] == pytest.approx(ndcg, abs=1e-6)
    assert told["ndcg"]["low"] < ndcg < told["ndcg"]["high"]
    assert told["over"]["popular"] == made["next_product_als"].details["difference"]
    # Every second product is shown to those who have its taste, so that nearly all are shown.
    assert told["coverage"] > made["next_product_popular"].details["lab"]["coverage"]
    assert told["novelty"]["mean"] > made["next_product_popular"].details["lab"]["novelty"]["mean"]
    people = {(g["by"], g["key"]): g["people"] for g in told["groups"]}
    whole = made["next_product_als"].metrics["people"]
    assert sum(n for (by, _key), n in people.items() if by == "orders") <= whole
    assert max(people.values()) > whole / 2
    for axis in "rfm":
        assert (
            sum(n for (by, key), n in people.items() if by == "bands" and key[0] == axis) <= whole
        )
    front(engine="popular")
    with django_assert_max_num_queries(20):
        html = client.get(reverse("recommendations:lab")).content.decode()
    for said in (
        "Popularity bias", "By group: Stage", "By group: RFM cells", "By group: RFM bands",
        "Frequency: ", " of 5", "Front page", "Publish ALS",
    ):  # fmt: skip
        assert said in html


def test_an_engine_held_to_a_placement_is_replaced_by_the_best_when_a_person_says_so(
    shop, train, client
):
    train("next_product_als")
    front(engine="popular", rival="als", rival_percent=20)
    (asked,) = lab.proposals(evaluate.engines(), now=NOW)
    assert (asked.engine, asked.sure) == ("als", True)
    url = reverse("recommendations:lab-publish", args=["front"])
    assert factories.signed_in("analyst").post(url, {"engine": "als"}).status_code == 403
    client.post(url, {"engine": "als"})
    row = Placement.objects.get()
    assert (row.engine, row.rival_percent) == ("als", 0)
    (asked,) = lab.proposals(evaluate.engines(), now=NOW)
    assert (asked.engine, asked.why) == (None, "This is the best judged engine.")
    client.post(url, {"engine": ""})
    (asked,) = lab.proposals(evaluate.engines(), now=NOW)
    assert asked.automatic
    assert asked.why == "ALS, the best that beat popularity, by itself."


def test_an_engine_that_is_not_live_is_not_published(shop, train, client):
    train()
    front()
    url = reverse("recommendations:lab-publish", args=["front"])
    html = client.post(url, {"engine": "als"}, follow=True).content.decode()
    assert "This engine is not live, so nothing was changed." in html
    assert Placement.objects.get().engine == ""


def test_what_visitors_click_counts_before_what_an_exam_says(db):
    place = front(engine="als", rival="links", rival_percent=50)
    visitors(place, "als", 400, 20)
    visitors(place, "links", 400, 60)
    visitors(place, "holdout", 100, 1)
    (asked,) = lab.proposals([], now=NOW)
    assert (asked.engine, asked.sure) == ("links", True)
    assert asked.why.startswith("Of its visitors 10.0% more clicked (95% interval 5.")
    assert [side.arm for side in asked.sides] == ["als", "links", "holdout"]
    assert outcomes.sides(placement=place, now=NOW) == asked.sides


def test_curves_are_drawn_while_an_engine_learns(client, settings, tmp_path):
    settings.MODEL_DIR = tmp_path
    job = Job.objects.create(kind="recommenders.train", title="Learn", state=Job.State.RUNNING)
    folder = sittings.folder(job.pk) / "next_product_bert4rec" / "chosen"
    folder.mkdir(parents=True)
    epochs = [
        {"number": 1, "loss": 8.0, "score": 0.01, "seconds": 3.0},
        {"number": 2, "loss": 7.0, "score": 0.04, "seconds": 3.0},
        {"number": 3, "loss": 6.5, "score": 0.03, "seconds": 3.0},
    ]
    head = {"__metadata__": {"state": json.dumps({"history": {"epochs": epochs}})}}
    body = json.dumps(head).encode()
    file = folder / "training.safetensors"
    file.write_bytes(len(body).to_bytes(8, "little") + body)
    url = reverse("recommendations:lab-curves")
    html = client.get(url).content.decode()
    assert "BERT4Rec is learning" in html
    assert "best after epoch 2: NDCG@10 0.0400" in html
    assert 'data-poll="3"' in html
    file.write_bytes(body[:40])
    assert "is learning" not in client.get(url).content.decode()
    Job.objects.update(state=Job.State.DONE)
    ModelVersion.objects.create(
        name="next_product_bert4rec", version=1, details={"history": {"epochs": epochs[:1]}}
    )
    html = client.get(url).content.decode()
    assert "How BERT4Rec learned" in html
    assert "data-poll" not in html


def test_a_shop_without_engines_is_told_what_to_do(client):
    html = client.get(reverse("recommendations:lab")).content.decode()
    assert "No engine was trained yet" in html
    assert "No placement is turned on" in html
