"""A marketer leaves people out, plans the moment, has links called, and a colleague approves."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campaigns import drafts
from campaigns.content import link_check
from campaigns.messaging import addresses
from campaigns.models import Approval, Campaign, LinkCheck, Message, Spend
from campaigns.recipients import audience
from campaigns.reporting import costs, outlook
from campaigns.review import approval
from campaigns.segments import definitions
from campaigns.sending import runs
from ingestion.models import Customer
from marketing.core import jobs, wording
from marketing.core.errors import Conflict, Forbidden, Invalid
from marketing.core.models import AuditEntry, Job
from tests import factories
from tests.campaigns.conftest import campaign, people, started

pytestmark = pytest.mark.django_db
TIMING = {"timing": "once", "local_time": "09:00", "if_passed": "wait"}
LEFT_OUT = {"field": "customer.email", "op": "contains", "value": "leave"}


@pytest.fixture
def ada():
    return factories.user("marketer", email="ada@shop.example")


@pytest.fixture
def ben():
    return factories.user("marketer", email="ben@shop.example")


@pytest.fixture
def marketer(client, ada):
    client.force_login(ada)
    return client


def words(answer) -> str:
    return re.sub(r"<[^>]+>|\s+", " ", answer.content.decode())


def test_whoever_is_in_the_segment_that_is_left_out_gets_nothing_and_is_counted():
    people(8)
    people(3, prefix="leave")
    people(2, prefix="leave-silent", consent=False)
    of = campaign()
    of.exclude = definitions.save(name="Leave out", rule=LEFT_OUT, actor=None)
    of.save()
    run = started(of=of)
    found = runs.progress(run_id=run.pk)
    assert (found.queued, found.reasons["skipped"]) == (8, {"excluded": 3, "no_consent": 2})
    counted = audience.reach(
        rule=of.segment.rule, draw=audience.draw_of(of), exclude=of.exclude.rule
    )
    assert (counted.total, counted.reachable) == (13, 8)
    assert counted.skipped == {"no_consent": 2, "excluded": 3}


def test_people_who_are_left_out_are_on_neither_side_of_the_comparison():
    people(400, prefix="leave")
    people(100)
    of = campaign(holdout=50)
    of.exclude = definitions.save(name="Leave out", rule=LEFT_OUT, actor=None)
    of.save()
    run = started(of=of)
    held = Message.objects.filter(run=run, reason="holdout")
    assert held.exists()
    assert not held.filter(address__startswith="leave").exists()
    assert Message.objects.filter(run=run, reason="excluded").count() == 400


def test_what_a_run_left_out_stays_as_it_was_when_it_began():
    people(4)
    of = campaign()
    of.exclude = definitions.save(name="Nobody", rule=LEFT_OUT, actor=None)
    of.save()
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    definitions.save(name="All", rule={"all": []}, segment=of.exclude, actor=None)
    assert runs.fill(run_id=run.pk, now=factories.now())
    assert runs.progress(run_id=run.pk).queued == 4


def test_the_same_segment_cannot_be_chosen_and_left_out(marketer):
    of = campaign()
    values = {"name": "x", "segment_id": of.segment_id, "exclude_id": of.segment_id}
    answer = marketer.post(
        reverse("campaigns:campaign-audience", args=[of.pk]), {**values, "holdout_percent": "0"}
    )
    assert answer.status_code == 422
    assert "Nobody is left when the same segment is chosen and left out." in words(answer)
    of.refresh_from_db()
    assert (of.name, of.exclude_id) == ("News", None)


def test_a_segment_that_a_campaign_leaves_out_is_in_use():
    of = campaign()
    of.exclude = definitions.save(name="Leave out", rule=LEFT_OUT, actor=None)
    of.save()
    assert definitions.used_by(of.exclude) == ["News"]
    with pytest.raises(Conflict, match="still used by News"):
        definitions.archive(segment=of.exclude, actor=None)


def test_a_change_of_a_segment_inside_the_chosen_one_asks_for_approval_again(ada, ben):
    staff = definitions.save(name="Staff", rule=LEFT_OUT, actor=None)
    middle = definitions.save(name="Middle", rule={"in_segment": staff.pk}, actor=None)
    of = campaign(rule={"all": [{"not": {"in_segment": middle.pk}}]})
    now = factories.now()
    approval.require(on=True, user=ben, now=now)
    approval.ask(campaign_id=of.pk, actor=ada, now=now)
    approval.decide(campaign_id=of.pk, yes=True, actor=ben, now=now)
    assert approval.standing(campaign=of).given
    definitions.save(name="Staff", rule={"all": []}, segment=staff, actor=None)
    assert approval.standing(campaign=of).word == "changed"
    with pytest.raises(Invalid, match="changed after it was approved"):
        runs.start(campaign_id=of.pk, user=None, now=now)


def test_going_back_through_the_steps_shows_what_was_chosen(marketer):
    of = campaign(holdout=15)
    other = definitions.save(name="Leave out", rule=LEFT_OUT, actor=None)
    marketer.post(
        reverse("campaigns:campaign-audience", args=[of.pk]),
        {"name": "May", "segment_id": of.segment_id, "exclude_id": other.pk,
         "holdout_percent": "15"},
    )  # fmt: skip
    moment = timezone.localtime(timezone.now() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    marketer.post(
        reverse("campaigns:campaign-timing", args=[of.pk]),
        {**TIMING, "timing": "local", "when": "later", "at": moment, "useful_hours": "12"},
    )
    page = marketer.get(reverse("campaigns:campaign-audience", args=[of.pk])).content.decode()
    assert f'<option value="{other.pk}" selected>' in page
    page = marketer.get(reverse("campaigns:campaign-timing", args=[of.pk])).content.decode()
    assert f'value="{moment}"' in page
    assert '<option value="local" selected>' in page
    assert 'value="12"' in page


def test_a_planned_moment_is_scheduled_on_the_last_step_and_starts_by_itself(marketer):
    people(3)
    of = campaign()
    at = (timezone.now() + timedelta(days=2)).replace(second=0, microsecond=0)
    local = timezone.localtime(at).strftime("%Y-%m-%dT%H:%M")
    marketer.post(
        reverse("campaigns:campaign-timing", args=[of.pk]), {**TIMING, "when": "later", "at": local}
    )
    of.refresh_from_db()
    assert (of.state, of.scheduled_at) == ("draft", at)
    assert "Schedule for" in words(marketer.get(reverse("campaigns:campaign-check", args=[of.pk])))
    marketer.post(reverse("campaigns:campaign-schedule", args=[of.pk]))
    of.refresh_from_db()
    assert of.state == "scheduled"
    assert len(runs.start_due(now=at + timedelta(minutes=1))) == 1


def test_another_moment_takes_a_scheduled_campaign_back_to_a_draft(ada):
    of = campaign()
    now = factories.now()
    runs.schedule(campaign_id=of.pk, at=now + timedelta(days=1), user=ada, now=now)
    again = {"campaign_id": of.pk, "values": TIMING, "user": ada, "now": now}
    assert not drafts.plan(at=now + timedelta(days=1), **again)
    assert Campaign.objects.get(pk=of.pk).state == "scheduled"
    assert drafts.plan(at=now + timedelta(days=2), **again)
    of.refresh_from_db()
    assert (of.state, of.scheduled_at) == ("draft", now + timedelta(days=2))
    with pytest.raises(Invalid, match="has not passed"):
        drafts.plan(at=now - timedelta(minutes=1), **again)


@pytest.mark.parametrize("at", ["", "tomorrow", "2026-13-01T09:00"])
def test_a_moment_that_is_none_is_refused_beside_its_field(marketer, at):
    of = campaign()
    answer = marketer.post(
        reverse("campaigns:campaign-timing", args=[of.pk]), {**TIMING, "when": "later", "at": at}
    )
    assert answer.status_code == 422
    assert "Choose a day and an hour." in words(answer)


def test_where_the_shop_asks_for_it_nothing_is_sent_before_a_second_person_said_yes(ada, ben):
    people(2)
    of = campaign()
    now = factories.now()
    approval.require(on=True, user=ada, now=now)
    with pytest.raises(Invalid, match="has not approved"):
        runs.start(campaign_id=of.pk, user=ada, now=now)
    with pytest.raises(Invalid, match="has not approved"):
        runs.schedule(campaign_id=of.pk, at=now + timedelta(days=1), user=ada, now=now)
    approval.ask(campaign_id=of.pk, actor=ada, now=now)
    with pytest.raises(Forbidden, match="somebody else"):
        approval.decide(campaign_id=of.pk, yes=True, actor=ada, now=now)
    approval.decide(campaign_id=of.pk, yes=True, comment="Lovely", actor=ben, now=now)
    assert runs.start(campaign_id=of.pk, user=ada, now=now).state == "running"
    told = AuditEntry.objects.filter(action__startswith="campaign.appro").order_by("id")
    assert [row.action for row in told] == ["campaign.approval_asked", "campaign.approved"]


@pytest.mark.parametrize("change", ["mail", "audience", "setting", "variant", "limit"])
def test_a_yes_does_not_hold_for_what_was_changed_after_it(ada, ben, change):
    of = campaign()
    now = factories.now()
    if change == "limit":
        of.variants.create(key="a", weight=1, limit=50)
        costs.note(campaign_id=of.pk, kind="each", amount="1", user=None, now=now)
    approval.require(on=True, user=ada, now=now)
    approval.ask(campaign_id=of.pk, actor=ada, now=now)
    approval.decide(campaign_id=of.pk, yes=True, actor=ben, now=now)
    assert approval.standing(campaign=of).given
    if change == "limit":
        of.variants.update(limit=60)
    elif change == "mail":
        type(of.template).objects.filter(pk=of.template_id).update(version=9)
    elif change == "audience":
        definitions.save(name="Everybody", rule=LEFT_OUT, segment=of.segment, actor=None)
    elif change == "setting":
        drafts.save(campaign_id=of.pk, values={"urgent": "on"}, user=ada, now=now)
    else:
        of.variants.create(key="a", weight=1)
    of = Campaign.objects.get(pk=of.pk)
    assert approval.standing(campaign=of).word == "changed"
    with pytest.raises(Invalid, match="changed after it was approved"):
        runs.start(campaign_id=of.pk, user=ada, now=now)


def test_a_scheduled_campaign_whose_approval_lapsed_waits_as_a_draft_with_the_reason(ada, ben):
    of = campaign()
    now = factories.now()
    approval.require(on=True, user=ada, now=now)
    approval.ask(campaign_id=of.pk, actor=ada, now=now)
    approval.decide(campaign_id=of.pk, yes=True, actor=ben, now=now)
    runs.schedule(campaign_id=of.pk, at=now + timedelta(hours=1), user=ada, now=now)
    type(of.template).objects.filter(pk=of.template_id).update(version=9)
    assert runs.start_due(now=now + timedelta(hours=1, minutes=1)) == []
    of.refresh_from_db()
    assert of.state == "draft"
    assert "changed after it was approved" in of.held_because


def test_asking_twice_asks_once_and_a_no_can_be_asked_again(ada, ben):
    of = campaign()
    now = factories.now()
    first = approval.ask(campaign_id=of.pk, actor=ada, now=now)
    assert approval.ask(campaign_id=of.pk, actor=ben, now=now).pk == first.pk
    approval.decide(campaign_id=of.pk, yes=False, comment="The price is wrong", actor=ben, now=now)
    with pytest.raises(Conflict, match="still open"):
        approval.decide(campaign_id=of.pk, yes=True, actor=ben, now=now)
    assert approval.ask(campaign_id=of.pk, actor=ada, now=now).pk != first.pk


def test_the_database_itself_refuses_an_approval_by_whoever_asked(ada):
    of = campaign()
    with pytest.raises(IntegrityError, match="approval_by_another"):
        Approval.objects.create(campaign=of, digest="x", said="yes", asked_by=ada, decided_by=ada)


def test_the_page_asks_and_another_person_approves(marketer, ben):
    of = campaign()
    check = reverse("campaigns:campaign-check", args=[of.pk])
    marketer.post(reverse("campaigns:campaign-ask", args=[of.pk]))
    assert "You asked, so somebody else has to answer." in words(marketer.get(check))
    answer = marketer.post(
        reverse("campaigns:campaign-decide", args=[of.pk]), {"said": "yes"}, follow=True
    )
    assert "somebody else has to approve it" in words(answer)
    other = Client()
    other.force_login(ben)
    decided = reverse("campaigns:campaign-decide", args=[of.pk])
    assert "Approved." in words(other.post(decided, {"said": "yes"}, follow=True))
    assert "Approved by" in words(marketer.get(check))


def test_only_an_admin_says_whether_campaigns_need_a_second_person(marketer):
    address = reverse("campaigns:approval-rule")
    assert marketer.post(address, {"approval": "on"}).status_code == 403
    assert not approval.needed()
    admin = factories.signed_in("admin")
    admin.post(address, {"approval": "on"})
    assert approval.needed()
    admin.post(address, {})
    assert not approval.needed()


def test_every_address_outside_is_found_once_and_our_own_door_is_not(settings):
    settings.PUBLIC_URL = "https://mail.shop.example"
    html = """<a href="https://shop.example/a?x=1&amp;y=2">a</a>
        <a href="https://shop.example/a?x=1&amp;y=2">b</a> <a href="mailto:a@b.c">m</a>
        <img src="https://shop.example/p.png"><img src="data:image/gif;base64,R0">
        <a href="https://mail.shop.example/u/preview">off</a><a href="#top">top</a>"""
    assert list(link_check.addresses(html)) == [
        ("https://shop.example/a?x=1&y=2", "link"),
        ("https://shop.example/p.png", "picture"),
    ]


@pytest.mark.parametrize(
    ("status", "kind", "what", "state"),
    [
        (200, "text/html", "link", "ok"),
        (200, "image/png", "picture", "ok"),
        (200, "text/html; charset=utf-8", "picture", "broken"),
        (403, "text/html", "link", "closed"),
        (404, "text/html", "link", "broken"),
        (500, "image/png", "picture", "broken"),
    ],
)
def test_what_an_answer_says_of_a_link(status, kind, what, state):
    assert link_check._judged(status, {"content-type": kind}, what)[0] == state


def test_a_worker_calls_the_links_and_the_check_tells_what_does_not_answer(marketer, settings):
    settings.OUTBOUND_ALLOW = []
    people(1)
    of = campaign(
        mjml="""<mjml><mj-body><mj-section><mj-column>
        <mj-text><a href="http://127.0.0.1:9/new">new</a>
        <a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text>
        </mj-column></mj-section></mj-body></mjml>"""
    )
    job = link_check.begin(campaign_id=of.pk, user=None)
    assert link_check.begin(campaign_id=of.pk, user=None).pk == job.pk
    jobs.run(job_id=job.pk)
    assert Job.objects.get(pk=job.pk).result == {"links": 1, "bad": 1}
    found = LinkCheck.objects.get(campaign=of).found
    assert [(row["url"], row["state"]) for row in found] == [("http://127.0.0.1:9/new", "silent")]
    page = marketer.get(reverse("campaigns:campaign-check", args=[of.pk]))
    assert "1 link or picture does not work" in words(page)
    type(of.template).objects.filter(pk=of.template_id).update(version=9)
    assert "the mail was changed since" in words(
        marketer.get(reverse("campaigns:campaign-links", args=[of.pk]))
    )


@pytest.mark.parametrize(
    ("path", "state", "said"),
    [
        ("", "ours", "asked to sign in"),
        ("/", "ours", "asked to sign in"),
        ("/campaigns", "ours", "asked to sign in"),
        ("/subscribe/?x=1", "ok", "our own"),
        ("/preferences/abc/", "ok", "our own"),
        ("/u/preview", "ok", "our own"),
        ("/static/css/base.css", "ok", "our own"),
        ("/static/css/none.css", "broken", "no such page"),
        ("/no/such/page", "broken", "no such page"),
        ("/c/abc/def?u=https%3A%2F%2Fevil.example", "broken", "not whole"),
    ],
)
def test_our_own_pages_are_looked_up_and_never_called(settings, path, state, said):
    settings.OUTBOUND_ALLOW, settings.PUBLIC_URL = [], "http://127.0.0.1:8000"
    found = link_check.call(url=f"{settings.PUBLIC_URL}{path}", what="link")
    assert (found["state"], said in found["text"]) == (state, True), found


def test_a_tracked_link_is_judged_by_where_it_leads_and_a_shop_next_door_is_not_called(settings):
    settings.OUTBOUND_ALLOW, settings.PUBLIC_URL = [], "http://127.0.0.1:8000"
    settings.SHOP_URL = "http://127.0.0.1:9000"
    tail = addresses.signer().tail("http://127.0.0.1:8000/subscribe/")
    assert link_check.call(url=f"{settings.PUBLIC_URL}/c/abc/{tail}", what="link")["state"] == "ok"
    shop = link_check.call(url="http://127.0.0.1:9000/sale", what="link")
    assert (shop["state"], "Your shop" in shop["text"]) == ("ours", True)
    other = link_check.call(url="http://127.0.0.1:9001/sale", what="link")
    assert other["state"] == "silent"
    # It looks like another's name: shown as it is called, too.
    alike = link_check.call(url="http://\u0430pple.example/", what="link")
    assert "Its host is \u0430pple.example (xn--pple-43d.example)." in alike["text"]


def test_what_a_campaign_could_show_and_costs_is_told_before_it_goes_out():
    everybody = people(1_000)
    for person in everybody[:100]:
        factories.order(person, days_ago=3)
    of = campaign(holdout=20)
    Spend.objects.create(campaign=of, kind="each", amount=Decimal("0.05"))
    Spend.objects.create(campaign=of, kind="sum", amount=Decimal("10"))
    found = outlook.outlook(campaign=of, now=factories.NOW)
    assert found is not None
    assert (found.reached + found.held, found.ordered, found.rate) == (1_000, 100, 0.1)
    assert found.cost == Decimal("10") + found.reached * Decimal("0.05")
    # 2.8016 standard errors of a difference of shares around one in ten
    wanted = 2.801585 * (0.09 * (1 / found.reached + 1 / found.held)) ** 0.5
    assert found.smallest == pytest.approx(wanted, abs=1e-6)
    assert found.expected is None


def test_where_the_history_is_over_its_last_days_are_counted_and_named(marketer):
    everybody = people(100)
    for person in everybody[:10]:
        factories.order(person, days_ago=400)
    factories.order(everybody[10], days_ago=400 + 15)
    of = campaign(holdout=20)
    found = outlook.outlook(campaign=of, now=factories.NOW)
    assert found is not None
    assert (found.ordered, found.rate) == (10, 0.1)
    newest = factories.NOW - timedelta(days=400)
    assert found.ended is not None
    assert timedelta(0) < found.ended - newest <= timedelta(seconds=1)
    page = marketer.get(reverse("campaigns:campaign-outlook", args=[of.pk])).content.decode()
    assert f"Ordered in the 14 days up to {wording.day(newest)}" in page
    factories.order(everybody[11], days_ago=20)
    of_today = outlook.outlook(campaign=of, now=factories.NOW)
    assert of_today is not None
    assert (of_today.ordered, of_today.ended) == (0, None)


def test_without_a_hold_out_no_effect_can_be_shown():
    people(50)
    found = outlook.outlook(campaign=campaign(), now=factories.NOW)
    assert found is not None
    assert (found.reached, found.held, found.smallest) == (50, 0, None)


def test_steps_of_a_campaign_that_has_begun_lead_to_its_page(marketer):
    people(1)
    run = started()
    for step in ("audience", "message", "timing", "variants", "check"):
        answer = marketer.get(reverse(f"campaigns:campaign-{step}", args=[run.campaign_id]))
        assert answer["Location"] == reverse("campaigns:campaign-detail", args=[run.campaign_id])
    assert Customer.objects.count() == 1
