"""A campaign moves only as it may, its audience is written once, and every person has one row."""

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from campaigns import content
from campaigns.messaging import claims, marks, sweeps
from campaigns.messaging.marks import Outcome
from campaigns.models import Campaign, Message, PersonList, Run, Segment
from campaigns.sending import runs
from ingestion import consent
from ingestion.models import Customer
from marketing.core.errors import Conflict, Invalid, NotFound, Refused
from marketing.core.models import AuditEntry
from tests import factories
from tests.campaigns.conftest import campaign, people, started, states

pytestmark = pytest.mark.django_db
MOVES = (runs.start, runs.pause, runs.resume, runs.cancel)


def test_everybody_gets_one_row_and_whoever_is_left_out_has_the_reason():
    people(20)
    people(2, consent=False, prefix="silent")
    gone = people(1, prefix="gone")[0]
    consent.suppress(addresses=[gone.email], reason="bounced", now=factories.now())
    mute = people(1, prefix="mute")[0]
    Customer.objects.filter(pk=mute.pk).update(email=None)
    run = started(holdout=50)
    counted = runs.progress(run_id=run.pk)
    held = counted.reasons["skipped"].pop("holdout")
    assert counted.reasons == {"skipped": {"no_consent": 2, "suppressed": 1, "no_address": 1}}
    assert counted.total == run.audience == 24
    assert counted.queued + held == 20
    assert 0 < held < 20
    keys = list(Message.objects.filter(state="queued").values_list("message_id", flat=True))
    assert len(set(keys)) == len(keys) == counted.queued
    assert all(len(key) == 32 for key in keys)
    assert set(Message.objects.filter(reason="holdout").values_list("variant", flat=True)) == {
        "holdout"
    }


def test_two_people_with_one_address_get_one_mail():
    people(1)
    twin = people(1, prefix="P")[0]
    assert twin.email == "P0@example.com"
    run = started()
    assert states(run) == {"queued": 1, "skipped": 1}
    assert Message.objects.get(state="skipped").reason == "duplicate_address"


def test_filling_twice_changes_nothing():
    people(3)
    run = started()
    people(2, prefix="later")
    assert runs.fill(run_id=run.pk, now=factories.now())
    assert states(run) == {"queued": 3}


def test_the_run_keeps_the_mail_and_the_rule_it_began_with():
    people(1)
    of = campaign()
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    kept = dict(run.snapshot["contents"]["a"]["template"])
    content.save(
        template_id=of.template_id,
        name="Other",
        subject="Other",
        preheader="",
        mjml=of.template.mjml,
        user=None,
        now=factories.now(),
    )
    run.refresh_from_db()
    assert run.snapshot["contents"]["a"]["template"] == kept
    assert kept["subject"] == "News"
    assert kept["version"] == 1
    assert run.snapshot["rule"] == {"all": []}


def test_starting_says_what_is_missing_and_changes_nothing():
    empty = factories.campaign()
    with pytest.raises(Invalid, match="who gets this"):
        runs.start(campaign_id=empty.pk, user=None, now=factories.now())
    empty.segment = factories.segment()
    empty.save()
    with pytest.raises(Invalid, match="mail to send"):
        runs.start(campaign_id=empty.pk, user=None, now=factories.now())
    empty.template = factories.template(html="{{ 1 + 1 }}")
    empty.save()
    with pytest.raises(Invalid, match="cannot be used"):
        runs.start(campaign_id=empty.pk, user=None, now=factories.now())
    empty.template = factories.template()
    empty.from_name = "a\nb"
    empty.save()
    with pytest.raises(Invalid, match="sender"):
        runs.start(campaign_id=empty.pk, user=None, now=factories.now())
    empty.refresh_from_db()
    assert empty.state == "draft"
    assert Run.objects.count() == 0
    assert AuditEntry.objects.filter(action="campaign.started").count() == 0


@pytest.mark.parametrize("through_another", [False, True])
def test_nothing_is_sent_by_a_list_that_was_not_read(through_another: bool):
    of = campaign()
    kept_out = PersonList.objects.create(name="Do not write")
    rule = {"not": {"in_list": kept_out.pk}}
    if through_another:
        rule = {"in_segment": factories.segment("Others", rule).pk}
    Segment.objects.filter(pk=of.segment_id).update(rule=rule)
    with pytest.raises(Invalid, match=r"Do not write.*is not read yet"):
        runs.start(campaign_id=of.pk, user=None, now=factories.now())
    assert Run.objects.count() == 0
    PersonList.objects.update(read_at=factories.now())
    runs.start(campaign_id=of.pk, user=None, now=factories.now())
    assert Run.objects.count() == 1


