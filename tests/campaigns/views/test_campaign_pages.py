"""What a marketer sees of campaigns: the list, the calendar, and one campaign after it went out."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.urls import reverse

from campaigns import drafts
from campaigns.models import Campaign, Message, Run
from campaigns.reporting import responses
from campaigns.sending import runs
from ingestion import events
from marketing.core.errors import Conflict
from tests import factories
from tests.campaigns.conftest import campaign, people, started

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 10, 12, tzinfo=UTC)


@pytest.fixture
def marketer(client):
    client.force_login(factories.user("marketer"))
    return client


def words(answer) -> str:
    return re.sub(r"<[^>]+>|\s+", " ", answer.content.decode())


def sent(number: int = 10) -> Run:
    """A send that reached everybody: three people opened, a machine too, one clicked."""
    everybody = people(number)
    made = factories.run(
        factories.campaign("Spring", state="finished", segment=factories.segment()),
        everybody,
        started_at=AT,
        snapshot={"holdout_percent": 0},
        state="sent",
    )
    rows = list(Message.objects.filter(run=made).order_by("id"))
    for row, human in zip(rows[:4], (0.9, 0.8, 0.5, 0.1), strict=True):
        Message.objects.filter(pk=row.pk).update(opened_at=AT, opened_human=human)
    Message.objects.filter(pk=rows[0].pk).update(clicked_at=AT, clicked_human=0.9)
    Message.objects.filter(pk=rows[3].pk).update(clicked_at=AT, clicked_human=0.1)
    Message.objects.filter(pk=rows[8].pk).update(bounced_at=AT, bounce="hard")
    Message.objects.filter(pk=rows[9].pk).update(complained_at=AT)
    return made


def click(message: Message, url: str, *, machine: bool, name: str) -> events.Incoming:
    return events.Incoming(
        type="email_clicked",
        at=AT + timedelta(minutes=5),
        message_id=name,
        customer_id=message.customer_id,
        properties={
            "run": message.run_id,
            "campaign": message.run.campaign_id,
            "url": url,
            "machine": machine,
        },
    )


def test_openings_and_clicks_are_counted_by_people_and_with_machines():
    run = sent()
    assert responses.responses(run_id=run.pk) == responses.Responses(
        sent=10, opened=3, opened_any=4, clicked=1, clicked_any=2, bounced=1, complained=1
    )


@pytest.mark.parametrize(
    ("outcome", "number"),
    [("opened", 3), ("opened_any", 4), ("clicked", 1), ("clicked_any", 2), ("bounced", 1),
     ("complained", 1), ("nonsense", 10)],
)  # fmt: skip
def test_the_recipients_of_each_outcome_are_listed(marketer, outcome, number):
    run = sent()
    page = marketer.get(
        reverse("campaigns:message-list", args=[run.campaign_id]) + f"?outcome={outcome}"
    )
    assert page.context["page"].paginator.count == number


def test_links_are_listed_by_how_many_people_followed_each(marketer):
    run = sent()
    rows = list(Message.objects.filter(run=run).select_related("run").order_by("id"))
    Message.objects.filter(run=run).update(clicked_at=AT)
    shop, sale = "https://shop.example/", "https://shop.example/sale"
    taken = [
        click(rows[0], f"{sale}?utm_source=club&utm_medium=email", machine=False, name="c1"),
        click(rows[1], sale, machine=False, name="c2"),
        click(rows[1], shop, machine=False, name="c3"),
        click(rows[2], shop, machine=True, name="c4"),
        click(rows[2], sale, machine=True, name="c5"),
    ]
    run.snapshot["contents"] = {"a": {"utm": {"source": "club", "medium": "email"}}}
    run.save()
    events.record(batch=taken, source="campaigns", now=AT + timedelta(hours=1))
    found = responses.links(run=run)
    assert found is not None
    assert [(link.url, link.people, link.machines) for link in found] == [
        (sale, 2, 1),
        (shop, 1, 1),
    ]
    page = marketer.get(reverse("campaigns:campaign-detail", args=[run.campaign_id]))
    assert sale in page.content.decode()


def test_a_click_in_another_send_is_not_counted_here():
    run = sent()
    message = Message.objects.filter(run=run).select_related("run").earliest("id")
    other = Run.objects.create(campaign=run.campaign, started_at=AT)
    message.run = other
    events.record(
        batch=[click(message, "https://shop.example/", machine=False, name="x1")],
        source="campaigns",
        now=AT + timedelta(hours=1),
    )
    assert responses.links(run=run) == []


def test_a_finished_campaign_goes_to_the_archive_and_comes_back(marketer):
    run = sent()
    address = reverse("campaigns:campaign-archive", args=[run.campaign_id])
    listed = reverse("campaigns:campaign-list")
    marketer.post(address)
    assert "Spring" not in words(marketer.get(listed))
    assert "Spring" in words(marketer.get(listed + "?state=archived"))
    assert Message.objects.filter(run=run).count() == 10
    marketer.post(address, {"back": "1", "next": "list"})
    assert "Spring" in words(marketer.get(listed))


def test_what_is_not_over_cannot_be_archived(marketer):
    of = campaign()
    with pytest.raises(Conflict, match="Only a campaign that is over"):
        drafts.archive(campaign_id=of.pk, user=None, now=factories.NOW)
    people(1)
    started(of=of)
    marketer.post(reverse("campaigns:campaign-archive", args=[of.pk]))
    of.refresh_from_db()
    assert of.archived_at is None


def test_a_copy_leaves_out_the_same_people_and_is_not_archived():
    of = campaign()
    of.exclude = factories.segment("Staff")
    of.archived_at, of.state = factories.NOW, "finished"
    of.save()
    made = drafts.copy(campaign_id=of.pk, user=None, now=factories.NOW)
    assert (made.exclude_id, made.archived_at, made.state) == (of.exclude_id, None, "draft")


def test_the_calendar_shows_what_went_out_and_what_is_meant_to(marketer):
    run = sent()
    segment = factories.segment("Loyal", size=200, counted_at=AT)
    factories.campaign(
        "May letter", state="scheduled", segment=segment, holdout_percent=10,
        scheduled_at=AT + timedelta(days=3),
    )  # fmt: skip
    page = marketer.get(reverse("campaigns:calendar") + "?month=2026-03")
    told = words(page)
    assert "March 2026" in told
    assert "2 sends: 10 messages went out, up to 180 are meant to." in told
    assert "up to 180 people" in told
    days = {
        day.day.isoformat(): [entry.campaign.name for entry in day.entries]
        for week in page.context["weeks"]
        for day in week
        if day.entries
    }
    assert days == {"2026-03-10": ["Spring"], "2026-03-13": ["May letter"]}
    assert reverse("campaigns:campaign-detail", args=[run.campaign_id]) in page.content.decode()


@pytest.mark.parametrize("month", ["", "2026-13", "x", "9999-12", "2026-3-1", "0000-01"])
def test_a_month_that_is_none_shows_this_one(marketer, month):
    page = marketer.get(reverse("campaigns:calendar"), {"month": month})
    assert page.status_code == 200
    assert page.context["now"]


def test_weeks_are_whole_and_neighbours_lead_to_the_months_beside(marketer):
    page = marketer.get(reverse("campaigns:calendar") + "?month=2026-12")
    assert {len(week) for week in page.context["weeks"]} == {7}
    text = page.content.decode()
    assert "?month=2026-11" in text
    assert "?month=2027-01" in text


@pytest.mark.parametrize("state", ["finished", "scheduled", "paused"])
def test_pages_of_many_campaigns_ask_few_questions(marketer, django_assert_max_num_queries, state):
    segment = factories.segment()
    for n in range(12):
        of = factories.campaign(f"No {n}", state=state, segment=segment, scheduled_at=AT)
        if state != "scheduled":
            factories.run(of, [], started_at=AT, snapshot={"holdout_percent": 10})
    for address in (
        reverse("campaigns:campaign-list"),
        reverse("campaigns:calendar") + "?month=2026-03",
        reverse("campaigns:campaign-detail", args=[of.pk]),
    ):
        with django_assert_max_num_queries(20):
            assert marketer.get(address).status_code == 200


def test_the_steps_ask_few_questions(marketer, django_assert_max_num_queries):
    people(30)
    of = campaign(holdout=10)
    of.exclude = factories.segment("Staff")
    of.save()
    for step in ("audience", "message", "timing", "variants", "check"):
        with django_assert_max_num_queries(20):
            address = reverse(f"campaigns:campaign-{step}", args=[of.pk])
            assert marketer.get(address).status_code == 200


def test_a_scheduled_campaign_says_when_and_can_be_taken_back(marketer):
    people(1)
    of = campaign()
    now = factories.now()
    runs.schedule(campaign_id=of.pk, at=now + timedelta(days=2), user=None, now=now)
    page = marketer.get(reverse("campaigns:campaign-detail", args=[of.pk]))
    assert "It begins by itself on" in words(page)
    marketer.post(reverse("campaigns:campaign-schedule", args=[of.pk]), {"back": "1"})
    assert Campaign.objects.get(pk=of.pk).state == "draft"
