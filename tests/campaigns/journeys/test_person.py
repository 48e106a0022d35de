"""The page of a person says where they are in journeys, and lets somebody take them out."""

import pytest
from django.urls import reverse

from campaigns.journeys import leaving, versions
from campaigns.models import Enrollment, Message
from marketing.core.errors import Conflict, Invalid
from tests import factories
from tests.campaigns.journeys.drawn import after, did, live, log, look, stay

pytestmark = pytest.mark.django_db


@pytest.fixture
def waiting():
    live(
        {
            "cart": {"kind": "event", "event": "cart", "next": "mail"},
            "mail": {
                "kind": "send",
                "channel": "email",
                "template": factories.template().pk,
                "next": "pause",
            },
            "pause": {"kind": "wait_for", "for": {"days": 1}, "next": "left", "label": "A day off"},
            "left": {"kind": "exit", "label": "Done with it"},
        },
        name="Basket left",
    )
    ada = factories.customer("ada")
    did(ada, "cart", at=after(minutes=1))
    look(after(minutes=2))
    return ada


def shown(person, role="marketer"):
    page = factories.signed_in(role).get(reverse("campaigns:person-journeys", args=[person.pk]))
    return page.content.decode()


def test_it_says_where_they_are_and_what_comes_next(waiting):
    html = shown(waiting)
    assert "Basket left" in html
    assert "At “A day off” since" in html
    assert "Goes on" in html
    assert "Done with it" in html


def test_somebody_in_no_journey_is_said_to_be_in_none():
    assert "never was in one" in shown(factories.customer("bob"))


def test_their_own_page_fetches_it(waiting):
    page = factories.signed_in("marketer").get(reverse("customer", args=[waiting.pk]))
    assert reverse("campaigns:person-journeys", args=[waiting.pk]) in page.content.decode()


def test_somebody_is_taken_out_with_a_reason_and_gets_nothing_more(waiting):
    client = factories.signed_in("marketer")
    row = stay(waiting)
    answer = client.post(
        reverse("campaigns:stay-end", args=[row.pk]), {"reason": "Asked us by phone"}, follow=True
    )
    assert "They were taken out of “Basket left”" in answer.content.decode()
    row = stay(waiting)
    assert (row.outcome, row.note, row.wake_at) == ("taken", "Asked us by phone", None)
    assert log()[-1] == ("pause", "", "taken")
    assert Message.objects.values_list("state", "reason").get() == ("skipped", "taken_out")
    look(after(days=2))
    assert Enrollment.objects.get().outcome == "taken"
    assert "Asked us by phone" in shown(waiting)


def test_whoever_was_moved_to_a_later_version_gets_nothing_of_the_one_before(waiting):
    row = stay(waiting)
    journey = row.journey
    journey.draft = {**journey.draft, "caps": {"per_day": 9}}
    journey.save()
    newer = versions.publish(journey_id=journey.pk, user=None, now=after(minutes=3))
    moved = {"version_id": row.version_id, "to_version_id": newer.pk}
    assert versions.move_people(**moved, user=None, now=after(minutes=4)) == 1
    leaving.take_out(enrollment_id=row.pk, reason="Asked us", user=None, now=after(minutes=5))
    assert Message.objects.values_list("state", "reason").get() == ("skipped", "taken_out")


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201])
def test_nobody_is_taken_out_without_a_reason(waiting, reason):
    with pytest.raises(Invalid, match="Say why"):
        leaving.take_out(
            enrollment_id=stay(waiting).pk, reason=reason, user=None, now=after(hours=1)
        )
    assert stay(waiting).ended_at is None


def test_somebody_who_left_is_not_taken_out(waiting):
    look(after(days=2))
    with pytest.raises(Conflict, match="left this journey already"):
        leaving.take_out(enrollment_id=stay(waiting).pk, reason="x", user=None, now=after(days=3))


def test_whoever_may_only_look_takes_nobody_out(waiting):
    client = factories.signed_in("analyst")
    answer = client.post(reverse("campaigns:stay-end", args=[stay(waiting).pk]), {"reason": "x"})
    assert answer.status_code == 403
    assert "Take out" not in shown(waiting, "analyst")


def test_many_stays_are_shown_in_few_questions(waiting, django_assert_max_num_queries):
    client = factories.signed_in("marketer")
    for n in range(6):
        live(
            {"start": {"kind": "api", "next": "p"}, "p": {"kind": "wait_for", "for": {"days": 1}}},
            name=f"J{n}",
        )
    for version in Enrollment.objects.get().journey.versions.model.objects.exclude(number=0):
        Enrollment.objects.get_or_create(
            journey=version.journey,
            version=version,
            customer=waiting,
            defaults={
                "key": f"k{version.pk}",
                "node": "p",
                "arrived_at": after(),
                "entered_at": after(),
            },
        )
    with django_assert_max_num_queries(20):
        client.get(reverse("campaigns:person-journeys", args=[waiting.pk]))
