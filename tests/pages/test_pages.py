"""What home, people, jobs and settings show, and what they refuse."""

import html as markup
import json
import re

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from marketing import figures, turnover
from marketing.core.models import ApiKey, AuditEntry, Job, User
from tests import factories
from tests.factories import signed_in

pytestmark = pytest.mark.django_db


def test_an_empty_shop_says_how_to_start() -> None:
    html = signed_in("marketer").get("/").content.decode()
    assert "Start with your orders" in html


def test_home_adds_up_what_the_orders_say() -> None:
    factories.cast()
    html = signed_in("analyst").get("/?days=28").content.decode()
    assert "£36" in html  # two orders of 18.00 in the last 28 days
    assert "Data from" in html


def test_home_hints_at_rows_that_were_set_aside_and_at_failed_jobs_in_whole_words() -> None:
    factories.import_job(quarantined=4)
    why = "Too few people. " + "The tree asks for two hundred who ordered before. " * 3
    factories.job("Train the tree", state="failed", error=why, finished_at=factories.now())
    html = signed_in("marketer").get("/").content.decode()
    assert "Train the tree failed" in html
    assert "Too few people." in html
    assert "The tree asks for two…</small>" in html


def test_home_says_where_most_buyers_stop_and_opens_exactly_them() -> None:
    factories.cast()
    client = signed_in("marketer")
    html = client.get("/").content.decode()
    assert "Most people stop between “First order” and “Second order”: 1 of 2." in html
    link = re.search(r'href="(/segments/new/\?rule=[^"]+)">See who they are', html)
    assert link is not None
    rule = client.get(markup.unescape(link[1])).context["data"]["rule"]
    some = client.post("/segments/preview/", {"rule": json.dumps(rule)}).json()["some"]
    assert ("Ben Okri" in some, "Ada Byron" in some) == (True, False)


def test_home_names_the_best_group_nobody_wrote_to() -> None:
    people = factories.cast()
    tree = factories.tree_version()
    client = signed_in("marketer")
    html = client.get("/").content.decode()
    assert "1 person likely to order again has not been written to" in html
    assert "60% of their group ordered again in 90 days, 1.9 times the average" in html
    leaf = factories.segment(origin={"kind": "tree_leaf", "version_id": tree.pk, "leaf": 1})
    factories.run(factories.campaign(segment=leaf, state="finished"), [people.ada])
    assert "likely to order again" not in client.get("/").content.decode()


def test_a_person_page_says_why_a_mail_may_not_be_sent() -> None:
    people = factories.cast()
    client = signed_in("marketer")
    html = client.get(reverse("customer", args=[people.cleo.pk])).content.decode()
    assert "E-mail: no" in html
    assert "declined" in html


def test_a_person_page_shows_numbers_with_reasons_picks_segments_and_mails() -> None:
    people = factories.shop()
    html = signed_in("analyst").get(reverse("customer", args=[people.ada.pk])).content.decode()
    assert "60%" in html  # the chance of her leaf
    assert "Days since last order at most 34" in " ".join(html.split())
    assert "Orders again within 90 days, version 1" in html
    assert "Blue cup" in html
    assert "Recent buyers" in html
    assert "Autumn letter" in html
    assert "4 orders, £72.00 in all" in html


def test_nobody_is_found_for_one_letter_and_ada_for_two() -> None:
    people = factories.cast()
    client = signed_in("analyst")
    assert b"Ada" not in client.get(reverse("people-search") + "?q=a").content
    assert (
        reverse("customer", args=[people.ada.pk]).encode()
        in client.get(reverse("people-search") + "?q=ad").content
    )


def test_an_unknown_page_and_an_unknown_person_are_404_in_our_own_words() -> None:
    client = signed_in("analyst")
    for url in ("/nowhere/", reverse("customer", args=[999999])):
        answer = client.get(url)
        assert answer.status_code == 404
        assert b"There is nothing at this address" in answer.content


