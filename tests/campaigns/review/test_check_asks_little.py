"""The last step of the wizard asks the database little, however much of it is in use."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns import content
from campaigns.content import link_check, seeing
from campaigns.models import Campaign, GlobalHoldout, LinkCheck, Template, Trial, Variant
from campaigns.review import approval
from campaigns.segments import clock, once
from models_ml import watched
from tests import factories
from tests.campaigns.conftest import MJML, people
from tests.campaigns.review.test_fairness import TOP, shop

pytestmark = pytest.mark.django_db
MOST = 20
PICKS = MJML.replace("<mj-section>", '<mj-products count="2" /><mj-section>', 1).replace(
    "Hello", "Hello {{ traits.orders|default(0) }} {{ days_since_order|default(0) }}"
)


def mail(name: str) -> Template:
    return content.save(
        name=name, subject="News", preheader="", mjml=PICKS, user=None, now=factories.NOW
    )


def everything() -> Campaign:
    """A campaign with two mails beside each other, to a segment of segments that a model chooses,
    with another left out, held-out people, somebody's second look, and links that were called.
    """
    shop()
    for name in ("gender", "customer.country"):
        watched.watch(name=name, kind="text", bands=None, actor=None, now=factories.NOW)
    inner = factories.segment("Inner", rule={"field": "customer.email", "op": "contains",
                                             "value": "@"})  # fmt: skip
    best = factories.segment("Best", rule={"all": [TOP, {"in_segment": inner.pk}]})
    staff = factories.segment("Staff", rule={"not": {"in_segment": inner.pk}})
    segment = factories.segment(
        "Of segments", rule={"all": [{"in_segment": best.pk}, {"in_segment": inner.pk}]}
    )
    of = factories.campaign(
        "Everything", segment=segment, exclude=staff, template=mail("One"), holdout_percent=10
    )
    Variant.objects.create(campaign=of, key="a", name="One", weight=1)
    Variant.objects.create(campaign=of, key="b", name="Two", weight=1, template=mail("Two"))
    Trial.objects.create(campaign=of, mode=Trial.Mode.WINNER)
    GlobalHoldout.objects.create(salt="x", percent=5, since=factories.NOW)
    ada, ben = factories.user("marketer"), factories.user("admin")
    approval.require(on=True, user=ben, now=factories.NOW)
    approval.ask(campaign_id=of.pk, actor=ada, now=factories.NOW)
    LinkCheck.objects.create(campaign=of, digest=link_check.digest(of), found=[])
    return of


def test_with_everything_on_the_check_stays_within_the_rule_of_the_house(client):
    of = everything()
    client.force_login(factories.user("marketer", email="cy@shop.example"))
    url = reverse("campaigns:campaign-check", args=[of.pk])
    with CaptureQueriesContext(connection) as asked:
        page = client.get(url)
    assert page.status_code == 200
    assert page.context["fair"].findings
    assert page.context["approval"].word == "asked"
    assert page.context["reach"].total > 0
    assert len(page.context["carried"]) == 2
    assert few(asked)
    with CaptureQueriesContext(connection) as asked:
        page = client.get(reverse("campaigns:campaign-tried", args=[of.pk]))
    assert page.context["trial"].tried > 0
    assert few(asked)


def few(asked: CaptureQueriesContext) -> bool:
    told = [re.sub(r"\s+", " ", query["sql"])[:110] for query in asked]
    # Tests run inside a transaction, so what would be one of its own is a savepoint here.
    told = [sql for sql in told if not sql.startswith(("SAVEPOINT", "RELEASE"))]
    if len(told) > MOST:
        pytest.fail("\n".join(f"{n} {sql}" for n, sql in enumerate(told)))
    return True


def test_what_is_read_once_is_read_again_by_the_next_page(django_assert_num_queries):
    with once.reading(), django_assert_num_queries(1):
        first = clock.moment()
        assert clock.moment() == first
        with once.reading():
            assert clock.moment() == first
        assert clock.moment() == first
    with django_assert_num_queries(2):
        clock.moment()
        clock.moment()


def test_what_the_first_person_sees_is_what_a_look_as_them_shows():
    found = people(3)
    template = mail("One")
    trial, seen = seeing.tried(parts=vars(template), people=found)
    alone = content.preview(parts=vars(template), customer_id=found[0].pk)
    assert (seen.subject, seen.html, seen.text) == (alone.subject, alone.html, alone.text)
    assert (trial.tried, trial.failures) == (3, ())