def test_a_second_start_is_refused_and_there_is_still_one_run():
    of = campaign()
    runs.start(campaign_id=of.pk, user=None, now=factories.now())
    with pytest.raises(Conflict, match="already"):
        runs.start(campaign_id=of.pk, user=None, now=factories.now())
    assert of.runs.count() == 1


@pytest.mark.parametrize("state", Campaign.State.values)
@pytest.mark.parametrize("move", MOVES)
def test_only_the_moves_in_the_table_are_made(state, move):
    people(1)
    of = campaign()
    target = {
        runs.start: "running",
        runs.pause: "paused",
        runs.resume: "running",
        runs.cancel: "cancelled",
    }[move]
    if state in ("running", "paused", "finished", "cancelled"):
        runs.start(campaign_id=of.pk, user=None, now=factories.now())
        of.runs.update(state=state)
    Campaign.objects.filter(pk=of.pk).update(state=state)
    legal = target in runs.MOVES[state] and (move is runs.resume) == (
        state == "paused" and target == "running"
    )
    if legal:
        move(campaign_id=of.pk, user=None, now=factories.now())
    else:
        with pytest.raises(Conflict):
            move(campaign_id=of.pk, user=None, now=factories.now())
    of.refresh_from_db()
    assert of.state == (target if legal else state)


@pytest.mark.parametrize("move", MOVES)
def test_a_campaign_that_is_not_there_is_said_so(move):
    with pytest.raises(NotFound):
        move(campaign_id=404, user=None, now=factories.now())


def test_a_cancel_before_the_audience_stands_leaves_nobody_waiting():
    people(2)
    of = campaign()
    run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
    runs.cancel(campaign_id=of.pk, user=None, now=factories.now())
    assert not runs.fill(run_id=run.pk, now=factories.now())
    assert states(run) == {}


def test_a_scheduled_campaign_begins_when_its_time_has_come():
    people(1)
    of = campaign()
    soon = factories.now() + timedelta(hours=1)
    runs.schedule(campaign_id=of.pk, at=soon, user=None, now=factories.now())
    assert runs.start_due(now=factories.now()) == []
    (run_id,) = runs.start_due(now=soon)
    assert runs.start_due(now=soon) == []
    of.refresh_from_db()
    assert (of.state, of.runs.get().pk) == ("running", run_id)


def test_a_scheduled_campaign_that_cannot_be_sent_any_more_goes_back_to_draft():
    of = campaign()
    soon = factories.now() + timedelta(hours=1)
    runs.schedule(campaign_id=of.pk, at=soon, user=None, now=factories.now())
    Campaign.objects.filter(pk=of.pk).update(template=None)
    assert runs.start_due(now=soon) == []
    of.refresh_from_db()
    assert of.state == "draft"
    assert of.held_because == "Choose the mail to send."
    assert AuditEntry.objects.filter(action="campaign.not_started").exists()


def test_a_campaign_whose_time_passed_hours_ago_waits_for_a_person_instead_of_going_out_late():
    people(1)
    of = campaign()
    due = factories.now() + timedelta(hours=1)
    runs.schedule(campaign_id=of.pk, at=due, user=None, now=factories.now())
    assert runs.start_due(now=due + timedelta(hours=6, seconds=1)) == []
    of.refresh_from_db()
    assert (of.state, of.runs.count()) == ("draft", 0)
    assert "Hours have passed" in of.held_because
    runs.start(campaign_id=of.pk, user=None, now=due + timedelta(hours=7))
    of.refresh_from_db()
    assert (of.state, of.held_because) == ("running", "")


def test_a_campaign_that_is_late_by_less_than_that_is_sent():
    people(1)
    of = campaign()
    due = factories.now() + timedelta(hours=1)
    runs.schedule(campaign_id=of.pk, at=due, user=None, now=factories.now())
    assert len(runs.start_due(now=due + timedelta(hours=5, minutes=59))) == 1


def test_a_time_that_has_passed_cannot_be_scheduled():
    of = campaign()
    with pytest.raises(Invalid, match="not passed"):
        runs.schedule(
            campaign_id=of.pk,
            at=factories.now() - timedelta(minutes=1),
            user=None,
            now=factories.now(),
        )


