import pytest
from django.test import Client
from django.urls import reverse

from marketing.core.models import Job
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    return factories.signed_in("marketer")


def test_before_training_the_page_says_what_will_come(client):
    html = client.get(reverse("recommendations:home")).content.decode()
    assert "No engine was trained yet" in html
    assert "Train the engines" in html


def test_the_page_compares_the_engines_and_shows_one_persons_picks(
    chosen, client, django_assert_max_num_queries
):
    with django_assert_max_num_queries(20):
        html = client.get(
            reverse("recommendations:home"), {"customer": chosen.people[3].pk}
        ).content.decode()
    assert "ALS serves" in html
    assert "the baseline" in html
    assert "Because you bought" in html
    assert chosen.people[3].display_name in html


def test_a_customer_that_is_no_number_shows_somebody_else(chosen, client):
    for customer in ("x", "-1", "9" * 30, "²"):
        answer = client.get(reverse("recommendations:home"), {"customer": customer})
        assert answer.status_code == 200, customer


def test_people_are_found_by_number_mail_and_name(chosen, client):
    url = reverse("recommendations:person-list")
    person = chosen.people[0]
    for typed in (person.external_id, person.email, person.first_name):
        assert person.display_name in client.get(url, {"q": typed}).content.decode()
    assert "Nobody" in client.get(url, {"q": "zzz"}).content.decode()


def test_one_persons_picks_stand_side_by_side(chosen, client):
    html = client.get(
        reverse("recommendations:person-detail", args=[chosen.people[0].pk])
    ).content.decode()
    assert html.count("<ol") == 2
    assert "Buys most often" in html


@pytest.mark.parametrize(
    ("name", "kind"),
    [("train-start", "recommenders.train"), ("refresh-start", "recommendations.refresh")],
)
def test_a_marketer_starts_the_work_once(client, name, kind):
    for _ in range(2):
        assert client.post(reverse(f"recommendations:{name}")).status_code == 302
    assert list(Job.objects.values_list("kind", flat=True)) == [kind]


def test_an_analyst_may_look_but_not_start():
    client = Client()
    client.force_login(factories.user("analyst"))
    assert client.get(reverse("recommendations:home")).status_code == 200
    assert client.post(reverse("recommendations:train-start")).status_code == 403
    assert not Job.objects.exists()
