"""A campaign whose people a model chose asks first whether it chose them alike."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from campaigns.models import Campaign, Run
from campaigns.review import fairness
from campaigns.segments import compile as compiler
from campaigns.segments import membership
from campaigns.sending import runs
from campaigns.views import wizard
from ingestion import consent
from ingestion.models import Consent, Customer
from marketing.core import auth
from marketing.core.errors import Conflict, Invalid
from marketing.core.models import AuditEntry
from models_ml import watched
from models_ml.models import ModelVersion, Prediction, Score, WatchedAttribute
from tests import factories
from tests.campaigns.conftest import look_at_everybody

NOW = factories.NOW
REASON = "The product is for men, as the mail says."
TOP = {"score": "again", "op": "top", "value": 25}
pytestmark = pytest.mark.django_db


def shop() -> Prediction:
    """200 women and 200 men, of whom the best quarter by score are 30 and 70; 50 without a score.

    They are British and French by turns, and women are older.
    """
    made = Prediction.objects.create(
        key="again", title="Buys again", kind="chance", target={"type": "order"}, horizon_days=60
    )
    version = factories.model_version("again", 1, state="live")
    people = Customer.objects.bulk_create(
        Customer(
            external_id=f"f{n}",
            email=f"f{n}@example.com",
            country="GB" if n % 2 else "FR",
            attributes={
                "gender": "Female" if n < 200 else "male",
                "born": "1960-01-31" if n < 200 else "2001-02-28",
                "steps": n,
            }
            if n < 400
            else {"gender": " ", "born": "1999-02-30"},
            first_seen_at=NOW,
        )
        for n in range(450)
    )
    Consent.objects.bulk_create(
        Consent(
            customer=person, channel="email", purpose="marketing", granted=True, at=NOW,
            proof={"by": "test"}, current=True,
        )
        for person in people
    )  # fmt: skip
    best = {*range(30), *range(200, 270)}
    Score.objects.bulk_create(
        Score(
            prediction=made,
            customer=person,
            value=0.9 if n in best else 0.1,
            percentile=90 if n in best else 10,
            version=version,
        )
        for n, person in enumerate(people[:400])
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE ingestion_customer, models_ml_score, ingestion_consent")
    return made


def watch(name: str, kind: str = "text", bands: list[float] | None = None) -> WatchedAttribute:
    return watched.watch(name=name, kind=kind, bands=bands, actor=None, now=NOW)


def letter(rule: Any = TOP) -> Campaign:
    return factories.campaign(
        segment=factories.segment("The best", rule=rule), template=factories.template()
    )


def states(found: fairness.Verdict) -> dict[str, dict[str, tuple[int, int, str]]]:
    return {
        one.attribute.name: {g.name: (g.people, g.chosen, g.state) for g in one.groups}
        for one in found.findings
    }


def drawn(number: int) -> dict[str, tuple[int, int]]:
    """Of those with a score, by gender: how many are in the sample, and how many of them best."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lower(btrim(c.attributes ->> 'gender')), count(*),"
            " count(*) FILTER (WHERE s.percentile > 80)"
            " FROM ingestion_customer AS c JOIN models_ml_score AS s ON s.customer_id = c.id"
            " WHERE (hashint8extended(c.id, 20111209) & 1048575) < %s GROUP BY 1",
            [1048576 // number],
        )
        return {gender: (people, chosen) for gender, people, chosen in cursor.fetchall()}


