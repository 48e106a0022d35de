"""Several channels in one send: each person gets one of those that reach them, and only one."""

import os
import random
import signal
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.channels import saving
from campaigns.messaging import delivery, former
from campaigns.models import Campaign, Choice, Message, Run, Template
from campaigns.recipients import audience, prices, routes
from campaigns.reporting import costs
from campaigns.sending import runs
from campaigns.variants import contextual, rounds, trials
from ingestion import consent
from ingestion.models import Consent, Customer
from marketing.core.errors import Invalid
from models_ml.models import Traits
from tests import factories
from tests.campaigns import gateway as gateways
from tests.campaigns.conftest import AGREED, campaign
from tests.campaigns.peer import Peer
from tests.campaigns.sending.test_killed_senders import SENDER, expire_leases

NOW = factories.NOW
BANDIT = {"mode": "bandit", "metric": "ordered", "first_percent": 50, "hours": 48, "rounds": 2,
          "floor_percent": 10}  # fmt: skip


def people(*ways: str) -> list[Customer]:
    """Somebody for each word of ways, such as "email sms": has what it needs, and agreed."""
    made = Customer.objects.bulk_create(
        Customer(
            external_id=f"p{n}",
            first_name=f"Person{n}",
            email=f"p{n}@example.com" if "email" in way else None,
            phone=f"+4915112{n:06}" if "sms" in way else "",
        )
        for n, way in enumerate(ways)
    )
    Consent.objects.bulk_create(
        Consent(customer=person, channel=channel, granted=True, source="test", at=AGREED)
        for person, way in zip(made, ways, strict=True)
        for channel in way.split()
    )
    return made


def provider(kind: str, url: str = "https://gateway.example/x", **given: str) -> None:
    name = {"sms": "sms_gateway", "push": "push_vapid", "inbox": "inbox_own"}[kind]
    sender = saving.Sender(from_address="+15005550006") if kind == "sms" else saving.Sender()
    saving.save(
        provider=name, name=name, given={"url": url, **given}, sender=sender, user=None, now=NOW
    )


def planned(*weights: int, holdout: int = 0, url: str = "", also: str = "", **values) -> Campaign:
    """A campaign by mail (a) and SMS (b), and by another channel (c)."""
    of = campaign(holdout=holdout)
    given = {"url": url} if url else {}
    provider("sms", **given)
    text = Template.objects.create(name="Text", kind="sms", parts={"text": "New things. STOP"})
    rows = [{"name": "Mail"}, {"name": "Text", "template_id": text.pk}]
    if also:
        provider(also, **({"contact": "mailto:me@shop.example"} if also == "push" else {}))
        note = Template.objects.create(name="Note", kind=also, parts={"title": "New things"})
        rows.append({"name": "Note", "template_id": note.pk})
    for row, weight in zip(rows, weights, strict=False):
        row["weight"] = weight
    trials.save(campaign_id=of.pk, variants=rows, values=values, user=None, now=NOW)
    return of


def begun(of: Campaign) -> Run:
    run = runs.start(campaign_id=of.pk, user=None, now=NOW)
    assert runs.fill(run_id=run.pk, now=NOW)
    run.refresh_from_db()
    return run


def sent(run: Run, at, **rates: float) -> None:
    """Whoever does not wait got theirs; so large a part of each variant orders an hour after."""
    draw = random.Random(4)
    due = run.messages.filter(state="queued", next_try_at=None)
    for message in due:
        if draw.random() < rates.get(message.variant, 0):
            factories.order(message.customer, placed_at=at + timedelta(hours=1))
    due.update(state="sent", sent_at=at, first_try_at=at, claimed_at=at)


def after(hours: float):
    return NOW + timedelta(hours=hours)