def test_a_form_without_its_token_is_refused_in_our_own_words() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(factories.user("admin"))
    answer = client.post(reverse("core:theme"), {"theme": "dark"})
    assert answer.status_code == 403
    assert b"too old to be taken" in answer.content


def test_a_fault_of_the_server_is_owned_up_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(**_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(figures, "happened", break_down)
    client = signed_in("analyst")
    client.raise_request_exception = False
    answer = client.get("/")
    assert answer.status_code == 500
    assert b"Something went wrong on the server" in answer.content
    assert b"a secret of the inside" not in answer.content


# --- jobs --------------------------------------------------------------------------------------


def test_an_analyst_cannot_cancel_a_job() -> None:
    job = factories.job(state="queued")
    answer = signed_in("analyst").post(reverse("core:job-cancel", args=[job.public_id]))
    assert answer.status_code == 403
    assert b"Your role" in answer.content
    job.refresh_from_db()
    assert job.state == "queued"


def test_a_waiting_job_is_cancelled_and_tried_again() -> None:
    job = factories.job(state="queued")
    client = signed_in("marketer")
    client.post(reverse("core:job-cancel", args=[job.public_id]))
    job.refresh_from_db()
    assert job.state == "stopped"
    client.post(reverse("core:job-retry", args=[job.public_id]))
    job.refresh_from_db()
    assert job.state == "queued"
    actions = list(AuditEntry.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["job.cancelled", "job.retried"]


def test_cancelling_an_ended_job_says_that_nothing_changed() -> None:
    job = factories.job(state="done")
    answer = signed_in("admin").post(reverse("core:job-cancel", args=[job.public_id]), follow=True)
    assert b"already ended" in answer.content


def test_a_running_job_asks_again_and_an_ended_one_stops_asking() -> None:
    client = signed_in("analyst")
    job = factories.job(done=250, total=1000)
    card = reverse("core:job-card", args=[job.public_id])
    running = client.get(card)
    assert b"data-poll=" in running.content
    assert b'aria-valuenow="25"' in running.content
    assert "HX-Trigger" not in running
    Job.objects.update(state="done")
    ended = client.get(card)
    assert b"data-poll=" not in ended.content
    assert "job-ended" in ended["HX-Trigger"]


def test_the_ring_tells_once_which_job_ended() -> None:
    client = signed_in("analyst")
    factories.job("Import more.csv", state="done", finished_at=factories.now())
    ring = reverse("core:job-ring")
    assert "Done: Import more.csv" in client.get(f"{ring}?since=1")["HX-Trigger"]
    later = factories.now().timestamp() + 1
    assert "HX-Trigger" not in client.get(f"{ring}?since={later}")
    assert client.get(f"{ring}?since=nonsense").status_code == 200


# --- settings ----------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_then_only_its_beginning() -> None:
    client = signed_in("integrator")
    form = {"name": "web shop", "days": "90", "scopes": ["customers:read", "events:write"]}
    first = client.post(reverse("core:keys"), form).content.decode()
    key = ApiKey.objects.get()
    assert f"pk_{key.prefix}_" in first
    secret = first.split(f"pk_{key.prefix}_")[1].split('"')[0]
    assert len(secret) > 30
    assert secret not in client.get(reverse("core:keys")).content.decode()
    assert key.scopes == ["customers:read", "events:write"]
    assert key.expires_at is not None


def test_a_key_that_may_do_nothing_is_not_made() -> None:
    answer = signed_in("admin").post(reverse("core:keys"), {"name": "web shop", "days": "90"})
    assert answer.status_code == 422
    assert b"Choose at least one thing" in answer.content
    assert not ApiKey.objects.exists()


def test_a_revoked_key_is_marked() -> None:
    client = signed_in("admin")
    client.post(reverse("core:keys"), {"name": "old", "days": "0", "scopes": ["jobs:read"]})
    key = ApiKey.objects.get()
    page = client.post(reverse("core:key-revoke", args=[key.pk]), follow=True)
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert b"Revoked" in page.content


@pytest.mark.parametrize("role", ["marketer", "analyst"])
def test_keys_are_for_admins_and_integrators(role: str) -> None:
    assert signed_in(role).get(reverse("core:keys")).status_code == 403


def test_a_profile_changes_language_theme_and_time_zone() -> None:
    user = factories.user("analyst")
    client = Client()
    client.force_login(user)
    form = {
        "first_name": "Ines",
        "last_name": "Alba",
        "email": "ines@example.com",
        "language": "zh-hans",
        "timezone": "Asia/Shanghai",
        "theme": "dark",
    }
    page = client.post(reverse("core:profile"), form, follow=True).content.decode()
    user = User.objects.get(pk=user.pk)
    assert (user.language, user.timezone, user.theme) == ("zh-hans", "Asia/Shanghai", "dark")
    assert '<html lang="zh-Hans" data-theme="dark"' in page


def test_an_unknown_time_zone_is_refused() -> None:
    form = {"language": "en", "timezone": "Mars/Olympus", "theme": "auto"}
    answer = signed_in("analyst").post(reverse("core:profile"), form)
    assert answer.status_code == 422
    assert b"There is no time zone Mars/Olympus" in answer.content


def test_the_theme_button_remembers_and_refuses_nonsense() -> None:
    user = factories.user("analyst")
    client = Client()
    client.force_login(user)
    assert client.post(reverse("core:theme"), {"theme": "dark"}).status_code == 204
    assert client.post(reverse("core:theme"), {"theme": "neon"}).status_code == 422
    assert User.objects.get(pk=user.pk).theme == "dark"


# --- the demo while it loads -------------------------------------------------------------------


def test_the_demo_shows_its_steps_and_draws_the_page_again_when_one_is_done() -> None:
    job = factories.job("Work out numbers for each person", kind="features.build")
    Job.objects.filter(pk=job.pk).update(params={"demo": True})
    client = signed_in("analyst")
    html = client.get("/").content.decode()
    assert "Loading a real shop" in html
    assert "Choose products for each person" in html
    steps = reverse("demo-steps")
    assert client.get(f"{steps}?done=0.0").status_code == 200
    factories.cast()
    assert client.get(f"{steps}?done=0.0")["HX-Refresh"] == "true"
    assert client.get(f"{steps}?done=0.1").status_code == 200
    Job.objects.filter(pk=job.pk).update(state="done", finished_at=factories.now())
    again = client.get(f"{steps}?done=0.1")
    assert (again.status_code, again["HX-Refresh"]) == (204, "true")


def test_nobody_sees_the_demo_who_never_asked_for_it() -> None:
    factories.cast()
    assert b"Loading a real shop" not in signed_in("analyst").get("/").content


def test_sums_of_very_many_orders_are_kept_and_made_anew_before_somebody_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cache.clear()
    ada = factories.customer("ada")
    for days_ago in (3, 3, 4, 30):
        factories.order(ada, days_ago=days_ago)
    seen = figures.happened(days=28, now=factories.NOW)
    assert seen is not None
    orders, people = seen.figures[1:3]
    assert (orders.value, people.value, people.before) == (3, 1, 1)
    assert (sum(orders.now), sum(people.now), sum(people.prev)) == (3, 2, 1)
    monkeypatch.setattr(turnover, "MANY", -2)
    assert figures.happened(days=28, now=factories.NOW) == seen
    factories.order(factories.customer("ben"), days_ago=3)
    assert figures.happened(days=28, now=factories.NOW) == seen
    assert turnover.renew(now=factories.NOW) == 1
    later = figures.happened(days=28, now=factories.NOW)
    assert later is not None
    assert [figure.value for figure in later.figures[1:3]] == [4, 2]
    cache.clear()