def test_of_very_many_people_a_sample_is_looked_at_that_says_it_is_one(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop()
    watch("gender")
    whole = fairness.of_rule(rule=TOP)
    assert (whole.one_in, whole.sampled) == (1, False)
    monkeypatch.setattr(fairness, "SAMPLE", 60)
    campaign = letter()
    found = fairness.look(campaign=campaign)
    expected = drawn(4)
    assert (found.one_in, found.sampled, found.counted) == (4, True, True)
    assert found.people == sum(people for people, _chosen in expected.values())
    assert found.chosen == sum(chosen for _people, chosen in expected.values())
    groups = {group.name: group for group in found.findings[0].groups}
    assert {name: (g.people, g.chosen) for name, g in groups.items()} == expected
    for group in whole.findings[0].groups:
        part = groups[group.name]
        assert part.low <= part.rate <= part.high
        assert part.high - part.low > group.high - group.low
    assert fairness.look(campaign=campaign) == found  # the same people each time
    client.force_login(factories.user("marketer"))
    seen = client.get(reverse("campaigns:campaign-check", args=[campaign.pk])).content.decode()
    assert "So many people are looked at in a random sample, one in 4" in seen
    first = groups["female"]
    assert f"({100 * first.low:.1f}% to {100 * first.high:.1f}%)" in seen


def test_an_audience_of_few_among_very_many_is_looked_at_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shop()
    watch("gender")
    monkeypatch.setattr(fairness, "SAMPLE", 60)
    few = {"attribute": "steps", "as": "number", "op": "<", "value": 30}
    found = fairness.of_rule(rule={"all": [few, TOP]})
    assert (found.one_in, found.people, found.chosen) == (1, 30, 30)


def test_what_a_sample_flags_keeps_the_campaign_from_starting_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prediction = shop()
    watch("gender")
    women = Score.objects.filter(prediction=prediction, customer__attributes__gender=" Female ")
    monkeypatch.setattr(fairness, "SAMPLE", 60)
    women.update(percentile=10)
    men = Score.objects.filter(prediction=prediction, customer__attributes__gender="male")
    men.update(percentile=90)
    campaign = letter()
    with pytest.raises(Invalid) as refused:
        runs.start(campaign_id=campaign.pk, user=factories.user("admin"), now=NOW)
    people = sum(people for people, _chosen in drawn(4).values())
    assert f"This was seen in a random sample of {people} people." in refused.value.message
    assert refused.value.items[0]["people"] == drawn(4)["female"][0]


def test_groups_are_counted_among_those_the_model_could_choose() -> None:
    shop()
    watch("gender")
    watch("customer.country")
    watch("born", "birth", [30, 50])
    watch("steps", "number", [100, 300])
    found = fairness.look(campaign=letter())
    assert (found.models, found.people, found.chosen) == (["“Buys again” (version 1)"], 400, 100)
    assert states(found) == {
        "gender": {"female": (200, 30, "low"), "male": (200, 70, "most")},
        "customer.country": {"FR": (200, 50, "most"), "GB": (200, 50, "fine")},
        "born": {"≥50": (200, 30, "low"), "<30": (200, 70, "most")},
        "steps": {
            "100–<300": (200, 70, "most"),
            "<100": (100, 30, "fine"),
            "≥300": (100, 0, "low"),
        },
    }
    women = found.findings[0].flagged[0]
    assert (round(women.rate, 4), round(women.ratio or 0, 4)) == (0.15, 0.4286)
    assert found.flags == [("gender", "female"), ("born", "≥50"), ("steps", "≥300")]


def test_only_what_the_model_decides_is_compared() -> None:
    shop()
    watch("gender")
    british = {"field": "customer.country", "op": "=", "value": "GB"}
    found = fairness.of_rule(rule={"all": [british, TOP]})
    assert states(found)["gender"] == {"female": (100, 15, "low"), "male": (100, 35, "most")}
    women = {"attribute": "gender", "op": "=", "value": "Female"}
    chosen_by_hand = fairness.of_rule(rule={"all": [women, TOP]})
    assert states(chosen_by_hand)["gender"] == {"female": (200, 30, "most")}
    without = fairness.of_rule(rule=women)
    assert (without.models, without.findings, without.barred) == ([], [], False)
    consent.revoke(
        customer_ids=list(Score.objects.values_list("customer_id", flat=True)[:10]),
        purpose="profiling",
        source="test",
        now=NOW,
    )
    assert fairness.of_rule(rule=TOP).people == 390


def test_what_is_named_or_negated_is_looked_into_and_holds_all_who_are_meant() -> None:
    shop()
    watch("gender")
    inner = factories.segment("The best", rule=TOP)
    named = fairness.of_rule(rule={"in_segment": inner.pk})
    assert (named.models, named.people, named.chosen) == (["“Buys again” (version 1)"], 400, 100)
    rest = fairness.of_rule(rule={"not": TOP})
    assert (rest.people, rest.chosen) == (450, 350)
    assert states(rest)["gender"]["unknown"] == (50, 50, "apart")
    for rule in ({"any": [TOP, {"not": {"not": TOP}}]}, {"not": {"any": [TOP, {"not": TOP}]}}):
        node = compiler.read(rule)
        meant = set(membership.ids(node))
        assert meant <= set(membership.ids(fairness.choosable(node)))


def test_a_flagged_group_keeps_the_campaign_from_starting_until_somebody_answers() -> None:
    shop()
    watch("gender")
    campaign, admin = letter(), factories.user("admin")
    with pytest.raises(Invalid) as refused:
        runs.start(campaign_id=campaign.pk, user=admin, now=NOW)
    assert (refused.value.code, refused.value.field) == ("chosen_unequally", "segment")
    assert "gender: female (0.43)" in refused.value.message
    assert (refused.value.items[0]["group"], refused.value.items[0]["chosen"]) == ("female", 30)
    assert not Run.objects.exists()
    with pytest.raises(Invalid):
        runs.schedule(campaign_id=campaign.pk, at=NOW + timedelta(days=1), user=admin, now=NOW)
    with pytest.raises(Invalid):
        fairness.waive(campaign_id=campaign.pk, reason="fine", actor=admin, now=NOW)
    made = fairness.waive(campaign_id=campaign.pk, reason=REASON, actor=admin, now=NOW)
    entry = AuditEntry.objects.get(action="campaign.fairness_waived")
    assert (entry.actor, entry.object_id) == (admin, str(campaign.pk))
    assert (entry.detail["reason"], entry.detail["digest"]) == (REASON, made.digest)
    assert entry.detail["groups"][0]["group"] == "female"
    with pytest.raises(Conflict):
        fairness.waive(campaign_id=campaign.pk, reason=REASON, actor=admin, now=NOW)
    assert runs.start(campaign_id=campaign.pk, user=admin, now=NOW).campaign_id == campaign.pk


def test_another_version_audience_or_group_asks_again() -> None:
    prediction = shop()
    watch("gender")
    campaign, admin = letter(), factories.user("admin")
    fairness.waive(campaign_id=campaign.pk, reason=REASON, actor=admin, now=NOW)
    assert not fairness.look(campaign=campaign).barred
    segment = campaign.segment
    assert segment is not None
    segment.rule = {"score": "again", "op": ">", "value": 0.5}
    segment.save()
    campaign.refresh_from_db()
    assert fairness.look(campaign=campaign).barred
    segment.rule = TOP
    segment.save()
    campaign.refresh_from_db()
    assert not fairness.look(campaign=campaign).barred
    ModelVersion.objects.filter(name="again").update(state="retired")
    factories.model_version("again", 2, state="live")
    assert fairness.look(campaign=campaign).barred
    fairness.waive(campaign_id=campaign.pk, reason=REASON, actor=admin, now=NOW)
    # The same rule, version and attribute; but now it is the men who are chosen too seldom.
    men = Score.objects.filter(prediction=prediction, customer__attributes__gender="male")
    men.update(percentile=10)
    assert fairness.look(campaign=campaign).flags == [("gender", "male")]
    assert fairness.look(campaign=campaign).barred


def test_a_scheduled_campaign_that_became_unequal_goes_back_to_a_draft() -> None:
    shop()
    campaign = letter()
    later = NOW + timedelta(hours=1)
    runs.schedule(campaign_id=campaign.pk, at=later, user=None, now=NOW)
    watch("gender")
    assert runs.start_due(now=later) == []
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.DRAFT
    entry = AuditEntry.objects.get(action="campaign.not_started")
    assert "four fifths" in entry.detail["reason"]


def test_too_few_people_to_tell_keep_nobody_from_starting() -> None:
    shop()
    watch("gender")
    steps = {"attribute": "steps", "as": "number"}
    men = {"all": [steps | {"op": ">=", "value": 200}, steps | {"op": "<", "value": 207}]}
    few = {"all": [TOP, {"any": [steps | {"op": "<", "value": 3}, men]}]}
    found = fairness.of_rule(rule=few)
    assert [group.state for group in found.findings[0].groups] == ["few", "few"]
    assert not found.barred


def key_of(role: str) -> dict[str, str]:
    _row, secret = auth.create_key(
        name=role, scopes=["campaigns:write"], user=factories.user(role, username=f"by-{role}")
    )
    return {"Authorization": f"Bearer {secret}"}


def test_an_integrator_is_told_the_code_and_how_it_is_answered_for(client: Client) -> None:
    shop()
    watch("gender")
    campaign = letter()
    start = reverse("api:campaign-start", args=[campaign.pk])
    waive = reverse("api:campaign-waive", args=[campaign.pk])

    def post(url: str, role: dict[str, str], body: Any = None) -> Any:
        return client.post(url, body or {}, content_type="application/json", headers=role)

    admin, marketer = key_of("admin"), key_of("marketer")
    refused = post(start, marketer)
    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (422, "chosen_unequally")
    assert waive in error["remedy"]
    assert error["items"][0]["attribute"] == "gender"
    assert post(waive, marketer, {"reason": REASON}).status_code == 403
    assert post(waive, admin, {"reason": 5}).json()["error"]["code"] == "reason_missing"
    assert post(waive, admin, {"reason": REASON}).json()["groups"] == [["gender", "female"]]
    assert post(start, marketer).status_code == 202


def test_the_check_page_shows_the_groups_and_who_may_answer(client: Client) -> None:
    shop()
    campaign = letter()
    page = reverse("campaigns:campaign-check", args=[campaign.pk])
    client.force_login(factories.user("marketer"))
    assert "No attribute is watched" in client.get(page).content.decode()
    watch("gender")
    seen = client.get(page).content.decode()
    assert "likely too seldom" not in seen
    assert "too seldom" in seen
    assert "0.43" in seen
    assert "An admin may answer for it" in seen
    waive = reverse("campaigns:campaign-waive", args=[campaign.pk])
    assert client.post(waive, {"reason": REASON}).status_code == 403
    client.force_login(factories.user("admin", username="chief"))
    assert 'name="reason"' in client.get(page).content.decode()
    assert REASON in client.post(waive, {"reason": REASON}, follow=True).content.decode()


def test_of_very_many_people_groups_are_counted_beside_the_check_which_waits_with_sending(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop()
    campaign = letter()
    watch("gender")
    monkeypatch.setattr(wizard, "LARGE", 449)
    look_at_everybody()
    client.force_login(factories.user("marketer"))
    page = client.get(reverse("campaigns:campaign-check", args=[campaign.pk])).content.decode()
    beside = reverse("campaigns:campaign-fair", args=[campaign.pk])
    assert f'hx-get="{beside}"' in page
    assert "Counting whether groups are chosen alike" in page
    assert 'data-open="#send" disabled' in page
    assert "0.43" not in page
    told = client.get(beside).content.decode()
    assert "0.43" in told
    assert 'data-open="#send" disabled' in told
    assert "The model chooses some groups too seldom" in told
    fairness.waive(campaign_id=campaign.pk, reason=REASON, actor=factories.user("admin"), now=NOW)
    told = client.get(beside).content.decode()
    assert 'data-open="#send">' in told
    assert "somebody answers for it" in told
    campaign.segment.rule = {"field": "customer.country", "op": "=", "value": "GB"}
    campaign.segment.save()
    page = client.get(reverse("campaigns:campaign-check", args=[campaign.pk])).content.decode()
    assert beside not in page  # no model has a say, so there is nothing to count
    assert 'data-open="#send">' in page


def test_what_is_watched_is_chosen_by_an_admin(client: Client) -> None:
    page = reverse("models_ml:fairness")
    client.force_login(factories.user("marketer"))
    assert client.post(page, {"name": "gender", "kind": "text"}).status_code == 403
    client.force_login(factories.user("admin", username="chief"))
    for values, code in (
        ({"name": "", "kind": "text"}, 422),
        ({"name": "age", "kind": "number"}, 422),
        ({"name": "age", "kind": "number", "bands": "x"}, 422),
        ({"name": "customer.country", "kind": "birth"}, 422),
        ({"name": "born", "kind": "birth"}, 302),
        ({"name": "born", "kind": "text"}, 409),
        ({"name": "spent", "kind": "number", "bands": "10, 2.5"}, 302),
    ):
        assert client.post(page, values).status_code == code, values
    rows = list(WatchedAttribute.objects.values_list("name", "kind", "bands"))
    assert rows == [("born", "birth", [25, 35, 45, 55, 65]), ("spent", "number", [2.5, 10])]
    told = client.get(page).content.decode()
    assert "&lt;25, 25–34, 35–44, 45–54, 55–64, ≥65" in told
    first = WatchedAttribute.objects.get(name="born")
    client.post(reverse("models_ml:fairness-unwatch", args=[first.pk]))
    assert [row.name for row in watched.everything()] == ["spent"]
    actions = AuditEntry.objects.filter(object_label="born").order_by("id")
    assert [row.action for row in actions] == ["fairness.watched", "fairness.unwatched"]
