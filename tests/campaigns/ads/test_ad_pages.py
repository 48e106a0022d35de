"""Pages of ads: empty and full, who may do what, and files."""

import csv
import io
from datetime import timedelta

import pytest
from django.urls import reverse

from campaigns.ads import defining, demo, exporting, learning, permission
from campaigns.models import AdCampaign, AdCreative, AdExport, AdPlacement
from campaigns.segments import definitions
from ingestion.models import Consent, Customer, Identity
from marketing.core import jobs
from tests import factories
from tests.campaigns.ads.conftest import advert, agree

pytestmark = pytest.mark.django_db


def test_an_empty_list_says_how_to_begin():
    text = factories.signed_in("marketer").get(reverse("campaigns:ads")).content.decode()
    assert "No ads yet" in text
    assert reverse("campaigns:ad-new") in text
    other = factories.signed_in("analyst").get(reverse("campaigns:ads")).content.decode()
    assert reverse("campaigns:ad-new") not in other


def test_a_campaign_is_made_filled_and_started_by_hand():
    client = factories.signed_in("marketer")
    today = factories.now().date()
    form = {
        "name": "Winter sale", "goal": "click", "budget": "300", "daily_cap": "", "price": "2.50",
        "pricing": "cpm", "starts_on": f"{today}", "ends_on": f"{today + timedelta(days=9)}",
        "mode": "bandit", "floor_percent": "5", "new_placement": "Home page, top",
    }  # fmt: skip
    done = client.post(reverse("campaigns:ad-new"), form)
    assert done.status_code == 302
    ad = AdCampaign.objects.get()
    assert (ad.key, ad.name, [p.name for p in ad.placements.all()]) == (
        "winter-sale", "Winter sale", ["Home page, top"],
    )  # fmt: skip
    page = reverse("campaigns:ad", args=[ad.key])
    client.post(reverse("campaigns:ad-move", args=[ad.key]), {"to": "start"})
    ad.refresh_from_db()
    assert ad.state == "draft"
    client.post(
        reverse("campaigns:ad-creative", args=[ad.key]), {"name": "Snow", "url": "https://x.org/s"}
    )
    client.post(reverse("campaigns:ad-move", args=[ad.key]), {"to": "start"})
    ad.refresh_from_db()
    assert ad.state == "running"
    text = client.get(page).content.decode()
    assert "Snow" in text
    assert "Not learned yet" in text
    creative = AdCreative.objects.get()
    client.post(reverse("campaigns:ad-creative", args=[ad.key]), {"creative": creative.key})
    creative.refresh_from_db()
    assert not creative.active


def test_what_is_wrong_in_the_form_is_told_and_what_was_typed_stays():
    client = factories.signed_in("marketer")
    form = {"name": "X", "budget": "much", "price": "1", "starts_on": "2026-12-01",
            "ends_on": "2026-12-02", "goal": "click", "pricing": "cpm", "mode": "fixed",
            "floor_percent": "5"}  # fmt: skip
    done = client.post(reverse("campaigns:ad-new"), form)
    assert done.status_code == 422
    assert "Give an amount" in done.content.decode()
    assert 'value="much"' in done.content.decode()
    backwards = client.post(reverse("campaigns:ad-new"), {**form, "budget": "5",
                                                          "ends_on": "2026-11-01"})  # fmt: skip
    assert "The last day lies before the first." in backwards.content.decode()
    assert AdCampaign.objects.count() == 0


def test_a_form_that_is_refused_makes_no_placement_and_the_next_try_makes_one():
    client = factories.signed_in("marketer")
    form = {"name": "X", "budget": "much", "price": "1", "starts_on": "2026-12-01",
            "ends_on": "2026-12-02", "goal": "click", "pricing": "cpm", "mode": "fixed",
            "floor_percent": "5", "new_placement": "Home page"}  # fmt: skip
    assert client.post(reverse("campaigns:ad-new"), form).status_code == 422
    assert AdPlacement.objects.count() == 0
    assert client.post(reverse("campaigns:ad-new"), {**form, "budget": "5"}).status_code == 302
    assert [place.key for place in AdPlacement.objects.all()] == ["home-page"]


