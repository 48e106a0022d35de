"""Every page answers for whoever may see it, asks the database little, and refuses the rest."""

import re
from html import unescape
from urllib.parse import urljoin

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from campaigns.models import Campaign, Segment, Template
from ingestion.models import Customer, ImportJob, Product
from marketing.core.models import Job
from tests import factories
from tests.browser.addresses import all_pages
from tests.core.test_defences import CODE
from tests.factories import signed_in

pytestmark = pytest.mark.django_db

# Who sees the pages that change things, and those with secrets of others' services. What is not
# said of a role here is said by the tests of those pages.
ROLES: dict[str, dict[str, int]] = {
    "admin": {"rights": 200, "keys": 200},
    "marketer": {"rights": 200, "keys": 403},
    "analyst": {"rights": 403},
    "integrator": {"keys": 200},
}
QUERIES = 20
# Sources that only their events told of get a row when somebody looks at the list of sources.
CHANGES = re.compile(
    r"\s*(?:WITH\b.*?\b)?(?:INSERT(?! INTO ingestion_source )|UPDATE|DELETE|TRUNCATE|COPY)\b",
    re.DOTALL,
)
POLICY = {
    "default-src 'self'",
    "script-src 'self'",
    "style-src 'self'",
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
}
SHOWS_A_NAME = (
    "home",
    "person",
    "people",
    "imports",
    "import",
    "segments",
    "campaigns",
    "jobs",
    "running job",
)
NEEDS_RIGHTS = re.compile(
    r"^(new |columns of|draft's (message|audience|timing|variants)|template$|ready prediction"
    r"|segment from a start|sms$|a saved block|change an ad campaign)"
)
# Who may use the secrets of others' services, and no marketer.
NEEDS_KEYS = re.compile(r"^(channel$|new channel|new mail channel)")


@pytest.fixture(scope="module")
def people(made_once: None) -> factories.Cast:
    return factories.shop()


@pytest.fixture(scope="module")
def pages(people: factories.Cast) -> dict[str, str]:
    return all_pages(people)


def sorted_out(people: factories.Cast, pages: dict[str, str]) -> dict[str, dict[str, str]]:
    """Pages by who may see them (everybody, `rights`, `keys`), with the fragments of the shell."""
    job = Job.objects.get(state="running")
    found: dict[str, dict[str, str]] = {"everybody": {}, "rights": {}, "keys": {}}
    for name, url in pages.items():
        if NEEDS_KEYS.search(name):
            found["keys"][name] = url
        elif NEEDS_RIGHTS.search(name):
            found["rights"][name] = url
        elif name not in ("lost", "keys", "audit"):
            found["everybody"][name] = url
    assert set(found["keys"]) == {"channel", "new channel", "new mail channel"}
    found["everybody"] |= {
        "home": reverse("home"),
        "home of a week": reverse("home") + "?days=7",
        "person": reverse("customer", args=[people.ada.pk]),
        "person who never bought": reverse("customer", args=[people.cleo.pk]),
        "search": reverse("people-search") + "?q=ad",
        "jobs": reverse("core:job-list"),
        "failed jobs": reverse("core:job-list") + "?state=failed",
        "job": reverse("core:job-detail", args=[job.public_id]),
        "job card": reverse("core:job-card", args=[job.public_id]),
        "job live": reverse("core:job-live", args=[job.public_id]),
        "ring": reverse("core:job-ring") + "?since=1",
        "menu": reverse("core:job-menu"),
        "profile": reverse("core:profile"),
        "team": reverse("core:team"),
        "password": reverse("password_change"),
    }
    return found


def flaws(html: str, policy: str) -> list[str]:
    """What a page holds that no page may, and what its policy lacks."""
    found = sorted(POLICY - set(policy.split("; ")))
    if " onclick=" in html:
        found.append("onclick")
    attributes = [tag.split(">", 1)[0] for tag in html.split("<script")[1:]]
    inline = [tag for tag in attributes if "src=" not in tag and "application/json" not in tag]
    return found + inline