def test_nothing_is_finished_while_a_row_is_open():
    people(1)
    run = started()
    assert not runs.finish(run_id=run.pk, now=factories.now())
    (claimed,) = claims.claim(run_id=run.pk, owner="me", limit=5)
    assert not runs.finish(run_id=run.pk, now=factories.now())
    marks.mark([Outcome(claimed.id, claimed.fence, "sent", "", "", "s", 0.0)])
    assert runs.finish(run_id=run.pk, now=factories.now())
    run.refresh_from_db()
    assert (run.state, run.campaign.state) == ("finished", "finished")


class Life(RuleBasedStateMachine):
    """Buttons, senders, dead senders and unsubscribes in any order: the books always balance."""

    def __init__(self) -> None:
        super().__init__()
        Message.objects.all().delete()
        Campaign.objects.all().delete()
        Customer.objects.all().delete()
        self.people = people(4, prefix="life")
        self.campaign = campaign()
        self.ended: dict[int, str] = {}
        self.held: list[claims.Claimed] = []
        self.suppressed: set[str] = set()

    @property
    def run_row(self) -> Run | None:
        return self.campaign.runs.first()

    @rule(move=st.sampled_from(MOVES))
    def press(self, move) -> None:
        before = Campaign.objects.get(pk=self.campaign.pk).state
        try:
            move(campaign_id=self.campaign.pk, user=None, now=factories.now())
        except Refused:
            assert Campaign.objects.get(pk=self.campaign.pk).state == before
        else:
            after = Campaign.objects.get(pk=self.campaign.pk).state
            assert after in runs.MOVES[before]

    @precondition(lambda self: self.run_row is not None)
    @rule()
    def fill(self) -> None:
        runs.fill(run_id=self.run_row.pk, now=factories.now())

    @rule(who=st.integers(0, 3))
    def unsubscribe(self, who) -> None:
        address = self.people[who].email
        consent.suppress(addresses=[address], reason="unsubscribed", now=factories.now())
        self.suppressed.add(address)

    @precondition(lambda self: self.run_row is not None)
    @rule(limit=st.integers(1, 3))
    def claim(self, limit) -> None:
        taken = claims.claim(run_id=self.run_row.pk, owner="s", limit=limit)
        assert not {message.address for message in taken} & self.suppressed
        if taken:
            assert self.run_row.state == "running"
        self.held += taken

    @precondition(lambda self: self.held)
    @rule(state=st.sampled_from(["sent", "failed", "unknown", "queued"]))
    def mark(self, state) -> None:
        message = self.held.pop(0)
        row = Message.objects.get(pk=message.id)
        done = marks.mark([Outcome(message.id, message.fence, state, "", "", "s", 0.0)])
        assert bool(done) == (row.state == "sending" and row.fence == message.fence)

    @precondition(lambda self: self.held)
    @rule()
    def give_back(self) -> None:
        claims.give_back(self.held)
        self.held = []

    @rule()
    def die_and_be_swept(self) -> None:
        Message.objects.filter(state="sending").update(
            lease_until=factories.now() - timedelta(seconds=1)
        )
        sweeps.sweep()

    @precondition(lambda self: self.run_row is not None)
    @rule()
    def finish(self) -> None:
        runs.finish(run_id=self.run_row.pk, now=factories.now())

    @invariant()
    def every_person_has_one_row_and_an_end_is_final(self) -> None:
        run = self.run_row
        if run is None:
            return
        rows = dict(Message.objects.filter(run=run).values_list("pk", "state"))
        assert len(rows) in (0, 4)
        assert runs.progress(run_id=run.pk).total == len(rows)
        for key, state in self.ended.items():
            assert rows[key] == state
        self.ended = {
            key: state for key, state in rows.items() if state in ("sent", "failed", "unknown")
        }
        if run.state == "finished":
            assert not {"queued", "sending"} & set(rows.values())

    @invariant()
    def campaign_and_run_agree(self) -> None:
        run = self.run_row
        if run is not None:
            assert Campaign.objects.get(pk=self.campaign.pk).state == run.state


def test_buttons_senders_and_crashes_in_any_order_keep_the_books():
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Life, settings=settings(max_examples=25, stateful_step_count=25, deadline=None)
    )
