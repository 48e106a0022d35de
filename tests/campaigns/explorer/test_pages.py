"""The page of the tree explorer: any question, its groups, its troubles, and what moved."""

from typing import Any

import pytest
from django.test import Client

from campaigns.models import Segment
from campaigns.segments import definitions, leaves
from marketing.core.models import Job
from models_ml.models import Exploration
from tests import factories
from tests.campaigns.explorer import people

pytestmark = pytest.mark.django_db
ASKED = {
    "type": "spend_over", "amount": "250", "horizon_days": "60", "who": "buyers", "depth": "3",
    "leaves": "6", "min_leaf": "50", "times": "1", "by": "click", "op": "=", "title": "",
}  # fmt: skip


@pytest.fixture
def client() -> Client:
    return factories.signed_in("marketer")


def test_a_question_is_asked_and_its_tree_is_grown_at_once(client: Client) -> None:
    answer = client.post("/segments/tree/new/", ASKED)
    made = Exploration.objects.get()
    assert answer.headers["Location"] == f"/segments/tree/{made.key}/"
    assert made.title == "Who spends more than 250 within 60 days"
    assert (made.target, made.horizon_days) == ({"type": "spend_over", "amount": 250.0}, 60)
    assert made.settings == {"depth": 3, "leaves": 6, "min_leaf": 50}
    job = Job.objects.get(kind="explorer.train")
    assert job.params == {"exploration": made.pk}
    assert (
        "Find groups: Who spends more" in client.get(f"/segments/tree/{made.key}/").content.decode()
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"type": "event", "event": ""}, "The name is missing"),
        ({"type": "segment", "segment": ""}, "Choose the segment"),
        ({"type": "attribute", "attribute": "plan", "op": ">", "value": "gold"}, "by size"),
        ({"min_leaf": "3"}, "greater than or equal to 20"),
        ({"horizon_days": "0"}, "greater than or equal to 1"),
    ],
)
def test_a_faulty_question_says_what_is_wrong_and_stores_nothing(
    client: Client, changed: dict[str, str], words: str
) -> None:
    text = client.post("/segments/tree/new/", {**ASKED, **changed}).content.decode()
    assert words in text
    assert not Exploration.objects.exists()


def test_the_page_shows_groups_what_to_do_and_what_moved(
    client: Client, django_assert_max_num_queries: Any
) -> None:
    people.explored()
    with django_assert_max_num_queries(20):
        text = client.get("/segments/tree/gold/").content.decode()
    assert "Who turns gold" in text
    assert "1,000 people" in text
    assert "ES, PT, FR and 1 more" in text
    assert "What to do with each group" in text
    assert "Show them what is new, without a discount" in text
    assert "12,000" in text  # 300 people worth 40 each
    assert "What moved since version 1" in text
    assert "1 group's rate surely changed" in text.replace("&#x27;", "'")
    assert "1 earlier group has no successor" in text
    assert "1 group is the same people" in text
    assert "It was learned after the fact" in text


def test_groups_with_categories_are_kept_one_by_one_or_together(client: Client) -> None:
    factories.cast()
    _exploration, version = people.explored()
    client.post(f"/segments/tree/{version.pk}/4/")
    made = Segment.objects.get()
    assert made.name == "Who turns gold: 35 in 100"
    assert made.rule["all"][-1] == {
        "field": "customer.country", "op": "in", "value": ["ES", "PT", "FR", "IT"]
    }  # fmt: skip
    client.post(f"/segments/tree/{version.pk}/keep/", {"leaf": ["1", "3", "4"]})
    assert Segment.objects.count() == 3
    rest = Segment.objects.get(origin__leaf=3)
    named = {"field": "customer.country", "op": "in", "value": ["ES", "PT", "FR", "IT"]}
    assert rest.rule["all"][-1] == {"not": named}


