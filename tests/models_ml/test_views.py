"""Pages of models: what is shown of predictions, and what can be done there."""

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from ingestion import consent
from marketing.core.errors import Invalid
from marketing.core.models import AuditEntry, Job
from models_ml.models import ModelVersion, Prediction, Score, Watch
from models_ml.predictions import definitions, life, reasons, scoring, training, watching
from tests import factories
from tests.models_ml.predictions import shops

pytestmark = pytest.mark.django_db
NOW = factories.NOW
State = ModelVersion.State
MOST_QUERIES = 20


def signed_in(role: str = "marketer") -> Client:
    client = Client()
    client.force_login(factories.user(role))
    return client


def asked(**values: object) -> Prediction:
    given = {
        "title": "Buys again",
        "target": {"type": "order"},
        "horizon_days": 60,
        "settings": {"candidates": ["tree"], "profit": {"worth": 20, "cost": 2}},
        "now": NOW,
        **values,
    }
    return definitions.create(**given)  # type: ignore[arg-type]


def address(prediction: Prediction, name: str = "prediction", *more: int) -> str:
    return reverse(f"models_ml:{name}", args=[prediction.key, *more])


def text_of(client: Client, path: str) -> str:
    response = client.get(path)
    assert response.status_code == 200
    return response.content.decode()


@pytest.fixture
def trained() -> Prediction:
    """A prediction that has learned from a real small shop, and was looked at since."""
    shops.plant(people=400)
    prediction = asked()
    training.train(prediction=prediction, now=NOW)
    scoring.score(prediction=prediction, now=NOW)
    prediction.refresh_from_db()
    watching.look(prediction=prediction, now=NOW)
    return prediction


