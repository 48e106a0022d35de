"""What a send caused: sums that anybody can add up, and a report that says what they mean."""

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse

from campaigns.models import Message, Reading, Run, Spend
from campaigns.recipients import holdouts
from campaigns.reporting import (
    costs,
    credit,
    effects,
    everybody,
    overview,
    readings,
    tallies,
    variants,
)
from campaigns.reporting.tallies import Tally
from campaigns.sending import runs
from campaigns.variants import rounds, trials
from ingestion import events
from ingestion.models import Customer, Order
from marketing.core.errors import Invalid, NotFound
from marketing.core.models import AuditEntry
from tests import factories
from tests.campaigns.conftest import campaign, people

pytestmark = pytest.mark.django_db
START = factories.NOW - timedelta(days=40)
END = START + tallies.WINDOW


def begun(number: int = 60, *, holdout: int = 30, at=START, made: int | None = None) -> Run:
    """A send that has ended; everybody it was meant for got it."""
    if made is None:
        people(number)
    of = campaign(holdout=holdout)
    run = runs.start(campaign_id=of.pk, user=None, now=at)
    runs.fill(run_id=run.pk, now=at)
    run.refresh_from_db()
    run.messages.filter(state="queued").update(state="sent", sent_at=at)
    run.state = "finished"
    run.save()
    return run


def orders(rows) -> None:
    """(person, days after the start, total) in one statement; a fourth is the status."""
    shop = factories.source()
    first = Order.objects.count()
    Order.objects.bulk_create(
        Order(
            source=shop,
            external_id=f"e{first + i}",
            customer_id=person,
            placed_at=START + timedelta(days=day),
            currency="GBP",
            total=Decimal(str(total)),
            status=status[0] if status else "placed",
        )
        for i, (person, day, total, *status) in enumerate(rows)
    )


def test_sums_are_those_that_a_person_would_add_up():
    run = begun(80)
    draw = random.Random(4)
    ids = list(Customer.objects.values_list("pk", flat=True))
    rows = [
        (draw.choice(ids), draw.uniform(-20, 20), draw.choice([10, 25.5, -5]),
         draw.choice(["placed", "placed", "cancelled", "returned"]))
        for _n in range(400)
    ]  # fmt: skip
    orders(rows)
    until = START + timedelta(days=9)
    expected: dict[str, list[float]] = {}
    for message in run.messages.all():
        mine = [row for row in rows if row[0] == message.customer_id and row[3] != "cancelled"]
        after = [total for _p, day, total, _s in mine if 0 <= day < 9]
        before = [total for _p, day, total, _s in mine if -14 <= day < 0]
        x, y = sum(after), sum(before)
        did, had = any(t >= 0 for t in after), any(t >= 0 for t in before)
        sent = message.state == "sent"
        line = [1, sent, 0, 0, did, x, x**2, x**3, y, y**2, x * y, had, did and had, did]
        arm = "holdout" if message.reason == "holdout" else "a"
        so_far = expected.setdefault(arm, [0.0] * len(line))
        expected[arm] = [a + b for a, b in zip(so_far, line, strict=True)]
    found = tallies.of_run(run=run, until=until)
    assert set(found) == {"a", "holdout"}
    for arm, tally in found.items():
        assert list(tally.as_json().values()) == pytest.approx(expected[arm])


def test_a_campaign_may_be_judged_by_another_event_than_orders():
    of = campaign(holdout=40)
    of.goal = "Signed up"
    of.save()
    everyone = people(50)
    run = runs.start(campaign_id=of.pk, user=None, now=START)
    runs.fill(run_id=run.pk, now=START)
    run.refresh_from_db()
    did = {person.pk for person in everyone[::3]}
    events.record(
        batch=[
            events.Incoming(
                type="Signed up", at=START + timedelta(days=2), message_id=f"s{key}",
                customer_id=key,
            )
            for key in did
        ],
        source="shop", now=factories.NOW,
    )  # fmt: skip
    orders([(everyone[0].pk, 1, 20), (everyone[1].pk, 1, 20)])
    found = tallies.of_run(run=run, until=END)
    sides = dict(run.messages.values_list("customer_id", "variant"))
    for arm, tally in found.items():
        mine = {key for key, side in sides.items() if side == arm}
        assert tally.ordered == len(mine & did)
        assert tally.buyers == len(mine & {everyone[0].pk, everyone[1].pk})


