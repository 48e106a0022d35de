"""Clusters and cohorts on their pages: made, explained, named, put away, taken as a file."""

import csv
import io
from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from marketing.core.models import AuditEntry, Job
from models_ml.models import Clustering
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def marketer(client: Client) -> Client:
    client.force_login(factories.user("marketer"))
    return client


def text(client: Client, url: str) -> str:
    answer = client.get(url)
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_groups_are_looked_for_with_one_press(marketer: Client) -> None:
    assert "Nobody has been sorted yet" in text(marketer, reverse("models_ml:clusters"))
    answer = marketer.post(reverse("models_ml:clusters-new"))
    made = Clustering.objects.get()
    assert answer["Location"] == reverse("models_ml:clusters-of", args=[made.key])
    assert made.facts == ["recency_days", "orders", "avg_order_value", "tenure_days", "products"]
    assert Job.objects.get().kind == "clusters.train"
    again = marketer.post(reverse("models_ml:clusters-train", args=[made.key]), follow=True)
    assert "being looked for already" in again.content.decode()


def test_a_wish_that_cannot_be_met_comes_back_with_its_reason(marketer: Client) -> None:
    answer = marketer.post(reverse("models_ml:clusters-new"), {"facts": "orders", "title": "Mine"})
    assert answer.status_code == 422
    assert "Choose 2 to 12 facts" in answer.content.decode()
    assert 'value="Mine"' in answer.content.decode()
    assert not Clustering.objects.exists()


def test_the_page_says_why_so_many_groups_and_what_sets_each_apart(marketer: Client) -> None:
    made = factories.clustering()
    page = text(marketer, reverse("models_ml:clusters-of", args=[made.key]))
    assert "Why 3 groups" in page
    assert "2, 3, 4 groups stand" in page
    assert "The groups lie clearly apart." in page
    assert "other groups with other people" in page
    assert "Orders 3.1 times as often" in page
    assert "Days since last order: 40 days, everyone 50 days" in page
    assert "left out, since it is known of nobody" in page
    assert "98% of the people who were in a group stayed in theirs." in page
    assert "10 went from “Few orders” to “Few orders (group 3)”." in page
    assert "%7B%22cluster%22%3A%20%22by-buying%22%2C%20%22in%22%3A%20%5B1%5D%7D" in page


def test_people_who_are_one_group_are_told_so(marketer: Client) -> None:
    made = factories.clustering("one", found=False)
    page = text(marketer, reverse("models_ml:clusters-of", args=[made.key]))
    assert "People are one group." in page
    assert "Why no groups" in page
    assert "no tighter than one group" in page


def test_a_group_is_named_and_clusters_are_put_away(marketer: Client) -> None:
    made = factories.clustering()
    marketer.post(reverse("models_ml:clusters-name", args=[made.key, 2]), {"name": "Stars"})
    page = reverse("models_ml:clusters-of", args=[made.key])
    assert "Stars" in text(marketer, page)
    marketer.post(reverse("models_ml:clusters-archive", args=[made.key]))
    assert "These clusters are archived" in text(marketer, page)
    assert made.title not in text(marketer, reverse("models_ml:clusters"))
    assert sorted(AuditEntry.objects.values_list("action", flat=True)) == [
        "clustering.archived", "clustering.group_named",
    ]  # fmt: skip


@time_machine.travel(factories.NOW, tick=False)
def test_cohorts_are_shown_in_the_figure_asked_for_and_taken_away_whole(marketer: Client) -> None:
    page = reverse("models_ml:cohorts")
    assert "Nobody came in this time" in text(marketer, page)
    now = factories.NOW
    first = now.replace(day=1) - timedelta(days=40)
    for again in (True, False):
        person = factories.customer(country="GB")
        factories.order(person, placed_at=first)
        if again:
            factories.order(person, placed_at=first + timedelta(days=31))
    shown = text(marketer, page)
    assert "50% of 2 people came back in the month after their first." in shown
    assert "not over yet" in shown
    money = text(marketer, page + "?figure=so_far&country=GB")
    assert "£7" in money
    assert "Nobody came in this time" in text(marketer, page + "?country=FR")
    # What is no choice counts as not said, and money is not asked of events.
    assert "Share who came back" in text(marketer, page + "?unit=day&figure=so_far&act=did")
    answer = marketer.get(reverse("models_ml:cohorts-csv"))
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert [row["came_back"] for row in rows[:3]] == ["2", "1", "0"]
    assert rows[1] == {
        "cohort": rows[0]["cohort"], "cohort_people": "2", "month": "1",
        "period_from": rows[1]["period_from"], "came_back": "1", "share": "0.50000",
        "money": "4.50", "money_so_far": "13.50", "complete": "yes",
    }  # fmt: skip