def test_its_figures_lead_back_to_its_groups(client: Client) -> None:
    _exploration, version = people.explored()
    text = client.get(f"/models/{version.pk}/").content.decode()
    assert "Who turns gold" in text
    assert "/segments/tree/gold/" in text


def test_an_edited_segment_is_named_as_edited_and_stays(client: Client) -> None:
    factories.cast()
    _exploration, version = people.explored()
    segment = leaves.save(version=version, leaf_id=1, actor=None)
    assert "As in version 1" in client.get("/segments/tree/gold/").content.decode()
    definitions.save(
        name="Mine", rule={"all": [{"field": "traits.orders", "op": ">=", "value": 9}]}, actor=None,
        segment=segment,
    )  # fmt: skip
    assert "Edited by hand" in client.get("/segments/tree/gold/").content.decode()


def test_a_refused_tree_is_shown_with_its_reason_and_nothing_is_offered(client: Client) -> None:
    factories.cast()
    _exploration, version = people.explored(state="refused")
    text = client.get("/segments/tree/gold/").content.decode()
    assert "Not published: look, but do not rely on it" in text
    assert "hardly better than a coin" in text
    assert "What to do with each group" not in text
    assert f"/segments/tree/{version.pk}/1/" not in text
    answer = client.post(f"/segments/tree/{version.pk}/1/", follow=True)
    assert "was not published" in answer.content.decode()
    assert not Segment.objects.exists()


def test_a_leak_is_left_out_or_let_in_with_one_press(client: Client) -> None:
    exploration, _version = people.explored()
    exploration.trouble = {
        "code": "leak", "message": "These columns alone nearly tell the answer: reason.",
        "remedy": "Leave them out.", "columns": ["attribute:reason"],
    }  # fmt: skip
    exploration.save()
    text = client.get("/segments/tree/gold/").content.decode()
    assert "Something tells the answer already" in text
    assert "The tree below is the one from before" in text
    client.post("/segments/tree/gold/train/", {"without": "attribute:reason"})
    exploration.refresh_from_db()
    assert exploration.settings["without"] == ["attribute:reason"]
    Job.objects.update(state="done")
    client.post("/segments/tree/gold/train/", {"allow": "attribute:reason", "depth": "2"})
    exploration.refresh_from_db()
    assert exploration.settings["without"] == []
    assert exploration.settings["allow"] == ["attribute:reason"]
    assert exploration.settings["depth"] == 2


def test_one_training_at_a_time(client: Client) -> None:
    people.explored()
    client.post("/segments/tree/gold/train/", {"depth": "2"})
    client.post("/segments/tree/gold/train/", {"depth": "5"})
    assert Job.objects.filter(kind="explorer.train").count() == 1


def test_a_question_taken_off_the_page_is_gone_and_its_segments_stay(client: Client) -> None:
    factories.cast()
    _exploration, version = people.explored()
    leaves.save(version=version, leaf_id=1, actor=None)
    client.post("/segments/tree/gold/archive/")
    assert client.get("/segments/tree/gold/").status_code == 404
    assert Segment.objects.filter(state="live").count() == 1


def test_an_analyst_looks_but_asks_nothing() -> None:
    _exploration, version = people.explored()
    client = Client()
    client.force_login(factories.user("analyst"))
    assert client.get("/segments/tree/gold/").status_code == 200
    for path in (
        "/segments/tree/new/",
        "/segments/tree/gold/train/",
        "/segments/tree/gold/archive/",
        f"/segments/tree/{version.pk}/keep/",
    ):
        assert client.post(path, ASKED).status_code == 403, path


def test_what_is_not_there_is_not_found(client: Client) -> None:
    other = factories.model_version("next_product_als")
    for path in (
        "/segments/tree/nope/train/",
        "/segments/tree/nope/archive/",
        f"/segments/tree/{other.pk}/1/",
        f"/segments/tree/{other.pk}/keep/",
    ):
        assert client.post(path).status_code == 404, path
    assert client.get("/segments/tree/nope/").status_code == 404