def test_a_creative_made_by_hand_never_takes_the_key_of_another():
    ad = advert(start=False)
    defining.save_creative(
        ad_key=ad.key, key="summer-snow", values={"name": "Old"}, actor=None, now=factories.NOW
    )
    client = factories.signed_in("marketer")
    for _time in range(2):
        client.post(reverse("campaigns:ad-creative", args=[ad.key]), {"name": "Snow"})
    assert set(
        AdCreative.objects.filter(key__startswith="summer-snow").values_list("key", "name")
    ) == {("summer-snow", "Old"), ("summer-snow-2", "Snow"), ("summer-snow-3", "Snow")}


def test_looking_needs_no_more_than_an_analyst_has_and_changing_more():
    ad = advert()
    analyst = factories.signed_in("analyst")
    assert analyst.get(reverse("campaigns:ad", args=[ad.key])).status_code == 200
    assert analyst.get(reverse("campaigns:ad-exports")).status_code == 200
    for name, args in (("ad-move", [ad.key]), ("ad-creative", [ad.key]), ("ad-edit", [ad.key])):
        assert analyst.post(reverse(f"campaigns:{name}", args=args)).status_code == 403
    assert analyst.post(reverse("campaigns:ad-export-start")).status_code == 403
    assert AdPlacement.objects.count() == 2


def test_the_demos_campaign_fills_its_page_and_its_model_is_judged():
    now = factories.now()
    people = Customer.objects.bulk_create(
        Customer(external_id=f"d{n}", email=f"d{n}@example.com", is_demo=True) for n in range(50)
    )
    Identity.objects.bulk_create(
        Identity(customer=one, kind="external", value=one.external_id) for one in people
    )
    ad = demo.fill(user=None, now=now)
    first = ad.pk
    assert demo.fill(user=None, now=now).pk == first
    assert Consent.objects.filter(purpose="ads", proof__demo=True).count() == 50
    version = learning.train(name="ads:ctr", now=now)
    assert version is not None
    client = factories.signed_in("marketer")
    text = client.get(reverse("campaigns:ad", args=[ad.key])).content.decode()
    assert "Lights for long evenings" in text
    assert "Plain rate of creative and placement" in text
    assert "What ways of choosing would have earned" not in text  # nothing was chosen here
    listed = client.get(reverse("campaigns:ads")).content.decode()
    assert "Autumn in the shop" in listed


def test_pages_ask_few_questions(django_assert_max_num_queries):
    ad = advert()
    permission.add_purpose(user=None, now=factories.NOW)
    segment = definitions.save(name="All", rule={"all": []}, actor=None, now=factories.NOW)
    client = factories.signed_in("marketer")
    for address in (
        reverse("campaigns:ads"),
        reverse("campaigns:ad", args=[ad.key]),
        reverse("campaigns:ad-edit", args=[ad.key]),
        reverse("campaigns:ad-exports") + f"?segment={segment.pk}",
    ):
        with django_assert_max_num_queries(20):
            assert client.get(address).status_code == 200


def test_results_come_as_a_file():
    ad = advert()
    done = factories.signed_in("analyst").get(reverse("campaigns:ad-results", args=[ad.key]))
    text = b"".join(done.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    assert next(csv.reader(io.StringIO(text)))[:3] == ["Hour (UTC)", "Creative", "Placement"]


def test_a_list_is_counted_written_and_taken_by_somebody_with_the_right():
    client = factories.signed_in("integrator")
    empty = client.get(reverse("campaigns:ad-exports")).content.decode()
    assert "Nobody was asked about ads yet" in empty
    client.post(reverse("campaigns:ad-purpose"))
    assert permission.is_asked()
    agree(factories.customer("ada"))
    factories.customer("ben")
    segment = definitions.save(name="All", rule={"all": []}, actor=None, now=factories.NOW)
    page = reverse("campaigns:ad-exports")
    counted = client.get(page, {"segment": segment.pk}).content.decode()
    assert "Has not agreed to ads" in counted
    assert "it wants at least 1,000 people" in counted
    client.post(reverse("campaigns:ad-export-start"), {"segment": segment.pk, "format": "google"})
    made = AdExport.objects.get()
    jobs.run(job_id=made.job_id or 0)
    taken = client.post(reverse("campaigns:ad-export-take", args=[made.public_id]))
    body = b"".join(taken.streaming_content)  # type: ignore[attr-defined]
    assert body.startswith(b"Email,Phone,First Name")
    assert b"@" not in body
    assert taken["Cache-Control"] == "no-store"
    exporting.drop(AdExport.objects.all())
    gone = client.post(
        reverse("campaigns:ad-export-take", args=[made.public_id]), follow=True
    ).content.decode()
    assert "no longer kept" in gone