def test_the_page_of_a_prediction_shows_what_it_was_judged_by(
    trained: Prediction, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in()
    with django_assert_max_num_queries(MOST_QUERIES):
        shown = text_of(client, address(trained))
    version = ModelVersion.objects.get(name=trained.key)
    assert version.state == State.LIVE
    assert "Every method on the same people" in shown
    assert "Whoever ordered last orders next" in shown  # the rule stands in the table
    assert f"{version.metrics['auc']:.4f}" in shown
    assert f"{version.baseline['auc']:.4f}" in shown
    assert "Said and seen" in shown
    assert "Associations, not causes" in shown
    assert "Whom to reach" in shown
    assert "PSI" in shown


def test_the_list_shows_the_figure_beside_its_baseline(
    trained: Prediction, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in()
    with django_assert_max_num_queries(MOST_QUERIES):
        shown = text_of(client, reverse("models_ml:model-list"))
    version = ModelVersion.objects.get(name=trained.key)
    assert "Buys again" in shown
    assert f"{version.metrics['auc']:.3f}" in shown
    assert f"{version.baseline['auc']:.3f}" in shown
    assert "Will stop buying" in shown  # ready to be asked


def test_the_slider_starts_at_a_tenth_and_its_sums_are_the_scores() -> None:
    shops.plant(people=400)
    prediction = asked()
    training.train(prediction=prediction, now=NOW)
    scoring.score(prediction=prediction, now=NOW)
    response = signed_in().get(address(prediction))
    slices = response.context["slices"]
    scores = sorted(prediction.scores.values_list("value", flat=True), reverse=True)
    assert slices[-1]["people"] == len(scores)
    assert slices[-1]["expected"] == pytest.approx(sum(scores))
    first = slices[response.context["start_at"]]
    assert first["people"] >= len(scores) / 10
    assert first["expected"] == pytest.approx(sum(scores[: first["people"]]))


def test_a_version_that_is_no_better_says_why_and_what_would_help() -> None:
    shops.plant(people=300, random=True)
    prediction = asked()
    version = training.train(prediction=prediction, now=NOW)
    assert version.state == State.REFUSED
    shown = text_of(signed_in(), address(prediction))
    assert "Version 1 is not published." in shown
    assert "was not reliably better than the simple rule" in shown
    listed = text_of(signed_in(), reverse("models_ml:model-list"))
    assert "Not published" in listed
    assert "was not reliably better than the simple rule" in listed


def test_data_that_cannot_be_learned_from_is_a_state_in_words() -> None:
    factories.cast()
    prediction = asked()
    with pytest.raises(Invalid, match="nothing to tell apart"):
        training.train(prediction=prediction, now=NOW)
    shown = text_of(signed_in(), address(prediction))
    assert "ended without a result" in shown
    assert "Nothing could be learned" in shown
    assert prediction.trouble["remedy"] in shown
    assert "Could not learn" in text_of(signed_in(), reverse("models_ml:model-list"))


def test_nothing_learned_yet_is_said_plainly() -> None:
    prediction = asked()
    assert "Nothing has been learned yet" in text_of(signed_in(), address(prediction))


def test_training_is_queued_once() -> None:
    prediction = asked()
    client = signed_in()
    first = client.post(address(prediction, "prediction-train"), follow=True)
    again = client.post(address(prediction, "prediction-train"), follow=True)
    assert "The training has been queued" in first.content.decode()
    assert "is being trained already" in again.content.decode()
    assert Job.objects.filter(kind=training.TRAIN).count() == 1


def test_going_back_takes_one_press_and_is_noted(trained: Prediction) -> None:
    first = ModelVersion.objects.get(name=trained.key)
    training.train(prediction=trained, now=NOW)
    second = ModelVersion.objects.get(name=trained.key, version=2)
    client = signed_in()
    if second.state != State.LIVE:
        client.post(address(trained, "prediction-publish", 2))
    assert ModelVersion.objects.get(name=trained.key, state=State.LIVE).version == 2
    response = client.post(address(trained, "prediction-roll-back"), follow=True)
    assert "Version 1 is in use again" in response.content.decode()
    first.refresh_from_db()
    assert first.state == State.LIVE
    assert AuditEntry.objects.filter(action="model.promoted").exists()


def test_whose_scores_are_served_after_going_back_is_said_on_the_page(trained: Prediction) -> None:
    first = ModelVersion.objects.get(name=trained.key)
    second = factories.model_version(
        trained.key, 2, state="retired", folder=first.folder, details=first.details
    )
    life.publish(version=second, actor=None, now=NOW)  # it never scored anybody
    text = text_of(signed_in(), address(trained))
    assert "The scores are still those of version 1, though version 2 is in use." in text
    assert "by version 1" in text
    scoring.score(prediction=trained, now=NOW, version=second)
    assert "The scores are still those" not in text_of(signed_in(), address(trained))


def test_a_version_says_how_it_did_beside_the_one_before(trained: Prediction) -> None:
    version = ModelVersion.objects.get(name=trained.key)
    gain = {"value": 0.02, "low": 0.01, "high": 0.03}
    for duel, said in (
        ({"version": 7, "measure": "auc", "gain": gain}, "+0.0200 on the same people (+0.0100 to"),
        ({"version": 7, "measure": "rmse", "gain": gain}, "+2.0 % on the same people"),
        ({"version": 7, "why": "feature_gone"}, "That version reads what is no longer worked out."),
    ):
        version.details["duel"] = duel
        version.save()
        text = text_of(signed_in(), address(trained))
        assert "Beside version 7" in text
        assert said in text
    Watch.objects.all().delete()
    version.details |= {"engine": "uplift", "duel": None}
    version.save()
    assert "Nobody is seen both with and without a mail" in text_of(signed_in(), address(trained))


def test_a_version_can_be_tried_in_the_shadow(trained: Prediction) -> None:
    training.train(prediction=trained, now=NOW)
    other = ModelVersion.objects.exclude(state=State.LIVE).get(name=trained.key)
    signed_in().post(address(trained, "prediction-shade", other.version))
    other.refresh_from_db()
    assert other.state == State.SHADOW
    watching.look(prediction=trained, now=NOW)
    assert Watch.objects.filter(kind=Watch.Kind.SHADOW).exists()
    assert f"In the shadow: version {other.version}" in text_of(signed_in(), address(trained))


def test_what_came_true_stands_beside_what_was_said(trained: Prediction) -> None:
    version = ModelVersion.objects.get(name=trained.key)
    readings = {"said": 0.41, "seen": 0.26, "low": 0.22, "high": 0.3, "people": 400}
    Watch.objects.create(
        prediction=trained,
        version=version,
        kind=Watch.Kind.CALIBRATION,
        level=Watch.Level.ALARM,
        as_of=NOW,
        people=400,
        readings=readings,
    )
    shown = text_of(signed_in(), address(trained))
    assert "41.0%" in shown
    assert "26.0%" in shown
    assert "22.0% – 30.0%" in shown
    assert "What it says no longer comes true." not in shown  # it was trained only just now
    assert ">Alarm</span>" in text_of(signed_in(), reverse("models_ml:model-list"))


def test_an_archived_prediction_is_out_of_the_way_and_can_come_back(trained: Prediction) -> None:
    client = signed_in()
    client.post(address(trained, "prediction-archive"))
    listed = reverse("models_ml:model-list")
    assert "Buys again" not in text_of(client, listed)
    assert "Buys again" in text_of(client, listed + "?show=archived")
    client.post(address(trained, "prediction-restore"))
    trained.refresh_from_db()
    assert trained.state == Prediction.State.ACTIVE


def test_the_address_of_a_version_leads_to_its_prediction(trained: Prediction) -> None:
    version = ModelVersion.objects.get(name=trained.key)
    response = signed_in().get(reverse("models_ml:model-detail", args=[version.pk]))
    assert response.headers["Location"] == f"{address(trained)}?version=1"
    assert signed_in().get(address(trained) + "?version=99").status_code == 404


def test_an_analyst_looks_and_changes_nothing(trained: Prediction) -> None:
    client = signed_in("analyst")
    assert "Train again" not in text_of(client, address(trained))
    for name in ("train", "roll-back", "look", "archive"):
        assert client.post(address(trained, f"prediction-{name}")).status_code == 403
    assert client.get(reverse("models_ml:prediction-new")).status_code == 403


def ask(client: Client, **values: object) -> str:
    form = {"type": "order", "horizon_days": 60, "who": "buyers", "title": "Mine", **values}
    response = client.post(reverse("models_ml:prediction-check"), form)
    assert response.status_code == 200
    return response.content.decode()


def test_three_choices_make_a_prediction_and_start_its_training() -> None:
    shops.plant(people=300)
    client = signed_in()
    response = client.post(
        reverse("models_ml:prediction-new"),
        {
            "type": "spend_over",
            "amount": "30",
            "horizon_days": "45",
            "who": "recent",
            "ordered_within_days": "200",
            "title": "Big spender",
            "worth": "20",
            "cost": "1.5",
            "learn_from": ["country"],
        },
    )
    made = Prediction.objects.get()
    assert response.headers["Location"] == address(made)
    assert made.target == {"type": "spend_over", "amount": 30.0}
    assert made.horizon_days == 45
    assert made.population == {"who": "buyers", "ordered_within_days": 200}
    assert made.settings["profit"] == {"worth": 20.0, "cost": 1.5}
    assert made.settings["attributes"] == [{"name": "country", "kind": "category"}]
    assert Job.objects.get(kind=training.TRAIN).params == {"prediction": made.pk}


def test_a_ready_question_keeps_its_key_once() -> None:
    shops.plant(people=300)
    client = signed_in()
    path = reverse("models_ml:prediction-new") + "?from=purchase_30d"
    assert "Will buy within 30 days" in text_of(client, path)
    form = {"type": "order", "horizon_days": 30, "who": "buyers", "title": "Buys soon"}
    client.post(path, form)
    client.post(path, form)
    assert list(Prediction.objects.order_by("id").values_list("key", "is_ready")) == [
        ("purchase_30d", True),
        ("buys_soon", False),
    ]


def test_what_the_data_holds_is_counted_before_it_starts() -> None:
    shops.plant(people=400)
    shown = ask(signed_in())
    assert "It suffices" in shown or "Worth a try" in shown
    assert "people in the group on" in shown
    assert "did it (" in shown


def test_too_little_data_starts_nothing() -> None:
    factories.cast()
    client = signed_in()
    assert "Not yet" in ask(client)
    response = client.post(
        reverse("models_ml:prediction-new"),
        {"type": "order", "horizon_days": 60, "who": "buyers", "title": "Mine"},
    )
    assert response.status_code == 422
    assert "nothing was started" in response.content.decode()
    assert not Prediction.objects.exists()
    assert not Job.objects.filter(kind=training.TRAIN).exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"type": "event"}, "Choose the event."),
        ({"type": "attribute"}, "Choose the property and say what it should be."),
        ({"horizon_days": "0"}, "Say how many days to look ahead."),
        ({"horizon_days": "9999999999"}, "Say how many days to look ahead."),
        ({"type": "event", "event": "Never seen"}, "Never seen"),
        ({"type": "spend_over", "amount": "-3"}, "greater than or equal to 0"),
        ({"type": "nonsense"}, "nonsense"),
    ],
)
def test_choices_that_cannot_be_read_say_what_is_missing(
    values: dict[str, object], said: str
) -> None:
    assert said in ask(signed_in(), **values)


