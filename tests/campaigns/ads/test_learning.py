"""Models of clicks: calibrated, and published only where they beat plain rates on later days."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from campaigns.ads import choosing, features, learning, permission, sharing, storing, trainings
from campaigns.ads.features import Facts, Table
from campaigns.ads.simulated import World
from campaigns.models import AdCampaign, AdCreative, AdHit, AdPlacement
from marketing.core import jobs
from marketing.core.models import Job
from models_ml.models import ModelVersion
from tests import factories
from tests.campaigns.ads.conftest import advert, agree

pytestmark = pytest.mark.django_db
NOW = factories.NOW


def log(days: int = 10, a_day: int = 2_500, **values: Any) -> World:
    """So many days of ads until now, stored."""
    advert()
    world = World(
        creatives=["summer-red", "summer-blue"], placements=["top", "side"],
        **{"rate": 0.06, **values},
    )  # fmt: skip
    for day in range(days, 0, -1):
        hits = list(world.day(NOW - timedelta(days=day), a_day, until=NOW))
        outcomes, faults = storing.store(batch=dict(enumerate(hits)), now=NOW)
        assert not faults
        assert set(outcomes.values()) == {storing.STORED}
    return world


def numbered(world: World, version: ModelVersion) -> tuple[np.ndarray, np.ndarray]:
    """What the model says and what is true, over every combination of facts."""
    table = Table.of_json(version.details["table"])
    creatives = dict(AdCreative.objects.values_list("key", "pk"))
    placements = dict(AdPlacement.objects.values_list("key", "pk"))
    said, true = [], []
    for c, creative in enumerate(world.creatives):
        for p, place in enumerate(world.placements):
            for device in (1, 2):
                for hour in range(8, 22):
                    facts = Facts(c, p, hour, 2, device)
                    true.append(world.truth(facts))
                    said.append(
                        table.chance(
                            facts._replace(
                                creative=creatives[creative], placement=placements[place]
                            )
                        )
                    )
    return np.array(said), np.array(true)


def test_a_model_that_knows_more_than_plain_rates_is_published_and_means_what_it_says():
    world = log()
    version = learning.train(name=choosing.CTR, now=NOW)
    assert version is not None
    assert version.state == "live"
    assert version.metrics["gain"]["low"] > 0
    assert version.metrics["log_loss"] < version.baseline["log_loss"]
    assert version.metrics["ece"] < 0.02
    said, true = numbered(world, version)
    assert np.corrcoef(said, true)[0, 1] > 0.9
    assert float(np.abs(said - true).mean()) < 0.02
    assert 5 <= len(version.details["calibration"]) <= 10
    client = factories.signed_in("marketer")
    for address in (
        reverse("models_ml:model-list"),
        reverse("models_ml:model-detail", args=[version.pk]),
    ):
        page = client.get(address).content.decode()
        assert "Who clicks on an ad" in page
        assert "Surprise at what happened" in page
        assert ">ads:ctr" not in page
    assert "Plain rate of creative and placement" in page
    assert "Popularity" not in page.partition("<main")[2]
    client.post(reverse("models_ml:model-train", args=[choosing.CTR]))
    assert [job.kind for job in Job.objects.all()] == [trainings.JOB]
    assert client.post(reverse("models_ml:model-train", args=["nothing"])).status_code == 404


def test_a_model_no_better_than_plain_rates_is_refused_with_the_reason():
    log(effects=0.0)
    version = learning.train(name=choosing.CTR, now=NOW)
    assert version is not None
    assert version.state == "refused"
    assert "not surely better" in version.reason
    assert choosing.live_table(choosing.CTR) is None


def test_few_days_or_few_clicks_teach_nothing():
    log(days=3, a_day=300)
    assert learning.train(name=choosing.CTR, now=NOW) is None
    assert learning.train(name=choosing.CVR, now=NOW) is None


def test_nothing_is_learned_from_people_who_did_not_agree_or_took_it_back():
    permission.add_purpose(user=None, now=NOW)
    ada, ben = factories.customer("ada"), factories.customer("ben")
    agree(ada, ben)
    log(days=2, a_day=400, people=[(ada.external_id, 0), (ben.external_id, 0)])
    every = learning.read(name=choosing.CTR, now=NOW).n.sum()
    assert every == AdHit.objects.filter(kind=1).count()
    agree(ada, granted=False)
    agree(ben, purpose="profiling", granted=False)
    assert learning.read(name=choosing.CTR, now=NOW).n.sum() == (
        AdHit.objects.filter(kind=1, customer=None).count()
    )


def test_answers_still_to_come_do_not_make_the_newest_creative_look_bad():
    world = log(turns=0.6, rate=0.2, days=4, a_day=1_500)
    ad = AdCampaign.objects.get()
    AdCampaign.objects.update(goal="conversion", mode="bandit")
    ad.refresh_from_db()
    rows = learning.read(name=choosing.CVR, now=NOW)
    naive = AdHit.objects.filter(kind=3).count() / AdHit.objects.filter(kind=2).count()
    ripe = rows.yes.sum() / rows.n.sum()
    # A conversion takes twenty hours on average; four days see nearly all, if one waits for them.
    assert naive < 0.52
    assert ripe == pytest.approx(world.turns, abs=0.06)
    delays = sharing.delays_of(
        kind=AdHit.CONVERSION, since=NOW - timedelta(days=30), now=NOW, ad=ad.pk
    )
    arms = sharing.arms_of(ad, list(ad.creatives.all()), delays=delays, now=NOW)
    shown = AdHit.objects.filter(kind=1).count()
    assert sum(arm.n for arm in arms.values()) < 0.95 * shown


def test_the_job_trains_both_and_the_web_process_scores_by_the_table():
    log()
    job = trainings.start(user=None)
    assert trainings.start(user=None).pk == job.pk
    jobs.run(job_id=job.pk)
    job.refresh_from_db()
    assert job.state == Job.State.DONE
    assert job.result["ads:ctr"]["state"] == "live"
    table = choosing.live_table(choosing.CTR)
    assert table is not None
    red = AdCreative.objects.get(key="summer-red").pk
    blue = AdCreative.objects.get(key="summer-blue").pk
    phone = [table.chance(Facts(one, 1, 14, 2, 2)) for one in (red, blue)]
    assert phone[1] > 2 * phone[0]
    assert trainings.begin_due(now=factories.now()) is None


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8), st.floats(0, 1))
def test_shares_for_a_person_sum_to_one_and_leave_everybody_a_try(chances, floor):
    shares = features.suited(chances, floor=floor)
    assert sum(shares) == pytest.approx(1)
    assert min(shares) >= min(floor, 1 / len(chances)) - 1e-9


def test_a_table_survives_being_stored():
    table = Table(0.02, {"1:2": 0.03}, {5: 0.25}, 1.1, -0.2, {"1": 0.025})
    again = Table.of_json(table.as_json())
    facts = Facts(1, 2, 3, 4)
    assert again.chance(facts) == table.chance(facts)
    assert table.plain(Facts(1, 9, 3, 4)) == 0.025
    assert table.plain(Facts(7, 9, 3, 4)) == 0.02
