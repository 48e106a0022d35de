"""Pages of insights: the grid, stages and flows, their settings, and segments made from them."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from campaigns.models import PersonList
from campaigns.segments import membership
from marketing.core.models import Job
from models_ml import features
from models_ml.insights import bands, cohorts, lifecycle, stage_history, yardsticks
from models_ml.insights.lifecycle import Bounds
from tests import factories

pytestmark = pytest.mark.django_db
NOW = factories.NOW


def signed_in(role: str = "marketer") -> Client:
    client = Client()
    client.force_login(factories.user(role))
    return client


def shop() -> None:
    """Ada orders each month, ben ordered once long ago, cleo never; ada's numbers are made."""
    ada, ben = factories.customer("ada"), factories.customer("ben")
    factories.customer("cleo")
    for month in range(14):
        factories.order(ada, days_ago=30 * month + 1)
    factories.order(ben, days_ago=150)
    features.build(as_of=NOW)
    stage_history.build(now=NOW)


def text_of(client: Client, name: str, query: str = "") -> str:
    response = client.get(reverse(f"models_ml:{name}") + query)
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("name", ["rfm", "lifecycle"])
def test_before_anybody_ordered_the_page_says_what_to_do(name: str) -> None:
    client = signed_in()
    assert "Import a file" in text_of(client, name)
    assert client.get(reverse("models_ml:insights")).url == reverse("models_ml:rfm")  # type: ignore[attr-defined]