def test_whoever_has_one_channel_has_no_choice_and_the_shares_are_of_those_that_reach():
    three = (("a", "email"), ("b", "sms"), ("c", "push"), ("d", "email"))
    assert routes.of([(key, 1, kind) for key, kind in three]) == three
    assert routes.of([("a", 1, "email"), ("b", 0, "sms")]) == ()
    assert routes.sets(three[:2]) == ["email", "sms", "email sms"]
    assert routes.choices(three) == [
        "email", "email sms", "email push", "sms push", "email sms push",
    ]  # fmt: skip
    shares = routes.fixed(three, [("a", 1), ("b", 2), ("c", 1), ("d", 1)])
    assert shares["sms push"] == {"b": pytest.approx(2 / 3), "c": pytest.approx(1 / 3)}
    assert shares["push"] == {"c": 1}
    assert routes.read_why("email:no_consent sms:no_address") == [
        ("email", "no_consent"), ("sms", "no_address"),
    ]  # fmt: skip
    assert routes.read_why("the line broke: twice") == []


@pytest.mark.django_db
def test_each_person_gets_one_message_by_a_channel_that_reaches_them_with_its_chance():
    made = people(*["email sms"] * 200, *["email"] * 20, *["sms"] * 20, *[""] * 5)
    run = begun(planned(3, 1))
    rows = {m.customer_id: m for m in run.messages.all()}
    assert len(rows) == run.messages.count() == run.audience == 245
    both = [rows[p.pk] for p in made[:200]]
    assert 130 <= sum(m.channel == "email" for m in both) <= 170
    assert {(m.reach, m.channel, m.variant, m.chance) for m in both} == {
        ("email sms", "email", "a", 0.75), ("email sms", "sms", "b", 0.25),
    }  # fmt: skip
    assert all(m.address == (m.customer.email if m.variant == "a" else m.customer.phone)
               for m in both)  # fmt: skip
    assert {(m.reach, m.channel, m.chance) for m in (rows[p.pk] for p in made[200:240])} == {
        ("email", "email", 1.0), ("sms", "sms", 1.0),
    }  # fmt: skip
    none = [rows[p.pk] for p in made[240:]]
    assert {(m.reach, m.state, m.reason, m.error, m.message_id) for m in none} == {
        ("none", "skipped", "no_address", "email:no_address sms:no_address", None)
    }
    found = audience.reach(rule={"all": []}, draw=audience.draw_of(run.campaign))
    assert (found.total, found.reachable, found.chosen) == (245, 240, 200)
    mail, text = found.ways
    assert (mail.channel, mail.could, mail.lacks) == ("email", 220, {"no_address": 25})
    assert mail.given + text.given == 240
    assert text.given == sum(m.channel == "sms" for m in rows.values() if m.state == "queued")


WAY = st.tuples(st.booleans(), st.booleans(), st.sampled_from(["yes", "no", "never", "listed"]),
                st.sampled_from(["yes", "no", "never", "listed"]), st.integers(0, 3))  # fmt: skip


@pytest.mark.django_db(transaction=True)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(WAY, min_size=1, max_size=12), st.integers(0, 30))
def test_nobody_gets_a_channel_they_refused_lack_or_share_whatever_they_said(ways, holdout):
    try:
        for n, (mail, phone, said, texted, shared) in enumerate(ways):
            person = Customer.objects.create(
                external_id=f"p{n}",
                email=f"p{n}@example.com" if mail else None,
                phone=f"+49151{shared:07}" if phone else "",
            )
            for channel, word in (("email", said), ("sms", texted)):
                if word != "never":
                    Consent.objects.create(customer=person, channel=channel, source="test",
                                           granted=word != "no", at=AGREED)  # fmt: skip
            if said == "listed" and mail:
                consent.suppress(addresses=[person.email], reason="bounced", now=NOW)
        run = begun(planned(1, 1, holdout=holdout))
        rows = list(run.messages.all())
        assert len(rows) == len({m.customer_id for m in rows}) == len(ways)
        going = [m for m in rows if m.state == "queued"]
        assert len({(m.channel, m.address) for m in going}) == len(going)
        for m in going:
            assert consent.may_mail(m.customer_id, channel=m.channel)
            assert m.channel in m.reach.split()
            assert m.address == (m.customer.email if m.channel == "email" else m.customer.phone)
        for m in rows:
            for channel in ("email", "sms"):
                if channel in m.reach.split():
                    assert consent.may_mail(m.customer_id, channel=channel)
            assert (m.reason == "") == (m.state == "queued")
            if m.reach == routes.NONE:
                assert {c for c, _why in routes.read_why(m.error)} == {"email", "sms"}
    finally:
        for model in (Message, Run, Campaign, Template, Consent, Customer):
            model.objects.all().delete()
        from campaigns.models import Channel, Segment
        from ingestion.models import Suppression

        Channel.objects.all().delete()
        Segment.objects.all().delete()
        Suppression.objects.all().delete()