def test_every_page_answers_whom_it_is_for_in_few_queries_without_inline_scripts_or_changes(
    people: factories.Cast, pages: dict[str, str]
) -> None:
    by_kind = sorted_out(people, pages)
    wrong = {}
    for role, more in ROLES.items():
        client = signed_in(role)
        for kind, status in [("everybody", 200), *more.items()]:
            for name, url in by_kind[kind].items():
                with CaptureQueriesContext(connection) as asked:
                    answer = client.get(url)
                # Savepoints are made by the test's own transaction, settings ask for nothing, and a
                # statement is prepared once a connection.
                count = sum(
                    not query["sql"].startswith(("SAVEPOINT", "RELEASE", "SET LOCAL", "PREPARE"))
                    for query in asked.captured_queries
                )
                bad = flaws(answer.content.decode(), answer["Content-Security-Policy"])
                bad += [query["sql"] for query in asked if CHANGES.match(query["sql"])]
                bad += [] if "no-store" in answer["Cache-Control"] else ["may be kept in a cache"]
                too_many = kind == "everybody" and count > QUERIES
                if role == "analyst":
                    with CaptureQueriesContext(connection) as asked:
                        client.post(url)
                    bad += [query["sql"] for query in asked if CHANGES.match(query["sql"])]
                if answer.status_code != status or too_many or bad:
                    wrong[role, name] = (answer.status_code, count, bad)
    for name, url in [("lost", "/nowhere/"), ("sign in", "/login/")]:
        if bad := flaws("", client.get(url)["Content-Security-Policy"]):
            wrong["", name] = (0, 0, bad)
    stranger = Client()
    for name, url in {**by_kind["everybody"], **by_kind["rights"], **by_kind["keys"]}.items():
        answer = stranger.get(url)
        where = answer.get("Location", "")
        if (answer.status_code, where.split("=")[0]) != (302, "/login/?next"):
            wrong["stranger", name] = (answer.status_code, 0, [where])
    assert wrong == {}


ODD = (
    "'; SELECT pg_sleep(9) --", "-1", "9" * 40, "%00", "../../etc/passwd", "{{7*7}}", "nan", "²",
    "2026-02-30", "x" * 3_000, "\N{OBJECT REPLACEMENT CHARACTER}", "id__gt", "[]", "",
)  # fmt: skip


def test_nothing_that_is_asked_in_an_address_breaks_a_page(pages: dict[str, str]) -> None:
    names = {
        name
        for path in CODE
        for name in re.findall(r'\bGET\.(?:get|getlist)\(\s*"(\w+)"', path.read_text())
    }
    assert {"q", "page", "after", "state"} < names
    client = Client(raise_request_exception=False)
    client.force_login(factories.user("admin"))
    broken = {}
    for n, (name, url) in enumerate(pages.items()):
        asked = dict.fromkeys(names, ODD[n % len(ODD)])
        status = client.get(url.partition("?")[0], asked).status_code
        if status >= 500:
            broken[name] = (status, ODD[n % len(ODD)])
    assert broken == {}


NASTY = """{{ request.user.password }}{% now "Y" %}"'<script>x</script>"""


def test_names_that_look_like_templates_or_tags_are_shown_as_text(pages: dict[str, str]) -> None:
    Job.objects.update(title=NASTY, error=NASTY, step_label=NASTY)
    Campaign.objects.update(name=NASTY)
    Segment.objects.update(name=NASTY)
    Template.objects.update(name=NASTY)
    ImportJob.objects.update(original_name=NASTY)
    Customer.objects.update(first_name=NASTY[:90], last_name="")
    Product.objects.update(name=NASTY)
    client = signed_in("admin")
    wrong = {}
    for name, url in pages.items():
        html = client.get(url).content.decode()
        if "pbkdf2_sha256" in html or "<script>x" in html:
            wrong[name] = "ran"
        elif "{{ request.user" not in html and name in SHOWS_A_NAME:
            wrong[name] = "lost"
    assert wrong == {}


def test_a_segment_whose_rule_can_no_longer_be_read_breaks_no_page(pages: dict[str, str]) -> None:
    Segment.objects.update(rule={"field": "a_field_that_is_gone", "op": "=", "value": 1})
    client = signed_in("admin")
    broken = {
        name: answer.status_code
        for name, url in pages.items()
        if (answer := client.get(url)).status_code >= 500
    }
    assert broken == {}


LINK = re.compile(r'(?:href|hx-get)="(/[^"#]*|\?[^"]*)')


def test_no_page_links_to_nowhere(pages: dict[str, str]) -> None:
    client = signed_in("admin")
    links: dict[str, str] = {}
    for name, url in pages.items():
        if name == "lost":
            continue
        for link in LINK.findall(client.get(url).content.decode()):
            there = urljoin(url, unescape(link))
            if not there.startswith("/static/"):
                links.setdefault(there, name)
    broken = {
        there: (name, status)
        for there, name in links.items()
        if (status := client.get(there).status_code) >= 400
    }
    assert broken == {}
    assert len(links) > 50