def test_the_grid_opens_its_cells_and_makes_segments_of_groups(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    shop()
    client = signed_in()
    with django_assert_max_num_queries(20):
        shown = text_of(client, "rfm")
    assert "Only 2 people ordered" in shown
    assert reverse("models_ml:rfm-people") + "?r=5&amp;f=" in shown
    for view in ("rm", "fm", "nothing"):
        assert "i-cell" in text_of(client, "rfm", f"?view={view}")
    inside = text_of(client, "rfm-people", "?group=sleepy")  # middling in recency, one order
    assert ("Ben" in inside, "Ada" in inside) == (True, False)
    assert "Ada" in text_of(client, "rfm-people", "?r=12345&m=3")
    assert client.get(reverse("models_ml:rfm-people") + "?r=9").status_code == 302

    rule = json.dumps({"all": [{"rfm": {"r": [5], "f": [4, 5]}}]})
    builder = client.get(reverse("campaigns:segment-new"), {"rule": rule, "name": "Champions"})
    assert builder.context["data"]["rule"] == json.loads(rule)
    assert b'value="Champions"' in builder.content
    broken = client.get(reverse("campaigns:segment-new"), {"rule": '{"rfm": {"r": [99]}}'})
    assert broken.status_code == 200
    assert broken.context["data"]["rule"] == {"all": []}


def test_bands_are_looked_at_refused_and_saved() -> None:
    shop()
    client = signed_in()
    save = reverse("models_ml:rfm-bands-save")
    own = {"r_by": "fifths", "f_by": "own", "m_by": "fifths"}
    own |= {f"f{n}": str(limit) for n, limit in enumerate((2, 5, 10, 20), start=1)}
    looked = client.post(save, {**own, "do": "look"})
    assert (looked.context["shift"].people, looked.context["shift"].moved) == (2, 1)
    assert bands.chosen() == bands.Bands()
    refused = client.post(save, {**own, "f2": "many", "do": "save"})
    assert refused.status_code == 422
    assert "Frequency needs four limits" in refused.content.decode()
    assert 'value="many"' in refused.content.decode()
    kept = client.post(save, {**own, "do": "save"}, follow=True)
    assert "Everybody is being measured" in kept.content.decode()
    assert bands.chosen().f == (2.0, 5.0, 10.0, 20.0)
    assert "2, 5, 10, 20" in text_of(client, "rfm-bands", "?version=1")
    assert signed_in("analyst").post(save, own).status_code == 403
    assert "disabled" in text_of(signed_in("analyst"), "rfm-bands")


def test_stages_flow_from_moment_to_moment_and_a_flow_becomes_a_segment(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    shop()
    client = signed_in()
    with django_assert_max_num_queries(20):
        response = client.get(reverse("models_ml:lifecycle"))
    picture = response.context["picture"]
    assert [(node.stage, node.people) for node in picture.right] == [
        ("loyal", 1), ("at_risk", 1), ("never_ordered", 1),
    ]  # fmt: skip
    start, end = (response.context[name]["key"] for name in ("start", "end"))
    moments = response.context["moments"]
    asked = {"from": moments[-6]["key"], "to": end, "was": "new", "became": "at_risk"}
    shown = client.get(reverse("models_ml:lifecycle"), {"from": asked["from"], "to": end})
    assert any(row["move"].start == "new" for row in shown.context["rows"])
    inside = client.get(reverse("models_ml:stage-people"), asked)
    assert [person.first_name for person in inside.context["page"]] == ["Ben"]
    backwards = client.get(reverse("models_ml:lifecycle"), {"from": end, "to": start})
    assert backwards.context["start"]["key"] == start
    loyal = client.get(reverse("models_ml:stage-people"), {"stage": "loyal"})
    assert [person.first_name for person in loyal.context["page"]] == ["Ada"]

    made = client.post(reverse("campaigns:list-of-stages"), asked)
    rule = json.loads(parse_qs(urlsplit(made.url).query)["rule"][0])  # type: ignore[attr-defined]
    assert [person.first_name for person in membership.people(rule)] == ["Ben"]
    kept = PersonList.objects.get()
    assert (kept.rows, kept.people) == (1, 1)
    assert client.post(reverse("campaigns:list-of-stages"), {**asked, "was": "lapsed"}).status_code
    assert client.post(reverse("campaigns:list-of-stages"), {"from": "1"}).status_code == 302
    assert PersonList.objects.count() == 1
    gone = client.get(reverse("models_ml:stage-people"), {**asked, "from": "12"})
    assert gone.status_code == 302


def test_bounds_are_looked_at_refused_and_saved() -> None:
    shop()
    client = signed_in()
    save = reverse("models_ml:lifecycle-bounds-save")
    given = {"new_days": "30", "risk_days": "60", "lapsed_days": "120", "loyal_orders": "4"}
    looked = client.post(save, {**given, "do": "look"})
    assert (looked.context["moved"], looked.context["everybody"]) == (1, 3)
    refused = client.post(save, {**given, "risk_days": "many", "do": "save"})
    assert refused.status_code == 422
    assert "“At risk after” must be a whole number" in refused.content.decode()
    assert lifecycle.bounds() == Bounds()
    kept = client.post(save, {**given, "do": "save"}, follow=True)
    assert "Everybody is being measured" in kept.content.decode()
    assert lifecycle.bounds() == Bounds(30, 60, 120, 4)
    assert Job.objects.filter(kind=yardsticks.KIND).count() == 1
    again = client.post(save, {**given, "do": "save"}, follow=True)
    assert "in use already" in again.content.decode()
    assert 'value="365"' in text_of(client, "lifecycle-bounds", "?version=1")
    assert signed_in("analyst").post(save, given).status_code == 403


def test_a_quiet_shop_whose_past_is_one_moment_says_so() -> None:
    person = factories.customer("ada")
    factories.order(person, placed_at=NOW - timedelta(hours=1))
    features.build(as_of=NOW)
    client = signed_in()
    assert "No past to compare with yet" in text_of(client, "lifecycle")
    stage_history.build(now=NOW)
    assert "No past to compare with yet" in text_of(client, "lifecycle")


def test_the_cohorts_of_very_many_orders_are_counted_beside_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache.clear()
    shop()
    client, page = signed_in(), reverse("models_ml:cohorts")
    assert "All together" in client.get(page).content.decode()  # few: within the page
    assert cohorts.kept(asked=cohorts.Asked()) is None
    monkeypatch.setattr(cohorts, "MANY", -1)
    opened = client.get(page).content.decode()
    assert "Counting the orders of everybody" in opened
    assert "All together" not in opened
    asked = opened.split('hx-get="?')[1].split('"')[0].replace("&amp;", "&")
    beside = client.get(f"{page}?{asked}", headers={"HX-Request": "true"}).content.decode()
    assert "All together" in beside
    assert "<h1" not in beside
    kept = cohorts.kept(asked=cohorts.Asked())
    assert kept is not None
    assert kept.people == 1  # Ben's first order, and Ada's is older than the cohorts
    assert "All together" in client.get(page).content.decode()  # at hand now
    assert "Counting" in client.get(page + "?unit=week").content.decode()
    assert "<h1" in client.get(page + "?unit=week&wait=1").content.decode()
    cache.clear()