@pytest.mark.django_db
def test_shares_follow_the_channel_that_is_answered_among_those_who_had_the_choice():
    made = people(*["email sms"] * 800, *["email"] * 300, *["sms"] * 100)
    run = begun(planned(1, 1, **BANDIT))
    waited = rounds.waiting(run=run)
    assert waited == 1_200 - run.messages.filter(next_try_at=None).count()
    # Whoever has only a mail address orders often, and says nothing about mails for the others.
    sent(run, NOW, a=0.05, b=0.3)
    for person in made[800:1_000]:
        factories.order(person, placed_at=after(2))
    assert not rounds.turn(run_id=run.pk, now=after(47))
    assert rounds.turn(run_id=run.pk, now=after(48))
    held = run.rounds.get()
    chosen = held.sets["email sms"]
    assert list(held.sets) == ["email sms"]
    assert (
        sum(n for n, _did in chosen["seen"].values())
        == run.messages.filter(state="sent", reach="email sms").count()
    )
    assert chosen["shares"] == pytest.approx({"a": 0.1, "b": 0.9}, abs=1e-3)
    given = run.messages.filter(state="queued", next_try_at=None)
    assert given.count() == held.people
    assert set(given.filter(reach="email sms").values_list("variant", "channel", "chance")) == {
        ("a", "email", chosen["shares"]["a"]), ("b", "sms", chosen["shares"]["b"]),
    }  # fmt: skip
    assert held.shares["b"] == pytest.approx(0.9, abs=0.06)
    assert set(given.filter(reach="email").values_list("channel", "chance")) == {("email", 1.0)}
    for message in given.select_related("customer"):
        own = message.customer
        assert message.address == (own.email if message.channel == "email" else own.phone)
    sent(run, after(48), a=0.05, b=0.3)
    assert rounds.turn(run_id=run.pk, now=after(96))
    assert rounds.waiting(run=run) == 0
    assert run.messages.count() == 1_200


@pytest.mark.django_db
def test_when_it_is_their_turn_people_are_asked_again_by_which_channels():
    made = people(*["email sms"] * 300)
    run = begun(planned(1, 1, **BANDIT))
    sent(run, NOW)
    waits = list(run.messages.filter(state="queued").values_list("customer_id", flat=True))
    for channel, who in (("email", waits[:30]), ("sms", waits[20:30])):
        consent.revoke(customer_ids=who, channel=channel, source="test", now=after(1))
    # One takes the number of somebody who got a text already, another's mail goes nowhere new.
    taken = run.messages.filter(state="sent", channel="sms").first()
    Customer.objects.filter(pk__in=waits[30:60]).update(phone=taken.address)
    assert rounds.turn(run_id=run.pk, now=after(48))
    assert rounds.turn(run_id=run.pk, now=after(96))
    rows = {m.customer_id: m for m in run.messages.filter(customer_id__in=waits)}
    assert {(rows[w].channel, rows[w].reach, rows[w].chance, rows[w].state)
            for w in waits[:20]} == {("sms", "sms", 1.0, "queued")}  # fmt: skip
    assert {(rows[w].reason, rows[w].reach, rows[w].error) for w in waits[20:30]} == {
        ("no_consent", "none", "email:no_consent sms:no_consent")
    }
    texts = run.messages.exclude(state="skipped").filter(channel="sms")
    assert texts.count() == len({m.address for m in texts})
    assert len(made) == run.messages.count()