def test_the_wizard_asks_little_of_the_database(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    factories.cast()
    client = signed_in()
    with django_assert_max_num_queries(MOST_QUERIES):
        text_of(client, reverse("models_ml:prediction-new"))
    with django_assert_max_num_queries(MOST_QUERIES):
        ask(client)


def why(client: Client, prediction: Prediction, person: int, tried: int = 0) -> str:
    return text_of(client, f"{address(prediction, 'prediction-why', person)}?try={tried}")


def test_the_page_of_a_person_shows_scores_and_the_reasons_sum_to_them(
    trained: Prediction, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in()
    score = Score.objects.filter(prediction=trained).order_by("value")[5]
    part = reverse("models_ml:person-scores", args=[score.customer_id])
    assert part in text_of(client, reverse("customer", args=[score.customer_id]))
    with django_assert_max_num_queries(MOST_QUERIES):
        shown = text_of(client, part)
    assert "Buys again" in shown
    assert f"{100 * score.value:.1f}%" in shown
    body = reasons.work_out(prediction=trained, customer_id=score.customer_id, now=NOW)
    assert body is not None
    total = body["usual"] + sum(one["share"] for one in body["reasons"])
    assert total == pytest.approx(score.value, abs=1e-9)
    assert body["peers"]["people"] == 100
    told = why(client, trained, score.customer_id)
    assert "Usually it says" in told
    assert "Associations, not causes" in told
    assert "people most alike" in told
    assert "data-poll" not in told


def test_reasons_that_are_not_there_yet_are_asked_for_again(trained: Prediction) -> None:
    client = signed_in()
    person = Score.objects.filter(prediction=trained).earliest("customer_id").customer_id
    waiting = why(client, trained, person)
    assert "?try=1" in waiting
    assert 'data-poll="1"' in waiting
    given_up = why(client, trained, person, tried=40)
    assert "data-poll" not in given_up
    assert "The reasons are not there yet" in given_up


def test_whoever_refused_profiling_has_no_scores_on_their_page(trained: Prediction) -> None:
    person = Score.objects.filter(prediction=trained).earliest("customer_id").customer
    consent.revoke(customer_ids=[person.pk], purpose="profiling", source="test", now=NOW)
    shown = text_of(signed_in(), reverse("models_ml:person-scores", args=[person.pk]))
    assert "h-scores" not in shown