def test_whoever_was_drawn_for_the_mail_counts_even_if_it_was_never_sent():
    run = begun(60)
    treated = run.messages.filter(state="sent").order_by("id")
    n = treated.count()
    key = treated.values_list("pk", flat=True)[0]
    Message.objects.filter(pk=key).update(state="skipped", reason="no_consent")
    found = tallies.of_run(run=run, until=END)
    assert (found["a"].people, found["a"].sent) == (n, n - 1)


def test_people_without_consent_are_on_neither_side():
    people(20, consent=False, prefix="silent")
    run = begun(40)
    found = tallies.of_run(run=run, until=END)
    assert sum(tally.people for tally in found.values()) == 40


def test_an_effect_is_proven_by_those_held_out_and_returns_its_cost():
    run = begun(1_000, holdout=30)
    sides = dict(run.messages.values_list("customer_id", "reason"))
    treated = [key for key, reason in sides.items() if not reason]
    held = [key for key, reason in sides.items() if reason == "holdout"]
    orders(
        [(key, 3, 20) for key in treated[: len(treated) // 5]]
        + [(key, 3, 20) for key in held[: len(held) // 10]]
    )
    costs.note(campaign_id=run.campaign_id, kind="sum", amount="100", user=None, now=factories.NOW)
    costs.note(
        campaign_id=run.campaign_id, kind="each", amount="0,05", user=None, now=factories.NOW
    )
    found = effects.effect(run=run, now=factories.NOW)
    assert found is not None
    assert found.over
    assert found.orders.verdict == found.money.verdict == "more"
    a, b = len(treated) // 5 / len(treated), len(held) // 10 / len(held)
    assert found.lift.difference == pytest.approx(a - b)
    assert found.caused.difference == pytest.approx(20 * (a - b) * len(treated))
    cost = 100 + 0.05 * len(treated)
    assert float(found.cost) == pytest.approx(cost)
    assert found.roi is not None
    assert found.roi.difference == pytest.approx((20 * (a - b) * len(treated) - cost) / cost)
    assert found.roi.low < found.roi.difference < found.roi.high


def test_while_days_are_to_come_the_wider_interval_counts():
    run = begun(600, holdout=40)
    sides = dict(run.messages.values_list("customer_id", "reason"))
    treated = [key for key, reason in sides.items() if not reason]
    held = [key for key, reason in sides.items() if reason]
    orders([(k, 1, 20) for k in treated[:60]] + [(k, 1, 20) for k in held[:24]])
    early = effects.effect(run=run, now=START + timedelta(days=5))
    late = effects.effect(run=run, now=END)
    assert early is not None
    assert late is not None
    assert not early.over
    assert late.over
    assert early.orders.plain == late.orders.plain
    assert early.orders.judged == early.orders.always
    assert late.orders.judged == late.orders.plain
    assert early.orders.verdict == "not_yet"
    width = early.orders.judged.high - early.orders.judged.low
    assert width > late.orders.judged.high - late.orders.judged.low


def test_sides_that_lost_people_are_not_believed():
    run = begun(900, holdout=50)
    gone = run.messages.filter(reason="holdout").order_by("id")[:200]
    Message.objects.filter(pk__in=gone.values("pk")).delete()
    found = effects.effect(run=run, now=factories.NOW)
    assert found is not None
    assert found.balance.alarm
    assert found.orders.verdict == found.money.verdict == "alarm"


def test_hardly_any_orders_are_too_few_to_tell():
    run = begun(50)
    found = effects.effect(run=run, now=factories.NOW)
    assert found is not None
    assert found.orders.verdict == "too_few"
    assert found.roi is None


def test_days_that_nobody_read_are_read_afterwards_and_stay():
    run = begun(60)
    readings.take(run=run, now=START + timedelta(days=3, hours=2))
    assert list(run.readings.values_list("day", flat=True)) == [1, 2, 3, 4]
    key = run.messages.filter(state="sent").values_list("customer_id", flat=True)[0]
    orders([(key, 1.5, 30)])
    readings.take(run=run, now=END + timedelta(days=2))
    read = readings.history(run=run)
    assert [one.until for one in read] == [START + timedelta(days=n) for n in range(1, 15)]
    assert read[2].arms["a"].ordered == 0
    assert read[4].arms["a"].ordered == 1


def test_a_send_to_very_many_people_is_read_from_what_was_kept(monkeypatch):
    run = begun(60)
    readings.take(run=run, now=END)
    monkeypatch.setattr(readings, "LIVE_PEOPLE", 10)
    Message.objects.filter(run=run).delete()
    assert sum(one.people for one in readings.latest(run=run, now=END).arms.values()) == 60


def test_people_who_are_erased_go_on_counting_with_their_money():
    from campaigns import personal

    run = begun(120, holdout=40)
    ids = list(run.messages.values_list("customer_id", flat=True))
    orders([(key, 2, 10 + key % 7) for key in ids[::2]] + [(key, -3, 12) for key in ids[::3]])
    before = tallies.of_run(run=run, until=END)
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(personal._FORGET, {"ids": ids[:50]})
    run.refresh_from_db()
    after = tallies.of_run(run=run, until=END)
    treated = sum((t for arm, t in after.items() if arm != "holdout"), Tally())
    for old, new in ((before["holdout"], after["holdout"]), (before["a"], treated)):
        assert [getattr(new, n) for n in ("people", "ordered", "earlier", "both")] == [
            getattr(old, n) for n in ("people", "ordered", "earlier", "both")
        ]
        assert float(new.money) == pytest.approx(old.money)
        assert float(new.cubes) == pytest.approx(old.cubes)
        assert float(new.cross) == pytest.approx(old.cross)


def test_variants_are_compared_among_those_drawn_first_and_judged_together():
    people(1_500)
    of = campaign(holdout=20)
    trials.save(
        campaign_id=of.pk,
        variants=[{"name": "Plain"}, {"name": "Picture"}, {"name": "Long"}],
        values={"mode": "winner", "first_percent": 60, "hours": 4},
        user=None,
        now=START,
    )
    run = runs.start(campaign_id=of.pk, user=None, now=START)
    runs.fill(run_id=run.pk, now=START)
    run.refresh_from_db()
    run.messages.filter(state="queued", next_try_at=None).update(state="sent", sent_at=START)
    first = {
        key: list(run.messages.filter(state="sent", variant=key).values_list("pk", "customer_id"))
        for key in "abc"
    }
    clicks = {"a": 10, "b": 60, "c": 12}
    for key, n in clicks.items():
        Message.objects.filter(pk__in=[pk for pk, _who in first[key][:n]]).update(clicked_at=START)
    orders([(who, 1, 9) for key in "abc" for _pk, who in first[key][: clicks[key]]])
    assert rounds.turn(run_id=run.pk, now=START + timedelta(hours=2))
    run.messages.filter(state="queued").update(state="sent", sent_at=START)
    table = variants.table(
        campaign=of, snapshot=run.snapshot, arms=tallies.of_run(run=run, until=END)
    )
    assert table is not None
    rows = {row.key: row for row in table.rows}
    assert [row.name for row in table.rows] == ["Plain", "Picture", "Long"]
    assert {key: row.tally.people for key, row in rows.items()} == {
        key: len(found) for key, found in first.items()
    }
    assert rows["b"].wins > 0.99
    assert rows["b"].later > 300
    assert rows["a"].later == rows["c"].later == 0
    assert all(row.proven for row in table.rows)
    assert rows["a"].p >= (rows["a"].lift.p if rows["a"].lift else 0)
    assert not table.balance.alarm


def test_the_list_judges_all_that_are_over_together():
    everyone = 400
    people(everyone)
    found = []
    for n in range(6):
        run = begun(made=everyone, holdout=40, at=START + timedelta(minutes=n))
        readings.take(run=run, now=factories.NOW)
        found.append(run)
    sides = dict(found[0].messages.values_list("customer_id", "reason"))
    treated = [key for key, reason in sides.items() if not reason]
    held = [key for key, reason in sides.items() if reason]
    # By itself this would be just proven.
    few = held[: int(0.17 * len(held))]
    orders([(k, 1, 9) for k in [*treated[: int(0.27 * len(treated))], *few]])
    readings.take(run=found[0], now=factories.NOW + timedelta(hours=1))
    Reading.objects.filter(run=found[0]).delete()
    readings.take(run=found[0], now=factories.NOW)
    listed = overview.listed(found=list(overview.runs()), now=factories.NOW)
    rows = {row.run.pk: row for row in listed}
    assert len(rows) == 6
    row = rows[found[0].pk]
    assert row.effect is not None
    assert row.q is not None
    assert row.effect.orders.plain.p < 0.05 < row.q
    assert row.effect.orders.proven
    assert not row.proven
    assert row.stage == "over"


def test_the_global_holdout_reports_what_all_campaigns_cause():
    everyone = people(1_200)
    holdout = holdouts.keep(percent=20, user=None, now=START)
    assert readings.of_everybody(holdout=holdout) is None
    from campaigns import experiments
    from campaigns.recipients import audience

    key = audience.kept_key(holdout)
    kept = [p.pk for p in everyone if experiments.held_out(key=key, unit=p.pk, percent=20)]
    others = [p.pk for p in everyone if p.pk not in set(kept)]
    orders(
        [(k, 4, 30) for k in others[: len(others) // 4]]
        + [(k, 4, 30) for k in kept[: len(kept) // 12]]
    )
    readings.take_all(now=factories.NOW)
    read = readings.of_everybody(holdout=holdout)
    assert read is not None
    assert {arm: tally.people for arm, tally in read.arms.items()} == {
        "kept": len(kept),
        "others": len(others),
    }
    found = everybody.effect(holdout=holdout, read=read)
    assert found is not None
    assert not found.over
    assert found.orders.verdict == "more"
    assert everybody.headline(found).tone == "good"
    assert found.caused.difference > 0


@pytest.mark.parametrize("amount", ["", "x", "0", "-3", "nan", "1e12"])
def test_a_cost_that_is_none_is_refused(amount):
    of = factories.campaign()
    with pytest.raises(Invalid):
        costs.note(campaign_id=of.pk, kind="sum", amount=amount, user=None, now=factories.NOW)
    with pytest.raises(Invalid):
        costs.note(campaign_id=of.pk, kind="x", amount="1", user=None, now=factories.NOW)
    assert not Spend.objects.exists()


def test_a_cost_is_struck_and_the_log_keeps_both():
    of = factories.campaign()
    made = costs.note(campaign_id=of.pk, kind="each", amount="0.05", user=None, now=factories.NOW)
    assert costs.total(campaign_id=of.pk, sent={"email": 1_000}) == Decimal("50")
    costs.remove(campaign_id=of.pk, spend_id=made.pk, user=None)
    assert costs.total(campaign_id=of.pk, sent={"email": 1_000}) == 0
    assert AuditEntry.objects.filter(action__startswith="campaign.cost").count() == 2
    with pytest.raises(NotFound):
        costs.remove(campaign_id=of.pk, spend_id=made.pk, user=None)


def test_the_pages_say_what_it_caused(django_assert_max_num_queries):
    run = begun(600, holdout=40)
    sides = dict(run.messages.values_list("customer_id", "reason"))
    treated = [key for key, reason in sides.items() if not reason]
    orders([(key, 3, 20) for key in treated[: len(treated) // 4]])
    readings.take(run=run, now=END)
    browser = factories.signed_in()
    with django_assert_max_num_queries(30):
        shown = browser.get(reverse("campaigns:campaign-detail", args=[run.campaign_id]))
    assert "It made a difference" in shown.text
    assert "Day by day" in shown.text
    with django_assert_max_num_queries(20):
        listed = browser.get(reverse("campaigns:experiment-list"))
    assert "News" in listed.text
    cost = reverse("campaigns:campaign-cost", args=[run.campaign_id])
    form = {"amount": "12.50", "kind": "sum", "note": "Agency"}
    assert browser.post(cost, form).status_code == 302
    shown = browser.get(reverse("campaigns:campaign-detail", args=[run.campaign_id]))
    assert "Agency" in shown.text
    assert "Return on it" in shown.text


def test_no_variant_wears_the_cup_before_it_leads():
    people(400)
    of = campaign(holdout=0)
    trials.save(
        campaign_id=of.pk,
        variants=[{"name": "Plain"}, {"name": "Picture"}],
        values={"mode": "fixed"},
        user=None,
        now=START,
    )
    run = runs.start(campaign_id=of.pk, user=None, now=START)
    runs.fill(run_id=run.pk, now=START)
    run.messages.filter(state="queued").update(state="sent", sent_at=START)
    Run.objects.filter(pk=run.pk).update(state="finished")
    page = reverse("campaigns:campaign-detail", args=[of.pk])
    browser = factories.signed_in()
    assert "Picture" in browser.get(page).text
    assert "#trophy" not in browser.get(page).text
    clicked = run.messages.filter(variant="b").values_list("pk", flat=True)[:60]
    Message.objects.filter(pk__in=list(clicked)).update(clicked_at=START)
    readings.take(run=run, now=END)
    assert browser.get(page).text.count("#trophy") == 1


def test_variants_are_chosen_on_a_page_and_refused_with_a_reason():
    of = campaign()
    browser = factories.signed_in()
    page = reverse("campaigns:campaign-variants", args=[of.pk])
    assert browser.get(page).status_code == 200
    form = {
        "name": ["Plain", "Picture", ""], "template_id": ["", "", ""], "weight": ["1", "2", ""],
        "mode": "winner", "metric": "clicked", "hypothesis": "Pictures sell",
        "first_percent": "30", "hours": "6", "win_percent": "95",
    }  # fmt: skip
    refused = browser.post(page, {**form, "hours": "0"})
    assert refused.status_code == 422
    assert "Give a number from 1 to 240." in refused.text
    assert browser.post(page, form).status_code == 302
    assert list(of.variants.values_list("key", "weight")) == [("a", 1), ("b", 2)]
    assert of.trial.first_percent == 30
    again = browser.get(page)
    assert "Pictures sell" in again.text


def test_a_share_is_kept_out_changed_and_ended_on_a_page():
    browser = factories.signed_in()
    page = reverse("campaigns:holdout")
    assert "Nobody is kept out" in browser.get(page).text
    keep = reverse("campaigns:holdout-keep")
    browser.post(keep, {"percent": "7.5"})
    assert "7.5% kept out" in browser.get(page).text
    browser.post(keep, {"percent": "50"})
    assert holdouts.standing().percent == 7.5
    browser.post(keep, {"end": "1"})
    assert holdouts.standing() is None
    assert factories.signed_in("analyst").post(keep, {"percent": "5"}).status_code == 403
    assert holdouts.standing() is None


def test_credit_goes_to_what_people_met_before_they_ordered_and_cause_stands_beside_it():
    everyone = people(40)
    sends = []
    for name in ("First", "Second"):
        of = campaign()
        of.name = name
        of.save()
        run = factories.run(of, everyone, started_at=START)
        sends.append(run)
    ada, ben, cleo, dora = everyone[:4]

    def touch(run: Run, person: Customer, day: float) -> None:
        run.messages.filter(customer=person).update(clicked_at=START + timedelta(days=day))

    touch(sends[0], ada, 1)
    touch(sends[1], ada, 2)
    touch(sends[0], ben, 1)
    touch(sends[1], cleo, 1)
    touch(sends[0], dora, 6)
    orders([(ada.pk, 5, 20), (ben.pk, 5, 20), (dora.pk, 5, 20), (cleo.pk, 38, 9)])
    found = credit.credited(since=START, until=factories.NOW)
    ways = {way.touches: (way.people, way.orders) for way in credit.ways(
        since=START, until=factories.NOW
    )}  # fmt: skip
    first, second = (str(run.pk) for run in sends)
    assert ways == {(first, second): (1, 1), (first,): (1, 1)}
    rows = {row.run.campaign.name: row for row in found if row.run.campaign}
    assert (rows["First"].last, rows["First"].first, rows["First"].even) == (1, 2, 1.5)
    assert (rows["Second"].last, rows["Second"].first, rows["Second"].even) == (1, 0, 0.5)
    assert rows["First"].caused is None
    shown = factories.signed_in().get(reverse("campaigns:credit") + "?days=90")
    assert "nobody held out" in shown.text
    assert "Nobody opened" in factories.signed_in().get(reverse("campaigns:credit")).text