@pytest.mark.django_db
def test_each_channel_costs_its_own_and_the_budget_holds_for_all():
    people(*["email sms"] * 400)
    of = planned(1, 1, **BANDIT, budget="20")
    costs.note(campaign_id=of.pk, kind="each", amount="0.1", channel="sms", user=None, now=NOW)
    costs.note(campaign_id=of.pk, kind="each", amount="0.01", user=None, now=NOW)
    priced = prices.of_campaign(of.pk)
    assert (priced.of("email"), priced.of("sms")) == (Decimal("0.01"), Decimal("0.11"))
    assert costs.total(campaign_id=of.pk, sent={"email": 10, "sms": 5}) == Decimal("0.65")
    run = begun(of)
    sent(run, NOW)
    for number in (1, 2):
        assert rounds.turn(run_id=run.pk, now=after(48 * number))
        sent(run, after(48 * number))
    counted = Counter(run.messages.filter(state="sent").values_list("channel", flat=True))
    spent = costs.total(campaign_id=of.pk, sent=counted)
    assert Decimal("19.8") < spent <= 20
    assert run.messages.filter(reason="budget").exists()
    with pytest.raises(Invalid):
        costs.note(campaign_id=of.pk, kind="sum", amount="5", channel="sms", user=None, now=NOW)


@pytest.mark.django_db
def test_each_person_gets_the_channel_that_suits_people_like_them():
    made = people(*["email sms"] * 1_600, *["email"] * 200)
    Traits.objects.bulk_create(
        Traits(customer=person, as_of=NOW, orders=12 if i % 2 else 1,
               revenue=900.0 if i % 2 else 20.0, recency_days=10.0, tenure_days=400.0)
        for i, person in enumerate(made)
    )  # fmt: skip
    run = begun(planned(1, 1, **{**BANDIT, "mode": "person", "floor_percent": 5}))
    loyal = set(Traits.objects.filter(orders=12).values_list("customer_id", flat=True))
    draw = random.Random(2)
    for m in run.messages.filter(next_try_at=None).select_related("customer"):
        if draw.random() < (0.4 if (m.variant == "b") == (m.customer_id in loyal) else 0.05):
            factories.order(m.customer, placed_at=after(1))
    sent(run, NOW)
    assert rounds.turn(run_id=run.pk, now=after(48), chooser=contextual.release)
    held = run.rounds.get()
    assert held.reason == "suited"
    assert held.policies["suited"]["value"] > held.policies["shares"]["value"]
    given = run.messages.filter(state="queued", next_try_at=None)
    assert given.count() == held.people
    chosen = given.filter(reach="email sms")
    assert chosen.count() == Choice.objects.filter(run=run).count()
    right = [(v == "b") == (who in loyal)
             for v, who in chosen.values_list("variant", "customer_id")]  # fmt: skip
    assert sum(right) / len(right) > 0.85
    chances = dict(Choice.objects.values_list("customer_id", "chance"))
    for m in chosen.select_related("customer"):
        assert m.chance == pytest.approx(chances[m.customer_id])
        assert 0.05 - 1e-9 <= m.chance <= 0.95 + 1e-9
        assert (m.channel, m.address) in {("email", m.customer.email), ("sms", m.customer.phone)}
        assert (m.channel == "sms") == (m.variant == "b")
    assert set(given.filter(reach="email").values_list("variant", "chance")) == {("a", 1.0)}


@pytest.mark.django_db
def test_who_is_held_out_is_drawn_as_before_and_two_who_are_found_to_be_one_get_one():
    made = people(*["email sms"] * 100)
    of = planned(1, 1, holdout=20)
    run = begun(of)
    alone = audience.judged_sql(
        rule={"all": []}, draw=audience.Draw(key=audience.holdout_key(of), holdout=20)
    )
    held = set(run.messages.filter(reason="holdout").values_list("customer_id", flat=True))
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT customer_id FROM ({alone[0]}) j WHERE reason = 'holdout'", alone[1])
        assert {row[0] for row in cursor.fetchall()} == held
    assert set(run.messages.filter(reason="holdout").values_list("variant", "reach")) == {
        ("holdout", "email sms")
    }
    by = {m.channel: m for m in run.messages.filter(state="queued")}
    into, gone = by["email"].customer, by["sms"].customer
    Customer.objects.filter(pk=gone.pk).update(merged_into=into)
    assert former.follow(customer_ids=[gone.pk]) == 0
    assert run.messages.filter(customer_id=into.pk).count() == 1
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.filter(pk=by["sms"].pk).update(customer=into)
    assert len(made) == run.messages.count()


