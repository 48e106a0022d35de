"""Signing in and out, the theme, the language, and an API key, by hand in a browser."""

from datetime import timedelta

import pytest
from playwright.sync_api import Route, expect

from marketing.core import factors
from marketing.core.models import ApiKey, Job, SecondFactor, User
from tests import factories
from tests.browser.conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PATIENCE = 30_000  # milliseconds: a busy machine draws late


def test_somebody_signs_in_sees_the_page_they_wanted_and_signs_out(visit: Visit) -> None:
    factories.shop()
    user = factories.user("marketer", first_name="Noor")
    visitor = visit()
    page = visitor.go("/jobs/")
    expect(page.get_by_text("Sign in to see this page.")).to_be_visible()
    page.get_by_label("User name").fill(user.username)
    page.get_by_label("Password").fill("not this one at all")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_visible()
    page.get_by_role("button", name="Your account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert visitor.errors == []
    assert visitor.refusals() == []


def test_the_theme_button_switches_at_once_and_is_remembered(visit: Visit) -> None:
    user = factories.user("analyst")
    page = visit(user).go("/settings/")
    with page.expect_response("**/settings/theme/"):
        page.get_by_role("button", name="Switch theme").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert User.objects.get(pk=user.pk).theme == "dark"
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_the_profile_switches_the_language(visit: Visit) -> None:
    page = visit(factories.user("analyst")).go("/settings/")
    page.get_by_label("Language").select_option("zh-hans")
    page.get_by_role("button", name="Save profile").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-Hans")


def test_an_api_key_is_made_shown_once_and_revoked(visit: Visit) -> None:
    visitor = visit(factories.user("admin"))
    page = visitor.go("/settings/keys/")
    page.get_by_label("Name").fill("web shop")
    page.get_by_label("customers:read").check()
    page.get_by_role("button", name="Create key").click()
    secret = page.get_by_label("API key", exact=True).input_value()
    key = ApiKey.objects.get()
    assert secret.startswith(f"pk_{key.prefix}_")
    visitor.go("/settings/keys/")
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke web shop").click()
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_role("cell", name="Revoked")).to_be_visible()
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert visitor.errors == []
    assert visitor.refusals() == []


def test_a_phone_copies_the_secret_of_the_second_factor_where_the_clipboard_is_kept_back_too(
    visit: Visit,
) -> None:
    user = factories.user("marketer")
    factors.begin(user=user, now=factories.now())
    visitor = visit(user, width="phone", theme="dark")
    visitor.context.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
        "document.addEventListener('copy', e => { window.copied = e.target.value; });"
    )
    page = visitor.go("/settings/factor/")
    copy = page.get_by_role("button", name="Copy the secret")
    box = copy.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    copy.click()
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    secret = factors.secret_of(SecondFactor.objects.get(user=user))
    assert page.evaluate("window.copied") == secret
    app = page.get_by_role("link", name="Open the authenticator app")
    assert f"secret={secret}" in (app.get_attribute("href") or "")
    assert visitor.axe() == []
    assert (visitor.overflow(), visitor.errors, visitor.refusals()) == (0, [], [])


def test_a_running_job_moves_on_screen_and_says_when_it_ends(visit: Visit) -> None:
    # asked for each second, as it began just now: a job of an hour ago is asked for each 5 s
    job = factories.job("Import more.csv", done=100, total=1000, created_at=factories.now())
    visitor = visit(factories.user("marketer"))
    page = visitor.go(f"/jobs/{job.public_id}/")
    bar = page.get_by_role("progressbar", name="Import more.csv")
    expect(bar).to_have_attribute("aria-valuenow", "10")
    Job.objects.filter(pk=job.pk).update(done=600)
    expect(bar).to_have_attribute("aria-valuenow", "60", timeout=PATIENCE)
    expect(page.locator("#announcer")).to_have_text("Import more.csv: 50%", timeout=PATIENCE)
    Job.objects.filter(pk=job.pk).update(state="done", finished_at=factories.now())
    expect(page.locator("#h-state")).to_contain_text("Done", timeout=PATIENCE)
    expect(page.locator("#toasts")).to_contain_text("Done: Import more.csv", timeout=PATIENCE)
    assert visitor.errors == []


def test_a_job_that_has_long_been_running_still_moves_after_an_answer_was_lost(
    visit: Visit,
) -> None:
    job = factories.job(
        "Import more.csv", done=100, total=1000, created_at=factories.now() - timedelta(hours=1)
    )
    visitor = visit(factories.user("marketer"))
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.request.url)
        route.abort()

    visitor.page.route("**/live/", lose_the_first)
    page = visitor.go(f"/jobs/{job.public_id}/")
    bar = page.get_by_role("progressbar", name="Import more.csv")
    expect(bar).to_have_attribute("aria-valuenow", "10")
    Job.objects.filter(pk=job.pk).update(done=600)
    expect(bar).to_have_attribute("aria-valuenow", "60", timeout=PATIENCE)
    assert len(lost) == 1