@pytest.mark.parametrize(
    ("values", "code"),
    [({"metric": "opened"}, "metric_unseen"), ({"metric": "clicked"}, "metric_unseen"),
     ({"hours": 24}, "too_soon")],
)  # fmt: skip
@pytest.mark.django_db
def test_what_cannot_be_compared_between_channels_decides_nothing(values, code):
    with pytest.raises(Invalid) as refusal:
        planned(1, 1, **{**BANDIT, **values})
    assert refusal.value.code == code


@pytest.mark.django_db(transaction=True)
def test_mails_texts_and_notes_leave_each_by_their_own_channel_once(postbox, settings):
    peer = Peer()
    settings.OUTBOUND_ALLOW = [f"127.0.0.1:{peer.port}"]
    try:
        made = people(*["email sms"] * 40, *["email"] * 5, *["sms"] * 5, *[""] * 5)
        of = planned(1, 1, 1, also="inbox", url=f"{peer.url}/x")
        run = runs.start(campaign_id=of.pk, user=None, now=factories.now())
        delivery.deliver(run_id=run.pk)
        by = Counter(run.messages.filter(state="sent").values_list("channel", flat=True))
        assert run.messages.filter(state="sent").count() == len(made) == 55
        assert (len(postbox.mails), len(peer.asked)) == (by["email"], by["sms"])
        assert min(by.values()) > 5
        delivery.deliver(run_id=run.pk)
        assert len(peer.asked) == by["sms"]
        run.refresh_from_db()
        assert run.state == "finished"
    finally:
        peer.close()


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_killed_and_racing_senders_of_two_channels_lose_nobody_and_write_to_nobody_on_both(
    postbox, settings, start_process, wait_for
):
    settings.OUTBOUND_ALLOW = ["127.0.0.1"]
    with gateways.listening() as box:
        people(*["email sms"] * 160, *["email"] * 20, *["sms"] * 20)
        of = planned(1, 1, url=f"http://127.0.0.1:{box.port}/send")
        postbox.pause_seconds = 0.005
        run = begun(of)
        mail = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(postbox.port)}
        kills, taken = 2, lambda: len(postbox.mails) + len(box.taken)
        for kill in range(kills):
            racing = [
                start_process("-c", SENDER, str(run.pk), OUTBOUND_ALLOW="127.0.0.1", **mail)
                for _one in range(2)
            ]
            wait_for(lambda target=25 * (kill + 1): taken() >= target)
            for sender in racing:
                os.killpg(sender.pid, signal.SIGKILL)
                sender.wait()
            expire_leases()
        postbox.pause_seconds = 0

        def finished() -> bool:
            delivery.deliver(run_id=run.pk)
            run.refresh_from_db()
            return run.state == "finished"

        wait_for(finished, seconds=60)
        ended = Counter(run.messages.values_list("state", "channel"))
        assert {state for state, _channel in ended} <= {"sent", "unknown"}
        assert ended["unknown", "email"] == 0
        # A text that was handed over when its sender died may have gone, and is not sent again.
        assert ended["unknown", "sms"] <= 2 * kills
        assert sum(ended.values()) == run.messages.count() == 200
        assert set(box.copies.values()) == {1}
        assert sum(postbox.copies.values()) - len(postbox.copies) <= 2 * kills
        numbers = dict(run.messages.values_list("customer__phone", "customer__email"))
        assert not {numbers[number] for number in box.copies} & set(postbox.copies)
        assert len(box.copies) + len(postbox.copies) + ended["unknown", "sms"] >= 200
